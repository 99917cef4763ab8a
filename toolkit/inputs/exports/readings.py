"""A file as it is read: its fields, the blocks of its tables, and the totals set aside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from toolkit.inputs.cells import Cell
from toolkit.inputs.definitions import LABELS
from toolkit.inputs.exports.kinds import Column, Kind, Part
from toolkit.inputs.faults import Notes
from toolkit.inputs.times import Period


@dataclass
class Field:
    """A header in use: where it stands, what it means, and how its cells are read."""

    at: int
    header: str
    column: Column
    names: tuple[str, ...]
    unit: str
    read: Callable[[Any], tuple[Cell, ...]]
    prefix: str = ""
    seen: dict[Any, tuple[Cell, ...]] = field(default_factory=dict)
    told: int = 0
    once: set[str] = field(default_factory=set)

    @property
    def is_label(self) -> bool:
        """Whether it names, identifies or dates a row."""
        return self.unit in LABELS


@dataclass
class Block:
    """Rows of one table as columns of values; the columns of a prefix are kept apart.

    `halves` holds half the width that counts were rounded to, `rows` the numbers of the rows in the sheet, and
    `dimensions` the column that makes a row a total over other rows.
    """

    part: Part
    sheet: str | None
    columns: dict[str, dict[str, pd.Series]]
    halves: dict[str, dict[str, list[float]]]
    rows: np.ndarray
    dimensions: list[str | None]


@dataclass
class Total:
    """A row set aside because it adds up others."""

    part: Part
    values: dict[str, Any]
    label: str
    sheet: str | None
    row: int
    halves: dict[str, float] = field(default_factory=dict)


@dataclass
class Reading:
    """One file as tables are read from it."""

    kind: Kind
    notes: Notes
    period: Period | None = None
    period_from: str = "file name"
    blocks: list[Block] = field(default_factory=list)
    totals: list[Total] = field(default_factory=list)
    headers: dict[tuple[str, str, str], list[tuple[Column, str]]] = field(default_factory=dict)
    places: dict[tuple[str, str], int] = field(default_factory=dict)
    unsigned: list[str] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
