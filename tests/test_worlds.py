"""The simulated world holds what its truth says, comes out the same everywhere, and refuses what it cannot mean."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, norm

from toolkit import simulate
from toolkit.sources.definitions import platform_funnels, read
from toolkit.sources.dice import Dice
from toolkit.sources.mechanisms import PLATFORMS, Mechanisms
from toolkit.sources.truth import fingerprint

DATASETS = Path(__file__).parents[1] / "datasets"
CANONICAL = ["impression", "read", "enter", "product_shown", "product_click", "cart", "order", "pay"]


@pytest.fixture(scope="module")
def truth() -> dict:
    return json.loads((DATASETS / "truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def logs() -> dict[str, pd.DataFrame]:
    return {name: pd.read_parquet(DATASETS / "log" / f"{name}.parquet") for name in PLATFORMS}


def depths(log: pd.DataFrame, steps: list[str]) -> pd.DataFrame:
    """One row per visit, in plain pandas: how many steps it does, and of whom."""
    done = (
        log[log["event"].isin(steps)].groupby(["session_id", "event"]).size().unstack(fill_value=0)[steps] > 0
    )
    done = done[done["impression"]]
    about = log.groupby("session_id")[["user_id", "city_tier", "user_type", "relation"]].first()
    return about.loc[done.index].assign(depth=done.cumprod(axis=1).sum(axis=1), steps=done.sum(axis=1))


def test_a_rebuild_gives_the_rows_that_are_in_the_project(tmp_path, truth):
    world = simulate(tmp_path, users=truth["users"], seed=truth["seed"])
    assert world.truth["sha256"] == truth["sha256"]
    assert {name: fingerprint(DATASETS / "log" / f"{name}.parquet") for name in PLATFORMS} == truth["sha256"]
    drift = [
        key for key in ("parameters", "visit_rates", "rows", "funnels") if world.truth[key] != truth[key]
    ]
    assert not drift, "run: python datasets/make/log.py"


def test_the_log_is_small_about_a_million_rows_and_in_order_of_time(logs, truth):
    assert 0.9e6 < sum(len(log) for log in logs.values()) < 1.1e6
    for name, log in logs.items():
        assert (DATASETS / "log" / f"{name}.parquet").stat().st_size < 4_000_000
        assert len(log) == truth["rows"][name]
        assert log["timestamp"].is_monotonic_increasing
        china = log["timestamp"].dt.tz_convert("Asia/Shanghai").dt.date.astype(str)
        assert (china.min(), china.max()) == (truth["period"]["from"], truth["period"]["to"])


def test_orders_and_amounts_stand_on_order_pay_and_refund_only(logs):
    for log in logs.values():
        about_orders = log["event"].isin(["order", "pay", "refund"])
        assert (log["order_id"].notna() == about_orders).all()
        assert (log["amount"].notna() == about_orders).all()
        assert (log["amount"].dropna() > 0).all()
        assert (
            log.dropna(subset="order_id").groupby("order_id")[["user_id", "amount"]].nunique().max().max()
            == 1
        )
        times = log.pivot_table(index="order_id", columns="event", values="timestamp", aggfunc="min")
        assert (times["refund"].dropna() > times["pay"].reindex(times["refund"].dropna().index)).all()


def test_users_keep_their_tier_everywhere_and_some_are_on_several_platforms(logs, truth):
    people = pd.concat(log[["user_id", "platform", "city_tier"]].drop_duplicates() for log in logs.values())
    assert people["user_id"].nunique() == truth["users"]
    assert (people.groupby("user_id")["city_tier"].nunique() == 1).all()
    assert 0.1 < (people.groupby("user_id").size() > 1).mean() < 0.3


def test_activity_is_heavy_tailed_peaks_in_the_evening_and_ties_in_time(logs):
    for log in logs.values():
        rows = log.groupby("user_id").size()
        assert rows.quantile(0.999) > 15 * rows.median()
        hours = log["timestamp"].dt.tz_convert("Asia/Shanghai").dt.hour.value_counts(normalize=True)
        assert hours.idxmax() in (20, 21)
        assert hours[[19, 20, 21, 22]].sum() > 0.3
        assert log.duplicated(["user_id", "timestamp"]).sum() > 1000


def test_a_visit_does_a_step_only_after_the_step_before(logs, truth):
    for name, log in logs.items():
        visits = depths(log, truth["funnels"][name])
        assert (visits["depth"] == visits["steps"]).all()


def test_visits_show_the_planted_rates_by_tier_type_and_relation(logs, truth):
    rates = pd.DataFrame(truth["visit_rates"]).set_index(
        ["platform", "city_tier", "user_type", "relation", "step"]
    )["from_previous"]
    cells = []
    for name, log in logs.items():
        steps = truth["funnels"][name]
        for group, depth in depths(log, steps).groupby(["city_tier", "user_type", "relation"])["depth"]:
            for at, step in enumerate(steps[1:], start=1):
                n, k = int((depth >= at).sum()), int((depth > at).sum())
                cells.append((name, group[0], step, n, k, rates[(name, *group, step)]))
    cells = pd.DataFrame(cells, columns=["platform", "tier", "step", "n", "k", "rate"]).query("n > 0")
    assert len(cells) > 350
    p = np.array([binomtest(int(row.k), int(row.n), row.rate).pvalue for row in cells.itertuples()])
    assert p.min() > 0.001 / len(p)
    # As many small p-values as chance alone gives; discrete tests give fewer.
    assert (p < 0.05).mean() < 0.05 + 4 * np.sqrt(0.05 * 0.95 / len(p))
    # Small cells prove little alone: the same over user types and relations together.
    cells["expected"] = cells["n"] * cells["rate"]
    cells["variance"] = cells["expected"] * (1 - cells["rate"])
    tiers = cells.groupby(["platform", "tier", "step"])[["k", "expected", "variance"]].sum()
    z = (tiers["k"] - tiers["expected"]) / np.sqrt(tiers["variance"])
    assert z.abs().max() < norm.ppf(1 - 0.01 / 2 / len(z))


@pytest.mark.parametrize("name", PLATFORMS)
def test_users_reach_steps_within_a_day_as_often_as_their_visits_make_expected(name, logs, truth):
    from toolkit import funnel, read_events

    steps = truth["funnels"][name]
    table = funnel(read_events(logs[name]), steps, within="1d").table
    expected = pd.DataFrame(truth["user_rates"]).query("platform == @name and city_tier == 'all'")["expected"]
    share = expected.to_numpy() / expected.iloc[0]
    spread = np.sqrt(expected.iloc[0] * share * (1 - share))
    # Bonferroni over the 19 steps of the four platforms; half a per cent for chains that mix two visits.
    limit = norm.ppf(1 - 0.01 / 2 / 19) * spread + 0.005 * expected.to_numpy()
    assert (np.abs(table["reached"].to_numpy() - expected.to_numpy()) <= limit).all()


def test_douyin_viewers_in_upper_tiers_enter_more_and_pay_less(logs, truth):
    depth = depths(logs["douyin"], truth["funnels"]["douyin"]).groupby("city_tier")["depth"]
    enter = depth.apply(lambda d: (d >= 2).mean())
    paid = depth.apply(lambda d: (d == 5).sum() / (d >= 2).sum())
    assert enter["tier_1"] > 1.2 * enter["tier_5"]
    assert paid["tier_1"] < 0.5 * paid["tier_5"]


def test_kuaishou_fans_buy_again_and_two_creators_carry_taobao_live(logs, truth):
    pays = logs["kuaishou"].query("event == 'pay'").groupby("relation")["user_id"]
    again = pays.apply(lambda users: (users.value_counts() > 1).mean())
    assert again["fan"] > 2 * again["non_fan"]
    counts = {row["platform"]: row for row in truth["counts"]}
    share = {name: row["buyers_twice"] / row["buyers"] for name, row in counts.items()}
    assert max(share, key=share.get) == "kuaishou"
    assert counts["taobao_live"]["head_gmv_share"] > 0.3
    assert all(counts[name]["head_gmv_share"] < 0.2 for name in PLATFORMS if name != "taobao_live")


def test_counts_of_the_truth_are_those_of_the_log(logs, truth):
    for row in truth["counts"]:
        log = logs[row["platform"]]
        pays = log[log["event"] == "pay"]
        assert row["users"] == log["user_id"].nunique()
        assert row["sessions"] == log["session_id"].nunique()
        assert row["orders_paid"] == len(pays)
        assert row["buyers"] == pays["user_id"].nunique()
        assert row["gmv"] == pytest.approx(pays["amount"].sum())


def test_refunds_come_as_often_as_planted_where_their_ten_days_are_over(logs):
    refund = Mechanisms().values
    for name, log in logs.items():
        pays = log[
            (log["event"] == "pay") & (log["timestamp"] < log["timestamp"].max() - pd.Timedelta("10D"))
        ]
        back = pays["order_id"].isin(log.loc[log["event"] == "refund", "order_id"])
        assert binomtest(int(back.sum()), len(back), refund[f"orders.refund.{name}"]).pvalue > 1e-4


def test_some_purchases_are_finished_in_a_later_session(logs, truth):
    for name, log in logs.items():
        pays = log[log["event"] == "pay"]
        with_impression = set(log.loc[log["event"] == "impression", "session_id"])
        assert 0.02 < (~pays["session_id"].isin(with_impression)).mean() < 0.5, name


def test_the_same_seed_gives_the_same_world_and_another_seed_another(tmp_path):
    first, same, other = (
        simulate(tmp_path / str(at), users=300, seed=seed).truth["sha256"]
        for at, seed in enumerate([5, 5, 6])
    )
    assert first == same
    assert first != other


def test_larger_worlds_are_written_in_parts_that_share_no_user_session_or_order(tmp_path, monkeypatch):
    from toolkit.sources import worlds

    monkeypatch.setattr(worlds, "PART", 400)
    world = simulate(tmp_path, users=1000, seed=1)
    log = pd.concat(pd.read_parquet(path) for path in world.paths.values())
    assert log["user_id"].nunique() == 1000
    assert (log.groupby(["platform", "session_id"])["user_id"].nunique() == 1).all()
    assert (log.groupby("order_id")["user_id"].nunique() == 1).all()
    assert len(log) == sum(world.truth["rows"].values())


def test_one_user_is_a_world_too(tmp_path):
    world = simulate(tmp_path, users=1)
    assert sum(row["users"] for row in world.truth["counts"]) == 1
    assert repr(world).startswith("World: ")
    assert "simulated" in repr(world)


def test_a_changed_parameter_changes_the_log_and_is_named_in_the_truth(tmp_path):
    world = simulate(tmp_path, users=2000, seed=1, parameters={"steps.enter.douyin": 0.0})
    log = pd.read_parquet(world.paths["douyin"])
    assert set(log["event"]) == {"impression"}
    changed = [row for row in world.truth["parameters"] if row["kind"] == "changed by the caller"]
    assert [(row["name"], row["value"]) for row in changed] == [("steps.enter.douyin", 0.0)]


def test_a_world_may_be_written_again_where_it_was(tmp_path):
    simulate(tmp_path, users=50, seed=1)
    again = simulate(tmp_path, users=50, seed=2)
    assert {name: fingerprint(path) for name, path in again.paths.items()} == again.truth["sha256"]
    assert sorted(path.name for path in (tmp_path / "log").iterdir()) == sorted(
        f"{p}.parquet" for p in PLATFORMS
    )


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"users": 0}, ValueError, "users must be 1 or more, not 0"),
        ({"users": 1.5}, TypeError, "users is a whole number, not 1.5"),
        ({"seed": -1}, ValueError, "seed must be 0 or more"),
        ({"parameters": {"steps.entre.douyin": 0.1}}, ValueError, "did you mean 'steps.enter.douyin'?"),
        ({"parameters": {"steps.enter.douyin": 1.2}}, ValueError, "probability from 0 to 1, not 1.2"),
        ({"parameters": {"steps.enter.douyin": "a third"}}, TypeError, "not 'a third'"),
        ({"parameters": {"tiers.mix.douyin": [1, 2]}}, TypeError, "is 6 numbers"),
        ({"parameters": {"tiers.mix.douyin": [0] * 6}}, ValueError, "at least one weight"),
        ({"parameters": {"visits.most": 2.5}}, ValueError, "whole number"),
        ({"parameters": {f"users.share.{p}": 0 for p in PLATFORMS}}, ValueError, "at least one platform"),
    ],
)
def test_what_cannot_be_simulated_is_refused_with_the_fix(tmp_path, arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        simulate(tmp_path, **{"users": 10, **arguments})
    assert not list(tmp_path.iterdir())


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "douyin.parquet").write_text("mine")
    with pytest.raises(ValueError, match=r"already holds 'douyin.parquet'"):
        simulate(tmp_path, users=10)
    assert (tmp_path / "log" / "douyin.parquet").read_text() == "mine"


def test_an_interrupted_simulation_leaves_no_half_written_log(tmp_path, monkeypatch):
    from toolkit.sources import worlds

    simulate(tmp_path, users=20, seed=1)
    before = {path.name: path.read_bytes() for path in (tmp_path / "log").iterdir()}

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(worlds, "_drawn", interrupted)
    with pytest.raises(KeyboardInterrupt):
        simulate(tmp_path, users=20, seed=2)
    assert {path.name: path.read_bytes() for path in (tmp_path / "log").iterdir()} == before


def test_draws_have_the_median_and_the_weights_asked_for():
    dice = Dice(1)
    waits = dice.wait(1000, 10**9, 20_000)
    assert abs((waits < 1000).mean() - 0.5) < 4 * 0.5 / np.sqrt(20_000)
    shares = np.bincount(dice.pick([1, 0, 3], 20_000), minlength=3) / 20_000
    assert shares[1] == 0
    assert abs(shares[2] - 0.75) < 0.015
    assert dice.chance(1.0, 1000).all()
    assert not dice.chance(0.0, 1000).any()


def test_funnels_keep_the_canonical_order_and_every_step_has_header_and_source():
    funnels = platform_funnels()
    assert sorted(funnels) == sorted(PLATFORMS)
    for steps in funnels.values():
        at = [CANONICAL.index(step["event"]) for step in steps]
        assert all(a < b for a, b in pairwise(at))
        assert all(step[key] for step in steps for key in ("event", "header", "counts", "source"))
    shared = set.intersection(*({step["event"] for step in steps} for steps in funnels.values()))
    assert shared == {"impression", "enter", "product_click", "pay"}


def test_every_parameter_has_a_reason_and_a_public_figure_names_its_source():
    mechanisms = Mechanisms()
    assert len(mechanisms.values) > 80
    for name, about in mechanisms.about.items():
        assert about["kind"] in ("assumption", "public figure"), name
        assert len(about["reason"]) > 10, name
        assert ("source" in about) == (about["kind"] == "public figure"), name
        assert mechanisms._checked(name, mechanisms.values[name]) == mechanisms.values[name]
    assert read("mechanisms").keys() >= {"users", "visits", "tiers", "steps", "new", "fan", "orders"}


def test_tier_mixes_sum_to_the_published_share_of_lower_tiers():
    for name, public in (("douyin", 0.587), ("kuaishou", 0.649)):
        mix = Mechanisms().values[f"tiers.mix.{name}"]
        assert sum(mix[3:]) / sum(mix) == pytest.approx(public, abs=5e-4)


def figures() -> pd.DataFrame:
    return pd.read_csv(DATASETS / "public_figures.csv", dtype=str, keep_default_na=False)


def events() -> pd.DataFrame:
    return pd.read_csv(DATASETS / "events.csv", dtype=str, keep_default_na=False)


def test_public_figures_are_numbers_with_a_period_a_unit_and_a_source():
    table = figures()
    assert list(table.columns) == [
        "platform", "metric", "period_start", "period_end", "value", "unit", "source_title",
        "source_publisher", "source_date", "source_url", "quote_or_note",
    ]  # fmt: skip
    assert len(table) > 150
    start, end = (pd.to_datetime(table[name], format="%Y-%m-%d") for name in ("period_start", "period_end"))
    assert (start <= end).all()
    only_direction = table["value"] == ""
    assert table.loc[only_direction, "unit"].str.startswith("direction:").all()
    assert pd.to_numeric(table.loc[~only_direction, "value"]).notna().all()
    assert (table[["platform", "metric", "unit", "source_title", "source_publisher"]] != "").all(axis=None)
    assert not table.duplicated().any()


def test_events_have_a_date_a_kind_and_a_source():
    table = events()
    assert list(table.columns) == ["platform", "event", "date", "kind", "source_title", "source_url", "note"]
    assert table["date"].str.fullmatch(r"20\d\d(-[01]\d(-[0-3]\d)?)?").all()
    pd.to_datetime(table["date"], format="ISO8601")
    assert (table[["platform", "event", "kind", "source_title"]] != "").all(axis=None)
    assert not table.duplicated(["platform", "event", "date"]).any()


@pytest.mark.parametrize("table", [figures(), events()], ids=["figures", "events"])
def test_sources_are_public_pages(table):
    without = table["source_url"] == ""
    assert set(table.loc[without, "source_title"]) <= {
        "What secrets are hidden behind Xiaohongshu's live streaming?"
    }
    assert table.loc[~without, "source_url"].str.match(r"https?://[\w.-]+\.[a-z]{2,}/?\S*$").all()
    assert (
        not table["source_url"]
        .str.contains(r"amazonaws|cloudfront|netlify|localhost|\d+\.\d+\.\d+\.\d+")
        .any()
    )


def test_the_data_dictionary_opens_with_simulated_and_names_every_column(logs, truth):
    text = (DATASETS / "README.md").read_text(encoding="utf-8")
    assert text.startswith("**Simulated:**")
    assert all(f"| `{column}` |" in text for column in logs["douyin"].columns)
    assert f"{sum(truth['rows'].values()):,} rows of {truth['users']:,} users" in text
    assert f"{len(figures())} published figures" in text
    assert f"{len(events())} dated events" in text
