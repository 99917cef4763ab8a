"""A funnel from a table of counts: what most analysts hold."""

from __future__ import annotations

import numpy as np
import pandas as pd

from toolkit.counts import refuse_taken
from toolkit.funnels.steps import OWN
from toolkit.wording import some


def counts_of(frame: pd.DataFrame) -> tuple[tuple[str, ...], tuple[str, ...], pd.DataFrame]:
    """Steps, `by` columns and one row of counts per group, from a tidy frame. See `Funnel.from_counts`."""
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"from_counts takes a table with the columns step and n, not {type(frame).__name__}")
    for name in ("step", "n"):
        if name not in frame.columns:
            raise ValueError(
                f"no column {name!r} among the counts; they have: {some([str(c) for c in frame.columns])}"
            )
    if not len(frame):
        raise ValueError("the table of counts has no rows")
    by = tuple(str(name) for name in frame.columns if name not in ("step", "n", "open"))
    refuse_taken(by, OWN)
    _refuse_bad_numbers(frame, "n")
    if "open" in frame:
        _refuse_bad_numbers(frame[frame["open"].notna()], "open")
    groups = frame.groupby(list(by), sort=False, dropna=False) if by else [((), frame)]
    lines, steps = [], None
    for key, rows in groups:
        names = tuple(rows["step"].astype(str))
        steps = names if steps is None else steps
        where = f" of {' '.join(map(str, key))}" if by else ""
        if len(set(names)) < len(names):
            raise ValueError(f"a step stands twice among the counts{where}: {some(list(names))}")
        if names != steps:
            raise ValueError(
                f"the steps{where} are {some(list(names))}; those of the first group {some(list(steps))}"
            )
        reached = [int(n) for n in rows["n"]]
        for before, after, step in zip(reached, reached[1:], names[1:], strict=False):
            if after > before:
                raise ValueError(
                    f"counts rise along the funnel{where}: {before:,} before {step!r}, {after:,} at it; steps must "
                    "be in order and count the same unit (people, not views)"
                )
        line = dict(zip(by, key, strict=True)) | {f"n{j}": n for j, n in enumerate(reached, 1)}
        if "open" in frame:
            line |= {f"o{j}": n for j, n in enumerate(rows["open"].tolist()[:-1], 1)}
        lines.append(line)
    assert steps is not None
    if len(steps) < 2:
        raise ValueError(f"a funnel needs at least two steps; got {some(list(steps))}")
    counts = pd.DataFrame(lines)
    numbers = [name for name in counts.columns if name not in by]
    counts[numbers] = counts[numbers].astype("Int64")
    return steps, by, counts


def _refuse_bad_numbers(frame: pd.DataFrame, column: str) -> None:
    values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float)
    for bad, fault in (
        (np.isnan(values), "is missing or not a number"),
        (np.isinf(values), "is infinite"),
        (values < 0, "is negative"),
        (values != np.floor(values), "is fractional: give counts, not rates"),
    ):
        if bad.any():
            place = int(np.flatnonzero(bad)[0])
            row = frame.iloc[place]
            raise ValueError(
                f"row {frame.index[place]} (step {row['step']!r}): {column} = {row[column]} {fault}"
            )
