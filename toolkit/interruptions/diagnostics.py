"""What the residuals say of a model: whether its errors are what it takes them for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.diagnostic import acorr_ljungbox

from toolkit.results import Result
from toolkit.wording import p_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.interruptions.result import InterruptedTimeSeries

LAGS = {"D": (7, 14), "W": (4, 13), "M": (6, 12), "": (5, 10)}
LOW = 0.05
WEEK = 7
PARAMETERS = ("strength", "rho", "lam")


@dataclass(frozen=True, repr=False, eq=False)
class Diagnostics(Result):
    """One row per series: error parameters, tests of the innovations, the largest one. n counts points.

    `ljung_box_L` is the p value of no autocorrelation up to lag L, `normality` that of Shapiro and Wilk;
    `largest` the largest innovation in standard deviations and `largest_on` its date. Of daily series, `last_week` is
    the autocorrelation at a distance of 7 days, and `last_week_p` the p value of none or less (one-sided, normal).
    """

    table: pd.DataFrame
    innovations: pd.DataFrame

    def sentence(self) -> str:
        """What is wrong, or that nothing was found."""
        tests = [name for name in self.table if name.startswith("ljung_box")]
        said = []
        for row in self.table.head(3).to_dict("records"):
            parts = [f"{name} = {row[name]:.2f}" for name in PARAMETERS if name in row]
            if row.get("boundary"):
                parts.append(f"{row['boundary']} lies at the end of its range")
            low = [f"lag {name.rpartition('_')[2]}: p {_p(row[name])}" for name in tests if row[name] < LOW]
            parts.append(
                f"autocorrelation is left ({', '.join(low)})" if low else "no autocorrelation left to see"
            )
            if row.get("last_week_p", 1.0) < LOW:
                parts.append(
                    f"errors return after a week (autocorrelation {row['last_week']:.2f} at 7 days, p "
                    f'{_p(row["last_week_p"])}): errors="weekly" models that'
                )
            if row["normality"] < LOW:
                parts.append(f"not normal (p {_p(row['normality'])})")
            size = f"{row['largest']:+.1f}".replace("-", "−")
            parts.append(f"largest residual {size} sd on {row['largest_on']}")
            said.append(f"{row.get('series', '')}{': ' if 'series' in row else ''}{', '.join(parts)}")
        return f"Residuals: {'. '.join(said)}."

    def plot(self, ax: Axes | None = None) -> Axes:
        """Innovations over time."""
        from toolkit.interruptions import plots

        return plots.innovations(self, ax)


def _p(value: float) -> str:
    text = p_value(value)
    return text if text.startswith("<") else f"= {text}"


def diagnostics(result: InterruptedTimeSeries) -> Diagnostics:
    """See `InterruptedTimeSeries.diagnostics`."""
    clock, lines, columns = result.series.clock, [], {}
    # What a fit knows of all its series is asked of it once.
    known = {id(part): _known(part.fit) for part in result.parts}
    for number, name in enumerate(result.series.names):
        part, place = result.member(number)
        own = part.rows[: result.design.treated]
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
        if clock.kind == "D" and result.question.errors != "weekly" and not result.scale.linked:
            line |= _last_week(innovations, at)
        line["normality"] = (
            float(stats.shapiro(innovations).pvalue) if spread > 0 and 3 <= len(at) <= 5000 else np.nan
        )
        worst = int(np.abs(innovations).argmax())
        line |= {"largest": float(innovations[worst]), "largest_on": clock.said(at[worst]), "n": len(at)}
        lines.append(line)
        columns[line["series"]] = pd.Series(innovations, index=clock.times[at])
    table = pd.DataFrame(lines)
    table = table.drop(columns="series") if len(lines) == 1 else table
    return Diagnostics(table, pd.DataFrame(columns))


def _known(fit: Any) -> tuple[np.ndarray, dict[str, list[Any]]]:
    """Innovations of a fit, and its error parameters by name."""
    found = {name: np.asarray(getattr(fit, name)).tolist() for name in PARAMETERS if hasattr(fit, name)}
    return np.asarray(fit.whitened()), found | (
        {"boundary": fit.boundary} if hasattr(fit, "boundary") else {}
    )


def _last_week(innovations: np.ndarray, at: np.ndarray) -> dict[str, float]:
    """Autocorrelation at a distance of 7 days, and its p value; gaps are no neighbours."""
    _, now, before = np.intersect1d(at, at + WEEK, return_indices=True)
    spread = innovations.var()
    if not len(now) or not spread > 0:
        return {"last_week": np.nan, "last_week_p": np.nan}
    apart = innovations - innovations.mean()
    found = float((apart[now] * apart[before]).mean() / spread)
    return {"last_week": found, "last_week_p": float(stats.norm.sf(found * np.sqrt(len(now))))}
