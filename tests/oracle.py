"""A brute-force oracle for funnels: it tries every chain of every unit, row by row. Slow, and meant to be read.

It speaks the format of the golden cases (a case's rows and params in, its `expected` out) and shares nothing with
the toolkit: no dynamic programming, no latest starts carried along, no SQL.
"""

from __future__ import annotations

import datetime as dt
import itertools
import operator
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

Row = dict[str, Any]
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def micros(text: str | None) -> int | None:
    """Microseconds since 1970 UTC of an ISO time."""
    return None if not text else (dt.datetime.fromisoformat(text) - EPOCH) // dt.timedelta(microseconds=1)


def iso(at: int) -> str:
    """The ISO time of microseconds since 1970 UTC, as the golden cases write it."""
    return (EPOCH + dt.timedelta(microseconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True)
class Unit:
    """What is counted: a user, a user with held values, or one entry; with the chain that is reported for it."""

    user: str
    held: tuple[str, ...]
    level: int
    chain: tuple[Row, ...] = ()
    latest_start: int | None = None

    @property
    def key(self) -> str:
        return "|".join((self.user, *self.held))


def matches(predicate: dict[str, Any], row: Row) -> bool:
    """Whether a row matches `event` and `where`; null never does."""
    event = predicate.get("event")
    if event is not None and row["event"] not in ([event] if isinstance(event, str) else event):
        return False
    return all(_holds(row[column], wanted) for column, wanted in (predicate.get("where") or {}).items())


def _holds(value: Any, wanted: Any) -> bool:
    if value is None:
        return False
    if isinstance(wanted, dict):
        return wanted.get("gte", value) <= value and ("lt" not in wanted or value < wanted["lt"])
    return value in (wanted if isinstance(wanted, list) else [wanted])


def usable(rows: list[Row]) -> list[Row]:
    """Rows with a user and a time."""
    return [row for row in rows if row["user"] is not None and row["at"] is not None]


def units(rows: list[Row], params: dict[str, Any]) -> list[Unit]:
    """Every unit with at least one row that matches a step; with `count: entries`, every entry."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in _deduplicated(usable(rows), params.get("dedupe")):
        key = tuple(row[column] for column in ["user", *params.get("hold", [])])
        if None not in key:
            groups.setdefault(key, []).append(row)
    found = []
    for (user, *held), group in groups.items():
        found += [Unit(user, tuple(held), *answer) for answer in _answers(group, params)]
    if params.get("hold") and params.get("count", "users") == "users":
        return _best(found)
    return found


def _deduplicated(rows: list[Row], column: str | None) -> list[Row]:
    kept, seen = [], set()
    for row in sorted(rows, key=lambda row: (row["at"], row["seq"])):
        if column is None or row[column] is None or row[column] not in seen:
            kept.append(row)
        if column is not None:
            seen.add(row[column])
    return kept


def _best(found: list[Unit]) -> list[Unit]:
    """Each user's best unit: the level, then the earliest end of its chain, then the smallest key."""
    best = {}
    for unit in sorted(found, key=lambda u: (-u.level, u.chain[-1]["at"] if u.chain else 0, u.held)):
        best.setdefault(unit.user, unit)
        # A user may still go on in any of the units that are as deep as the best one.
        if best[unit.user].level == unit.level and unit.latest_start is not None:
            start = max(best[unit.user].latest_start, unit.latest_start)
            best[unit.user] = replace(best[unit.user], latest_start=start)
    return list(best.values())


def _answers(group: list[Row], params: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    masked = [
        (sum(2**j for j, step in enumerate(params["steps"]) if matches(step, row)), row) for row in group
    ]
    masked.sort(key=lambda pair: (pair[1]["at"], pair[0], pair[1]["seq"]))
    if not any(mask for mask, _ in masked):
        return
    if params.get("mode") == "unordered":
        yield (_most_in_a_window(masked, params),)
        return
    chains = list(_chains(masked, params))
    if params.get("count") == "entries":
        for entry in sorted({chain[0] for chain in chains}):
            yield _reported([chain for chain in chains if chain[0] == entry], masked)
    else:
        yield _reported(chains, masked)


def _most_in_a_window(masked: list[tuple[int, Row]], params: dict[str, Any]) -> int:
    window = params["window_us"]
    most = 0
    for _, first in masked:
        inside = [
            mask
            for mask, row in masked
            if row["at"] >= first["at"] and (window is None or row["at"] <= first["at"] + window)
        ]
        most = max(most, sum(any(mask >> j & 1 for mask in inside) for j in range(len(params["steps"]))))
    return most


def _chains(masked: list[tuple[int, Row]], params: dict[str, Any]) -> Iterator[tuple[int, ...]]:
    """All valid chains of all lengths, as positions in the total order."""
    first, last = micros(params.get("entry_from")), micros(params.get("entry_to"))
    neighbours = None
    if params.get("mode") == "strict":
        universe = params.get("strict_universe")
        inside = [q for q, (mask, row) in enumerate(masked) if not universe or mask or matches(universe, row)]
        neighbours = dict(itertools.pairwise(inside))

    def grown(chain: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        yield chain
        if len(chain) < len(params["steps"]):
            later = range(chain[-1] + 1, len(masked))
            if neighbours is not None:
                later = [neighbours[chain[-1]]] if chain[-1] in neighbours else []
            for q in later:
                if _extends(chain, q, masked, params):
                    yield from grown((*chain, q))

    for q, (mask, row) in enumerate(masked):
        if mask & 1 and (first is None or first <= row["at"]) and (last is None or row["at"] < last):
            yield from grown((q,))


def _extends(chain: tuple[int, ...], q: int, masked: list[tuple[int, Row]], params: dict[str, Any]) -> bool:
    done, now = len(chain), masked[q][1]["at"]
    before, entry = masked[chain[-1]][1]["at"], masked[chain[0]][1]["at"]
    if not masked[q][0] >> done & 1:
        return False
    if params["window_us"] is not None and now - entry > params["window_us"]:
        return False
    gap = (params.get("gaps_us") or {}).get(str(done + 1))
    if gap is not None and now - before > gap:
        return False
    rules = [rule for rule in params.get("exclude", []) if rule["from"] <= done < rule["to"]]
    return not any(before < row["at"] < now and matches(rule, row) for rule in rules for _, row in masked)


def _reported(chains: list[tuple[int, ...]], masked: list[tuple[int, Row]]) -> tuple[Any, ...]:
    level = max(map(len, chains), default=0)
    if not level:
        return (0,)
    longest = [chain for chain in chains if len(chain) == level]
    end = min(chain[-1] for chain in longest)
    # Backwards from the end, the latest possible row each time.
    chain = max((chain for chain in longest if chain[-1] == end), key=lambda chain: chain[::-1])
    start = max(masked[chain[0]][1]["at"] for chain in longest)
    return level, tuple(masked[q][1] for q in chain), start


def answer(rows: list[Row], params: dict[str, Any]) -> dict[str, Any]:
    """Everything that the format's `expected` says of a case."""
    until = _end(rows, params)
    # As of the end of observation: later rows do not exist.
    rows = [row for row in rows if row["at"] is None or row["at"] < until]
    found, size = units(rows, params), len(params["steps"])
    name = operator.attrgetter("key" if params.get("count") == "pairs" else "user")
    ordered, entries = params.get("mode") in (None, "ordered"), params.get("count") == "entries"
    expected: dict[str, Any] = {"n": _at_least(found, size)}
    if not entries:
        expected["levels"] = {name(unit): unit.level for unit in sorted(found, key=name)}
    if ordered and not entries:
        window = params["window_us"]
        expected["open"] = [
            sum(u.level == i and (window is None or u.latest_start + window >= until) for u in found)
            for i in range(1, size)
        ]
    if params.get("mode") != "unordered" and not entries:
        expected["chains"] = {
            name(unit): [iso(row["at"]) for row in unit.chain]
            for unit in sorted(found, key=name)
            if unit.level
        }
    if "breakdown" in params:
        expected["by"] = _by(found, params, size)
    return expected


def _end(rows: list[Row], params: dict[str, Any]) -> int:
    given = micros(params.get("observed_until"))
    return max((row["at"] for row in usable(rows)), default=0) + 1 if given is None else given


def _at_least(found: list[Unit], size: int) -> list[int]:
    return [sum(unit.level >= i for unit in found) for i in range(1, size + 1)]


def _by(found: list[Unit], params: dict[str, Any], size: int) -> dict[str, list[int]]:
    # An entry's value is always its own row's.
    attribution = params.get("attribution", "entry") if params.get("count") != "entries" else "entry"
    groups: dict[str, list[Unit]] = {}
    for unit in found:
        place = {"entry": 1, "last": unit.level}.get(attribution, attribution.removeprefix("step:"))
        if unit.level and unit.level >= int(place):
            column = params["breakdown"]
            # Without an order there is no chain to attribute to, only what is held constant.
            chain = unit.chain or [dict(zip(params["hold"], unit.held, strict=True))] * unit.level
            value = chain[int(place) - 1][column]
            groups.setdefault("<null>" if value is None else value, []).append(unit)
    return {value: _at_least(groups[value], size) for value in sorted(groups)}
