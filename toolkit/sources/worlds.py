"""`simulate` writes the event log of a simulated world: four platforms, 28 days, and the truth that was planted."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import astuple, dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.progress import followed
from toolkit.sources.dice import Dice
from toolkit.sources.mechanisms import PLATFORMS, RELATIONS, TIERS, TYPES, Mechanisms
from toolkit.sources.truth import Tally, as_json, fingerprint, visit_rates
from toolkit.sources.visits import DAYS, Accounts, Platform, Visits, spread

#: Monday in China. Four whole weeks before National Day and the presale of Double Eleven, so that the rates of a visit
#: are constant.
START = np.datetime64("2019-09-01T16:00:00", "us")
USERS, SEED = 70_000, 2019
#: Users drawn and held in memory at a time. A change of it changes every log that is larger.
PART = 200_000
ORDER_PREFIX = {"xiaohongshu": "xhs", "taobao_live": "tbl", "douyin": "dy", "kuaishou": "ks"}
TEXT = ("event", "platform", "city_tier", "user_type", "relation", "order_id")
SCHEMA = pa.schema(
    [
        ("user_id", pa.int64()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("event", pa.string()),
        ("platform", pa.string()),
        ("city_tier", pa.string()),
        ("user_type", pa.string()),
        ("relation", pa.string()),
        ("room_id", pa.int64()),
        ("creator_id", pa.int64()),
        ("session_id", pa.int64()),
        ("order_id", pa.string()),
        ("amount", pa.float64()),
    ]
)


@dataclass(frozen=True, repr=False, eq=False)
class World:
    """A simulated log on disk: its four files, one per platform, and what was planted in it."""

    folder: Path
    paths: dict[str, Path]
    truth: dict[str, Any]

    @property
    def log(self) -> str:
        """A glob of the four files, as `read_events` takes it."""
        return str(self.folder / "log" / "*.parquet")

    def __repr__(self) -> str:
        rows = sum(self.truth["rows"].values())
        return f"World: {rows:,} simulated events of {self.truth['users']:,} users in {self.folder / 'log'}"


def simulate(
    folder: str | Path | None = None,
    *,
    users: int = USERS,
    seed: int = SEED,
    parameters: Mapping[str, Any] | None = None,
) -> World:
    """Users of four live-commerce platforms meet rooms, open products, order, pay and send back.

    Parameters
    ----------
    folder : path, optional
        Where `log/<platform>.parquet` and `truth.json` are written; a new temporary folder by default. A log
        that was simulated there before is replaced.
    users : int
        Distinct users over all platforms; about 14 events each. Rows are in order of time within each 200,000
        users, which are a row group of the file.
    seed : int
        The same seed, users and parameters give the same rows on every machine.
    parameters : mapping, optional
        Changes by name, such as ``{"steps.enter.douyin": 0.3}``.

    Returns
    -------
    World
        `.paths` (platform to file), `.log` (a glob of them), `.truth`, `.folder`.

    Raises
    ------
    ValueError, TypeError
        Fewer than one user; a parameter that does not exist or does not fit; a folder that holds other files.

    Notes
    -----
    A visit is one session that begins with an impression. It does step j, given step j - 1, with the rate planted
    for its platform, tier, user type and relation to the creator: ``truth["visit_rates"]``. The share of users
    who do step j within one day of an impression follows from their visits: ``truth["user_rates"]``.
    Every row is simulated; none is a platform's.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from toolkit import simulate
    >>> with TemporaryDirectory() as folder:
    ...     world = simulate(folder, users=100, seed=1)
    >>> sorted(world.paths)
    ['douyin', 'kuaishou', 'taobao_live', 'xiaohongshu']
    """
    for name, value, least in (("users", users, 1), ("seed", seed, 0)):
        if not isinstance(value, Integral) or isinstance(value, bool):
            raise TypeError(f"{name} is a whole number, not {value!r}")
        if value < least:
            raise ValueError(f"{name} must be {least} or more, not {value}")
    mechanisms = Mechanisms(parameters)
    folder = Path(tempfile.mkdtemp(prefix="live-commerce-") if folder is None else folder)
    paths = _places(folder)
    platforms = {name: Platform(name, mechanisms) for name in PLATFORMS}
    tallies = {name: Tally(platform) for name, platform in platforms.items()}
    partial = {name: path.with_suffix(".parquet.part") for name, path in paths.items()}
    try:
        with ExitStack() as stack:
            writers = {name: stack.enter_context(_writer(path)) for name, path in partial.items()}
            for part in followed(range(-(-users // PART)), "simulated log"):
                dice = Dice(seed, part, 0)
                size = min(PART, users - part * PART)
                members = spread(dice, mechanisms, size)
                ids = 1 + part * PART + dice.shuffled(size)
                seconds = dice.chance(mechanisms.get("users.whole_second_clients", ""), size)
                for name, (positions, tier) in members.items():
                    dice = Dice(seed, part, platforms[name].code)
                    accounts = platforms[name].accounts(dice, ids[positions], tier, seconds[positions])
                    writers[name].write_table(_drawn(dice, platforms[name], accounts, tallies[name]))
    except BaseException:
        for path in partial.values():
            path.unlink(missing_ok=True)
        raise
    for name, path in paths.items():
        os.replace(partial[name], path)
    truth = {
        "note": "Simulated: what was planted in the log beside this file. No platform's data.",
        "users": int(users),
        "seed": int(seed),
        "period": {"from": "2019-09-02", "to": "2019-09-29", "days": DAYS, "timezone": "Asia/Shanghai"},
        "rows": {name: tally.rows for name, tally in tallies.items()},
        "sha256": {name: fingerprint(path) for name, path in paths.items()},
        "funnels": {name: platform.steps for name, platform in platforms.items()},
        "counts": [tally.record() for tally in tallies.values()],
        "user_rates": [row for tally in tallies.values() for row in tally.user_rates()],
        "visit_rates": [row for platform in platforms.values() for row in visit_rates(platform)],
        "parameters": mechanisms.record(),
    }
    notes = folder / "truth.json"
    # The daily series have their truth in the same file.
    before = json.loads(notes.read_text(encoding="utf-8")) if notes.exists() else {}
    daily = {key: value for key, value in before.items() if key.startswith("daily")}
    notes.write_text(as_json(truth | daily), encoding="utf-8")
    return World(folder, paths, truth)


def _places(folder: Path) -> dict[str, Path]:
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; name a folder")
    log = folder / "log"
    paths = {name: log / f"{name}.parquet" for name in PLATFORMS}
    there = sorted(path.name for path in log.iterdir()) if log.is_dir() else []
    own = {path.name for path in paths.values()} if (folder / "truth.json").exists() else set()
    own |= {f"{path.name}.part" for path in paths.values()}
    strange = [name for name in there if name not in own]
    if strange:
        raise ValueError(
            f"{log} already holds {strange[0]!r}, which is not of a simulated log; name an empty folder"
        )
    log.mkdir(parents=True, exist_ok=True)
    return paths


def _writer(path: Path) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        path,
        SCHEMA,
        compression="zstd",
        compression_level=9,
        use_dictionary=[*TEXT, "user_id", "room_id", "creator_id", "amount"],
        column_encoding={"timestamp": "DELTA_BINARY_PACKED", "session_id": "DELTA_BINARY_PACKED"},
    )


def _drawn(dice: Dice, platform: Platform, accounts: Accounts, tally: Tally) -> pa.Table:
    own = platform.visits(dice, accounts)
    depth = platform.depth(dice, accounts, own)
    back = platform.back(dice, own, depth)
    visits = Visits(*(np.concatenate(pair) for pair in zip(astuple(own), astuple(back), strict=True)))
    depth = np.concatenate([depth, platform.depth(dice, accounts, back)])
    rows = platform.rows(dice, accounts, visits, depth)
    table = _table(platform, rows, tally)
    tally.add(accounts, own, len(depth), rows)
    return table


def _table(platform: Platform, rows: dict[str, np.ndarray], tally: Tally) -> pa.Table:
    def words(codes: np.ndarray, names: Sequence[str]) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(names)).cast(pa.string())

    orders = rows["order"] >= 0
    numbers = rows["order"][orders] + tally.orders
    ids = np.full(len(orders), None, dtype=object)
    ids[orders] = [f"{ORDER_PREFIX[platform.name]}-{number + 1:07d}" for number in numbers]
    amount = np.where(orders, rows["cents"] / 100, np.nan)
    time = START.astype(np.int64) + rows["timestamp"] * 1000
    same = np.zeros(len(orders), dtype=np.int64)
    columns = [
        pa.array(rows["user_id"]),
        pa.array(time).cast(SCHEMA.field("timestamp").type),
        words(rows["event"], platform.events),
        words(same, [platform.name]),
        words(rows["city_tier"], TIERS),
        words(rows["user_type"], TYPES),
        words(rows["relation"], RELATIONS),
        pa.array(rows["room_id"]),
        pa.array(rows["creator_id"]),
        pa.array(rows["session_id"] + tally.sessions + platform.code * 10_000_000_000),
        pa.array(ids, pa.string()),
        pa.array(amount, from_pandas=True),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)
