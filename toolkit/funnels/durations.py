"""Times to convert: quantiles of those who did, and the share converted by time since the entry (Kaplan-Meier)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from toolkit.funnels import sums
from toolkit.funnels.counting_units import CountingUnits
from toolkit.funnels.question import Question
from toolkit.funnels.step_counts import StepCounts
from toolkit.intervals import UserSums, design_effect, quantile_ranks, student
from toolkit.results import Result
from toolkit.wording import count, interval_level, percent, percent_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
#: Points of a curve of the share converted.
POINTS = 500
#: Groups and steps that one query names: engines bound the length of a query.
MOST_ROWS = 2_000
CURVE = ["group", "time", "estimate", "low", "high", "at_risk"]


@dataclass(frozen=True, repr=False, eq=False)
class Times(Result):
    """How long it takes to convert (Kaplan-Meier curve). Made by `Funnel.times`.

    Attributes
    ----------
    table : DataFrame
        Quantiles of the time from the entry to each step, among those who reached the last one: `by`, `step`,
        `quantile`, `estimate`, `low`, `high`, `n`.
    curve : DataFrame
        Kaplan-Meier, of all who entered: `group`, `time` since the entry, `estimate` (the share that has reached the
        last step by then), `low`, `high`, `at_risk` (those who had not, and were still observed).

    Notes
    -----
    Whoever is still in window is censored when observation ends. Each unit's clock starts at the entry of its sequence,
    the latest one for those who did not convert. Limits are Greenwood's on the log-log scale, widened by the
    design effect of the rate end to end where users count more than once.

    References
    ----------
    Kaplan & Meier (1958), JASA 53, 457-481. Kalbfleisch & Prentice (2002), The Statistical Analysis of Failure Time
    Data, section 1.4.

    Examples
    --------
    >>> from toolkit import funnel, read_events
    >>> rows = {"user_id": [1, 1, 2, 2], "event": ["enter", "pay"] * 2,
    ...         "timestamp": pd.to_datetime(["2019-11-11 20:00", "2019-11-11 20:09", "2019-11-11 20:00",
    ...                                      "2019-11-11 20:05"])}
    >>> times = funnel(read_events(pd.DataFrame(rows)), ["enter", "pay"], within="1d").times
    >>> times.table.loc[times.table["quantile"] == 0.5, ["step", "estimate", "n"]]
      step        estimate  n
    2  pay 0 days 00:05:00  2
    """

    table: pd.DataFrame
    curve: pd.DataFrame = field(repr=False)
    steps: tuple[str, ...]
    confidence: float

    def sentence(self) -> str:
        """The median time of those who converted, by group, and the share converted by the end of the curve."""
        last = self.table[(self.table["step"] == self.steps[-1]) & (self.table["quantile"] == 0.5)]
        said = []
        for at, (name, own) in enumerate(self.curve.groupby("group", sort=False)):
            row, end = last.iloc[at], own.iloc[-1]
            share = percent(end["estimate"])
            if end["low"] == end["low"]:
                share += f" ({percent_interval(end['low'], end['high'])})"
            share += f" within {_length(end['time'])}, n = {count(own['at_risk'].iloc[0])}"
            half = f"median {_length(row['estimate'])}"
            if row["low"] == row["low"] and row["high"] == row["high"]:
                limits = _lengths(row["low"], row["high"], like=row["estimate"])
                half += f" ({interval_level(self.confidence)} {limits})"
            half = f"{half} of the {count(row['n'])} who converted" if row["n"] else "nobody converted"
            said.append(f"{name + ': ' if name else ''}{half}; {share}")
        return (
            f"Time from {self.steps[0]} to {self.steps[-1]}: {'. '.join(said)} (Kaplan-Meier: who is still in window "
            "is right-censored)."
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """The share converted by time since the entry, a line with a band a group."""
        from toolkit.funnels import axes

        return axes.converted(self.curve, step=self.steps[-1], first=self.steps[0], ax=ax)


def times(counts: StepCounts, units: CountingUnits, confidence: float) -> Times:
    """See `Funnel.times`."""
    table = quantiles(counts, units, confidence)
    return Times(table, converted(counts, units, confidence), counts.steps, confidence)


def converted(counts: StepCounts, units: CountingUnits, confidence: float) -> pd.DataFrame:
    """The share that has reached the last step by time since the entry. See `Times.curve`."""
    if not len(counts.groups):
        return pd.DataFrame(columns=CURVE)
    width, done, left = _spans(counts, units)
    number = done.shape[1]
    at_risk = (done + left)[:, ::-1].cumsum(axis=1)[:, ::-1]
    known = at_risk > 0
    size = np.asarray(counts.rate(counts.steps[-1], counts.steps[0]).size)
    effect = counts.reached[:, [0]] / np.maximum(size, 1e-9)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.where(known, 1 - done / at_risk, 1).cumprod(axis=1)
        hazards = np.where(known & (at_risk > done), done / at_risk / (at_risk - done), 0)
        spread = hazards.cumsum(axis=1) * effect
        reach = np.exp(float(student(np.inf, confidence)) * np.sqrt(spread) / np.abs(np.log(kept)))
        low, high = 1 - kept ** (1 / reach), 1 - kept**reach
    sure = (kept > 0) & (kept < 1)
    # The last span is that of later times, which the curve does not show.
    shown = known & (np.arange(number) < number - 1)
    curve = pd.DataFrame(
        {
            "group": np.repeat(np.array(counts.names, object), number),
            "time": pd.to_timedelta(np.tile(np.arange(number) * width, len(done)), unit="us"),
            "estimate": (1 - kept).ravel(),
            "low": np.where(sure, low, np.nan).ravel(),
            "high": np.where(sure, high, np.nan).ravel(),
            "at_risk": at_risk.ravel(),
        }
    )
    return curve[shown.ravel()].reset_index(drop=True)


def _spans(counts: StepCounts, units: CountingUnits) -> tuple[int, np.ndarray, np.ndarray]:
    """The length of a span of time (microseconds), and by group and span who converted and whose observation ended."""
    question = units.question
    k, groups = question.size, [f"l{i}" for i in range(len(question.by))]
    took = "ended - entered" if question.count == "entries" else f"t{k} - t1"
    observed = f"{question.observed_until} + 1 - {sums.start(question)}"
    if question.within is not None:
        observed = f"least({observed}, {question.within} + 1)"
    lasted = f"CASE WHEN level = {k} THEN {took} ELSE {observed} END AS d"
    shown = ", ".join([*sums.texts(question), f"CASE WHEN level = {k} THEN 1 ELSE 0 END AS done", lasted])
    rows = f"SELECT {shown} FROM ({units.counted}) WHERE level >= {sums.least(question)}"
    if question.within is not None:
        end = question.within
    else:
        longest = units.frame(f"SELECT max(d) AS d FROM ({rows}) WHERE done = 1")["d"].iloc[0]
        end = 1 if pd.isna(longest) else int(longest)
    width = max(-(-end // POINTS), 1)
    last = -(-end // width)
    # Whatever ends later is one span, so that no more than these leave the engine.
    span = (
        f"CASE WHEN d <= 0 THEN 0 WHEN d > {last * width} THEN {last + 1} "
        f"ELSE CAST(ceil(CAST(d AS DOUBLE) / {width}) AS BIGINT) END AS span"
    )
    keys = ", ".join([*groups, "done", "span"])
    frame = units.frame(f"SELECT {keys}, count(*) AS n FROM (SELECT *, {span} FROM ({rows})) GROUP BY {keys}")
    found = np.zeros((2, len(counts.groups), last + 2), np.int64)
    at = tuple(frame[name].to_numpy(np.int64) for name in ("done", "span"))
    found[at[0], counts.places(frame[groups]), at[1]] = frame["n"].to_numpy(np.int64)
    return width, found[1], found[0]


def _length(time: pd.Timedelta) -> str:
    """A length of time in its largest unit."""
    if pd.isna(time):
        return "unknown"
    unit, length = _unit(time)
    return f"{time.total_seconds() / length:.3g} {unit}"


def _lengths(low: pd.Timedelta, high: pd.Timedelta, *, like: pd.Timedelta) -> str:
    """The limits of a length of time in the unit of their estimate."""
    unit, length = _unit(like)
    return f"{low.total_seconds() / length:.3g} to {high.total_seconds() / length:.3g} {unit}"


def _unit(time: pd.Timedelta) -> tuple[str, int]:
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if time.total_seconds() >= 2 * length:
            return unit, length
    return "seconds", 1


def quantiles(counts: StepCounts, units: CountingUnits, confidence: float) -> pd.DataFrame:
    """Quantiles of the time from the first step, by group and step. See `Funnel.times`.

    Parameters
    ----------
    units
        With the times of each unit's steps, except for entries, which have the time of their end alone.
    """
    k, q = units.question.size, np.array(QUANTILES)
    steps = [k] if units.question.count == "entries" else [*range(2, k + 1)]
    # By group, step and quantile; whoever converts has a time of every step.
    n = np.broadcast_to(counts.reached[:, k - 1, None, None], (len(counts.groups), len(steps), len(q)))
    middle = np.ceil(q * n)
    if units.question.single:
        found = _at_ranks(
            counts, units, steps, np.concatenate([middle, *_limits(n, 1.0, confidence)], axis=2)
        )
        estimate, low, high = np.split(found, 3, axis=2)
    else:
        estimate = _at_ranks(counts, units, steps, middle)
        # Woodruff (1952): the share of times up to the quantile varies as any rate of clustered units does.
        effect = _design_effects(counts, units, steps, estimate)
        found = _at_ranks(counts, units, steps, np.concatenate(_limits(n, effect, confidence), axis=2))
        low, high = np.split(found, 2, axis=2)
    rows = len(steps) * len(q)
    columns = {name: counts.groups[name].array.repeat(rows) for name in counts.by}
    names = np.repeat([counts.steps[j - 1] for j in steps], len(q))
    columns |= {"step": np.tile(names, len(n)), "quantile": np.tile(q, n[..., 0].size)}
    for name, values in (("estimate", estimate), ("low", low), ("high", high)):
        columns[name] = pd.to_timedelta(values.ravel(), unit="us")
    return pd.DataFrame(columns | {"n": n.ravel()})


def _limits(n: np.ndarray, effect: ArrayLike, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Ranks between which quantiles lie."""
    ranks = quantile_ranks(np.array(QUANTILES), n, design_effect=effect, confidence=confidence)
    return np.asarray(ranks.low), np.asarray(ranks.high)


def _at_ranks(
    counts: StepCounts, units: CountingUnits, steps: Sequence[int], ranks: np.ndarray
) -> np.ndarray:
    """Times (microseconds) at ranks, by group, step and rank; nan where there is none."""
    whole = np.nan_to_num(ranks).astype(np.int64)
    found = np.full(ranks.shape, np.nan)
    for frame in _asked(sums.ranked, counts, units, steps, whole):
        group, step = counts.places(frame), frame["j"].to_numpy(np.int64) - steps[0]
        here = whole[group, step] == frame["r"].to_numpy(np.int64)[:, None]
        row, place = np.nonzero(here)
        found[group[row], step[row], place] = frame["d"].to_numpy(np.int64)[row]
    return found


def _design_effects(
    counts: StepCounts, units: CountingUnits, steps: Sequence[int], times: np.ndarray
) -> np.ndarray:
    """Design effects of the shares of converters up to some times, by group, step and time."""
    found = np.ones(times.shape)
    for frame in _asked(sums.sooner, counts, units, steps, np.nan_to_num(times).astype(np.int64)):
        y, xy, yy, yy_per_x = (
            frame[[f"{name}{i}" for i in range(times.shape[2])]].to_numpy(float)
            for name in ("y", "xy", "yy", "yy_per_x")
        )
        users, x, xx = (frame[[name]].to_numpy(float) for name in ("users", "x", "xx"))
        at = counts.places(frame), frame["j"].to_numpy(np.int64) - steps[0]
        found[at] = design_effect(UserSums(users, x, y, xx, xy, yy, yy_per_x))
    return found


def _asked(
    query: Callable[[Question, str, Sequence[tuple[sums.Text, int, Sequence[int]]]], str],
    counts: StepCounts,
    units: CountingUnits,
    steps: Sequence[int],
    numbers: np.ndarray,
) -> Iterator[pd.DataFrame]:
    """Answers to a query that takes numbers by group and step, for groups with converters."""
    rows = [
        (counts.texts[place], j, numbers[place, at].tolist())
        for place in np.flatnonzero(counts.reached[:, -1])
        for at, j in enumerate(steps)
    ]
    for first in range(0, len(rows), MOST_ROWS):
        yield units.frame(query(units.question, units.sql, rows[first : first + MOST_ROWS]))
