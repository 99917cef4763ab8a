"""Spark itself, by Spark Connect, on a dozen golden cases: each takes it seconds.

All of them, and the shared ones: `uv run python -m tests.golden FOLDER --engine spark`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import engines
from tests.golden import check, read

OWN = Path(__file__).parent / "cases"
#: What Spark could count otherwise: microseconds, ties, arrival, masks, nulls, self-joins, names, local days.
CHOSEN = [
    "window_to_the_microsecond",
    "overlap_ties_by_mask",
    "strict_ties",
    "exclude_two_rules",
    "any_order_one_instant",
    "hold_two_columns",
    "entries_share_a_conversion",
    "by_tied_entries",
    "dedupe_ties_by_arrival",
    "rows_without_user_or_time",
    "names_are_text",
    "values_are_text",
]
CASES = [case for case in read(OWN / "hand") if case.name in CHOSEN]


@pytest.fixture(scope="module", autouse=True)
def spark():
    if reason := engines.absent("spark"):
        pytest.skip(reason)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_spark_gives_the_golden_answer(case):
    assert not check(case, "windows", engine="spark")
