"""The simulated log of returns holds what was planted, and a platform counts with its own rows."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from datasets.make.returns import simulate_returns
from toolkit import Step, read_events, repurchase, retention
from toolkit.scenarios import who_returns
from toolkit.sources.truth import fingerprint

FOLDER = Path(__file__).parents[1] / "datasets" / "returns"
TRUTH = json.loads((FOLDER / "truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def log():
    return read_events(str(FOLDER / "log.parquet")).index(keep=["platform", "relation"])


def test_a_rebuild_gives_the_same_rows_and_a_small_file(tmp_path):
    assert simulate_returns(tmp_path)["sha256"] == TRUTH["sha256"] == fingerprint(FOLDER / "log.parquet")
    assert (tmp_path / "truth.json").read_text(encoding="utf-8") == (FOLDER / "truth.json").read_text(
        encoding="utf-8"
    )
    assert (FOLDER / "log.parquet").stat().st_size < 4_000_000
    assert simulate_returns(tmp_path, seed=1)["sha256"] != TRUTH["sha256"]


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["xiaohongshu", "taobao_live", "douyin", "kuaishou"])
def test_next_day_retention_and_repurchase_are_those_that_were_planted(log, platform):
    visit = Step("a visit", event="open", where=f"platform = '{platform}'")
    days = retention(log, start=visit, returns=visit, period="day", observed_until="2019-11-04")
    split = days.split(before=("2019-07-01", "2019-07-31"), after=("2019-08-19", "2019-10-14"))
    old = split.table.query("part == 'retention' and group == 'old'").iloc[0]
    new = days.split(before=("2019-06-17", "2019-07-01"), after=("2019-07-01", "2019-07-31")).table
    new = new.query("part == 'retention' and group == 'new'").iloc[0]
    planted = {row["users"]: row["rate"] for row in TRUTH["next_day"] if row["platform"] == platform}
    for row, kind in ((old, "old"), (new, "new")):
        for rate, n in ((row["before"], row["n"]), (row["after"], row["n_after"])):
            if n:
                # Four standard errors of one rate; users' days depend on each other only through being old.
                assert rate == pytest.approx(planted[kind], abs=4 * (0.25 / n) ** 0.5)
    bought = Step("a purchase", event="pay", where=f"platform = '{platform}'")
    found = repurchase(log, event=bought, by="relation", observed_until="2019-11-04").table
    for row in TRUTH["repurchase_30d"]:
        if row["platform"] == platform:
            own = found[found["relation"] == row["relation"]].iloc[0]
            assert own["estimate"] == pytest.approx(row["rate"], abs=4 * (0.25 / own["n"]) ** 0.5)


@pytest.mark.slow
def test_retention_rises_when_installs_stop_and_mix_makes_the_rise(log):
    visit = Step("a visit", event="open", where="platform = 'xiaohongshu'")
    days = retention(log, start=visit, returns=visit, period="day", observed_until="2019-11-04")
    split = days.split(before=("2019-07-01", "2019-07-31"), after=("2019-08-19", "2019-10-14"))
    change, mix, rate, fixed = (split.part(name) for name in ("change", "mix", "rate", "fixed users"))
    assert change["low"] > 0
    assert mix["low"] > 0.02
    for unchanged in (rate, fixed):
        assert unchanged["low"] < 0 < unchanged["high"]


def small():
    """Two platforms; users of one come back, those of the other do not."""
    rows = [(f"a{i}", day, "open", "x") for i in range(20) for day in (1, 9, 16, 23)]
    rows += [(f"b{i}", 2, "pay", "<b>$y</b>") for i in range(20)] + [("b0", 8, "pay", "<b>$y</b>")]
    frame = pd.DataFrame(rows, columns=["user_id", "day", "event", "platform"])
    frame["timestamp"] = pd.Timestamp("2019-11-01") + pd.to_timedelta(frame.pop("day"), "D")
    return read_events(frame)


def test_a_platform_counts_with_its_own_rows_alone():
    assert who_returns(small(), platform="x").table["estimate"].iloc[1] == 1
    other = who_returns(small(), platform="<b>$y</b>", definition="bought again", source="By hand")
    assert other.table["estimate"].iloc[1] == pytest.approx(1 / 20)
    assert other.sentence().startswith("By hand · <b>$y</b> · bought again: 5.0 % in week 1")
    with pytest.raises(ValueError, match="no definition 'returns'.*there are: came back, bought again"):
        who_returns(small(), definition="returns")
