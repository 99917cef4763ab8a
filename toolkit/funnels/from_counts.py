"""A funnel from a table of counts, which is what most analysts hold: the one reader of such tables."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from toolkit.clusters import Clusters
from toolkit.counts import counts_table, numbers, refuse_taken, row_name
from toolkit.dates import day_numbers, in_order
from toolkit.funnels.question import OWN
from toolkit.funnels.step_counts import StepCounts
from toolkit.wording import group_name, some, unknown

#: Names under which a table may give its counts: by hand, and as a funnel's own table does.
COUNT_COLUMNS = ("n", "reached")
#: Half the width that a count was rounded to, such as 500 of a count shown as 1.2万.
HALF_WIDTH = "half_width"
#: Columns of a funnel's own table that are computed anew.
COMPUTED = ("from_previous", "low", "high", "from_first", "first_low", "first_high")


def count_column(frame: pd.DataFrame) -> str:
    """The column that holds a table's counts: `n` or `reached`."""
    found = [name for name in COUNT_COLUMNS if name in frame.columns]
    if not found:
        raise ValueError(f"{unknown('column', 'n', frame.columns, of='the counts')}; 'reached' is taken too")
    if len(found) > 1:
        raise ValueError(
            "the counts have a column 'n' and a column 'reached'; drop the one that is not meant"
        )
    return found[0]


def broken_down_by(frame: pd.DataFrame) -> list[str]:
    """The columns that a table of counts is broken down by: all that are not a funnel's own."""
    own = {"step", "open", HALF_WIDTH, *COUNT_COLUMNS, *COMPUTED}
    return [str(name) for name in frame.columns if name not in own]


def grouped(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of each group together, in the order in which groups first come: as the table of the funnel has them."""
    by = broken_down_by(frame)
    if not by:
        return frame
    return frame.iloc[
        np.argsort(frame.groupby(by, sort=False, dropna=False).ngroup().to_numpy(), kind="stable")
    ]


def step_counts(frame: pd.DataFrame, cluster: str | None = None) -> StepCounts:
    """Steps, groups and counts from a tidy frame, checked. See `Funnel.from_counts`."""
    _refuse_without_steps(frame)
    if cluster is not None:
        if not isinstance(cluster, str):
            raise TypeError(
                f"cluster={cluster!r}; give the name of the column that says the day or session of a row"
            )
        return _clustered(frame, cluster)
    counts_table(frame, ["step"])
    if HALF_WIDTH in frame:
        raise ValueError(
            f"a column {HALF_WIDTH!r} of what counts were rounded to needs the day or session of each row: cluster="
        )
    column = count_column(frame)
    by = broken_down_by(frame)
    # A table with `n` is written by hand: a column in it that only a funnel's own table has would be lost.
    refuse_taken([name for name in frame.columns if name not in ("step", "open", column)], _taken(column))
    frame = frame.assign(**{column: numbers(frame, column, ["step"])})
    if "open" in frame:
        frame = frame.assign(open=numbers(frame, "open", ["step"], missing=True))
    keys, reached, in_window, steps = [], [], [], None
    for key, rows in frame.groupby(by, sort=False, dropna=False) if by else [((), frame)]:
        names = tuple(rows["step"].astype(str))
        steps = names if steps is None else steps
        _refuse_other_steps(names, steps, key)
        _refuse_rising(rows[column].to_numpy(), names, key)
        keys.append(key)
        reached.append(rows[column].to_numpy(np.int64))
        in_window.append(rows["open"].to_numpy() if "open" in rows else np.full(len(rows), np.nan))
    if steps is None or len(steps) < 2:
        raise ValueError(f"a funnel needs at least two steps; got {some(list(steps or ()))}")
    still = np.array(in_window)
    still[:, -1] = np.nan
    return StepCounts(
        steps=steps,
        by=tuple(by),
        unit="counts",
        groups=pd.DataFrame([dict(zip(by, key, strict=True)) for key in keys]),
        texts=tuple(tuple(None if pd.isna(value) else str(value) for value in key) for key in keys),
        reached=np.array(reached),
        in_window=still,
        notes=_days_as_groups(frame, by),
    )


def _refuse_without_steps(frame: Any) -> None:
    """An error that says how to melt a table with a column for each step, or what to call its columns."""
    if not isinstance(frame, pd.DataFrame) or {"step", *COUNT_COLUMNS} & {*frame.columns}:
        return
    counts = [name for name in frame.columns if pd.api.types.is_numeric_dtype(frame[name])]
    others = [name for name in frame.columns if name not in counts]
    if len(counts) > 1:
        raise ValueError(
            f"no column 'step': if each of {some(counts, 4)} is a step, make it one row per step, "
            f'frame.melt(id_vars={others}, var_name="step", value_name="n")'
        )
    if counts and others:
        raise ValueError(
            f"no column 'step'; say which one it is: frame.rename(columns={{{others[-1]!r}: \"step\", "
            f'{counts[0]!r}: "n"}})'
        )


def _clustered(frame: pd.DataFrame, cluster: str) -> StepCounts:
    """Counts by cluster: each is a funnel of its own, and their sums are the answer."""
    counts_table(frame, ["step", cluster])
    missing = np.flatnonzero(frame[cluster].isna())
    if cluster in (*OWN, *COUNT_COLUMNS):
        raise ValueError(
            f"cluster={cluster!r} is a column of the funnel itself; name that of the day or session"
        )
    if len(missing):
        raise ValueError(f"{row_name(frame, int(missing[0]), ['step'])}: {cluster} is missing")
    each = step_counts(frame.drop(columns=HALF_WIDTH, errors="ignore"))
    by = tuple(name for name in each.by if name != cluster)
    labels = each.groups[cluster]
    order, days = in_order(list(labels.unique()))
    at = np.argsort(order)[pd.factorize(labels)[0]]
    place, keys = _places(each, by)
    counts = np.zeros((len(order), len(keys), len(each.steps)))
    counts[at, place] = each.reached
    still = np.full((len(keys), len(each.steps)), np.nan)
    for group in range(len(keys)):
        still[group] = each.in_window[place == group].sum(0)
    found = Clusters(cluster, counts, days, tuple(labels.unique()[order]))
    if HALF_WIDTH in frame:
        rounding = np.zeros(counts.shape)
        rounding[at, place] = _rounding(frame, list(each.by))
        found = replace(found, rounding=rounding)
    groups = each.groups.iloc[keys][[*by]].reset_index(drop=True)
    shown = [at for at, name in enumerate(each.by) if name != cluster]
    texts = tuple(tuple(each.texts[key][at] for at in shown) for key in keys)
    whole = StepCounts(
        steps=each.steps,
        by=by,
        unit="counts",
        groups=groups,
        texts=texts,
        reached=counts.sum(0).astype(np.int64),
        in_window=still,
        clusters=found,
    )
    found.refuse_too_few(whole.names, whole.steps[0])
    return whole


def _rounding(frame: pd.DataFrame, by: list[str]) -> np.ndarray:
    """Variance of what counts were rounded by, h^2 / 3 of a uniform error: a row for each group, as they first come."""
    halves = numbers(frame, HALF_WIDTH, ["step"], whole=False)
    groups = frame.groupby(by, sort=False, dropna=False).indices
    first = frame.groupby(by, sort=False, dropna=False).ngroup().to_numpy()
    return np.array([halves[first == group] for group in range(len(groups))]) ** 2 / 3


def _places(each: StepCounts, by: tuple[str, ...]) -> tuple[np.ndarray, list[int]]:
    """Of each cluster's group: its place among the groups without the cluster, and a row that stands for each."""
    if not by:
        return np.zeros(len(each.groups), int), [0]
    place = each.groups.groupby([*by], sort=False, dropna=False).ngroup().to_numpy()
    return place, [int(np.flatnonzero(place == group)[0]) for group in range(place.max() + 1)]


def _days_as_groups(frame: pd.DataFrame, by: list[str]) -> tuple[str, ...]:
    """A hint where the groups are days, whose sums would be taken for so many independent people."""
    for name in by:
        if day_numbers(list(frame[name].dropna().unique())) is not None and frame[name].nunique() > 1:
            return (f"the groups are days: for what holds over days, say cluster={name!r}",)
    return ()


def _taken(column: str) -> frozenset[str]:
    return OWN - set(COMPUTED) if column == "reached" else OWN


def _refuse_other_steps(names: tuple[str, ...], steps: tuple[str, ...], key: tuple[Any, ...]) -> None:
    if len(set(names)) < len(names):
        raise ValueError(
            f"a step stands twice among the counts{_of(key)}: {some(names)}; where rows are days or sessions, name "
            "their column: cluster="
        )
    if names != steps:
        raise ValueError(f"the steps{_of(key)} are {some(names)}; those of the first group {some(steps)}")


def _refuse_rising(reached: np.ndarray, names: tuple[str, ...], key: tuple[Any, ...]) -> None:
    for (before, after), step in zip(pairwise(reached), names[1:], strict=True):
        if after > before:
            raise ValueError(
                f"counts rise along the funnel{_of(key)}: {before:,.0f} before {step!r}, {after:,.0f} at it; steps "
                "must be in order and count the same unit (people, not views)"
            )


def _of(key: tuple[Any, ...]) -> str:
    return f" of {group_name(key)}" if key else ""
