"""Cohorts, repurchase and activity counted user by user, for the cases that `python -m tests.oracle_cohorts` rewrites.

Nothing here is shared with the package: rows are Python dicts, calendars are `zoneinfo`, and every user is walked.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import random
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracle import Row, iso, micros

FOLDER = Path(__file__).parent / "cases" / "cohorts"
COLUMNS = ("user", "at", "event", "platform", "order_id")
DAY = 86_400_000_000


def answer(kind: str, rows: list[Row], params: dict[str, Any]) -> dict[str, Any]:
    """What a case of one kind expects."""
    return {"cohort": cohort, "repurchase": repurchase, "activity": activity}[kind](rows, params)


def observed(rows: list[Row], params: dict[str, Any]) -> dict[str, list[Row]]:
    """Rows of each user before the end, in order; of a deduplicated value the first row only."""
    kept, seen = {}, set()
    for row in sorted(
        (row for row in rows if row["at"] is not None), key=lambda row: (row["at"], row["seq"])
    ):
        value = row.get(params.get("dedupe", ""))
        if row["user"] is None or row["at"] >= end(rows, params) or (value is not None and value in seen):
            continue
        seen.add(value)
        kept.setdefault(row["user"], []).append(row)
    return kept


def end(rows: list[Row], params: dict[str, Any]) -> int:
    given = micros(params.get("observed_until"))
    return 1 + max(row["at"] for row in rows if row["at"] and row["user"]) if given is None else given


def matches(row: Row, predicate: dict[str, Any] | None) -> bool:
    if predicate is None:
        return True
    wanted = predicate["event"]
    return row["event"] in ([wanted] if isinstance(wanted, str) else wanted)


def local(at: int, params: dict[str, Any]) -> dt.date:
    zone = ZoneInfo(params.get("tz", "Asia/Shanghai"))
    return dt.datetime.fromtimestamp(at // 1_000_000, dt.UTC).astimezone(zone).date()


def first_day(date: dt.date, params: dict[str, Any]) -> dt.date:
    """The first day of the period in which a date lies."""
    if params["unit"] == "month":
        return date.replace(day=1)
    back = (date.weekday() - params.get("week_start", 0)) % 7 if params["unit"] == "week" else 0
    return date - dt.timedelta(days=back)


def later(day: dt.date, periods: int, params: dict[str, Any]) -> dt.date:
    if params["unit"] == "month":
        months = day.year * 12 + day.month - 1 + periods
        return dt.date(months // 12, months % 12 + 1, 1)
    return day + dt.timedelta(days=periods * (7 if params["unit"] == "week" else 1))


def midnight(day: dt.date, params: dict[str, Any]) -> int:
    """The first microsecond of a local day, found by asking every quarter of an hour around it."""
    noon = int(dt.datetime(day.year, day.month, day.day, 12, tzinfo=dt.UTC).timestamp())
    return next(
        s for s in range(noon - 2 * 86_400, noon + 86_400, 900) if local(s * 1_000_000, params) == day
    ) * (1_000_000)


def cohort(rows: list[Row], params: dict[str, Any]) -> dict[str, Any]:
    until, kind = end(rows, params), params.get("retention", "bounded")
    cells = params["brackets"] if kind == "bracket" else [[age, age] for age in range(params["periods"] + 1)]
    width = DAY * (7 if params["unit"] == "week" else 1)
    members: dict[tuple[dt.date, str], list[tuple[int, set[int]]]] = {}
    for own in observed(rows, params).values():
        birth = next((row for row in own if matches(row, params.get("birth"))), None)
        if birth is None or birth["at"] < (micros(params.get("birth_from")) or 0):
            continue
        born = first_day(local(birth["at"], params), params)
        ages = set()
        for row in own:
            if row["at"] >= birth["at"] and matches(row, params.get("return")):
                if params.get("clock") == "elapsed":
                    ages.add((row["at"] - birth["at"]) // width)
                else:
                    day, age = first_day(local(row["at"], params), params), 0
                    while later(born, age, params) < day:
                        age += 1
                    ages.add(age)
        value = birth[params["by"]] if "by" in params else None
        members.setdefault((born, "<null>" if value is None else value), []).append((birth["at"], ages))
    found = []
    for (born, value), users in sorted(members.items()):
        for low, high in cells:
            spans = [(birth + low * width, birth + (high + 1) * width) for birth, _ in users]
            if params.get("clock") != "elapsed":
                span = [midnight(later(born, age, params), params) for age in (low, high + 1)]
                spans = [(span[0], span[1])] * len(users)
            kept = [
                any(age >= low and (kind == "rolling" or age <= high) for age in ages) for _, ages in users
            ]
            whole = [finish <= until for _, finish in spans]
            begun = any(start < until for start, _ in spans)
            found.append(
                {"cohort": born.isoformat()}
                | ({"by": value} if "by" in params else {})
                | {
                    "from": low,
                    "to": high,
                    "size": len(users),
                    "status": "complete" if all(whole) else "partial" if begun else "future",
                    "retained": sum(kept) if begun else None,
                    "eligible": sum(whole),
                    "retained_eligible": sum(a and b for a, b in zip(kept, whole, strict=True)),
                }
            )
    return {"cells": found}


def repurchase(rows: list[Row], params: dict[str, Any]) -> dict[str, Any]:
    until = end(rows, params)
    bought = [
        [row["at"] for row in own if matches(row, params["purchase"])]
        for own in observed(rows, params).values()
    ]
    bought = [times for times in bought if times]
    rates = []
    for days in params["days"]:
        again = [len(times) > 1 and times[1] - times[0] <= days * DAY for times in bought]
        mature = [times[0] + days * DAY < until for times in bought]
        both = sum(a and b for a, b in zip(again, mature, strict=True))
        rates.append(
            {
                "days": days,
                "buyers": len(bought),
                "mature": sum(mature),
                "repurchased_mature": both,
                "repurchased_all": sum(again),
            }
        )
    return {"rates": rates}


def activity(rows: list[Row], params: dict[str, Any]) -> dict[str, Any]:
    days = {
        user: {local(row["at"], params) for row in own if matches(row, params.get("active"))}
        for user, own in observed(rows, params).items()
    }
    since, until = micros(params["observed_from"]) or 0, end(rows, params)
    day = local(since, params)
    day += dt.timedelta(days=midnight(day, params) < since)
    first, found = day, []
    while midnight(day + dt.timedelta(days=1), params) <= until:
        line: dict[str, Any] = {"day": day.isoformat()}
        for name, length in (("dau", 1), ("wau", 7), ("mau", 30)):
            start = day - dt.timedelta(days=length - 1)
            active = sum(any(start <= other <= day for other in own) for own in days.values())
            line[name] = active if start >= first else None
        found.append(line)
        day += dt.timedelta(days=1)
    return {"days": found}


def log(seed: int, start: str, days: int, users: int = 25) -> list[Row]:
    """Rows in arrival order: users who visit on some days, many near midnight, with ties, nulls and retries."""
    rng = random.Random(seed)
    begin, rows = micros(start) or 0, []
    for user in range(users):
        first = rng.randrange(days)
        for day in range(first, days):
            if day > first and rng.random() > 8 / days + 0.1:
                continue
            for _ in range(rng.choice((1, 1, 2, 3))):
                at = begin + day * DAY + rng.randrange(96) * DAY // 96 + rng.choice((0, 0, 1, -1))
                rows.append(
                    {
                        "user": None if rng.random() < 0.01 else f"u{user}",
                        "at": None if rng.random() < 0.01 else at,
                        "event": rng.choices(("visit", "pay", "like", None), (6, 3, 2, 1))[0],
                        "platform": rng.choice(("douyin", "kuaishou", None)),
                        "order_id": rng.choice((None, None, f"o{rng.randrange(users)}")),
                    }
                )
    rng.shuffle(rows)
    return [row | {"seq": seq} for seq, row in enumerate(rows)]


PAY, ANY, NEW_YORK = {"event": "pay"}, {"event": ["visit", "like"]}, {"tz": "America/New_York"}
SPRING, AUTUMN = ("2019-02-20T05:00:00Z", 40), ("2019-10-20T04:00:00Z", 30)
#: Each case: kind, why, params, and where and how long its log is.
CASES: dict[str, tuple[str, str, dict[str, Any], tuple[str, int]]] = {
    "spring_days": ("cohort", "a day of 23 hours", {"unit": "day", "periods": 12, **NEW_YORK}, SPRING),
    "autumn_days": ("cohort", "a day of 25 hours", {"unit": "day", "periods": 12, **NEW_YORK}, AUTUMN),
    "spring_weeks": (
        "cohort",
        "weeks from Wednesday over a change of the clock, by platform",
        {"unit": "week", "week_start": 2, "periods": 4, "by": "platform", **NEW_YORK},
        SPRING,
    ),
    "midnight_that_is_not": (
        "cohort",
        "a zone whose clock leaps over midnight",
        {"unit": "day", "periods": 8, "tz": "America/Sao_Paulo"},
        ("2018-10-25T03:00:00Z", 20),
    ),
    "elapsed_weeks": (
        "cohort",
        "weeks of 168 hours, by platform, the start and the return differ",
        {
            "unit": "week",
            "periods": 4,
            "clock": "elapsed",
            "by": "platform",
            "birth": PAY,
            "return": ANY,
            **NEW_YORK,
        },
        SPRING,
    ),
    "start_and_return_differ": (
        "cohort",
        "returns before the birth do not count",
        {"unit": "day", "periods": 9, "birth": PAY, "return": ANY},
        ("2019-08-31T16:00:00Z", 20),
    ),
    "returns_are_fewer": (
        "cohort",
        "anybody starts, paying is coming back",
        {"unit": "week", "periods": 5, "return": PAY, "retention": "rolling", "by": "platform"},
        ("2019-08-31T16:00:00Z", 35),
    ),
    "wide": (
        "cohort",
        "more than 63 days, fewer than 127",
        {"unit": "day", "periods": 90, "return": PAY},
        ("2019-06-30T16:00:00Z", 100),
    ),
    "beyond_a_word": (
        "cohort",
        "more than 126 days",
        {"unit": "day", "periods": 150},
        ("2019-01-31T16:00:00Z", 170),
    ),
    "beyond_a_word_brackets": (
        "cohort",
        "brackets over the edge of a word",
        {
            "unit": "day",
            "retention": "bracket",
            "brackets": [[0, 0], [60, 65], [120, 130], [126, 126], [1, 160]],
        },
        ("2019-01-31T16:00:00Z", 170),
    ),
    "beyond_a_word_rolling": (
        "cohort",
        "rolling beyond the ages shown",
        {"unit": "day", "periods": 130, "retention": "rolling", "birth": PAY},
        ("2019-01-31T16:00:00Z", 150),
    ),
    "few_ages_of_a_long_log": (
        "cohort",
        "few ages, but a log of more than 126 days",
        {"unit": "day", "periods": 3},
        ("2019-01-31T16:00:00Z", 150),
    ),
    "retries": (
        "cohort",
        "retries of an order left out before anybody is born",
        {"unit": "week", "periods": 3, "birth": PAY, "return": PAY, "dedupe": "order_id"},
        ("2019-08-31T16:00:00Z", 30),
    ),
    "born_from": (
        "cohort",
        "earlier births left out, the end inside a day",
        {
            "unit": "day",
            "periods": 5,
            "birth_from": "2019-09-04T09:00:00.000000Z",
            "observed_until": "2019-09-13T05:00:00.000000Z",
        },
        ("2019-08-31T16:00:00Z", 20),
    ),
    "months": (
        "cohort",
        "months by platform",
        {"unit": "month", "periods": 5, "by": "platform"},
        ("2018-11-14T16:00:00Z", 140),
    ),
    "repurchase": (
        "repurchase",
        "ties and retries",
        {"purchase": PAY, "days": [1, 3, 14, 30], "dedupe": "order_id"},
        ("2019-08-31T16:00:00Z", 40),
    ),
    "activity": (
        "activity",
        "over a change of the clock, both ends inside a day",
        {
            "active": ANY,
            "observed_from": "2019-02-21T15:00:00.000000Z",
            "observed_until": "2019-03-30T15:00:00.000000Z",
            **NEW_YORK,
        },
        SPRING,
    ),
}


def main() -> None:
    """Answer the cases and write them."""
    FOLDER.mkdir(exist_ok=True)
    listed = []
    with (FOLDER / "events.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ("case", *COLUMNS, "seq"), lineterminator="\n")
        table.writeheader()
        for seed, (name, (kind, why, params, (start, days))) in enumerate(CASES.items()):
            # Long logs have an age for each day: few users keep the file small.
            rows = log(seed, start, days, users=25 if days <= 40 else 7)
            listed.append(
                {
                    "case": name,
                    "why": why,
                    "kind": kind,
                    "params": params,
                    "expected": answer(kind, rows, params),
                }
            )
            for row in rows:
                table.writerow({"case": name, **row, "at": None if row["at"] is None else iso(row["at"])})
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in listed)
    (FOLDER / "expected.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
