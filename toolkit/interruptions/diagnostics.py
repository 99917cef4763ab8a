"""Diagnostics: whether the residuals look as the error model says (Ljung-Box, Shapiro-Wilk, lag 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import special

from toolkit.interruptions.errors.fitted import Fit
from toolkit.interruptions.innovations import LAGS, probability
from toolkit.interruptions.model import Model
from toolkit.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOW = 0.05
WEEK = 7


@dataclass(frozen=True, repr=False, eq=False)
class Diagnostics(Result):
    """Whether the residuals look as the error model says. Made by `InterruptedTimeSeries.diagnostics`.

    `table`: series (of many), the error parameters by name (lam is the share of the AR(1) in the variance), boundary
    (those at the end of their range), ljung_box_L (p value of no autocorrelation up to lag L), normality (p value of
    Shapiro and Wilk's test), largest (the largest innovation, in standard deviations), largest_on (its date), n. For
    daily series also last_week (autocorrelation at 7 days) and last_week_p (one-sided p value of none). `innovations`:
    each point less its prediction from earlier ones, in standard deviations.

    References
    ----------
    Ljung and Box (1978), Biometrika 65:297. Shapiro and Wilk (1965), Biometrika 52:591.

    Examples
    --------
    >>> from toolkit import Level, interrupted_time_series
    >>> days = pd.date_range("2019-07-01", periods=60)
    >>> noise = np.random.default_rng(1).normal(0, 1, 60)
    >>> visits = pd.Series(np.where(days < "2019-07-31", 100, 80) + noise, index=days)
    >>> found = interrupted_time_series(visits, {"removed": Level("2019-07-31")})
    >>> found.diagnostics.sentence()
    'Residuals: rho = −0.02, lam = 0.24, no autocorrelation is left, largest residual +2.3 sd on 2019-07-31.'
    """

    table: pd.DataFrame
    innovations: pd.DataFrame
    parameters: tuple[str, ...]

    def sentence(self) -> str:
        """What the tests found, or that they found nothing."""
        tests = [name for name in self.table if name.startswith("ljung_box")]
        said = []
        for row in self.table.head(3).to_dict("records"):
            parts = [f"{name} = {_parameter(row[name])}" for name in self.parameters]
            if row["boundary"]:
                parts.append(f"{row['boundary']} lies at the end of its range")
            low = [
                f"lag {name.rpartition('_')[2]}: p {probability(row[name])}"
                for name in tests
                if row[name] < LOW
            ]
            parts.append(
                f"autocorrelation is left (Ljung-Box, {', '.join(low)})"
                if low
                else "no autocorrelation is left"
            )
            if row.get("last_week_p", 1.0) < LOW:
                parts.append(
                    f"errors return after a week (autocorrelation {row['last_week']:.2f} at lag 7, p "
                    f'{probability(row["last_week_p"])}): errors="weekly" models that'
                )
            if row["normality"] < LOW:
                parts.append(f"not normal (Shapiro-Wilk, p {probability(row['normality'])})")
            size = f"{row['largest']:+.1f}".replace("-", "−")
            parts.append(f"largest residual {size} sd on {row['largest_on']}")
            said.append(f"{row.get('series', '')}{': ' if 'series' in row else ''}{', '.join(parts)}")
        return f"Residuals: {'. '.join(said)}."

    def plot(self, ax: Axes | None = None) -> Axes:
        """Innovations over time."""
        from toolkit.interruptions import plots

        return plots.innovations(self.innovations, ax)


def _parameter(value: float) -> str:
    whole = isinstance(value, int)
    if whole:
        return str(value)
    text = f"{value:.2f}" if abs(value) >= 0.01 else f"{value:.2g}" if value else "0.00"
    return text.replace("-", "−")


def diagnostics(model: Model) -> Diagnostics:
    """Whether the residuals look as the error model says: a row of tests for each series."""
    from scipy.stats import shapiro
    from statsmodels.stats.diagnostic import acorr_ljungbox  # both take a second to import

    clock, lines, columns = model.series.clock, [], {}
    # A fit answers for all its series at once.
    known = {id(part): _known(part.fit) for part in model.parts}
    for number, name in enumerate(model.series.names):
        part, place = model.member(number)
        own = part.rows[: model.design.treated]
        at = np.flatnonzero(own)
        whitened, parameters = known[id(part)]
        innovations = whitened[: len(at), place]
        spread = innovations.std(ddof=0)
        line: dict[str, Any] = {"series": name}
        line |= {name: values[place] for name, values in parameters.items()}
        lags = [lag for lag in LAGS[clock.kind] if lag < len(at) // 2] if spread > 0 else []
        tested = acorr_ljungbox(innovations, lags=lags)["lb_pvalue"] if lags else {}
        line |= {
            f"ljung_box_{lag}": float(tested[lag]) if lag in lags else np.nan for lag in LAGS[clock.kind]
        }
        if clock.kind == "D" and model.question.errors != "weekly" and not part.scale.linked:
            line |= _last_week(innovations, at)
        line["normality"] = (
            float(shapiro(innovations).pvalue) if spread > 0 and 3 <= len(at) <= 5000 else np.nan
        )
        worst = int(np.abs(innovations).argmax())
        line |= {"largest": float(innovations[worst]), "largest_on": clock.said(at[worst]), "n": len(at)}
        lines.append(line)
        columns[line["series"]] = pd.Series(innovations, index=clock.times[at])
    table = pd.DataFrame(lines)
    table = table.drop(columns="series") if len(lines) == 1 else table
    return Diagnostics(table, pd.DataFrame(columns), tuple(model.fit.parameters))


def _known(fit: Fit) -> tuple[np.ndarray, dict[str, list[Any]]]:
    """Innovations of a fit, and its error parameters by name."""
    found = {name: np.asarray(values).tolist() for name, values in fit.parameters.items()}
    return fit.whitened(), found | {"boundary": list(fit.boundary)}


def _last_week(innovations: np.ndarray, at: np.ndarray) -> dict[str, float]:
    """Autocorrelation at a distance of 7 days, and its p value; gaps are no neighbours."""
    _, now, before = np.intersect1d(at, at + WEEK, return_indices=True)
    spread = innovations.var()
    if not len(now) or not spread > 0:
        return {"last_week": np.nan, "last_week_p": np.nan}
    apart = innovations - innovations.mean()
    found = float((apart[now] * apart[before]).mean() / spread)
    return {"last_week": found, "last_week_p": float(special.ndtr(-found * np.sqrt(len(now))))}
