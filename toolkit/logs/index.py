"""A log read once into compact arrays by user and time, from which questions take milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from toolkit.compiled import compiled
from toolkit.logs.codes import Codes, Pairs, UnlistedError, dictionary
from toolkit.logs.engines import identifier
from toolkit.logs.index_size import is_text
from toolkit.logs.progress import counted_bar
from toolkit.logs.source import Source

BATCH = 1 << 17
#: Users are split into so many parts with about the same number of rows, for so many threads.
PARTS, THREADS = 8, 2
#: Results of so many conditions are cached, since a slider asks about the same steps again and again.
REMEMBERED = 4


@dataclass(frozen=True, eq=False)
class Index:
    """Rows ordered by user, time and arrival: 9 bytes a row, and the kept columns.

    Attributes
    ----------
    kept : tuple of str
        Columns that questions may read.
    users : pyarrow.Array
        One value per user.
    offsets, t, event
        Where each user's rows begin, rows' times in microseconds, and codes of their events (0 for null).
    events : list of str
        Names of the events, the one coded 1 first.
    columns : dict of str to pyarrow.Array
        Values of kept columns; texts are dictionary-encoded.
    arrival
        Place of each row in the source; only with kept columns.
    """

    kept: tuple[str, ...]
    users: pa.Array = field(repr=False)
    offsets: Any = field(repr=False)
    t: Any = field(repr=False)
    event: Any = field(repr=False)
    events: list[str] = field(repr=False)
    columns: dict[str, pa.Array] = field(repr=False)
    arrival: Any = field(repr=False)
    memory: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        arrays = [self.offsets, self.t, self.event, self.users, *self.columns.values()]
        return sum(
            int(array.nbytes) for array in [*arrays, *([] if self.arrival is None else [self.arrival])]
        )

    def column(self, name: str) -> pa.Array:
        """Values of a kept column, or of the event, row by row."""
        return (
            self.columns[name]
            if name in self.columns
            else dictionary(self.event, pa.array(self.events, pa.string()))
        )

    def codes(self, names: Sequence[str]) -> tuple[Any, int, list[pa.Array]]:
        """What columns hold together: a code for each row (-1 where one is null), how many there are, and values.

        The values are one dictionary array per name, in the order of the codes.
        """
        key = ("codes", *names)
        if key not in self.memory:
            self.memory[key] = _together([self.column(name) for name in names])
        found: tuple[Any, int, list[pa.Array]] = self.memory[key]
        return found

    def words(self, log: Source, sql: str, columns: set[str]) -> Any:
        """A whole number for each row, by an SQL expression over `columns` and the event."""
        key = ("words", sql)
        if key not in self.memory:
            rows = pa.table({name: self.column(name) for name in {log.event, *columns}})
            found = log.engine.over(rows, f"SELECT CAST({sql} AS UINTEGER) AS w FROM memory")
            self.memory[key] = found.to_arrow_table().column("w").combine_chunks().to_numpy()
            asked = [known for known in self.memory if known[0] == "words"]
            for old in asked[:-REMEMBERED]:
                del self.memory[old]
        return self.memory[key]

    def copies(self, name: str) -> Any:
        """Rows whose value in a kept column has come before, by time and arrival; null never has."""
        key = self.codes([name])[0]
        keyed = np.flatnonzero(key >= 0)
        keyed = keyed[np.lexsort((self.arrival[keyed], self.t[keyed], key[keyed]))]
        found = np.zeros(len(key), bool)
        found[keyed[1:]] = key[keyed[1:]] == key[keyed[:-1]]
        return found

    def as_of(self, until: int) -> Index:
        """The rows before an instant, in microseconds."""
        there = self.t < until
        kept = np.concatenate(([0], np.cumsum(there)))
        return replace(
            self,
            offsets=kept[self.offsets],
            t=self.t[there],
            event=self.event[there],
            columns={name: column.filter(pa.array(there)) for name, column in self.columns.items()},
            arrival=None if self.arrival is None else self.arrival[there],
            memory={},
        )

    def dealt(self, kernel: Callable[[int, int], Any]) -> list[Any]:
        """Answers of a kernel that releases the interpreter, for all users in parts: from a user up to another."""
        cuts = np.searchsorted(self.offsets, np.linspace(0, self.offsets[-1], PARTS + 1).astype(np.int64))
        cuts[0], cuts[-1] = 0, len(self.offsets) - 1
        with ThreadPoolExecutor(THREADS) as pool:
            tasks = [pool.submit(kernel, int(low), int(high)) for low, high in pairwise(cuts)]
            return [task.result() for task in tasks]


def _together(columns: list[pa.Array]) -> tuple[Any, int, list[pa.Array]]:
    coded = [
        column if pa.types.is_dictionary(column.type) else column.dictionary_encode() for column in columns
    ]
    codes = [column.indices.fill_null(-1).to_numpy() for column in coded]
    values = [column.dictionary for column in coded]
    if len(coded) == 1:
        parts = [np.arange(1, len(values[0]) + 1)]
        return _narrow(codes[0], len(parts[0])), max(len(parts[0]), 1), [dictionary(parts[0], values[0])]
    pairs = Pairs(len(coded))
    together = pairs.encode([code.astype(np.int32) + 1 for code in codes])
    parts = pairs.decode(np.arange(1, together.max(initial=0) + 1))
    whole = np.all([part > 0 for part in parts], axis=0)
    numbers = np.where(whole, np.cumsum(whole) - 1, -1).astype(np.int32)
    found = [dictionary(part[whole], value) for part, value in zip(parts, values, strict=True)]
    return _narrow(numbers[together - 1], len(found[0])), max(len(found[0]), 1), found


def _narrow(codes: Any, size: int) -> Any:
    """Codes as int8 or int32: two widths, so that kernels are compiled for two."""
    return codes.astype(np.int8 if size < 1 << 7 else np.int32, copy=False)


@compiled
def _by_user(user: Any, users: int, order: Any) -> Any:
    """Where each user's rows begin; `order`, some order of rows, becomes that order by user."""
    offsets = np.zeros(users + 1, np.int64)
    for i in range(len(user)):
        offsets[user[i] + 1] += 1
    for u in range(users):
        offsets[u + 1] += offsets[u]
    place, rows = offsets.copy(), order.copy()
    for i in range(len(rows)):
        u = user[rows[i]]
        order[place[u]] = rows[i]
        place[u] += 1
    return offsets


def build(log: Source, keep: Sequence[str]) -> Index:
    """Read a log into an index. See `EventLog.index`."""
    try:
        return _build(log, keep, few=True)
    except UnlistedError:
        return _build(log, keep, few=False)


def _build(log: Source, keep: Sequence[str], *, few: bool) -> Index:
    size = log.facts.rows - log.facts.unusable
    user, event = Codes(log, log.user, few=False), Codes(log, log.event, few=few)
    coded = {name: Codes(log, name, few=few) for name in keep if is_text(log.columns[name])}
    select = [f"{user.sql} AS u", f"{log.at} AS t", f"{event.sql} AS e"]
    select += [
        f"{coded[name].sql if name in coded else identifier(name)} AS c{i}" for i, name in enumerate(keep)
    ]
    rows = f"SELECT {', '.join(select)} FROM {log.engine.table}"
    users, t, events = np.empty(size, np.int32), np.empty(size, np.int64), np.empty(size, np.int32)
    numbers = {name: np.empty(size, np.int32) for name in coded}
    chunks: dict[str, list[pa.Array]] = {name: [] for name in keep if name not in coded}
    n = 0
    usable = f"SELECT * FROM ({rows}) WHERE u IS NOT NULL AND t IS NOT NULL"
    with (
        counted_bar(size, "index", "row") as bar,
        log.engine.batches(usable, BATCH, bar=False) as batches,
    ):
        for batch in batches:
            here = slice(n, n + batch.num_rows)
            users[here], t[here] = user.encode(batch.column(0)), batch.column(1).to_numpy()
            events[here] = event.encode(batch.column(2))
            for name, column in zip(keep, batch.columns[3:], strict=True):
                if name in coded:
                    numbers[name][here] = coded[name].encode(column)
                else:
                    chunks[name].append(column)
            n += batch.num_rows
            bar.update(batch.num_rows)
    values = user.values()
    users -= 1
    # Files of one time order each, one after the other, are runs that a stable sort only has to merge.
    ordered = bool((t[1:n] >= t[: n - 1]).all())
    order = np.arange(n) if ordered else np.argsort(t[:n], kind="stable")
    order = order.astype(np.int32 if n < 1 << 31 else np.int64)
    offsets = _by_user(users[:n], len(values), order)
    del users
    names = event.values().cast(pa.string()).to_pylist()

    def arranged(array: Any, kind: Any) -> Any:
        return array[:n].astype(kind)[order]

    with ThreadPoolExecutor(2) as pool:
        times = pool.submit(arranged, t, np.int64)
        codes = pool.submit(arranged, events, np.min_scalar_type(len(names)))
        columns = {
            name: pool.submit(dictionary, codes_of[:n][order], coded[name].values())
            for name, codes_of in numbers.items()
        } | {name: pool.submit(_taken, parts, order) for name, parts in chunks.items()}
    return Index(
        kept=tuple(dict.fromkeys([log.event, *keep])),
        users=values,
        offsets=offsets,
        t=times.result(),
        event=codes.result(),
        events=names,
        columns={name: column.result() for name, column in columns.items()},
        arrival=order if keep else None,
    )


def _taken(parts: list[pa.Array], order: Any) -> pa.Array:
    column = pa.chunked_array(parts) if parts else pa.chunked_array([pa.array([], pa.int64())])
    return column.combine_chunks().take(pa.array(order))
