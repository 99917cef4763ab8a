"""The simulated creators: the same rows from the same seed, the public anchors, and what was planted found again."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from toolkit.scenarios.creators import concentration, eligible, fit_and_conversion, jump, moves, shrink, tail
from toolkit.scenarios.promotion import holdout, without_holdout
from toolkit.sources.creators import simulate_creators
from toolkit.sources.truth import fingerprint

FOLDER = Path(__file__).parents[1] / "datasets" / "creators"
TRUTH = json.loads((FOLDER / "truth.json").read_text(encoding="utf-8"))
PLANTED = TRUTH["planted"]


def table(name):
    return pd.read_parquet(FOLDER / f"{name}.parquet")


def test_the_tables_come_again_from_their_seed(tmp_path):
    assert simulate_creators(tmp_path)["sha256"] == TRUTH["sha256"]


def test_the_files_are_those_of_the_truth_and_small():
    for name, known in TRUTH["sha256"].items():
        assert fingerprint(FOLDER / f"{name}.parquet") == known
    sizes = [path.stat().st_size for path in FOLDER.iterdir()]
    assert max(sizes) < 4e6
    assert sum(sizes) < 8e6


def test_as_many_qualify_as_were_published():
    creators = table("creators")
    for day, published in (("2019-05-09", 20_000), ("2019-05-10", 5_513)):
        assert len(eligible(creators, day).creators) == pytest.approx(published, rel=0.01)


def test_the_jump_of_fee_income_is_found_after_the_rule_only():
    rows = table("thresholds")
    before, after = (
        jump(rows[rows["month"] == month], x="fans", y="fee_income", cutoff=5000).table.iloc[0]
        for month in ("2019-04", "2019-06")
    )
    assert before["low"] < 0 < before["high"]
    assert after["low"] < PLANTED["threshold"]["jump"] < after["high"]
    assert after["low"] > 0


def test_the_monthly_moves_are_found():
    ladder = PLANTED["ladder"]
    months = table("months")
    found = moves(months[months["month"] < ladder["plan_from"]], order=ladder["bands"]).table
    found = found[~found["from"].isin(["new"]) & (found["to"] != "gone")]
    stayed = found.groupby("from")["moves"].transform("sum")
    given_stay = (found["moves"] / stayed).to_numpy().reshape(4, 4)
    np.testing.assert_allclose(given_stay, np.array(ladder["moves"]), atol=0.012)


def test_the_spread_of_anchors_is_found():
    rows = table("sessions")
    traffic = pd.DataFrame({"paid": rows["share_paid"], "fans": np.log(rows["fans"] / rows["viewers"])})
    found = shrink(
        rows["fan_buyers"] + rows["other_buyers"], rows["viewers"], anchor=rows["creator"], traffic=traffic
    )
    assert found.anchors.low < PLANTED["live"]["anchor_sd"] < found.anchors.high


def test_the_slope_of_fit_is_found():
    found = fit_and_conversion(table("goods"), conversions="buyers", n="visits", covariates=("off_label",))
    rows = found.table.set_index("term")
    for term, planted in (("fit", PLANTED["fit"]["cosine"]), ("off_label", PLANTED["fit"]["off_label"])):
        assert rows.loc[term, "low"] < planted < rows.loc[term, "high"]


def test_the_return_of_a_promotion_is_found_and_three_times_as_much_is_reported():
    plan, rows = PLANTED["promotion"], table("promotions")
    test = rows[rows["arm"].isin(["held", "promoted"])]
    shares = {"held": plan["held"], "promoted": 1 - plan["held"]}
    found = holdout(
        test,
        arm="arm",
        outcome="orders",
        held="held",
        planned=shares,
        cost=test["spend"].sum(),
        margin=plan["margin"],
    ).table.set_index("quantity")
    assert found.loc["roi", "low"] < plan["iroi"] < found.loc["roi", "high"]
    assert found.loc["reported_roi", "estimate"] == pytest.approx(plan["reported"], rel=0.05)


def test_two_creators_hold_what_was_planted_and_the_tail_is_zipfs():
    sales = table("sales")
    before = sales[(sales["platform"] == "taobao_live") & (sales["month"] < PLANTED["head"]["leaves"])]
    held = concentration(before.groupby("creator")["gmv"].sum(), question="this set").value("top2")
    assert held == pytest.approx(PLANTED["head"]["share"], abs=0.015)
    products = table("products")
    listed = products[products["platform"] == "xiaohongshu"]["orders"]
    row = tail(listed).table.set_index("measure").loc["survival_exponent"]
    assert row["low"] < 1 / PLANTED["tail"]["zipf"] < row["high"]


def test_what_a_launch_brings_is_found_by_band():
    plan, rows = PLANTED["launch"], table("launch")
    rows = rows.assign(exposure=np.log(rows["exposure"]), after=rows["month"].isin(plan["after"]))
    means = rows.pivot_table(
        index=["creator", "band", "live"], columns="after", values="exposure"
    ).reset_index()
    for band, gain in zip(plan["bands"], plan["gain"], strict=True):
        own = means[means["band"] == band].rename(columns={False: "before", True: "now"})
        found = without_holdout(own, treated="live", outcome="now", before="before").table.set_index("method")
        row = found.loc["difference in differences"]
        assert row["low"] < np.log1p(gain) < row["high"]
