"""The fitted model: question, series, design, scale and fits. Effects, diagnostics and checks read it.

Part     series that lack the same points and are on the same scale, and their fit
Model    all of them, with contrasts of the coefficients and ways to fit again
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from toolkit.interruptions import caveats, design, scales
from toolkit.interruptions.design import Design
from toolkit.interruptions.errors import registry
from toolkit.interruptions.errors.fitted import Fit
from toolkit.interruptions.question import Question, comparable
from toolkit.interruptions.scales import Scale
from toolkit.interruptions.series import Series, read
from toolkit.interruptions.terms import Term, listed
from toolkit.wording import unknown


@dataclass(frozen=True, eq=False)
class Part:
    """Series that lack the same points and are on the same scale, and their fit.

    Attributes
    ----------
    series
        Their numbers.
    rows
        Rows of the design that have values.
    scale
        On which they are modelled.
    """

    series: np.ndarray
    rows: np.ndarray
    fit: Fit
    scale: Scale


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A question, checked and fitted.

    Attributes
    ----------
    question : Question
    series : Series
    interruptions : dict of str to tuple of terms
    design : Design
    parts : tuple of Part
    notes
        Caveats: what a reader must know to judge any estimate.
    offset : (periods,) array
        Logarithm of the exposure, for counts; 0 otherwise.
    """

    question: Question
    series: Series
    interruptions: Mapping[str, tuple[Term, ...]]
    design: Design
    parts: tuple[Part, ...]
    notes: tuple[str, ...]
    offset: np.ndarray

    @classmethod
    def of(cls, question: Question) -> Self:
        """Check a question, build its design and fit it; series that lack the same points are fitted together."""
        checked, terms = read(question.series), listed(question.interruptions)
        clock = checked.clock
        compared = comparable(checked, question.compared(clock))
        on = scales.chosen(
            checked, compared, question.scale, counting=question.errors if question.linked else ""
        )
        distinct = tuple(dict.fromkeys(on))
        plan = design.build(
            checked,
            terms,
            trend=question.trend,
            season=question.season,
            calendar=question.calendar,
            covariates=question.covariates,
            controls=compared.shape[1],
        )
        kept = question.kept(clock)
        notes = [*checked.notes, *caveats.near(checked, terms, kept)]
        notes += scales.notes(checked.names, on)
        values = np.vstack([checked.values, np.repeat(compared.T.reshape(-1, 1), len(on), 1)])
        kind = np.array([distinct.index(scale) for scale in on])
        with np.errstate(invalid="ignore", divide="ignore"):
            for number, scale in enumerate(distinct):
                values[:, kind == number] = scale.model(values[:, kind == number])
        values[~np.tile(kept, len(values) // len(kept))] = np.nan
        missing = np.isnan(plan.matrix).any(1) & ~np.isnan(values).all(1)
        if missing.any():
            column = plan.names[int(np.isnan(plan.matrix[missing.argmax()]).argmax())]
            at = clock.said(int(missing.argmax()) % plan.treated)
            raise ValueError(
                f"covariate {column!r} is missing on {at}, where the series is not; fill it or leave_out that day"
            )
        shifts = question.offsets(clock)
        parts = []
        alike = np.vstack([kind, ~np.isnan(values)]).astype(np.uint8)
        patterns, which = np.unique(alike, axis=1, return_inverse=True)
        for number, (scale_of, *pattern) in enumerate(patterns.T):
            mine, rows = np.flatnonzero(which.ravel() == number), np.array(pattern, bool)
            design.independent(plan, rows)
            notes += [*caveats.thin(plan, rows, clock), *caveats.once(plan, rows, clock)]
            if question.linked:
                caveats.countable(
                    plan, rows, values[np.ix_(rows, mine)], [checked.names[one] for one in mine]
                )
            fit = registry.fit(
                question.errors,
                plan.matrix[rows],
                values[np.ix_(rows, mine)],
                plan.places[rows],
                offset=None if question.offset is None else shifts[rows[: plan.treated]],
                unit=clock.kind,
            )
            parts.append(Part(mine, rows, fit, distinct[scale_of]))
        notes += [note for part in parts for note in part.fit.notes]
        return cls(question, checked, terms, plan, tuple(parts), tuple(dict.fromkeys(notes)), shifts)

    def again(self, **changed: Any) -> Self:
        """The same question with something changed: ``again(errors="hac")``.

        Parameters
        ----------
        changed
            Any parameters of `interrupted_time_series`.
        """
        options = [field.name for field in fields(Question)]
        for name in changed:
            if name not in options:
                raise ValueError(unknown("option", name, options))
        return self.of(replace(self.question, **changed))

    @property
    def fit(self) -> Fit:
        """The fit of the first series: coefficients, error parameters, covariance."""
        return self.member(0)[0].fit

    @property
    def scale(self) -> Scale:
        """The scale of the first series."""
        return self.member(0)[0].scale

    @property
    def scales(self) -> tuple[Scale, ...]:
        """The scale of each series."""
        return tuple(self.member(number)[0].scale for number in range(len(self.series.names)))

    @property
    def confidence(self) -> float:
        """The level of every interval."""
        return self.question.confidence

    @property
    def points(self) -> np.ndarray:
        """Number of points that each series was fitted to."""
        counts = np.empty(len(self.series.names), int)
        for part in self.parts:
            counts[part.series] = part.rows[: self.design.treated].sum()
        return counts

    def contrast(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Linear contrasts: estimates, standard errors and degrees of freedom, each series x contrasts."""
        found = np.empty((3, len(self.series.names), len(weights)))
        for part in self.parts:
            for all_of, values in zip(found, part.fit.contrast(weights), strict=True):
                all_of[part.series] = values
        return found[0], found[1], found[2]

    def member(self, number: int) -> tuple[Part, int]:
        """The part that holds a series, and the place of the series in it."""
        return self._places[number]

    @cached_property
    def _places(self) -> dict[int, tuple[Part, int]]:
        return {int(number): (part, place) for part in self.parts for place, number in enumerate(part.series)}

    def alone(self, check: str) -> None:
        """Refuse several series, for a check that is read series by series."""
        if len(self.series.names) > 1:
            first = self.series.names[0]
            raise ValueError(
                f"{check} is about one series, and there are {len(self.series.names)}; ask it of "
                f"result.again(series=frame[{first!r}])"
            )

    def chosen(self, of: str | Sequence[str] | None) -> list[str]:
        """Names of the interruptions that are meant; all by default."""
        names = list(self.interruptions) if of is None else [of] if isinstance(of, str) else list(of)
        for name in names:
            if name not in self.interruptions:
                raise ValueError(unknown("interruption", name, self.interruptions))
        return names

    def window(self, names: Sequence[str], at: Any = None, over: Any = None) -> np.ndarray:
        """Numbers of the periods of an effect; by default from the first of the interruptions on.

        Periods with missing covariates are left out; the series has no value there either.
        """
        clock = self.series.clock
        if at is not None and over is not None:
            raise ValueError("give at= for one period or over= for several, not both")
        if at is not None:
            first = last = clock.place(at)
        elif over is None:
            first = min(clock.place(term.at) for name in names for term in self.interruptions[name])
            last = len(clock.periods) - 1
        elif isinstance(over, str) or len(over) != 2:
            raise ValueError(f"over= is a pair of dates, the last included, not {over!r}")
        else:
            first, last = (clock.place(date) for date in over)
        if last < first:
            raise ValueError(f"over={over!r} ends before it starts; swap the dates")
        asked = np.arange(first, last + 1)
        known = ~np.isnan(self.design.matrix[asked]).any(1)
        if not known.any():
            raise ValueError(
                f"covariates are missing from {clock.said(first)} to {clock.said(last)}; fill them"
            )
        return np.asarray(asked[known])

    def observed(self, number: int) -> np.ndarray:
        """Values of a series on the scale of the model, then those of its comparison series; as long as the design."""
        columns = [self.series.values[:, number], *self.question.compared(self.series.clock).values()]
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.concatenate([self.member(number)[0].scale.model(column) for column in columns])

    def refit(self, matrix: np.ndarray, values: np.ndarray, rows: np.ndarray) -> Fit:
        """Fit the same error model to another design, at some rows of this one."""
        return registry.fit(
            self.question.errors,
            matrix,
            values,
            self.design.places[rows],
            offset=None if self.question.offset is None else self.offset[rows[rows < self.design.treated]],
            unit=self.series.clock.kind,
        )
