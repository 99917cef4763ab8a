"""Converts kernel output (one row per counting unit) to the table defined in `sql`; sums it as `sums.reduce` does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit.funnels import sql, sums
from toolkit.funnels.kernels.row_order import FOREVER, LAST_TIME, NEVER, Limits
from toolkit.funnels.kernels.user_sums import best, tally
from toolkit.funnels.question import Question
from toolkit.logs.codes import Numbers

#: What `tally` adds up, in its order: whole numbers, and shares.
WHOLE = ("reached", "squares", "with_first", "users", "open", "with_previous")
SHARES = ("per_previous", "per_first")
TAILS = ("fourths", "largest")


def table(
    question: Question,
    user: pa.Array,
    hold: list[pa.Array],
    groups: list[pa.Array],
    level: Any,
    start: Any,
    ended: Any,
    sequence: Any = None,
) -> pa.Table:
    """The table with one row per counting unit, from one array per column; times of the matched steps are optional."""
    held = dict(zip(sql.held(question), hold, strict=True))
    columns = {"u": user, **held}
    for name, values, at in zip(question.by, groups or question.by, sql.grouped(question), strict=True):
        columns[at] = held[f"h{question.hold.index(name)}"] if name in question.hold else values
    columns |= {"level": pa.array(level, pa.int8()), "start": _times(start), "ended": _times(ended)}
    if question.count == "entries":
        columns["entered"] = columns["start"]
    if sequence is not None:
        columns |= {f"t{j}": _times(times) for j, times in enumerate(sequence, 1)}
    return pa.table(columns)


def limits(question: Question) -> Limits:
    """The question's limits as the kernels take them."""
    first, end = question.entries
    return Limits(
        question.size,
        FOREVER if question.within is None else question.within,
        -LAST_TIME if first is None else first,
        LAST_TIME if end is None else end,
    )


def relation(question: Question, *, grouped: bool = False) -> str:
    """SQL that reads the table, called `memory`, or its `by` columns alone.

    Arrow has no ENUM, whose order is that of the groups, so values become one here.
    """
    kinds = dict(zip(sql.grouped(question), question.by, strict=True))
    if not grouped:
        kinds |= dict(zip(sql.held(question), question.hold, strict=True))
    enums = {at: question.log.columns[name] for at, name in kinds.items()}
    casts = [f"CAST({at} AS {kind}) AS {at}" for at, kind in enums.items() if kind.startswith("ENUM")]
    return f"SELECT * REPLACE ({', '.join(casts)}) FROM memory" if casts else "SELECT * FROM memory"


def _times(values: Any) -> pa.Array:
    missing = values == NEVER
    return pa.array(values, mask=missing if missing.any() else None)


def reduce(question: Question, units: pa.Table) -> pd.DataFrame:
    """What `sums.reduce` gives, from a table in memory in which the units of a user stand together."""
    k, names = question.size, sql.grouped(question)
    user, level = _whole(units["u"]), units["level"].to_numpy()
    start, ended = (_filled(units[name], NEVER) for name in ("start", "ended"))
    group, groups = _grouped([units[name] for name in names], len(units))
    counted = np.arange(len(level))
    if question.count == "users" and question.hold:
        counted, start = _bests(question, units, user, level, start, ended)
    least = question.attribution if isinstance(question.attribution, int) and names else 1
    after = NEVER if question.within is None else question.observed_until - question.within
    rest = (user, group, groups, level, start, k, least, after, question.single)
    # Two threads take half of the users each.
    half = len(counted) // 2
    while 0 < half < len(counted) and user[counted[half]] == user[counted[half - 1]]:
        half += 1
    with ThreadPoolExecutor(2) as pool:
        parts = list(pool.map(lambda part: tally(part, *rest), (counted[:half], counted[half:])))
    (whole, shares, tails, first), (more, other, far, second) = parts
    whole += more
    tails = np.stack([tails[0] + far[0], np.maximum(tails[1], far[1])])
    shares = np.where(np.isnan(shares), other, shares + np.nan_to_num(other))
    first = np.where(first < 0, second, first)
    seen = np.flatnonzero(first >= 0) if names else np.zeros(1, np.int64)
    return pd.DataFrame(
        _keys(question, units, first[seen]) | _sums(question, whole[:, seen], shares[:, seen], tails[:, seen])
    )


def _sums(question: Question, whole: Any, shares: Any, tails: Any) -> dict[str, Any]:
    """The columns of sums by name; those that a question does not have are left out."""
    columns: dict[str, Any] = {}
    named = zip((*WHOLE, *SHARES, *TAILS), (*whole, *shares, *tails), strict=True)
    for name, values in named:
        if question.count == "users" and name not in ("reached", "open"):
            continue
        first = 2 if name in (*SHARES, "with_previous") else 1
        for j in range(first, question.size + (name != "open")):
            unknown = name == "open" and question.mode != "ordered"
            columns[f"{name}_{j}"] = np.full(len(values), np.nan) if unknown else values[:, j - 1]
    return columns


def _keys(question: Question, units: pa.Table, rows: Any) -> dict[str, Any]:
    """Values of the `by` columns, with the types that they have on every other path, and the same as text."""
    names = sql.grouped(question)
    if not names:
        return {}
    groups = units.select(names).take(pa.array(rows))
    if len(rows) and all(question.log.columns[name] == "VARCHAR" for name in question.by):
        frame = pa.table({name: groups[name].cast(pa.string()) for name in names}).to_pandas()
        return dict(frame) | {f"l{i}": frame[name] for i, name in enumerate(names)}
    typed = relation(question, grouped=True)
    text = f"SELECT {', '.join([*names, *sums.texts(question)])} FROM ({typed})"
    return dict(question.log.engine.over(groups, text).df())


def _array(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _filled(column: pa.ChunkedArray | pa.Array, value: int) -> Any:
    return (column.fill_null(value) if column.null_count else column).to_numpy()


def _whole(column: pa.ChunkedArray) -> Any:
    """Users as numbers: any that tell them apart."""
    values = _array(column)
    values = values.indices if pa.types.is_dictionary(values.type) else values
    values = values if pa.types.is_integer(values.type) else values.dictionary_encode().indices
    return values.to_numpy().astype(np.int64, copy=False)


def _grouped(columns: list[pa.ChunkedArray], rows: int) -> tuple[Any, int]:
    """Numbers of groups below the number returned with them; null is a group too."""
    group = np.zeros(rows if not columns else 0, np.int32)
    for place, column in enumerate(columns):
        values = _array(column)
        values = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
        # As int32 first: the number after the last may not fit the width of the indices.
        indices = values.indices.cast(pa.int32()) if values.indices.null_count else values.indices
        codes = _filled(indices, len(values.dictionary)).astype(np.int32, copy=False)
        group = Numbers().encode((group.astype(np.int64) << 32) | codes) if place else codes
    return group, int(group.max(initial=0)) + 1


def _bests(question: Question, units: pa.Table, user: Any, level: Any, start: Any, ended: Any) -> Any:
    """Each user's best unit, and the latest start of those that got as far; see `sums.counted`."""
    ranks = np.zeros(len(user), np.int64)
    chosen, latest = best(user, level, start, ended, ranks)
    own = chosen[np.cumsum(np.diff(user, prepend=user[:1]) != 0)]
    equal = (level == level[own]) & (ended == ended[own])
    tied = np.flatnonzero(equal & (np.bincount(own, equal, len(user))[own] > 1))
    if not len(tied):
        return chosen, latest
    # Where all else is equal, held values decide as text; few units come to that.
    held = units.select(sql.held(question)).take(pa.array(tied)).append_column("i", pa.array(tied))
    order = ", ".join(f"CAST({name} AS VARCHAR)" for name in sql.held(question))
    query = f"SELECT i, CAST(dense_rank() OVER (ORDER BY {order}) AS BIGINT) AS r FROM memory"
    ranked = question.log.engine.over(held, query).to_arrow_table()
    ranks[ranked["i"].to_numpy()] = ranked["r"].to_numpy()
    return best(user, level, start, ended, ranks)
