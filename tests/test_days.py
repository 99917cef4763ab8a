"""The simulated daily series meet the public anchor points, hold what was planted, and come out the same everywhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datasets.make.daily import write
from toolkit import Pulse, interrupted_time_series, simulate
from toolkit.sources.days import FIRST, LAST, anchors, simulate_days
from toolkit.sources.mechanisms import PLATFORMS, Mechanisms
from toolkit.sources.truth import fingerprint

DATASETS = Path(__file__).parents[1] / "datasets"
QUIET = {f"noise.{kind}": [0, 0, 0] for kind in ("dau", "gmv", "return", "head")}
COUNTS = ["dau", "installs", "new_active", "new_returned", "old_active", "old_returned"]


@pytest.fixture(scope="module")
def truth() -> dict:
    return json.loads((DATASETS / "truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def days() -> pd.DataFrame:
    return pd.read_parquet(DATASETS / "daily.parquet")


@pytest.fixture(scope="module")
def quiet() -> pd.DataFrame:
    return simulate_days(parameters=QUIET)


def of(days: pd.DataFrame, platform: str) -> pd.DataFrame:
    return days[days["platform"] == platform].set_index("date")


def measured(days: pd.DataFrame, row) -> float:
    part = of(days, row.platform)[row.column].loc[row.start : row.end]
    return {"day": part.iloc[0], "mean": part.mean(), "sum": part.sum()}[row.of]


def test_a_rebuild_gives_the_rows_that_are_in_the_project(tmp_path, truth):
    assert fingerprint(write(tmp_path)) == truth["daily"]["sha256"]
    assert fingerprint(DATASETS / "daily.parquet") == truth["daily"]["sha256"]
    rebuilt = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    assert all(rebuilt[key] == truth[key] for key in rebuilt), "run: python datasets/make/daily.py"


@pytest.mark.parametrize(
    "row", list(anchors().itertuples()), ids=lambda row: f"{row.platform}-{row.column}-{row.start}"
)
def test_the_series_meet_every_public_anchor_point(days, row):
    found = measured(days, row)
    if row.bound == "is":
        assert found == pytest.approx(row.value, rel=0.01)
    else:
        assert (found < row.value) == (row.bound == "below")


def test_days_with_a_public_figure_are_met_whatever_the_seed():
    other = simulate_days(seed=7)
    for row in anchors().query("of == 'day' and bound == 'is'").itertuples():
        assert measured(other, row) == pytest.approx(row.value, rel=0.01)


def test_anchors_are_figures_that_the_project_has_with_their_source():
    table = anchors()
    assert set(table["bound"]) == {"is", "above", "below"}
    assert (table["source"].str.len() > 10).all()
    figures = pd.read_csv(DATASETS / "public_figures.csv")
    published = figures[(figures["platform"] == "Xiaohongshu") & (figures["metric"] == "DAU")]
    values = set(zip(published["period_start"], published["value"], strict=True))
    mine = table[(table["platform"] == "xiaohongshu") & (table["start"] > "2019")]
    assert {(row.start, row.value / 1e6) for row in mine.itertuples()} <= values


def test_there_is_one_row_per_platform_and_day(days):
    assert set(days["platform"]) == set(PLATFORMS)
    for name in PLATFORMS:
        assert of(days, name).index.equals(pd.date_range(FIRST, LAST, freq="D", unit="us", name="date"))


def test_counts_add_up_and_sales_are_missing_where_nothing_is_known(days):
    assert (days["dau"] == days["new_active"] + days["old_active"]).all()
    assert (days[COUNTS] > 0).all(axis=None)
    assert (days["new_returned"] < days["new_active"]).all()
    assert (days["old_returned"] < days["old_active"]).all()
    assert (days["installs"] <= days["new_active"]).all()
    sold = days["platform"] == "taobao_live"
    assert days.loc[~sold, ["gmv", "head_gmv"]].isna().all(axis=None)
    assert (days.loc[sold, "head_gmv"] < days.loc[sold, "gmv"]).all()


def test_a_planted_effect_is_in_the_series_as_its_term_says(quiet):
    without = simulate_days(parameters=QUIET | {"effect.xiaohongshu.removal": 0.0})
    ratio = np.log(of(quiet, "xiaohongshu")["dau"] / of(without, "xiaohongshu")["dau"])
    planted = Mechanisms(None, "days").values["effect.xiaohongshu.removal"]
    since = (ratio.index - pd.Timestamp("2019-07-31")).days
    assert ratio.to_numpy() == pytest.approx(planted * np.maximum(since, 0), abs=1e-5)


def test_a_decay_fades_by_its_tau_and_a_pulse_ends(quiet):
    gone = {f"effect.taobao_live.{name}_2019": 0.0 for name in ("after", "held_back", "peak")}
    without = simulate_days(parameters=QUIET | gone)
    ratio = np.log(of(quiet, "taobao_live")["gmv"] / of(without, "taobao_live")["gmv"])
    assert ratio["2019-10-20"] == pytest.approx(0, abs=1e-6)
    assert ratio["2019-10-21":"2019-11-10"].to_numpy() == pytest.approx(-0.40, abs=1e-6)
    assert ratio["2019-11-12"] == pytest.approx(-0.40, abs=1e-6)
    assert ratio["2019-11-18"] == pytest.approx(-0.40 * np.exp(-1), abs=1e-6)


def test_after_the_catch_up_users_grow_as_before_the_removal(quiet):
    logs = np.log(of(quiet, "xiaohongshu")["dau"])
    assert logs["2019-12-24"] - logs["2019-12-03"] == pytest.approx(
        logs["2019-07-23"] - logs["2019-07-02"], abs=1e-4
    )


def test_noise_is_autocorrelated_as_planted(days, quiet):
    rho, spread, white = Mechanisms(None, "days").values["noise.dau"]
    # No day of Douyin is an anchor: nothing ties its noise down.
    noise = np.log(of(days, "douyin")["dau"] / of(quiet, "douyin")["dau"])
    assert noise.std() == pytest.approx(np.hypot(spread, white), rel=0.15)
    assert noise.autocorr(1) == pytest.approx(rho * spread**2 / (spread**2 + white**2), abs=0.08)


def test_retention_rises_in_the_removal_by_composition_alone(days):
    table = of(days, "xiaohongshu")
    spans = {"before": table["2019-06-01":"2019-07-28"], "after": table["2019-09-01":"2019-10-13"]}
    whole, new, old, share = ({} for _ in range(4))
    for span, part in spans.items():
        sums = part.sum()
        whole[span] = (sums["new_returned"] + sums["old_returned"]) / sums["dau"]
        new[span], old[span] = (
            sums["new_returned"] / sums["new_active"],
            sums["old_returned"] / sums["old_active"],
        )
        share[span] = sums["new_active"] / sums["dau"]
    assert whole["before"] > 0.5
    assert whole["after"] - whole["before"] > 0.015
    assert abs(new["after"] - new["before"]) < 0.005
    assert abs(old["after"] - old["before"]) < 0.005
    assert share["after"] < share["before"] / 4


def test_every_parameter_has_a_reason_and_a_public_figure_names_its_source(truth):
    rows = pd.DataFrame(truth["daily_parameters"])
    assert (rows["reason"].str.len() > 9).all()
    assert (rows["source"].notna() == (rows["kind"] == "public figure")).all()
    effects = rows[rows["name"].str.startswith("effect.")]
    assert len(effects) > 25
    assert set(effects["term"]) == {"level", "slope", "pulse", "decay"}
    assert effects["days"].map(len).eq(effects["term"].map({"pulse": 2}).fillna(1)).all()


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"effect.xiaohongshu.remova": 0.0}, ValueError, "did you mean 'effect.xiaohongshu.removal'?"),
        ({"effect.xiaohongshu.remova": 0.0}, ValueError, "definitions/days.toml lists all"),
        ({"noise.dau": 0.1}, TypeError, "is 3 numbers, not 0.1"),
        ({"return.old.douyin": 1.5}, ValueError, "probability from 0 to 1, not 1.5"),
    ],
)
def test_what_cannot_be_simulated_is_refused_with_the_fix(parameters, error, message):
    with pytest.raises(error, match=re.escape(message)):
        simulate_days(parameters=parameters)


def test_a_new_log_keeps_what_is_known_of_the_daily_series(tmp_path):
    simulate(tmp_path, users=5)
    write(tmp_path)
    simulate(tmp_path, users=5, seed=3)
    kept = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    assert kept["seed"] == 3
    assert kept["daily"]["rows"] == 4384


def test_the_data_dictionary_names_every_column_and_says_simulated(days):
    text = (DATASETS / "README.md").read_text(encoding="utf-8")
    assert "simulated, calibrated to public anchor points" in text
    section = text[text.index("## The daily series") :]
    assert all(f"| `{column}` |" in section for column in days.columns)
    assert f"{len(days):,} rows" in section


@pytest.mark.slow
@pytest.mark.parametrize(
    ("year", "window", "before", "after"),
    [
        (2018, ("2018-11-11", "2018-11-11"), 22, 21),
        (2019, ("2019-11-11", "2019-11-11"), 21, 21),
        (2020, ("2020-10-21", "2020-11-11"), 0, 21),
    ],
)
def test_what_a_festival_adds_and_borrows_is_found_as_planted(days, year, window, before, after):
    without = {
        name: 0.0
        for name in Mechanisms(None, "days").values
        if name.startswith("effect.taobao_live") and str(year) in name
    }
    sales = of(days, "taobao_live")["gmv"] / 1e9
    truth = sales - of(simulate_days(parameters=without), "taobao_live")["gmv"] / 1e9
    others = ["618", "labour_day", "dragon_boat", "mid_autumn", "national_day", "double_12"]
    asked = interrupted_time_series(
        sales[f"{year}-03-01" : f"{year}-12-31"],
        {"Double 11": Pulse(f"{year}-11-11", f"{year}-11-11")},
        calendar=others,
    )
    rows = asked.net(window, before=before, after=after).table.set_index("what")
    assert len(rows) == 3 + (before > 0)
    for what, row in rows.iterrows():
        assert row["low"] < truth[row["start"] : row["end"]].sum() < row["high"], what


def test_netting_takes_the_festival_itself_out_of_the_calendar(days):
    sales = (of(days, "taobao_live")["gmv"] / 1e9)["2019-06-01":"2019-12-31"]
    asked = interrupted_time_series(
        sales, {"National Day": Pulse("2019-10-01", "2019-10-07")}, calendar="618"
    )
    named = asked.again(calendar=["618", "double_11"])
    span = {"window": ("2019-11-11", "2019-11-11"), "before": 21, "after": 14}
    assert named.net(**span).table["estimate"].to_numpy() == pytest.approx(
        asked.net(**span).table["estimate"]
    )


def test_a_missing_day_is_left_out_of_the_net_and_its_n(days):
    sales = (of(days, "taobao_live")["gmv"] / 1e9)["2019-06-01":"2019-12-31"].copy()
    sales["2019-11-05"] = np.nan
    asked = interrupted_time_series(sales, {"Double 11": Pulse("2019-11-11", "2019-11-11")})
    rows = asked.net(("2019-11-11", "2019-11-11"), before=10, after=10).table.set_index("what")
    assert rows["n"].to_dict() == {"window": 1, "before": 9, "after": 10, "net": 20}
