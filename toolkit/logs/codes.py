"""Dictionary encoding of a log's columns: 0 for null, then whole numbers from 1 on in order of appearance.

DuckDB encodes a short list of texts while it scans, at no cost; other texts are encoded here by Arrow, and whole
numbers of any size by a hash table that compares the numbers themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from toolkit.compiled import compiled
from toolkit.logs.engines import WHOLE, Engine, identifier, literals
from toolkit.logs.source import Source

#: Rows that are looked at to see whether a column holds few values, and how many are few.
SAMPLE, FEW = 20_000, 64


class UnlistedError(Exception):
    """A value turned up that the first rows of its column did not have."""


@compiled
def _intern(values: Any, codes: Any, slots: Any, known: Any, count: int) -> int:
    """Number values by first appearance, from 1 on; `slots` has room for twice as many as can come."""
    top = np.uint64(len(slots) - 1)
    for i in range(len(values)):
        x = np.uint64(values[i]) * np.uint64(0x9E3779B97F4A7C15)
        h = (x ^ (x >> np.uint64(32))) & top
        while slots[h] != 0 and known[slots[h] - 1] != values[i]:
            h = (h + np.uint64(1)) & top
        if slots[h] == 0:
            known[count] = values[i]
            count += 1
            slots[h] = count
        codes[i] = slots[h]
    return count


class Numbers:
    """Numbers from 1 on for int64 values, in order of appearance."""

    def __init__(self) -> None:
        self.known, self.count = np.empty(0, np.int64), 0
        self.slots = np.zeros(0, np.uint32)

    def encode(self, values: Any) -> Any:
        """Numbers of values, as int32."""
        codes = np.empty(len(values), np.int32)
        for low in range(0, len(values), 1 << 15):
            part = values[low : low + (1 << 15)]
            if 2 * (self.count + len(part)) > len(self.slots):
                self._grow(self.count + len(part))
            self.count = _intern(part, codes[low : low + len(part)], self.slots, self.known, self.count)
        return codes

    def values(self) -> Any:
        """The values, the one numbered 1 first."""
        return self.known[: self.count]

    def _grow(self, room: int) -> None:
        known, size = self.values(), 1 << (4 * room).bit_length()
        self.slots, self.known, self.count = np.zeros(size, np.uint32), np.empty(size // 2, np.int64), 0
        self.count = _intern(known, np.empty(len(known), np.int32), self.slots, self.known, 0)


class Pairs:
    """Codes of several columns as one code from 1 on, and back."""

    def __init__(self, columns: int) -> None:
        self.numbers = [Numbers() for _ in range(columns - 1)]

    def encode(self, columns: Sequence[Any]) -> Any:
        """The codes of rows together: pairs of the first two columns, then pairs of those and the third."""
        together = columns[0]
        for numbers, codes in zip(self.numbers, columns[1:], strict=True):
            together = numbers.encode((together.astype(np.int64) << 32) | codes)
        return together

    def decode(self, together: Any) -> list[Any]:
        """Each column's codes."""
        columns = []
        for numbers in reversed(self.numbers):
            pairs = numbers.values()[together - 1]
            columns.append(pairs & 0xFFFFFFFF)
            together = pairs >> 32
        return [together, *reversed(columns)]


class Codes:
    """Dictionary encoding of one column of a log: what to scan, the codes, and the values behind them.

    Parameters
    ----------
    log, name
        The column.
    few
        Whether to list the values that the first rows have; a later one then raises `UnlistedError`.
    nulls
        Whether null may come; if not, the scan is spared the question.
    """

    def __init__(self, log: Source, name: str, *, few: bool, nulls: bool = True) -> None:
        column, self.kind = identifier(name), log.columns[name]
        self.engine = log.engine
        self.whole, self.numbers = self.kind in WHOLE, Numbers()
        text = column if self.kind == "VARCHAR" else f"CAST({column} AS VARCHAR)"
        self.sql = f"CAST({column} AS BIGINT)" if self.whole else text
        self.known: dict[str, int] = {}
        self.listed = few and not self.whole and self._list(column, text, nulls)

    def _list(self, column: str, text: str, nulls: bool) -> bool:
        sample = f"SELECT {text} AS v FROM {self.engine.table} LIMIT {SAMPLE}"
        found = [row[0] for row in self.engine.rows(f"SELECT DISTINCT v FROM ({sample}) WHERE v IS NOT NULL")]
        if not 0 < len(found) <= FEW:
            return False
        self.known = {value: code for code, value in enumerate(found, 1)}
        self.sql = f"list_position([{literals(found)}], {text})"
        if nulls:
            self.sql = f"coalesce({self.sql}, CASE WHEN {column} IS NULL THEN 0 ELSE -1 END)"
        self.sql = f"CAST({self.sql} AS SMALLINT)"
        return True

    def encode(self, column: Any) -> Any:
        """Codes of a scanned column, as int16 or int32."""
        if self.listed:
            if column.null_count or (len(column) and column.to_numpy().min() < 0):
                raise UnlistedError
            return column.to_numpy()
        if self.whole:
            codes = self.numbers.encode(column.fill_null(0).to_numpy())
        else:
            coded = column.dictionary_encode()
            known = self.known
            new = (known.setdefault(value, len(known) + 1) for value in coded.dictionary.to_pylist())
            numbers = np.fromiter(new, np.int32, len(coded.dictionary))
            codes = np.append(numbers, np.int32(0))[coded.indices.fill_null(len(numbers)).to_numpy()]
        if column.null_count:
            codes[column.is_null().to_numpy(zero_copy_only=False)] = 0
        return codes

    def decode(self, codes: Any) -> pa.Array:
        """Codes as a dictionary array of the values."""
        return dictionary(codes, self.values())

    def values(self) -> pa.Array:
        """The values, in the column's own type; the one numbered 1 first."""
        found = pa.array(self.numbers.values()) if self.whole else pa.array(list(self.known), pa.string())
        return as_kind(self.engine, found, self.kind)


def dictionary(codes: Any, values: pa.Array) -> pa.Array:
    """Codes from 1 on, 0 for null, as an array over the values that they stand for."""
    values = values.cast(pa.string()) if pa.types.is_dictionary(values.type) else values
    narrow = np.int8 if len(values) < 1 << 7 else np.int16 if len(values) < 1 << 15 else np.int32
    missing = codes == 0
    indices = pa.array((codes.astype(np.int32) - 1).astype(narrow), mask=missing if missing.any() else None)
    return pa.DictionaryArray.from_arrays(indices, values)


def as_kind(engine: Engine, values: pa.Array, kind: str) -> pa.Array:
    """Values that came over as text or BIGINT, in their own SQL type."""
    if kind in ("VARCHAR", "BIGINT") or not len(values):
        return values
    if kind in WHOLE:
        widths = {"TINYINT": "int8", "SMALLINT": "int16", "INTEGER": "int32"}
        return values.cast(
            widths.get(kind) or {"UTINYINT": "uint8", "USMALLINT": "uint16"}.get(kind, "uint32")
        )
    table = engine.over(
        pa.table({"v": values}), f"SELECT CAST(v AS {kind}) AS v FROM memory"
    ).to_arrow_table()
    return table.column("v").combine_chunks()
