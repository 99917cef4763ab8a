"""A log read once into compact arrays by user and time, from which questions take milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numba import njit

from toolkit.logs.codes import Codes, Numbers, UnlistedError
from toolkit.logs.engines import identifier

if TYPE_CHECKING:
    from toolkit.logs.events import EventLog

BATCH = 1 << 17
#: Answers of conditions over rows that are kept for the next question, as a slider asks the same steps again.
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
        return sum(array.nbytes for array in arrays) + (0 if self.arrival is None else self.arrival.nbytes)

    def codes(self, names: Sequence[str]) -> tuple[Any, int, list[pa.Array]]:
        """What several columns hold together, as int32 codes of rows (-1 where one is null), how many, and values.

        The values are one array per name, in the order of the codes.
        """
        key = ("codes", *names)
        if key not in self.memory:
            self.memory[key] = self._codes(names)
        return self.memory[key]

    def _codes(self, names: Sequence[str]) -> tuple[Any, int, list[pa.Array]]:
        coded = [self.columns[name] for name in names]
        coded = [column if pa.types.is_dictionary(column.type) else column.dictionary_encode() for column in coded]
        single = [column.indices.fill_null(-1).to_numpy() for column in coded]
        if len(names) == 1:
            return single[0].astype(np.int32, copy=False), max(len(coded[0].dictionary), 1), [coded[0].dictionary]
        # Fold one column after the other: the pairs that occur are fewer than those that could.
        together, values = single[0].astype(np.int64), [coded[0].dictionary]
        for codes, column in zip(single[1:], coded[1:], strict=True):
            numbers = Numbers()
            void = (together < 0) | (codes < 0)
            pairs = (together << 32) | np.maximum(codes, 0)
            together = np.full(len(pairs), -1, np.int64)
            together[~void] = numbers.encode(pairs[~void]) - 1
            known = numbers.values()
            values = [value.take(pa.array(known >> 32)) for value in values]
            values.append(column.dictionary.take(pa.array(known & 0xFFFFFFFF)))
        return together.astype(np.int32), max(len(values[0]), 1), values

    def words(self, log: EventLog, sql: str, columns: set[str]) -> Any:
        """A whole number for each row, by an SQL expression over `columns`, the event, `t` and `arrival`."""
        key = ("words", sql)
        if key not in self.memory:
            rows = {name: self.columns[name] for name in columns}
            rows[log.event] = _dictionary(self.event, pa.array(self.events, pa.string()))
            rows["toolkit_t"] = pa.array(self.t)
            if self.arrival is not None:
                rows["toolkit_arrival"] = pa.array(self.arrival)
            found = log.engine.over(pa.table(rows), f"SELECT CAST({sql} AS UINTEGER) AS w FROM memory")
            self.memory[key] = found.to_arrow_table().column("w").combine_chunks().to_numpy()
            asked = [known for known in self.memory if known[0] == "words"]
            for old in asked[:-REMEMBERED]:
                del self.memory[old]
        return self.memory[key]


@njit(cache=True, nogil=True)
def _arrange(user: Any, t: Any, users: int, order: Any) -> Any:
    """Where each user's rows begin; `order` becomes all rows by user, time and arrival."""
    offsets, ordered = np.zeros(users + 1, np.int64), True
    for i in range(len(user)):
        offsets[user[i] + 1] += 1
        ordered &= i == 0 or t[i] >= t[i - 1]
    for u in range(users):
        offsets[u + 1] += offsets[u]
    place = offsets[:-1].copy()
    for i in range(len(user)):
        order[place[user[i]]] = i
        place[user[i]] += 1
    for u in range(0 if ordered else users):
        for p in range(offsets[u] + 1, offsets[u + 1]):
            if t[order[p]] < t[order[p - 1]]:
                rows = order[offsets[u] : offsets[u + 1]].copy()
                ranks = np.argsort(t[rows], kind="mergesort")
                for q in range(len(rows)):
                    order[offsets[u] + q] = rows[ranks[q]]
                break
    return offsets


def build(log: EventLog, keep: Sequence[str]) -> Index:
    """Read a log into an index. See `EventLog.index`."""
    try:
        return _build(log, keep, few=True)
    except UnlistedError:
        return _build(log, keep, few=False)


def _build(log: EventLog, keep: Sequence[str], *, few: bool) -> Index:
    from tqdm.auto import tqdm

    size = log.facts.rows - log.facts.unusable
    user, event = Codes(log, log.user, few=False), Codes(log, log.event, few=few)
    coded = {name: Codes(log, name, few=few) for name in keep if _is_text(log.columns[name])}
    select = [f"{user.sql} AS u", f"{log.at} AS t", f"{event.sql} AS e"]
    select += [f"{coded[name].sql if name in coded else identifier(name)} AS c{i}" for i, name in enumerate(keep)]
    rows = f"SELECT {', '.join(select)} FROM {log.engine.table}"
    users, t, events = np.empty(size, np.int32), np.empty(size, np.int64), np.empty(size, np.int32)
    numbers = {name: np.empty(size, np.int32) for name in coded}
    chunks: dict[str, list[pa.Array]] = {name: [] for name in keep if name not in coded}
    n = 0
    with tqdm(total=size, desc="index", unit="row", unit_scale=True, delay=2, leave=False) as bar:
        for batch in log.engine.batches(f"SELECT * FROM ({rows}) WHERE u IS NOT NULL AND t IS NOT NULL", BATCH):
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
    order = np.empty(n, np.int32 if n < 1 << 31 else np.int64)
    offsets = _arrange(users[:n], t[:n], len(values), order)
    del users
    names = event.values().cast(pa.string()).to_pylist()

    def arranged(array: Any, kind: Any) -> Any:
        return array[:n].astype(kind)[order]

    with ThreadPoolExecutor(2) as pool:
        times = pool.submit(arranged, t, np.int64)
        codes = pool.submit(arranged, events, np.min_scalar_type(len(names)))
        columns = {
            name: pool.submit(_dictionary, codes_of, coded[name].values(), order)
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


def _is_text(kind: str) -> bool:
    return kind == "VARCHAR" or kind.startswith("ENUM")


def _dictionary(codes: Any, values: pa.Array, order: Any = None) -> pa.Array:
    """Codes from 1 on (0 is null), put in order, with the texts that they stand for."""
    codes = codes if order is None else codes[: len(order)][order]
    narrow = np.int8 if len(values) < 1 << 7 else np.int16 if len(values) < 1 << 15 else np.int32
    indices = pa.array((codes.astype(np.int32) - 1).astype(narrow), mask=codes == 0)
    return pa.DictionaryArray.from_arrays(indices, values.cast(pa.string()))


def _taken(parts: list[pa.Array], order: Any) -> pa.Array:
    column = pa.chunked_array(parts) if parts else pa.chunked_array([pa.array([], pa.int64())])
    return column.combine_chunks().take(pa.array(order))
