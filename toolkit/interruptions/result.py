"""`InterruptedTimeSeries`: what the events did, term by term, and every question that can be asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from toolkit.interruptions import effects
from toolkit.interruptions.answer import Part, Question, interrupted_time_series
from toolkit.interruptions.design import Design
from toolkit.interruptions.scales import Scale
from toolkit.interruptions.series import Series
from toolkit.interruptions.terms import Term
from toolkit.interruptions.wording import ESTIMATORS
from toolkit.multiplicity import adjusted
from toolkit.results import Result
from toolkit.wording import amount, change, counted, interval, interval_level, some

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.interruptions.diagnostics import Diagnostics
    from toolkit.interruptions.effects import Effect
    from toolkit.interruptions.nets import Net
    from toolkit.interruptions.recoveries import Recovery


@dataclass(frozen=True, repr=False, eq=False)
class InterruptedTimeSeries(Result):
    """What events did to a series. Made by `interrupted_time_series`.

    `table`: series (of many), interruption, term, estimate, low, high, p, n, and for many series p_adjusted. On the
    log scale an estimate is a ratio less 1: -0.22 is 22 % less; of a slope, per period. n counts points.
    """

    question: Question
    series: Series
    interruptions: Mapping[str, tuple[Term, ...]]
    design: Design
    scale: Scale
    parts: tuple[Part, ...]
    notes: tuple[str, ...]
    offset: np.ndarray

    @property
    def fit(self) -> Any:
        """The fit of the first series: coefficients, error parameters, covariance."""
        return self.parts[0].fit

    @property
    def confidence(self) -> float:
        """The level of every interval."""
        return self.question.confidence

    @property
    def rates(self) -> frozenset[str]:  # type: ignore[override]
        """Columns that are shares."""
        return frozenset({"estimate", "low", "high"}) if self.scale.ratio else frozenset()

    def again(self, **changed: Any) -> InterruptedTimeSeries:
        """The same question with something changed: ``again(errors="hac")``."""
        unknown = sorted(set(changed) - {field.name for field in fields(Question)})
        if unknown:
            raise ValueError(
                f"no option {unknown[0]!r}; there are: {some([f.name for f in fields(Question)])}"
            )
        asked = replace(self.question, **changed)
        options = {field.name: getattr(asked, field.name) for field in fields(Question)}
        return interrupted_time_series(options.pop("series"), options.pop("interruptions"), **options)

    def member(self, number: int) -> tuple[Part, int]:
        """The part of a series, and its place in it."""
        return self._places[number]

    @cached_property
    def _places(self) -> dict[int, tuple[Part, int]]:
        return {int(number): (part, place) for part in self.parts for place, number in enumerate(part.series)}

    def contrast(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Linear contrasts: estimates, standard errors and degrees of freedom, each series x contrasts."""
        found = np.empty((3, len(self.series.names), len(weights)))
        for part in self.parts:
            for all_of, values in zip(found, part.fit.contrast(weights), strict=True):
                all_of[part.series] = values
        return found[0], found[1], found[2]

    @cached_property
    def coefficients(self) -> pd.DataFrame:
        """Every coefficient on the scale of the model: series (of many), column, estimate, error, low, high, df, p."""
        estimate, error, df = self.contrast(np.eye(len(self.design.names)))
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.abs(estimate / error)
        reach = stats.t.ppf((1 + self.confidence) / 2, df) * error
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
                "p": (2 * stats.t.sf(t, df)).ravel(),
            }
        )
        return frame.drop(columns="series") if m == 1 else frame

    @cached_property
    def table(self) -> pd.DataFrame:
        """Term by term."""
        m, owners = len(self.series.names), self.design.owners
        terms = [owner for owner in owners if owner is not None]
        found = self.coefficients[np.tile([owner is not None for owner in owners], m)].reset_index(drop=True)
        numbers = ["estimate", "low", "high"]
        table = pd.DataFrame(
            {
                "interruption": [name for name, _ in terms] * m,
                "term": [term for _, term in terms] * m,
                **(np.expm1(found[numbers]) if self.scale.ratio else found[numbers]),
                "p": found["p"],
                "n": np.repeat(self.points, len(terms)),
            }
        )
        if m > 1:
            table.insert(0, "series", found["series"])
            table, _ = adjusted(table)
        return table

    @property
    def points(self) -> np.ndarray:
        """Points that each series was fitted to."""
        counts = np.empty(len(self.series.names), int)
        for part in self.parts:
            counts[part.series] = part.rows[: self.design.treated].sum()
        return counts

    @property
    def estimator(self) -> str:
        """How the errors were modelled, in words."""
        return ESTIMATORS.get(self.question.errors.partition(":")[0], self.question.errors)

    def sentence(self) -> str:
        """What each term is, and what must be known to believe it."""
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
            parts = [
                f"{row['interruption']}: {row['term']} {said(row['estimate'])}"
                f"{f' a {self.series.clock.unit}' if row['term'].startswith('slope') else ''} ({interval(row, said)})"
                for row in table.to_dict("records")
            ]
            text = "; ".join(parts)
        against = ", against the comparison" if self.question.controls is not None else ""
        closing = f" {'; '.join(self.notes)}." if self.notes else ""
        closing = closing[:1] + closing[1:2].upper() + closing[2:]
        points = self.points
        n = f"{points[0]:,}" if len(set(points)) == 1 else f"{points.min():,} to {points.max():,}"
        return (
            f"{text}{against} ({interval_level(self.confidence)}s; {self.estimator}; "
            f"{'relative, ' if self.scale.ratio else ''}n = {n}).{closing}"
        )

    def effect(self, *, at: Any = None, over: Any = None, of: Any = None) -> Effect:
        """What interruptions added, against what would have been without them.

        Parameters
        ----------
        at : date, optional
            One period.
        over : (from, to), optional
            Several, the last included. From the interruption to the end of the series if neither is given.
        of : str or list of str, optional
            Interruptions that are taken away together; all if not given.

        Returns
        -------
        Effect
            Average and cumulative effect in the units of the series, and the relative one.

        Notes
        -----
        Average, the mean over the periods of what the model
        expects less what it would have expected; cumulative, observed values less what would have been expected, with
        the errors of those periods in the interval; relative, the sum of what was expected over the sum of what would
        have been, less 1.

        What is expected is always a mean, so that it can be summed: x b on the identity scale; on the log scale
        exp(x b + v/2) with v the errors' variance, as exp(x b) would be the median; of counts with a log link
        exp(x b + offset) itself. The intervals take v as known.
        """
        return effects.effect(self, at=at, over=over, of=of)

    @cached_property
    def counterfactual(self) -> pd.DataFrame:
        """Every period without the interruptions: time, observed, fitted, counterfactual, low, high and predicted_*.

        Fitted and counterfactual are means, as in `effect`. low and high bound the mean (a confidence band),
        predicted_low and predicted_high a single value.
        """
        return effects.counterfactual(self)

    def recovery(self, margin: float = 0.05, *, of: str | None = None) -> Recovery:
        """When the gap to what would have been had closed, to within a margin of it.

        Parameters
        ----------
        margin : float
            Share of the counterfactual.
        of : str, optional
            The interruption; all if not given.
        """
        from toolkit.interruptions.recoveries import recovery

        return recovery(self, margin, of)

    def net(self, window: tuple[Any, Any], before: Any = 7, after: Any = 7) -> Net:
        """A festival's lift less the dips around it.

        Parameters
        ----------
        window : (from, to)
            Days of the festival, the last included.
        before, after : int or (from, to)
            Periods around it from which it may have borrowed.

        Raises
        ------
        ValueError
            Where the other days do not tell what would have been: a level that rests on a day or two outside of the
            span, or a fading term that is seen at its end only.

        Notes
        -----
        Each day of the span has a term of its own, so that all other days, and the errors' correlation with them, tell
        what would have been: a mean, as in `effect`. Pulses inside the span stand aside.
        """
        from toolkit.interruptions.nets import net

        return net(self, window, before, after)

    @cached_property
    def diagnostics(self) -> Diagnostics:
        """What the residuals say of the model."""
        from toolkit.interruptions.diagnostics import diagnostics

        return diagnostics(self)

    def placebo(self, **options: Any) -> Any:
        """The same model at every admissible earlier date; see `toolkit.interruptions.placebo`."""
        from toolkit.interruptions.placebo import placebo

        return placebo(self, **options)

    def multiverse(self, **options: Any) -> Any:
        """The same effect by every estimator, season and window; see `toolkit.interruptions.multiverse`."""
        from toolkit.interruptions.multiverse import multiverse

        return multiverse(self, **options)

    def where_is_the_break(self, **options: Any) -> Any:
        """At which date the series breaks, if it does; see `toolkit.interruptions.breaks`."""
        from toolkit.interruptions.breaks import where_is_the_break

        return where_is_the_break(self, **options)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Observed, fitted, and what would have been, with its band; interruptions are named on the axis."""
        from toolkit.interruptions import plots

        return plots.series(self, ax)
