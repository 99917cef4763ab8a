"""What was planted in a simulated log, in a form that estimates can be compared with."""

from __future__ import annotations

import hashlib
import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.sources.mechanisms import RELATIONS, TIERS, TYPES
from toolkit.sources.visits import CREATORS, Accounts, Platform, Visits


class Tally:
    """Running totals of one platform over the parts of a log."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.rows = 0
        self._users = np.zeros(len(TIERS), dtype=np.int64)
        self._expected = np.zeros((len(TIERS), len(platform.steps)))
        self._sums = dict.fromkeys(
            (
                "visits",
                "sessions",
                "orders",
                "orders_paid",
                "refunds",
                "buyers",
                "buyers_twice",
                "cents",
                "head_cents",
            ),
            0,
        )

    def add(self, accounts: Accounts, own: Visits, visits: int, rows: dict[str, np.ndarray]) -> None:
        """Count one part: its accounts, the visits of their own accord, all visits, and the rows written."""
        self.rows += len(rows["event"])
        if len(accounts.user):
            # Visits after a purchase are left out: only users who reached the last step make them.
            reach = self.platform.reach()[accounts.tier[own.account], accounts.new[own.account], own.fan]
            starts = np.flatnonzero(np.diff(own.account, prepend=-1))
            expected = 1 - np.multiply.reduceat(1 - reach, starts, axis=0)
            np.add.at(self._expected, accounts.tier, expected)
            self._users += np.bincount(accounts.tier, minlength=len(TIERS))
        events = self.platform.events
        paid = rows["event"] == events.index("pay")
        cents, creator = rows["cents"][paid], rows["creator_id"][paid] % CREATORS
        times = np.unique(rows["user_id"][paid], return_counts=True)[1]
        for name, more in (
            ("visits", visits),
            ("sessions", int(rows["session_id"].max(initial=-1)) + 1),
            ("orders", int(rows["order"].max(initial=-1)) + 1),
            ("orders_paid", int(paid.sum())),
            ("refunds", int((rows["event"] == events.index("refund")).sum())),
            ("buyers", len(times)),
            ("buyers_twice", int((times > 1).sum())),
            ("cents", int(cents.sum())),
            ("head_cents", int(cents[creator <= 2].sum())),
        ):
            self._sums[name] += more

    @property
    def sessions(self) -> int:
        """Sessions so far."""
        return self._sums["sessions"]

    @property
    def orders(self) -> int:
        """Orders so far, paid or not."""
        return self._sums["orders"]

    def record(self) -> dict[str, Any]:
        """What is in the log after all: counts, GMV, and the share of the two head creators in it."""
        sums = dict(self._sums)
        cents, head = sums.pop("cents"), sums.pop("head_cents")
        return {
            "platform": self.platform.name,
            "users": int(self._users.sum()),
            **sums,
            "gmv": cents / 100,
            "head_gmv_share": round(head / cents, 5) if cents else None,
        }

    def user_rates(self) -> list[dict[str, Any]]:
        """Users by tier, and how many of them are expected to do each step within a day, given their visits."""
        found = []
        for tier in ("all", *TIERS):
            chosen = np.array([tier in ("all", name) for name in TIERS])
            users, expected = int(self._users[chosen].sum()), self._expected[chosen].sum(axis=0)
            for step, number in zip(self.platform.steps, expected, strict=True):
                share = round(float(number) / users, 5) if users else None
                row = {"platform": self.platform.name, "city_tier": tier, "step": step, "users": users}
                found.append(row | {"expected": round(float(number), 2), "from_first": share})
        return found


def visit_rates(platform: Platform) -> list[dict[str, Any]]:
    """Planted rate of each step given the one before, in one visit, by tier, user type and relation."""
    found = []
    for (a, tier), (b, kind), (c, relation) in product(
        enumerate(TIERS), enumerate(TYPES), enumerate(RELATIONS)
    ):
        for step, rate in zip(platform.steps, platform.rates[a, b, c], strict=True):
            row = {"platform": platform.name, "city_tier": tier, "user_type": kind, "relation": relation}
            found.append(row | {"step": step, "from_previous": round(float(rate), 6)})
    return found


def fingerprint(path: str | Path) -> str:
    """SHA-256 of the rows of a simulated file: of their values, in sorted order, not of the file's bytes."""
    table = pq.read_table(path)
    digest = hashlib.sha256()
    columns = []
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        if pa.types.is_string(column.type):
            codes = column.dictionary_encode()
            words = np.array(codes.dictionary.to_pylist(), dtype=object)
            order = np.argsort(words)
            digest.update("\n".join([name, *words[order]]).encode())
            rank = np.empty(len(words), dtype=np.int64)
            rank[order] = np.arange(len(words))
            positions = codes.indices.fill_null(-1).to_numpy(zero_copy_only=False)
            columns.append(np.where(positions < 0, -1, rank[positions] if len(rank) else -1))
        elif pa.types.is_floating(column.type):
            # Amounts, in whole fen.
            columns.append(np.rint(column.fill_null(-1).to_numpy() * 100).astype(np.int64))
        else:
            columns.append(column.cast(pa.int64()).to_numpy())
    order = np.lexsort(columns[::-1])
    for values in columns:
        digest.update(np.ascontiguousarray(values[order], dtype="<i8").tobytes())
    return digest.hexdigest()


def as_json(truth: dict[str, Any]) -> str:
    """The truth as JSON, one record per line, so that a change is seen where it is."""
    parts = []
    for key, value in truth.items():
        text = json.dumps(value, ensure_ascii=False)
        if isinstance(value, list):
            lines = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in value)
            text = f"[\n  {lines}\n ]"
        parts.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"
