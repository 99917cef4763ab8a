"""Random logs with ties, repeats and nulls; `python -m tests.cases.random_logs` rewrites the cases in `random/`."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

from tests.oracle import Row, answer, iso, micros

COLUMNS = ("user", "at", "event", "platform", "session", "item", "value", "order_id")
EVENTS = ("enter", "cart", "pay", "fav", "watch", "leave")
MINUTE, HOUR = 60_000_000, 3_600_000_000
START = micros("2019-11-11T00:00:00Z") or 0
END = START + 48 * HOUR


def log(seed: int, users: int = 16, most: int = 21, grid: int = 30, shuffled: bool = False) -> list[Row]:
    """Rows of two days in arrival order: by time with ties in any order, or shuffled.

    Times lie on a grid of minutes; each user has up to `most` rows; about one field in twelve is null.
    """
    rng = random.Random(seed)

    def pick(values: tuple[Any, ...], nulls: float = 1 / 12) -> Any:
        return None if rng.random() < nulls else rng.choice(values)

    rows = []
    for user in range(users):
        # Visits of an hour or so: rows of one user lie close together, as windows and ties need it.
        for _ in range(rng.randint(1, 3)):
            begin = rng.randrange(0, 44 * 60, grid)
            for _ in range(rng.randint(1, max(1, most // 3))):
                minute = begin + rng.randrange(0, 240, grid)
                rows.append(
                    {
                        "user": None if rng.random() < 0.01 else f"u{user}",
                        "at": None if rng.random() < 0.01 else START + minute * MINUTE,
                        "event": rng.choices((*EVENTS, None), (8, 7, 6, 2, 2, 2, 1))[0],
                        "platform": pick(("taobao_live", "douyin", "kuaishou", "xiaohongshu")),
                        "session": pick(("s1", "s2")),
                        "item": pick(("i1", "i2", "i3")),
                        "value": pick((9.5, 10.0, 50.0, 99.99, 100.0)),
                        "order_id": pick(tuple(f"o{i}" for i in range(users * 2)), nulls=0.6),
                    }
                )
    rng.shuffle(rows)
    if not shuffled:
        rows.sort(key=lambda row: row["at"] or rng.randrange(START, END))
    return [row | {"seq": seq} for seq, row in enumerate(rows)]


def _steps(*names: str) -> list[dict[str, Any]]:
    return [{"event": name} for name in names]


BUYING = _steps("enter", "cart", "pay")
OVERLAPPING = [
    {"event": ["enter", "cart"]},
    {"event": "cart"},
    {"event": ["cart", "pay"], "where": {"item": "i1"}},
]
CHEAP = {"event": "leave", "where": {"value": {"lt": 50.0}}}
FROM, TO = iso(START + 6 * HOUR), iso(START + 36 * HOUR)
# Each case: why, params, and how its log differs from the usual one.
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "ordered": ("three steps in four hours", {"steps": BUYING, "window_us": 4 * HOUR}, {}),
    "ordered_shuffled": (
        "a log out of time order",
        {"steps": BUYING, "window_us": 2 * HOUR},
        {"shuffled": True},
    ),
    "ordered_dense": (
        "nearly every row has a tie",
        {"steps": _steps(*EVENTS[:4]), "window_us": HOUR},
        {"grid": 60},
    ),
    "overlap": ("steps that share events", {"steps": OVERLAPPING, "window_us": 2 * HOUR}, {}),
    "repeats": (
        "one event in three steps",
        {"steps": _steps("pay", "pay", "pay"), "window_us": 90 * MINUTE},
        {},
    ),
    "gaps_and_exclusions": (
        "links limited in time and voided by a filtered event",
        {
            "steps": BUYING,
            "window_us": 6 * HOUR,
            "gaps_us": {"2": 90 * MINUTE},
            "exclude": [CHEAP | {"from": 1, "to": 3}, {"event": "fav", "from": 2, "to": 3}],
        },
        {},
    ),
    "hold_users": (
        "the best session of each user, by platform of step 2",
        {
            "steps": BUYING,
            "window_us": None,
            "hold": ["session"],
            "breakdown": "platform",
            "attribution": "step:2",
        },
        {},
    ),
    "hold_pairs": (
        "user and session, entries of thirty hours, the end of observation given",
        {
            "steps": BUYING,
            "window_us": 12 * HOUR,
            "hold": ["session"],
            "count": "pairs",
            "entry_from": FROM,
            "entry_to": TO,
            "observed_until": iso(START + 40 * HOUR),
        },
        {},
    ),
    "by_entry": (
        "by item of the entry",
        {"steps": BUYING, "window_us": 12 * HOUR, "breakdown": "item", "attribution": "entry"},
        {},
    ),
    "by_last": (
        "overlapping steps by item of the last row",
        {"steps": OVERLAPPING, "window_us": 3 * HOUR, "breakdown": "item", "attribution": "last"},
        {},
    ),
    "entries": (
        "every entry in a range, by platform",
        {
            "steps": BUYING,
            "window_us": 3 * HOUR,
            "count": "entries",
            "breakdown": "platform",
            "entry_from": FROM,
            "entry_to": TO,
        },
        {},
    ),
    "entries_overlap": (
        "every entry of overlapping steps, a session held",
        {"steps": OVERLAPPING, "window_us": 4 * HOUR, "count": "entries", "hold": ["session"]},
        {"shuffled": True},
    ),
    "entries_limited": (
        "every entry with a gap and an exclusion",
        {
            "steps": BUYING,
            "window_us": 8 * HOUR,
            "count": "entries",
            "gaps_us": {"3": HOUR},
            "exclude": [{"event": "leave", "from": 1, "to": 2}],
        },
        {},
    ),
    "entries_tied": (
        "every entry of overlapping steps among many ties, by item",
        {"steps": OVERLAPPING, "window_us": 4 * HOUR, "count": "entries", "breakdown": "item"},
        {"grid": 60, "shuffled": True, "users": 80},
    ),
    "strict": ("neighbours only", {"steps": OVERLAPPING, "window_us": 4 * HOUR, "mode": "strict"}, {}),
    "strict_universe": (
        "neighbours among some rows, by platform of the last",
        {
            "steps": BUYING,
            "window_us": 12 * HOUR,
            "mode": "strict",
            "strict_universe": {"event": ["fav", "leave"], "where": {"item": ["i1", "i2"]}},
            "breakdown": "platform",
            "attribution": "last",
        },
        {},
    ),
    "strict_entries": (
        "strict entries in a session",
        {"steps": BUYING, "window_us": 6 * HOUR, "mode": "strict", "count": "entries", "hold": ["session"]},
        {},
    ),
    "any": (
        "any order",
        {"steps": _steps("enter", "cart", "pay", "fav"), "window_us": HOUR, "mode": "unordered"},
        {},
    ),
    "any_pairs": (
        "any order within a session",
        {"steps": BUYING, "window_us": 6 * HOUR, "mode": "unordered", "hold": ["session"], "count": "pairs"},
        {},
    ),
    "dedupe": (
        "retries of orders left out",
        {"steps": _steps("cart", "pay", "pay"), "window_us": None, "dedupe": "order_id"},
        {"shuffled": True},
    ),
}


def main() -> None:
    """Answer the cases by the oracle and write them."""
    folder = Path(__file__).parent / "random"
    folder.mkdir(exist_ok=True)
    listed = []
    with (folder / "events.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ("case", *COLUMNS, "seq"), lineterminator="\n")
        table.writeheader()
        for seed, (name, (why, params, shape)) in enumerate(CASES.items()):
            rows = log(seed, **shape)
            expected = answer(rows, params)
            listed.append(
                {"case": name, "why": why, "kind": "funnel", "params": params, "expected": expected}
            )
            for row in rows:
                table.writerow({"case": name, **row, "at": None if row["at"] is None else iso(row["at"])})
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in listed)
    (folder / "expected.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
