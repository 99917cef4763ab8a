"""Counts by day, segment and step, from a log or from a table: what a change is looked for in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from toolkit.counts import counts_table
from toolkit.dates import day_numbers
from toolkit.funnels import Funnel, PeriodFunnel, Step, funnel
from toolkit.funnels.question import duration
from toolkit.logs.events import EventLog
from toolkit.logs.progress import together
from toolkit.wording import NULL, some, unknown


@runtime_checkable
class HoldsSteps(Protocol):
    """What an export is to a change: steps counted by day."""

    def steps_by_day(
        self, steps: Sequence[str] | None = None, *, by: str | Sequence[str] | None = None
    ) -> pd.DataFrame:
        """`by`, `day`, `step`, `n`, steps in order; `attrs["notes"]` says what to know of them."""


@dataclass(frozen=True, eq=False)
class Daily:
    """Who reached each step, by day.

    Attributes
    ----------
    steps : tuple of str
    days : array of int
        Since 1970, in order.
    counts : array of days x rows x steps
        A row is a combination of the properties' values.
    segments : DataFrame
        One row for each of those, a column for each property, as text.
    left_out : int
        Days at the end whose window is not over.
    window : Timedelta or None
        Of a log: longest time from the first step to the last.
    notes : tuple of str
        What a reader must know of how they came about.
    """

    steps: tuple[str, ...]
    days: np.ndarray = field(repr=False)
    counts: np.ndarray = field(repr=False)
    segments: pd.DataFrame = field(repr=False)
    left_out: int = 0
    notes: tuple[str, ...] = ()
    window: pd.Timedelta | None = None

    @property
    def whole(self) -> np.ndarray:
        """Days x steps."""
        return np.asarray(self.counts.sum(1))

    def by(self, column: str) -> tuple[list[str], np.ndarray]:
        """Segments of one property and their counts, days x segments x steps."""
        names = list(dict.fromkeys(self.segments[column]))
        own = [self.counts[:, (self.segments[column] == name).to_numpy()].sum(1) for name in names]
        return names, np.stack(own, axis=1)


def properties(by: str | Sequence[str]) -> list[str]:
    """Names of properties, of which one may be given by itself."""
    return [by] if isinstance(by, str) else list(by)


def counted(
    given: EventLog | pd.DataFrame | HoldsSteps,
    steps: Sequence[str | Step] | None,
    *,
    by: str | Sequence[str] = (),
    within: str | pd.Timedelta | None = None,
    cluster: str = "day",
) -> Daily:
    """Counts by day, by properties, as `toolkit.what_changed` takes them."""
    columns = properties(by)
    if not isinstance(given, EventLog) and within is not None:
        raise ValueError("within= belongs to a log; counts have their window behind them")
    if not isinstance(given, pd.DataFrame) and cluster != "day":
        raise ValueError(
            f"cluster={cluster!r} is of a table; of a log or an export the clusters are its days"
        )
    if isinstance(given, EventLog):
        if steps is None:
            raise ValueError("steps= names the events of the log in order, two or more")
        found = of_log(given, steps, columns, within)
        return replace(found, window=pd.Timedelta(duration(within, "within"), "us"))
    if not isinstance(given, pd.DataFrame | HoldsSteps):
        raise TypeError(
            "what_changed takes a log from read_events, an export from read_export or a table of counts, not "
            f"{type(given).__name__}"
        )
    names = None if steps is None else [str(getattr(step, "name", step)) for step in steps]
    if isinstance(given, pd.DataFrame):
        return of_counts(given, names, columns, cluster)
    return of_export(given, names, columns)


def of_log(log: EventLog, steps: Sequence[str | Step], by: Sequence[str], within: Any) -> Daily:
    """Days of the entry, those whose window is not over left out."""
    if within is None:
        raise ValueError(
            "say how long after the entry a step counts, within='1d': without a window no day is ever complete"
        )
    with together():
        found = funnel(log, steps, within=within, by=list(by), period="day")
    assert isinstance(found, PeriodFunnel)  # asked by period
    counts, complete = found.step_counts, found.over
    days = pd.DatetimeIndex(counts.groups["period"])
    numbers = (days - pd.Timestamp(0)).days.to_numpy()
    over = np.array(sorted(set(numbers[complete].tolist())), dtype=np.int64)
    if not len(over):
        raise ValueError(
            f"within={within!r}: no day's window is over by the end of the log; take a shorter window"
        )
    return _laid_out(
        counts.steps, by, numbers, counts.texts, counts.reached, over, len(set(numbers)) - len(over)
    )


def of_counts(frame: pd.DataFrame, steps: Sequence[str] | None, by: Sequence[str], cluster: str) -> Daily:
    """Days of a table of counts."""
    counts_table(frame, ["step"])
    column = _day_column(frame, cluster)
    for name in by:
        if name not in frame.columns:
            raise ValueError(unknown("column", name, frame.columns, of="the counts"))
    names = list(dict.fromkeys(frame["step"].astype(str)))
    chosen = names if steps is None else [str(step) for step in steps]
    for name in chosen:
        if name not in names:
            raise ValueError(unknown("step", name, names, of="the counts"))
    value = "n" if "n" in frame.columns else "reached"
    if value not in frame.columns:
        raise ValueError(f"{unknown('column', 'n', frame.columns, of='the counts')}; 'reached' is taken too")
    keys = [column, *by, "step"]
    own = frame.loc[frame["step"].astype(str).isin(chosen), [*keys, value]]
    # Properties that are not asked for are added up.
    own = own.groupby(keys, sort=False, dropna=False)[value].sum(min_count=1).reset_index()
    own["step"] = pd.Categorical(own["step"].astype(str), chosen, ordered=True)
    own = own.sort_values([column, *by, "step"], kind="stable").astype({"step": str})
    counts = Funnel.from_counts(own).step_counts
    labels = list(counts.groups[column])
    unique = list(dict.fromkeys(labels))
    days = day_numbers(unique)
    if days is None:
        raise ValueError(
            f"{column!r} holds {some(unique, 3)}: before and after need calendar days, such as 2024-11-03"
        )
    numbers = pd.Series(labels).map(dict(zip(unique, days, strict=True))).to_numpy()
    at = [counts.by.index(name) for name in by]
    texts = [tuple(text[i] for i in at) for text in counts.texts]
    return _laid_out(counts.steps, by, numbers, texts, counts.reached, np.unique(numbers), 0)


def of_export(export: HoldsSteps, steps: Sequence[str] | None, by: Sequence[str]) -> Daily:
    """Days of a dashboard's export, each the sum of its sessions."""
    tidy = export.steps_by_day(steps, by=list(by))
    if not len(tidy):
        raise ValueError("no row of the export says its day, and before and after need days")
    names = tuple(dict.fromkeys(tidy["step"]))
    wide = tidy.set_index([*by, "day", "step"])["n"].unstack("step").reset_index()
    numbers = (pd.DatetimeIndex(wide["day"]) - pd.Timestamp(0)).days.to_numpy()
    rows = wide[[*by]].astype("str").where(wide[[*by]].notna(), None).itertuples(index=False, name=None)
    texts = [tuple(row) for row in rows] if by else [()] * len(wide)
    found = _laid_out(names, by, numbers, texts, wide[[*names]].to_numpy(float), np.unique(numbers), 0)
    return replace(found, notes=tidy.attrs["notes"])


def _day_column(frame: pd.DataFrame, cluster: str) -> str:
    if cluster in frame.columns:
        return cluster
    if cluster != "day":
        raise ValueError(f"cluster: {unknown('column', cluster, frame.columns, of='the counts')}")
    found = [
        str(name)
        for name in frame.columns
        if name not in ("step", "n", "reached")
        and day_numbers(list(frame[name].dropna().unique())) is not None
    ]
    if len(found) != 1:
        many = f"several, {some(found)}" if found else "none"
        raise ValueError(f"which column of the counts is the day? {many} could be; name it: cluster=")
    return found[0]


def _laid_out(
    steps: tuple[str, ...],
    by: Sequence[str],
    numbers: np.ndarray,
    texts: Sequence[tuple[str | None, ...]],
    reached: np.ndarray,
    days: np.ndarray,
    left_out: int,
) -> Daily:
    rows = [tuple(NULL if value is None else value for value in text[: len(by)]) for text in texts]
    kinds = list(dict.fromkeys(rows))
    place = {kind: at for at, kind in enumerate(kinds)}
    counts = np.zeros((len(days), len(kinds), len(steps)))
    for row, number, line in zip(rows, numbers, reached, strict=True):
        at = np.searchsorted(days, number)
        if at < len(days) and days[at] == number:
            counts[at, place[row]] += line
    return Daily(steps, days, counts, pd.DataFrame(kinds, columns=list(by)), left_out)
