"""Rebuild `datasets/daily.parquet`, the daily series of the four platforms, and what was planted in them.

uv run python datasets/make/daily.py
"""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.sources.days import COUNTS, FIRST, LAST, SEED, anchors, simulate_days
from toolkit.sources.mechanisms import Mechanisms
from toolkit.sources.truth import as_json, fingerprint

MONEY = ("gmv", "head_gmv")
SCHEMA = pa.schema(
    [("platform", pa.string()), ("date", pa.timestamp("us"))]
    + [(name, pa.int64()) for name in COUNTS]
    + [(name, pa.float64()) for name in MONEY]
)


def write(folder: str | Path, *, seed: int = SEED) -> Path:
    """Write `daily.parquet` into a folder, and what was planted into its `truth.json`, beside what is there."""
    folder = Path(folder)
    path, notes = folder / "daily.parquet", folder / "truth.json"
    frame = simulate_days(seed=seed)
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pandas(frame, schema=SCHEMA, preserve_index=False).replace_schema_metadata()
    pq.write_table(table, path, compression="zstd")
    truth = json.loads(notes.read_text(encoding="utf-8")) if notes.exists() else {}
    truth["daily"] = {
        "note": "Simulated, calibrated to public anchor points: daily.parquet. No platform's data.",
        "seed": seed,
        "period": {"from": FIRST, "to": LAST},
        "rows": len(frame),
        "sha256": fingerprint(path),
    }
    truth["daily_anchors"] = anchors().to_dict("records")
    truth["daily_parameters"] = Mechanisms(None, "days").record()
    notes.write_text(as_json(truth), encoding="utf-8")
    return path


if __name__ == "__main__":
    write(Path(__file__).parents[1])
    print("simulated days: datasets/daily.parquet")
