"""The net effect of a festival: its lift less the dips before and after it (pull-forward and post-dip).

Net     the answer: window, days before, days after, and their sum
net     estimated against the counterfactual that all other days predict
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toolkit.interruptions import caveats, design
from toolkit.interruptions.model import Model, Part
from toolkit.interruptions.series import Clock
from toolkit.interruptions.terms import Pulse, Term
from toolkit.intervals import student
from toolkit.results import Result
from toolkit.wording import amount, change, counted, interval, interval_level

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Span = tuple[int, int]
#: Variance of the counterfactual's logarithm beyond which it is unknown: a factor of 7 to either side.
UNKNOWN = 1.0


@dataclass(frozen=True, repr=False, eq=False)
class Net(Result):
    """A festival's lift and what it borrowed from the days around it. Made by `InterruptedTimeSeries.net`.

    `table`: series (of many), what ("window", "before", "after", "net"), start, end, estimate, low, high, n. Estimates
    are sums of observed values less the counterfactual that all other days predict, in units of the series; n counts
    days with data.
    """

    table: pd.DataFrame
    confidence: float
    unit: str

    def sentence(self) -> str:
        """What is left of the peak: the net effect first, then its parts."""
        parts = []
        for name, rows in (
            self.table.groupby("series", sort=False) if "series" in self.table else [(None, self.table)]
        ):
            row = {one["what"]: one for one in rows.to_dict("records")}
            lift, left = row["window"], row["net"]
            around = sum(row[side]["estimate"] for side in ("before", "after") if side in row)
            # Of a lift that may be none a share says nothing.
            share = f", {change(around / lift['estimate'])} of the lift" if lift["low"] > 0 else ""
            parts.append(
                f"{'Net effect' if name is None else f'{name}: net effect'} {amount(left['estimate'])} "
                f"({interval(left, amount)}), n = {counted(left['n'], self.unit)}: the window adds "
                f"{amount(lift['estimate'])} ({interval(lift, amount)}), the {self.unit}s around it "
                f"{amount(around)}{share}"
            )
        return f"{'. '.join(parts)} ({interval_level(self.confidence)}s)."

    def plot(self, ax: Axes | None = None) -> Axes:
        """Each part and the net, with intervals."""
        from toolkit.interruptions import plots

        return plots.net(self.table, ax)


def net(
    model: Model, window: tuple[Any, Any], before: int | tuple[Any, Any] = 7, after: int | tuple[Any, Any] = 7
) -> Net:
    """The net effect of a festival: its lift less the dips around it.

    Parameters
    ----------
    window : (from, to)
        Days of the festival, the last included.
    before, after : int or (from, to)
        Periods around it from which it may have borrowed.

    Returns
    -------
    Net

    Raises
    ------
    ValueError
        Where the other days do not determine the counterfactual: a level with an effective number of one or two
        observations outside the span, or a fading term of which only the end lies outside.

    Notes
    -----
    Each day of the span has a term of its own, so that the counterfactual comes from all other days and from the
    errors' correlation with them: a mean, as in `effect`. Pulses inside the span are taken out of the model.

    Examples
    --------
    >>> from toolkit import Pulse, interrupted_time_series
    >>> days = pd.date_range("2019-07-01", periods=60)
    >>> noise = np.random.default_rng(1).normal(0, 1, 60)
    >>> shape = np.where(days == "2019-08-08", 50, np.where((days >= "2019-08-01") & (days < "2019-08-08"), -5, 0))
    >>> sales = pd.Series(100 + shape + noise, index=days)
    >>> found = interrupted_time_series(sales, {"festival": Pulse("2019-08-08", "2019-08-08")}, scale="identity")
    >>> found.net(("2019-08-08", "2019-08-08")).table[["what", "estimate", "n"]].round(1)
         what  estimate   n
    0  window      50.9   1
    1  before     -34.9   7
    2   after      -2.4   7
    3     net      13.6  15
    """
    clock = model.series.clock
    spans = _spans(clock, window, before, after)
    ends = min(low for low, _ in spans.values()), max(high for _, high in spans.values())
    asked = np.concatenate([np.arange(low, high + 1) for low, high in spans.values()])
    there = np.all([part.rows[: len(clock.periods)] for part in model.parts], axis=0)
    # The festival's own pulses give way to a term for every day of the span.
    kept = {
        name: tuple(term for term in given if not _within(clock, term, ends))
        for name, given in model.interruptions.items()
    }
    _told(model, kept, asked)
    days = {f"net: {clock.said(at)}": at for at in asked if there[at]}
    fitted = model.again(
        interruptions={name: given for name, given in kept.items() if given}
        | {name: Pulse(clock.times[at], clock.times[at]) for name, at in days.items()},
        calendar=_elsewhere(model, *ends),
        leave_out=[
            *model.question.leave_out,
            *((clock.times[at], clock.times[at]) for at in asked if not there[at]),
        ],
    )
    known = np.array(list(days.values()), int)
    spans["net"] = ends
    inside = np.array([(low <= known) & (known <= high) for low, high in spans.values()])
    found, n = np.empty((len(fitted.series.names), len(spans), 3)), inside.sum(1)
    for part in fitted.parts:
        lift, reach = _lift(fitted, part, days, inside)
        found[part.series] = np.stack([lift, lift - reach, lift + reach], -1)
    found[:, n == 0] = np.nan
    lines = [
        [name, what, *(clock.said(at) for at in span), *limits, int(number)]
        for name, one in zip(fitted.series.names, found, strict=True)
        for (what, span), limits, number in zip(spans.items(), one, n, strict=True)
    ]
    table = pd.DataFrame(lines, columns=["series", "what", "start", "end", "estimate", "low", "high", "n"])
    return Net(
        table.drop(columns="series") if len(fitted.series.names) == 1 else table, model.confidence, clock.unit
    )


def _lift(
    fitted: Model, part: Part, days: Mapping[str, int], inside: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Observed less counterfactual, summed over the days of each span, and the half-width of its interval."""
    fit, scale, at = part.fit, part.scale, np.array(list(days.values()), int)
    own = fitted.series.values[np.ix_(at, part.series)].T
    if scale.linked:
        rows = fitted.design.without(list(days))[at]
        would = np.exp(fit.coefficients @ rows.T + fitted.offset[at])
        _, error, df = fit.contrast((inside * would[:, None]) @ rows)
        # A count varies around its mean by itself, which a day's own term cannot show for a day with none.
        noise = (
            fit.scale[:, None] * would
            + would**2 / fit.parameters.get("theta", np.full(len(own), np.inf))[:, None]
        )
        error = np.sqrt(error**2 + noise @ inside.T)
        return (own - would) @ inside.T, student(df, fitted.confidence) * error
    # A day's term is its distance from what the other days predict; on the log scale that is a median.
    names = fitted.design.names
    weights = np.eye(len(names))[[names.index(f"{name}: {Pulse.name}") for name in days]]
    terms, errors, _ = fit.contrast(weights)
    would, slope = own - terms, np.ones_like(own)
    if scale.ratio:
        _refuse(fitted, errors**2 - fit.scale[:, None], at)
        slope = (own + scale.shift) * np.exp(errors**2 / 2 - terms)
        would = slope - scale.shift
    _, error, df = fit.contrast((inside * slope[:, None]) @ weights)
    return (own - would) @ inside.T, student(df, fitted.confidence) * error


def _refuse(fitted: Model, variance: np.ndarray, at: np.ndarray) -> None:
    """An error where the other days do not determine the counterfactual."""
    worst = int(variance.max(0).argmax())
    if variance[:, worst].max() > UNKNOWN:
        factor = np.exp(1.96 * np.sqrt(variance[:, worst].max()))
        acting = [
            repr(fitted.design.names[place])
            for place, owner in enumerate(fitted.design.owners)
            if owner is not None and owner[1] != Pulse.name and fitted.design.matrix[at[worst], place]
        ]
        why = f", through {' and '.join(acting)}" if acting else ""
        raise ValueError(
            f"net: the counterfactual on {fitted.series.clock.said(int(at[worst]))} is known to within a factor of "
            f"{factor:,.0f} only, from the {fitted.series.clock.unit}s outside{why}; ask it of result.again("
            "interruptions=...) without such a term, or with fewer periods before and after"
        )


def _told(model: Model, kept: Mapping[str, tuple[Term, ...]], asked: np.ndarray) -> None:
    """An error for a term that acts on the periods asked about, and that hardly any other period determines."""
    plan, clock = model.design, model.series.clock
    owners = [
        owner
        for name, given in model.interruptions.items()
        for term, owner in zip(given, [o for o in plan.owners if o is not None and o[0] == name], strict=True)
        if term not in kept[name]
    ]
    outside = np.ones(len(clock.periods), bool)
    outside[asked] = False
    for part in model.parts:
        rows = part.rows & np.tile(outside, len(part.rows) // len(outside))
        columns = [place for place, owner in enumerate(plan.owners) if owner not in owners]
        told = [columns[place] for place in design.distinct(plan.matrix[np.ix_(rows, columns)])]
        cut = replace(plan, matrix=plan.matrix[:, told])
        numbers = dict(zip(told, caveats.effective_number(cut, rows, range(len(told))), strict=True))
        for place in caveats.lasting(plan):
            number, _ = numbers.get(place, (0.0, 0))
            acts = plan.matrix[asked, place].any() or place not in told
            if place in columns and acts and number < caveats.THIN:
                days = counted(round(number), clock.unit) if number >= 0.5 else f"no {clock.unit}"
                raise ValueError(
                    f"net: outside the {clock.unit}s asked about {plan.names[place]!r} rests on {days} in effect, "
                    "so that the counterfactual is unknown; ask it of result.again(interruptions=...) without that "
                    "term, or with fewer periods before and after"
                )


def _within(clock: Clock, term: Term, ends: Span) -> bool:
    return isinstance(term, Pulse) and clock.place(term.at) <= ends[1] and clock.place(term.end) >= ends[0]


def _spans(clock: Clock, window: Any, before: Any, after: Any) -> dict[str, Span]:
    """First and last period of the window and of the periods before and after it."""
    if isinstance(window, str) or len(window) != 2:
        raise ValueError(f"window is a pair of dates, the last included, not {window!r}")
    first, last = (clock.place(date) for date in window)
    if last < first:
        raise ValueError(f"window={window!r} ends before it starts; swap the dates")
    sides = {"before": _beside(clock, before, first - 1, -1), "after": _beside(clock, after, last + 1, 1)}
    spans = {"window": (first, last)} | {what: span for what, span in sides.items() if span is not None}
    ordered = sorted(spans.values())
    if any(a[1] >= b[0] for a, b in pairwise(ordered)):
        raise ValueError(f"window, before and after share days: {[_said(clock, span) for span in ordered]}")
    return spans


def _elsewhere(model: Model, first: int, last: int) -> Any:
    """The calendar without the events of the span, whose days have terms of their own."""
    given, clock = model.question.calendar, model.series.clock
    if given is None:
        return None
    events = design.events(clock, given)
    begins, ends = clock.times[first], clock.times[last]
    inside = (pd.to_datetime(events["start"]) <= ends) & (pd.to_datetime(events["end"]) >= begins)
    return events[~inside]


def _beside(clock: Clock, given: Any, edge: int, way: int) -> tuple[int, int] | None:
    if isinstance(given, int | np.integer):
        if given < 0:
            raise ValueError(f"days before and after are counted from 0 up, not {given}")
        if given == 0:
            return None
        other = edge + way * (int(given) - 1)
        low, high = min(edge, other), max(edge, other)
        if low < 0 or high >= len(clock.periods):
            raise ValueError(
                f"{given} {clock.unit}s beside the window lie outside the series, which runs {clock.span}"
            )
        return low, high
    if isinstance(given, str) or len(given) != 2:
        raise ValueError(f"before and after are numbers of {clock.unit}s or pairs of dates, not {given!r}")
    low, high = clock.place(given[0]), clock.place(given[1])
    if high < low:
        raise ValueError(f"{given!r} ends before it starts; swap the dates")
    return low, high


def _said(clock: Clock, span: tuple[int, int]) -> str:
    return f"{clock.said(span[0])} to {clock.said(span[1])}"
