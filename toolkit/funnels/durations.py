"""Times to convert: quantiles of those who did, and the share converted by time since the entry (Kaplan-Meier)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from toolkit.funnels import sums
from toolkit.funnels.counting_units import CountingUnits
from toolkit.funnels.step_counts import StepCounts
from toolkit.intervals import UserSums, design_effect, quantile_ranks, student
from toolkit.results import Result
from toolkit.wording import count, interval_level, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
#: Points of a curve of the share converted.
POINTS = 500
CURVE = ["group", "time", "estimate", "low", "high", "at_risk"]


@dataclass(frozen=True, repr=False, eq=False)
class Times(Result):
    """How long it takes to convert. Made by `Funnel.times`.

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
            share = (
                f"{percent(end['estimate'])} by {_length(end['time'])}, n = {count(own['at_risk'].iloc[0])}"
            )
            half = f"median {_length(row['estimate'])}"
            if row["low"] == row["low"] and row["high"] == row["high"]:
                half += (
                    f" ({interval_level(self.confidence)} {_length(row['low'])} to {_length(row['high'])})"
                )
            half = f"{half} of {count(row['n'])}" if row["n"] else "nobody converted"
            said.append(f"{name + ': ' if name else ''}{half}; {share}")
        return (
            f"Time from {self.steps[0]} to {self.steps[-1]}: {'. '.join(said)} (users in window as censored)."
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
    question = units.question
    k, groups = question.size, [f"l{i}" for i in range(len(question.by))]
    took = "ended - entered" if question.count == "entries" else f"t{k} - t1"
    observed = f"{question.observed_until} + 1 - {sums.start(question)}"
    if question.within is not None:
        observed = f"least({observed}, {question.within} + 1)"
    lasted = f"CASE WHEN level = {k} THEN {took} ELSE {observed} END AS d"
    shown = ", ".join([*sums.texts(question), f"level = {k} AS done", lasted])
    rows = f"SELECT {shown} FROM ({units.counted}) WHERE level >= {sums.least(question)}"
    if question.within is not None:
        end = question.within
    else:
        end = int(units.frame(f"SELECT coalesce(max(d), 1) AS d FROM ({rows}) WHERE done")["d"].iloc[0])
    width = max(-(-end // POINTS), 1)
    keys = ", ".join([*groups, "done", "bin"])
    frame = units.frame(
        f"SELECT {keys}, count(*) AS n FROM (SELECT *, CAST(ceil(CAST(d AS DOUBLE) / {width}) AS BIGINT) AS bin "
        f"FROM ({rows})) GROUP BY {keys}"
    )
    texts = frame[groups].itertuples(index=False, name=None) if groups else [()] * len(frame)
    of = [tuple(None if pd.isna(value) else str(value) for value in text) for text in texts]
    last = -(-end // width)
    parts = []
    effect = counts.reached[:, 0] / np.maximum(
        np.asarray(counts.rate(counts.steps[-1], counts.steps[0]).size), 1e-9
    )
    for place, text in enumerate(counts.texts):
        own = frame[[one == text for one in of]]
        done, left = np.zeros(last + 2), np.zeros(last + 2)
        for flag, at, n in own[["done", "bin", "n"]].itertuples(index=False):
            (done if flag else left)[min(max(int(at), 0), last + 1)] += n
        at_risk = (done + left)[::-1].cumsum()[::-1]
        known = at_risk > 0
        with np.errstate(divide="ignore", invalid="ignore"):
            kept = np.where(known, 1 - done / at_risk, 1).cumprod()
            spread = (
                np.where(known & (at_risk > done), done / at_risk / (at_risk - done), 0).cumsum()
                * effect[place]
            )
            reach = np.exp(float(student(np.inf, confidence)) * np.sqrt(spread) / np.abs(np.log(kept)))
            low, high = 1 - kept ** (1 / reach), 1 - kept**reach
        sure = (kept > 0) & (kept < 1)
        shown_at = known & (np.arange(last + 2) <= last)
        parts.append(
            pd.DataFrame(
                {
                    "group": counts.names[place],
                    "time": pd.to_timedelta(np.arange(last + 2) * width, unit="us"),
                    "estimate": 1 - kept,
                    "low": np.where(sure, low, np.nan),
                    "high": np.where(sure, high, np.nan),
                    "at_risk": at_risk.astype(int),
                }
            )[shown_at]
        )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=CURVE)


def _length(time: pd.Timedelta) -> str:
    """A length of time in its largest unit."""
    if pd.isna(time):
        return "unknown"
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if time.total_seconds() >= 2 * length:
            return f"{time.total_seconds() / length:.3g} {unit}s"
    return f"{time.total_seconds():.3g} seconds"


def quantiles(counts: StepCounts, units: CountingUnits, confidence: float) -> pd.DataFrame:
    """Quantiles of the time from the first step, by group and step. See `Funnel.times`.

    Parameters
    ----------
    units
        With the times of each unit's steps, except for entries, which have the time of their end alone.
    """
    question = units.question
    k, groups = question.size, [f"l{i}" for i in range(len(question.by))]
    entries = question.count == "entries"
    spans = [f"ended - entered AS d{k}"] if entries else [f"t{j} - t1 AS d{j}" for j in range(2, k + 1)]
    shown = ", ".join(["u", *sums.texts(question), *spans])
    converters = units.frame(f"SELECT {shown} FROM ({units.counted}) WHERE level = {k}")
    places = {text: at for at, text in enumerate(counts.texts)}
    keys = converters[groups].itertuples(index=False, name=None) if groups else [()] * len(converters)
    at = np.array([places[tuple(None if pd.isna(v) else str(v) for v in key)] for key in keys], int)
    lines, rows = [], []
    for place in range(len(counts.groups)):
        own = converters[at == place]
        users = own["u"].factorize()[0]
        for j in (k,) if entries else range(2, k + 1):
            took = own[f"d{j}"].to_numpy(dtype=np.int64)
            lines += [[counts.steps[j - 1], *line] for line in _of(took, users, confidence)]
            rows += [place] * len(QUANTILES)
    table = pd.DataFrame(lines, columns=["step", "quantile", "estimate", "low", "high", "n"])
    for name in ("estimate", "low", "high"):
        table[name] = pd.to_timedelta(table[name], unit="us")
    for i, name in enumerate(counts.by):
        table.insert(i, name, counts.groups[name].array.take(rows))
    return table


def _of(took: np.ndarray, users: np.ndarray, confidence: float) -> list[list[float]]:
    """Quantile, estimate, low, high (microseconds) and n, for each of `QUANTILES`."""
    n = len(took)
    if not n:
        return [[q, np.nan, np.nan, np.nan, 0] for q in QUANTILES]
    took_sorted = np.sort(took)
    lines = []
    for q in QUANTILES:
        estimate = took_sorted[int(np.ceil(q * n)) - 1]
        # Woodruff (1952): the share of times up to the quantile varies as any rate of clustered units does.
        effect = design_effect(UserSums.of(np.bincount(users, weights=took <= estimate), np.bincount(users)))
        ranks = quantile_ranks(q, n, design_effect=effect, confidence=confidence)
        limits = [np.nan if np.isnan(rank) else took_sorted[int(rank) - 1] for rank in ranks]
        lines.append([q, estimate, *limits, n])
    return lines
