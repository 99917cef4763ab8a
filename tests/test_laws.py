"""Laws that hold for any data: what a funnel, a cohort and a gap can never do.

Some examples run with every test; thousands by one command:

    EXAMPLES=3000 uv run pytest -n 0 tests/test_laws.py tests/test_fuzz.py
"""

from __future__ import annotations

import contextlib
import csv
import io
import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolkit import Funnel, activity, compare, funnel, read_events, read_export, read_series, retention

EXAMPLES = int(os.environ.get("EXAMPLES", "20"))
# The same examples at every run of the suite; others each time where many are asked for.
steady = settings(
    derandomize="EXAMPLES" not in os.environ,
    database=None,
    deadline=None,
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
STEPS = ["a", "b", "c"]
#: Texts as files hold them: names, digits, signs, and what would be SQL, HTML or a formula.
TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["", "-", "1.2万", "12%", "1,234", "=1+1", "<b>x</b>", "'; DROP TABLE x --", 'a"b', "合计"]
    ),
)
ROWS = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.integers(0, 3 * 1440),
        st.sampled_from(STEPS),
        st.sampled_from(["x", "y", "<null>", 'a"b']),
    ),
    min_size=1,
    max_size=25,
)
ASKED = st.fixed_dictionaries(
    {
        "within": st.sampled_from(["10min", "1d", None]),
        "mode": st.sampled_from(["ordered", "strict"]),
        "count": st.sampled_from(["users", "entries"]),
    }
)


def frame(rows: list[tuple[int, int, str, str]]) -> pd.DataFrame:
    """Rows as a log in order of time, with each event done once by somebody, so that none is a slip of the pen."""
    whole = [*((0, 0, step, "x") for step in STEPS), *rows]
    found = pd.DataFrame(whole, columns=["user_id", "minute", "event", "platform"])
    found = found.sort_values("minute", kind="stable", ignore_index=True)
    found["timestamp"] = pd.Timestamp("2024-06-01", tz="UTC") + pd.to_timedelta(
        found.pop("minute"), unit="min"
    )
    return found


def counts(rows: pd.DataFrame, **asked: object) -> pd.DataFrame:
    return funnel(read_events(rows), STEPS, **asked).table


@steady
@given(rows=ROWS, asked=ASKED)
def test_a_funnel_falls_and_its_rates_are_sums_over_sums(rows, asked):
    table = counts(frame(rows), by="platform", **asked)
    for _, group in table.groupby("platform", dropna=False):
        reached = group["reached"].to_numpy(float)
        assert (np.diff(reached) <= 0).all()
        assert np.allclose(group["from_first"], reached / reached[0], equal_nan=True)
        known = group.dropna(subset=["low"])
        assert (
            (known["low"] <= known["from_previous"] + 1e-12)
            & (known["from_previous"] <= known["high"] + 1e-12)
        ).all()


@steady
@given(rows=ROWS, asked=ASKED, order=st.randoms(use_true_random=False))
def test_rows_in_another_order_and_users_of_other_names_change_nothing(rows, asked, order):
    log = frame(rows)
    # Rows of one moment keep their order, which decides between their groups.
    moments = [part for _, part in log.groupby("timestamp", sort=False)]
    order.shuffle(moments)
    moved = pd.concat(moments, ignore_index=True)
    moved["user_id"] = "user " + (97 - moved["user_id"]).astype(str)
    pd.testing.assert_frame_equal(
        counts(moved, by="platform", **asked), counts(log, by="platform", **asked), check_dtype=False
    )


@steady
@given(rows=ROWS, asked=ASKED)
def test_a_log_split_by_user_adds_up(rows, asked):
    log = frame(rows)
    until = log["timestamp"].max() + pd.Timedelta("1us")
    whole = counts(log, observed_until=until, **asked)["reached"].to_numpy()
    parts = [log[log["user_id"] % 2 == side] for side in (0, 1)]
    added = np.zeros(len(STEPS), int)
    for part in parts:
        if len(part):
            declared = part.assign(event=pd.Categorical(part["event"], STEPS))
            added += counts(declared, observed_until=until, **asked)["reached"].to_numpy()
    assert added.tolist() == whole.tolist()


@steady
@given(rows=ROWS)
def test_growth_adds_up_and_cohorts_hold_every_user_once(rows):
    log = read_events(frame(rows))
    growth = activity(log).growth("day").table
    active, new, back, kept = (
        growth[name].to_numpy(float) for name in ("active", "new", "resurrected", "retained")
    )
    assert (active == new + back + kept).all()
    found = retention(log, period="day", periods=3)
    assert found.cohorts["size"].sum() == len({row[0] for row in rows} | {0})
    known = found.table.dropna(subset="retained")
    assert (known["retained"] <= known["size"]).all()


@steady
@given(
    cells=st.lists(
        st.tuples(st.integers(1, 500), st.integers(0, 500), st.integers(1, 500), st.integers(0, 500)),
        min_size=2,
        max_size=4,
    )
)
def test_mix_and_rate_make_the_gap(cells):
    rows = [
        {"platform": platform, "tier": f"t{at}", "step": step, "n": n}
        for at, (n, y, m, z) in enumerate(cells)
        for platform, pair in (("one", (n, min(y, n))), ("two", (m, min(z, m))))
        for step, n in zip(("enter", "pay"), pair, strict=True)
    ]
    gaps = compare(Funnel.from_counts(pd.DataFrame(rows)), tier="tier").table.set_index("part")["estimate"]
    assert gaps["mix"] + gaps["rate"] == pytest.approx(gaps["gap"], abs=1e-12)


@steady
@given(
    headers=st.lists(TEXTS, min_size=1, max_size=4),
    rows=st.lists(st.lists(TEXTS, min_size=1, max_size=4), max_size=4),
)
def test_any_small_table_is_read_or_refused_in_words(tmp_path, headers, rows):
    text = io.StringIO()
    csv.writer(text).writerows([headers, *rows])
    file = tmp_path / "any.csv"
    file.write_text(text.getvalue(), encoding="utf-8", errors="replace")
    for read in (read_export, lambda path: read_series(path, headers[0]), read_events):
        # Any other kind of error would be a raw one.
        with contextlib.suppress(ValueError):
            read(file)
