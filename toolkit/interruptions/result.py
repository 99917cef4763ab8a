"""`InterruptedTimeSeries`: a fitted model with its table, figure and sentence, and the further questions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from toolkit.interruptions import adequacy, diagnostics, effects, net_effect, recoveries, seasons
from toolkit.interruptions.checks import breaks, multiverse, placebo, sensitivity
from toolkit.interruptions.errors import registry
from toolkit.interruptions.model import Model
from toolkit.interruptions.series import per
from toolkit.interruptions.terms import Pulse, Ramp
from toolkit.intervals import student, two_sided
from toolkit.multiplicity import adjusted
from toolkit.results import Result
from toolkit.wording import amount, change, counted, interval, interval_level

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False, eq=False)
class InterruptedTimeSeries(Model, Result):
    """What events did to a series. Made by `interrupted_time_series`.

    `table`: series (of many), interruption, term, estimate, low, high, p, n, and for many series p_adjusted. On the
    log scale an estimate is a ratio less 1: -0.22 is 22 % less; of a slope, per period. n counts points. Where series
    are on different scales, a column `scale` says which of them; estimates on the identity scale are no ratios.

    A question with options is a method, a part of the answer a property; each is documented where it is computed.

    Examples
    --------
    >>> from toolkit import Level, interrupted_time_series
    >>> days = pd.date_range("2019-07-01", periods=60)
    >>> noise = np.random.default_rng(1).normal(0, 1, 60)
    >>> visits = pd.Series(np.where(days < "2019-07-31", 100, 80) + noise, index=days)
    >>> found = interrupted_time_series(visits, {"removed": Level("2019-07-31")}, scale="identity")
    >>> found.table[["interruption", "term", "estimate", "low", "high"]].round(1)
      interruption   term  estimate   low  high
    0      removed  level     -19.3 -20.2 -18.4
    """

    effect = effects.effect
    recovery = recoveries.recovery
    net = net_effect.net
    placebo = placebo.placebo
    sensitivity = sensitivity.sensitivity
    multiverse = multiverse.multiverse
    where_is_the_break = breaks.where_is_the_break
    counterfactual = cached_property(effects.counterfactual)
    diagnostics = cached_property(diagnostics.diagnostics)

    @property
    def rates(self) -> frozenset[str]:  # type: ignore[override]
        """Columns that are shares."""
        ratio = all(scale.ratio for scale in self.scales)
        return frozenset({"estimate", "low", "high"}) if ratio else frozenset()

    @cached_property
    def coefficients(self) -> pd.DataFrame:
        """Every coefficient on the scale of the model: series (of many), column, estimate, error, low, high, df, p."""
        estimate, error, df = self.contrast(np.eye(len(self.design.names)))
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.abs(estimate / error)
        reach = student(df, self.confidence) * error
        m, k = estimate.shape
        frame = pd.DataFrame(
            {
                "series": np.repeat(self.series.names, k),
                "column": np.tile(self.design.names, m),
                "estimate": estimate.ravel(),
                "error": error.ravel(),
                "low": (estimate - reach).ravel(),
                "high": (estimate + reach).ravel(),
                "df": df.ravel(),
                "p": two_sided(t, df).ravel(),
            }
        )
        return frame.drop(columns="series") if m == 1 else frame

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per term, of many series per series and term."""
        m, owners = len(self.series.names), self.design.owners
        terms = [owner for owner in owners if owner is not None]
        found = self.coefficients[np.tile([owner is not None for owner in owners], m)].reset_index(drop=True)
        numbers, scales = ["estimate", "low", "high"], self.scales
        ratio = np.repeat([scale.ratio for scale in scales], len(terms))
        found.loc[ratio, numbers] = np.expm1(found.loc[ratio, numbers])
        table = pd.DataFrame(
            {
                "interruption": [name for name, _ in terms] * m,
                "term": [term for _, term in terms] * m,
                **found[numbers],
                "p": found["p"],
                "n": np.repeat(self.points, len(terms)),
            }
        )
        if m > 1:
            table.insert(0, "series", found["series"])
            if len(set(scales)) > 1:
                table.insert(1, "scale", np.repeat([scale.name for scale in scales], len(terms)))
            table, _ = adjusted(table)
        return table

    @property
    def estimator(self) -> str:
        """The error model, in words."""
        return registry.find(self.question.errors)[0].words

    def sentence(self) -> str:
        """Each term with its interval, the number of points and the error model, then the caveats."""
        table, many = self.table, len(self.series.names) > 1
        said = change if self.scale.ratio else amount
        if many:
            _, method = adjusted(self.table.drop(columns="p_adjusted"), family="all terms of this call")
            found = int((table["p_adjusted"] < 1 - self.confidence).sum())
            text = (
                f"{found} of {counted(len(table), 'term')} in {len(self.series.names)} series differ from 0 "
                f"({method})"
            )
        else:
            each = f" {per(self.series.clock.unit)}"
            parts = [
                f"{row['interruption']}: {row['term']} {said(row['estimate'])}"
                f"{each if row['term'].startswith('slope') else ''} ({interval(row, said)})"
                for row in table.to_dict("records")
            ]
            text = "; ".join(parts)
        against = ", against the comparison" if self.question.controls is not None else ""
        caveats = [*self.notes, *adequacy.warnings(self)]
        closing = f" {'; '.join(caveats)}." if caveats else ""
        closing = closing[:1] + closing[1:2].upper() + closing[2:]
        points = self.points
        n = f"{points[0]:,}" if len(set(points)) == 1 else f"{points.min():,} to {points.max():,}"
        return f"{text}{against} ({interval_level(self.confidence)}s; n = {n}; {self.estimator}).{closing}"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Observed, fitted and counterfactual with its band; interruptions are marked by name.

        Lines of a long series are of an average weekday, or hour of the day, and say so.
        """
        from toolkit.interruptions import plots
        from toolkit.interruptions.axes import Mark

        clock, marks = self.series.clock, list[Mark]()
        matrix, average = seasons.averaged(self.design.names, self.design.matrix, clock)
        drawn = replace(self, design=replace(self.design, matrix=matrix)) if average else self
        for name, given in self.interruptions.items():
            for term in given:
                at = clock.place(term.at)
                end = clock.times[clock.place(term.end)] if isinstance(term, Pulse | Ramp) else None
                marks.append(Mark(name, clock.times[at], end, at / len(clock.periods)))
        return plots.series(drawn.counterfactual, self.series.names, marks, clock.unit, ax, average=average)
