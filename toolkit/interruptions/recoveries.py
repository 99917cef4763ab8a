"""When a series had recovered; and what a festival adds once the dips around it are taken off.

Recovery, recovery     the first day from which the gap stays within a margin
Net, net               lift in the window, less what the days before and after lost
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from scipy import stats

from toolkit.interruptions import design, effects, estimands
from toolkit.interruptions.terms import Pulse
from toolkit.interruptions.wording import amount, change, interval
from toolkit.results import Result, some

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.interruptions.result import InterruptedTimeSeries


@dataclass(frozen=True, repr=False, eq=False)
class Recovery(Result):
    """When the gap had closed. Made by `InterruptedTimeSeries.recovery`.

    `table`: series (of many), interruption, margin, recovered (first date from which the interval of the gap stays
    above -margin to the end; none if not within the data), indistinct (first date from which it always holds 0),
    estimate, low, high (the gap on the last day, as a share), n. `gaps`: the gap at every period.
    """

    table: pd.DataFrame
    gaps: pd.DataFrame
    confidence: float

    rates: ClassVar[frozenset[str]] = frozenset({"margin", "estimate", "low", "high"})

    def sentence(self) -> str:
        """When, or that it did not within the data."""
        parts = []
        for row in self.table.head(3).to_dict("records"):
            when = (
                f"since {row['recovered']} its whole interval is above {change(-row['margin'])}"
                if row["recovered"]
                else f"not within the data to within {change(row['margin']).removeprefix('+')}"
            )
            indistinct = (
                f"not distinguishable from 0 since {row['indistinct']}"
                if row["indistinct"]
                else "still distinguishable from 0"
            )
            name = f"{row['series']}, " if "series" in row else ""
            parts.append(
                f"{name}{row['interruption']}: recovered {when}; {indistinct}; on the last day "
                f"{change(row['estimate'])} ({interval(row, change)}, n = {row['n']:,})"
            )
        return f"{'. '.join(parts)} ({self.confidence * 100:g} % intervals, each day by itself)."

    def plot(self, ax: Axes | None = None) -> Axes:
        """The gap over time, with its band and the margin."""
        from toolkit.interruptions import plots

        return plots.recovery(self, ax)


def recovery(result: InterruptedTimeSeries, margin: float, of: str | None) -> Recovery:
    """See `InterruptedTimeSeries.recovery`."""
    if not 0 < margin < 1:
        raise ValueError(f"margin is a share of the counterfactual between 0 and 1, as 0.05 is, not {margin}")
    names = effects.chosen(result, of)
    asked = effects.window(result, names, None, None)
    clock, names_of = result.series.clock, result.series.names
    gap, low, high = found = estimands.gaps(result, names, asked)
    above, held = low > -margin, (low <= 0) & (high >= 0)
    table = pd.DataFrame(
        {
            "series": names_of,
            "interruption": some(names),
            "margin": margin,
            "recovered": pd.Series([_since(one, asked, clock) for one in above], dtype=object),
            "indistinct": pd.Series([_since(one, asked, clock) for one in held], dtype=object),
            **dict(zip(("estimate", "low", "high"), found[:, :, -1], strict=True)),
            "n": result.points,
        }
    )
    gaps = pd.DataFrame(
        {
            "series": np.repeat(names_of, len(asked)),
            "time": clock.times[np.tile(asked, len(names_of))],
            **{name: one.ravel() for name, one in (("gap", gap), ("low", low), ("high", high))},
        }
    )
    if len(names_of) == 1:
        table, gaps = table.drop(columns="series"), gaps.drop(columns="series")
    return Recovery(table, gaps, result.confidence)


def _since(holds: np.ndarray, periods: np.ndarray, clock: Any) -> str | None:
    """The first period from which something holds to the end."""
    if not holds[-1]:
        return None
    failed = np.flatnonzero(~holds)
    return clock.said(int(periods[failed[-1] + 1] if len(failed) else periods[0]))


@dataclass(frozen=True, repr=False, eq=False)
class Net(Result):
    """A festival's lift and what it borrowed. Made by `InterruptedTimeSeries.net`.

    `table`: series (of many), what ("window", "before", "after", "net"), start, end, estimate, low, high, n. Estimates
    are sums of observed values less what all other days foretell, in units of the series; n counts days with data.
    """

    table: pd.DataFrame
    confidence: float

    def sentence(self) -> str:
        """What is left of the peak."""
        parts = []
        for name, rows in (
            self.table.groupby("series", sort=False) if "series" in self.table else [(None, self.table)]
        ):
            row = {one["what"]: one for one in rows.to_dict("records")}
            lift, left = row["window"], row["net"]
            around = sum(row[side]["estimate"] for side in ("before", "after") if side in row)
            share = f", {change(around / lift['estimate'])} of the lift" if lift["estimate"] > 0 else ""
            parts.append(
                f"{'' if name is None else f'{name}: '}the window adds {amount(lift['estimate'])} "
                f"({interval(lift, amount)}), the days around it {amount(around)}{share}; net "
                f"{amount(left['estimate'])} ({interval(left, amount)}), n = {left['n']:,} days"
            )
        return f"{'. '.join(parts)} ({self.confidence * 100:g} % intervals)."

    def plot(self, ax: Axes | None = None) -> Axes:
        """Each part and the net, with intervals."""
        from toolkit.interruptions import plots

        return plots.net(self, ax)


def net(result: InterruptedTimeSeries, window: tuple[Any, Any], before: Any, after: Any) -> Net:
    """See `InterruptedTimeSeries.net`."""
    clock = result.series.clock
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
    # Pulses of the festival itself stand aside: every day of the span speaks for itself.
    kept = {
        name: tuple(
            term
            for term in given
            if not (
                isinstance(term, Pulse)
                and clock.place(term.at) <= ordered[-1][1]
                and clock.place(term.end) >= ordered[0][0]
            )
        )
        for name, given in result.interruptions.items()
    }
    fit_to = result.parts[0].rows[: len(clock.periods)].copy()
    for part in result.parts:
        fit_to &= part.rows[: len(clock.periods)]
    asked = np.concatenate([np.arange(low, high + 1) for low, high in spans.values()])
    days = {f"net: {clock.said(at)}": at for at in asked if fit_to[at]}
    fitted = result.again(
        interruptions={name: given for name, given in kept.items() if given}
        | {name: Pulse(clock.times[at], clock.times[at]) for name, at in days.items()},
        calendar=_elsewhere(result, ordered[0][0], ordered[-1][1]),
        leave_out=[
            *result.question.leave_out,
            *((clock.times[at], clock.times[at]) for at in asked if not fit_to[at]),
        ],
    )
    known = np.array(list(days.values()), int)
    weights = np.eye(len(fitted.design.names))[[fitted.design.names.index(f"{name}: pulse") for name in days]]
    tail, scale, lines = (1 + result.confidence) / 2, fitted.scale, []
    spans["net"] = (ordered[0][0], ordered[-1][1])
    inside = np.array([(low <= known) & (known <= high) for low, high in spans.values()])
    found = np.empty((len(fitted.series.names), len(spans), 3))
    for part in fitted.parts:
        own = fitted.series.values[np.ix_(known, part.series)].T
        # A day's term is its distance from what the other days foretell; on the log scale that is a median.
        terms, errors, _ = part.fit.contrast(weights)
        would, slope = own - terms, np.ones_like(own)
        if scale.ratio:
            slope = (own + scale.shift) * np.exp(errors**2 / 2 - terms)
            would = slope - scale.shift
        _, error, df = part.fit.contrast((inside * slope[:, None]) @ weights)
        lift, reach = (own - would) @ inside.T, stats.t.ppf(tail, df) * error
        found[part.series] = np.stack([lift, lift - reach, lift + reach], -1)
    n = inside.sum(1)
    found[:, n == 0] = np.nan
    for name, one in zip(fitted.series.names, found, strict=True):
        for (what, span), limits, days_in in zip(spans.items(), one, n, strict=True):
            lines.append([name, what, *(clock.said(at) for at in span), *limits, int(days_in)])
    table = pd.DataFrame(lines, columns=["series", "what", "start", "end", "estimate", "low", "high", "n"])
    return Net(table.drop(columns="series") if len(fitted.series.names) == 1 else table, result.confidence)


def _elsewhere(result: InterruptedTimeSeries, first: int, last: int) -> Any:
    """The calendar without events of the span: their days have terms of their own."""
    given, clock = result.question.calendar, result.series.clock
    if given is None:
        return None
    events = design.events(clock, given)
    begins, ends = clock.times[first], clock.times[last]
    inside = (pd.to_datetime(events["start"]) <= ends) & (pd.to_datetime(events["end"]) >= begins)
    return events[~inside]


def _beside(clock: Any, given: Any, edge: int, way: int) -> tuple[int, int] | None:
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


def _said(clock: Any, span: tuple[int, int]) -> str:
    return f"{clock.said(span[0])} to {clock.said(span[1])}"
