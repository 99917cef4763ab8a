"""Rebuild `datasets/returns`: a simulated log of who comes back and buys again, and the truth planted in it.

uv run python datasets/make/returns.py
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.sources.dice import Dice
from toolkit.sources.mechanisms import PLATFORMS, RELATIONS
from toolkit.sources.truth import as_json, fingerprint

HERE = Path(__file__).parent
#: 26 whole weeks, Monday to Sunday in China.
FIRST, DAYS = np.datetime64("2019-05-06"), 182
SEED = 2019
#: Microseconds from 1970 UTC to the first midnight in China, and those of an hour.
START = FIRST.astype("datetime64[us]").astype(np.int64) - 8 * 3_600_000_000
HOUR = 3_600_000_000
HOURS = (22, 12, 7, 4, 3, 4, 9, 16, 22, 28, 34, 38, 46, 40, 34, 34, 36, 40, 52, 76, 98, 100, 82, 48)
EVENTS = ("open", "pay")
#: Of 45 days 29 end within 30 times 24 hours, and the 30th does where its hour is the earlier one: half the time.
WITHIN_30 = 29.5
MOST_OPENS, MOST_PURCHASES = 12, 40
SCHEMA = pa.schema(
    [
        ("user_id", pa.int64()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("event", pa.string()),
        ("platform", pa.string()),
        ("relation", pa.string()),
    ]
)


def simulate_returns(folder: str | Path, *, seed: int = SEED) -> dict[str, Any]:
    """Users of four platforms open an app day after day, and buy; installs of one of them stop for eleven weeks.

    Parameters
    ----------
    folder : path
        Where `log.parquet` and `truth.json` are written.
    seed : int
        The same seed gives the same rows on every machine.

    Returns
    -------
    dict
        The truth: what was planted, and the rows' hash.

    Notes
    -----
    A day after an active day is active with one probability for users on their first day and another for the rest,
    which never change; what changes is how many are on their first day. A purchase is followed by another with a
    probability that depends on the buyer's being a fan, after 1 to 45 days. Every row is simulated.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    assumed = tomllib.loads((HERE / "returns.toml").read_text(encoding="utf-8"))
    frames = [_platform(name, assumed, seed) for name in PLATFORMS]
    columns = [np.concatenate(parts) for parts in zip(*frames, strict=True)]
    user, time, event, platform, relation = columns
    order = np.lexsort((event, user, time))
    names = ((event, EVENTS), (platform, PLATFORMS), (relation, RELATIONS))
    words = [
        pa.DictionaryArray.from_arrays(pa.array(codes[order]), pa.array(list(known))).cast(pa.string())
        for codes, known in names
    ]
    times = pa.array(time[order]).cast(SCHEMA.field("timestamp").type)
    table = pa.Table.from_arrays([pa.array(user[order]), times, *words], schema=SCHEMA)
    path = folder / "log.parquet"
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=12,
        use_dictionary=["user_id", "event", "platform", "relation"],
        column_encoding={"timestamp": "DELTA_BINARY_PACKED"},
    )
    share = WITHIN_30 / assumed["again"]["days"]["value"]
    truth = {
        "note": "Simulated: what was planted in the log beside this file. No platform's data.",
        "seed": int(seed),
        "period": {
            "from": str(FIRST),
            "to": str(FIRST + DAYS - 1),
            "days": DAYS,
            "timezone": "Asia/Shanghai",
        },
        "rows": table.num_rows,
        "sha256": fingerprint(path),
        "next_day": [
            {"platform": name, "users": kind, "rate": _value(assumed["next_day"][kind], name)}
            for name in PLATFORMS
            for kind in ("new", "old")
        ],
        "repurchase_30d": [
            {
                "platform": name,
                "relation": kind,
                "rate": round(_value(assumed["again"][kind], name) * share, 6),
            }
            for name in PLATFORMS
            for kind in RELATIONS
        ],
        "stopped": {"xiaohongshu": assumed["stopped"]["xiaohongshu"]},
        "parameters": assumed,
    }
    (folder / "truth.json").write_text(as_json(truth), encoding="utf-8")
    return truth


def _value(table: dict[str, Any], platform: str) -> Any:
    return table.get(platform, table.get("value"))


def _platform(name: str, assumed: dict[str, Any], seed: int) -> tuple[np.ndarray, ...]:
    """Rows of one platform: user, time, and codes of event, platform and relation."""
    code = PLATFORMS.index(name)
    dice = Dice(seed, code + 1)
    user, day = _active(dice, name, assumed)
    more = _value(assumed["more"], name)
    opens = 1 + dice.pick([more**k for k in range(MOST_OPENS)], len(user))
    user, day = np.repeat(user, opens), np.repeat(day, opens)
    buyer, paid, fan = _purchases(dice, name, assumed, int(user.max()) + 1)
    everybody = np.concatenate([user, buyer])
    days = np.concatenate([day, paid])
    size = len(days)
    # Milliseconds, as clients write them.
    within = dice.pick(HOURS, size) * HOUR + dice.below(3_600_000, size) * 1000
    relations = np.zeros(int(everybody.max()) + 1, np.int64)
    relations[buyer] = fan
    event = np.concatenate([np.zeros(len(user), np.int64), np.ones(len(buyer), np.int64)])
    numbers = (code + 1) * 1_000_000 + 1 + everybody
    time = START + days * 24 * HOUR + within
    return numbers, time, event, np.full(size, code), relations[everybody]


def _active(dice: Dice, name: str, assumed: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Users and their active days."""
    base, daily = assumed["base"][name], assumed["installs"][name]
    numbers = np.full(DAYS, daily)
    if name in assumed["stopped"]:
        low, high = (
            int((np.datetime64(end) - FIRST) / np.timedelta64(1, "D")) for end in assumed["stopped"][name]
        )
        numbers[low : high + 1] = 0
    new, old = (_value(assumed["next_day"][kind], name) for kind in ("new", "old"))
    back, gone = assumed["back"]["value"], assumed["gone"]["value"]
    size = base + int(numbers.sum())
    installed = np.concatenate([np.full(base, -1), np.repeat(np.arange(DAYS), numbers)])
    there = np.ones(size, bool)
    active = dice.chance(0.25, size) & (installed < 0)
    users, days = [], []
    for day in range(DAYS):
        rate = np.where(active, np.where(installed == day - 1, new, old), back)
        # Before their first day the draws of users count for nothing.
        drawn, leaves = dice.chance(rate, size), dice.chance(gone, size)
        active = there & (installed < day) & drawn | (installed == day)
        there &= active | (installed >= day) | ~leaves
        here = np.flatnonzero(active)
        users.append(here)
        days.append(np.full(len(here), day))
    return np.concatenate(users), np.concatenate(days)


def _purchases(
    dice: Dice, name: str, assumed: dict[str, Any], users: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Buyers, days of their purchases, and 1 where the buyer is a fan."""
    size = assumed["buyers"][name]
    buyer = dice.shuffled(users)[:size]
    fan = dice.chance(_value(assumed["fans"], name), size).astype(np.int64)
    again = np.where(
        fan == 1, _value(assumed["again"]["fan"], name), _value(assumed["again"]["non_fan"], name)
    )
    day = dice.below(DAYS, size)
    found = [(buyer, day, fan)]
    for _ in range(MOST_PURCHASES):
        follows = dice.chance(again, len(buyer))
        day = day + 1 + dice.below(assumed["again"]["days"]["value"], len(buyer))
        kept = follows & (day < DAYS)
        buyer, day, fan, again = buyer[kept], day[kept], fan[kept], again[kept]
        found.append((buyer, day, fan))
    buyers, days, fans = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return buyers, days, fans


if __name__ == "__main__":
    print(f"{simulate_returns(HERE.parent / 'returns')['rows']:,} simulated rows in datasets/returns")
