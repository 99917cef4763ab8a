"""What an index of a log will take in memory, said before it is built, and whether there is room for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from toolkit.logs.engines import WHOLE, allowed, identifier
from toolkit.logs.source import Source

#: Bytes a row, a kept column of texts and another one, and a user, while an index is built and when it is there.
#: Measured on 5 and 10 million rows; texts of users and what Python holds beside them are their own.
ROW, TEXT, OTHER, NUMBER, NAME = (36, 9), (24, 4), (36, 8), (80, 16), (200, 40)
#: The order of arrival, which only an index with kept columns has.
ARRIVAL = 4


class IndexSize(NamedTuple):
    """Bytes that an index takes: the most while it is built, and when it is there."""

    building: int
    kept: int

    def __str__(self) -> str:
        return f"{in_words(self.building)} while it is built and {in_words(self.kept)} after"


def index_size(log: Source, keep: Sequence[str], users: int | None = None) -> IndexSize:
    """About how much memory an index of a log takes.

    Parameters
    ----------
    keep
        Columns to keep.
    users
        How many there are at most; counted, in one scan of their column, if not given.
    """
    rows = log.facts.rows - log.facts.unusable
    if users is None:
        user = identifier(log.user)
        # The sketch behind the count errs by a few per cent.
        users = (
            1
            + log.engine.rows(f"SELECT approx_count_distinct({user}) FROM {log.engine.table}")[0][0]
            * 11
            // 10
        )
    texts = sum(is_text(log.columns[name]) for name in keep)
    each = NUMBER if log.columns[log.user] in WHOLE else NAME
    found = [
        rows * (ROW[at] + texts * TEXT[at] + (len(keep) - texts) * OTHER[at] + ARRIVAL * bool(keep))
        + users * each[at]
        for at in range(2)
    ]
    return IndexSize(*found)


def lacking(log: Source, keep: Sequence[str]) -> str | None:
    """Why there is no room for an index, or None."""
    room = min(allowed(), _available())
    rows = log.facts.rows
    # The users are counted only where it may depend on them: there are no more of them than rows.
    if index_size(log, keep, users=rows).building <= room:
        return None
    size = index_size(log, keep)
    if size.building <= room:
        return None
    return (
        f"an index of {log.source} would take {size}, and there is room for {in_words(room)}: questions are answered "
        "from the source instead. Keep fewer columns, or, where the machine has more, allow it: "
        "toolkit.limit(memory=)"
    )


def is_text(kind: str) -> bool:
    """Whether an SQL type is one of texts, which are kept as codes."""
    return kind == "VARCHAR" or kind.startswith("ENUM")


def in_words(size: float) -> str:
    """Bytes in their largest unit."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"


def _available() -> float:
    """Bytes that the machine has free, where it tells."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return float("inf")
    free = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(free[0]) * 1024 if free else float("inf")
