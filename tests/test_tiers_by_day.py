"""Platforms and tiers day by day: gaps, mixes and rates are as sure as days are alike, not as people are many."""

import numpy as np
import pandas as pd
import pytest

from toolkit import Funnel, compare
from toolkit.clusters import Clusters
from toolkit.propagation import Precision
from toolkit.tiers.cell_clusters import CellClusters

SWINGING = [0.10, 0.14, 0.08, 0.12, 0.09, 0.13, 0.11]
#: Rates that swing as much, in another order.
OTHERWISE = [0.12, 0.08, 0.13, 0.09, 0.14, 0.10, 0.11]


def days(platform, small, large, first="2024-10-21", n=(6000, 4000)):
    """A row a day and tier, with rates by day of the small and of the large tier."""
    dates = pd.date_range(first, periods=len(small)).strftime("%Y-%m-%d")
    rows = [
        {"platform": platform, "city_tier": tier, "date": date, "n": size, "converted": round(size * rate)}
        for date, *rates in zip(dates, small, large, strict=True)
        for tier, size, rate in zip(("small", "large"), n, rates, strict=True)
    ]
    return pd.DataFrame(rows)


def apart(**more):
    """Two platforms, each seen on days of its own."""
    second = days("B", [rate * 0.95 for rate in OTHERWISE], SWINGING, first="2024-11-04", n=(4000, 6000))
    return pd.concat([days("A", SWINGING, OTHERWISE), second]).assign(**more)


def part(gaps, name):
    return gaps.table.set_index("part").loc[name]


def test_a_gap_over_days_is_as_sure_as_days_are_alike_and_its_estimates_stay():
    by_day, alone = compare(apart(), cluster="date"), compare(apart())
    np.testing.assert_allclose(by_day.table["estimate"], alone.table["estimate"])
    clustered, plain = part(by_day, "gap"), part(alone, "gap")
    assert clustered["low"] < 0 < clustered["high"]
    assert clustered["high"] - clustered["low"] > 2 * (plain["high"] - plain["low"])
    assert "intervals are clustered by date (7 a group)" in by_day.sentence()
    assert "cluster='date'" in alone.sentence()


def test_the_gap_is_that_of_two_clustered_rates_with_the_freedom_of_their_difference():
    """Welch's: 6 degrees of freedom a side, variances nearly equal."""
    gaps = compare(apart(), cluster="date")
    whole = gaps.counts.clusters.whole
    p = (apart().groupby(["platform", "date"])[["n", "converted"]].sum()).eval("converted / n")
    for at, name in enumerate("AB"):
        error = p[name].std(ddof=1) / np.sqrt(7)
        known = whole.rate(1, 0).at(at)
        assert np.sqrt(known.estimate * (1 - known.estimate) / known.size) == pytest.approx(error)
    one, two, together = gaps.counts.crude_pair((0, 1))
    assert together == 0
    assert 11 < one.freedom <= 12
    assert one.freedom == two.freedom


def test_a_mix_that_is_the_same_every_day_is_known_and_one_that_swings_is_not():
    steady = compare(apart(), cluster="date")
    swinging = apart()
    odd = (pd.to_datetime(swinging["date"]).dt.day % 2 == 0).to_numpy()
    small = (swinging["city_tier"] == "small").to_numpy()
    swinging["n"] += np.where(odd == small, 2000, -2000)
    swinging["converted"] = (swinging["n"] * apart()["converted"] / apart()["n"]).round().astype(int)
    unsure = compare(swinging, cluster="date")
    sizes = [found.counts.clusters.mixes.rate(1, 0).size for found in (steady, unsure)]
    assert sizes[0] == pytest.approx([70_000] * 4)
    assert (sizes[1] < 1000).all()


def test_days_on_which_all_tiers_fall_together_make_the_rate_component_as_unsure_as_the_gap():
    together = pd.concat([days("A", SWINGING, SWINGING), days("B", OTHERWISE, OTHERWISE, first="2024-11-04")])
    opposite = ([0.22 - rate for rate in rates] for rates in (SWINGING, OTHERWISE))
    scattered = pd.concat(
        days(name, rates, next(opposite), first, n=(5000, 5000))
        for name, rates, first in (("A", SWINGING, "2024-10-21"), ("B", OTHERWISE, "2024-11-04"))
    )
    one, two = (compare(rows, cluster="date") for rows in (together, scattered))
    widths = [part(found, "rate")["high"] - part(found, "rate")["low"] for found in (one, two)]
    assert widths[0] > 4 * widths[1]
    gap = part(one, "gap")
    assert widths[0] == pytest.approx(gap["high"] - gap["low"], rel=0.1)


def test_platforms_seen_on_the_same_days_are_compared_day_by_day():
    lower = [rate - 0.01 for rate in SWINGING]
    rows = pd.concat([days("A", SWINGING, SWINGING), days("B", lower, lower)])
    gap = part(compare(rows, cluster="date"), "gap")
    assert gap["low"] > 0
    assert gap["p"] < 0.001
    assert gap["high"] - gap["low"] < 0.01


def test_a_funnel_by_day_hands_its_days_on():
    wide = apart().rename(columns={"n": "enter", "converted": "pay"})
    tidy = wide.melt(["platform", "city_tier", "date"], ["enter", "pay"], var_name="step", value_name="n")
    tidy = tidy.sort_values(["platform", "city_tier", "date", "step"], ignore_index=True)
    of_funnel = compare(Funnel.from_counts(tidy, cluster="date"))
    of_table = compare(apart(), cluster="date")
    order = ["estimate", "low", "high", "p"]
    np.testing.assert_allclose(of_funnel.table[order], of_table.table[order])
    assert "clustered by date" in of_funnel.sentence()


def test_what_is_asked_further_stands_on_days_too():
    by_day, alone = compare(apart(), cluster="date"), compare(apart())
    for ask in ("by_tier", "rates_by_tier", "standardised", "sensitivity", "reversal", "effects", "ratios"):
        one, two = (getattr(found, ask)().table for found in (by_day, alone))
        wider = (one["high"] - one["low"]) - (two["high"] - two["low"])
        assert wider.max() > 0, ask
        assert "clustered by date" in getattr(by_day, ask)().sentence()
    logit = by_day.logit().table
    assert (logit["high"] - logit["low"] > (alone.logit().table["high"] - alone.logit().table["low"])).all()
    with pytest.raises(ValueError, match="clustered by date.*by_tier"):
        by_day.tests()


def test_pooled_and_excluded_tiers_are_those_of_every_day():
    third = apart().assign(city_tier="village")
    rows = pd.concat([apart(), third])
    pooled = compare(rows, pool={"village": "small"}, cluster="date")
    by_hand = compare(rows.replace({"city_tier": {"village": "small"}}), cluster="date")
    pd.testing.assert_frame_equal(pooled.table, by_hand.table)
    left = compare(rows, exclude=["village"], cluster="date")
    pd.testing.assert_frame_equal(left.table, compare(apart(), cluster="date").table)


def on_one_day(rows):
    """The rows, the small tier of A on its first day alone."""
    return rows[~((rows["platform"] == "A") & (rows["city_tier"] == "small") & (rows["date"] > "2024-10-21"))]


@pytest.mark.parametrize(
    ("rows", "cluster", "message"),
    [
        (apart(), "dat", r"no column 'dat' in the counts \(did you mean 'date'"),
        (on_one_day(apart()), "date", "A small have 1 cluster of 'date'"),
        (
            apart()[lambda rows: rows["date"].isin(["2024-10-21", "2024-11-04"])],
            "date",
            "1 cluster of 'date'",
        ),
        (apart().assign(date=[None, *apart()["date"][1:]]), "date", "date is missing"),
        (apart(), "city_tier", "a column of the comparison itself"),
        (
            pd.concat([days("A", SWINGING, SWINGING), days("B", SWINGING, SWINGING, first="2024-10-27")]),
            "date",
            "1 cluster of 'date' lies in A and in B",
        ),
    ],
)
def test_clusters_that_cannot_be_are_refused(rows, cluster, message):
    with pytest.raises(ValueError, match=message):
        compare(rows, cluster=cluster)


def test_a_cluster_belongs_to_a_table():
    funnel = Funnel.from_counts(
        pd.DataFrame({"platform": list("AABB"), "city_tier": "x", "step": ["a", "b"] * 2, "n": [9, 3, 9, 4]})
    )
    with pytest.raises(ValueError, match=r"Funnel\.from_counts, which hands it on"):
        compare(funnel, cluster="date")


def test_rounded_counts_make_rates_and_mixes_less_sure():
    by_day = np.array([[[60, 6], [40, 2]], [[50, 7], [50, 3]], [[70, 6], [30, 2]]], float)
    exact = CellClusters(Clusters("date", by_day), 2)
    rounded = CellClusters(Clusters("date", by_day, rounding=np.full(by_day.shape, 25 / 3)), 2)
    for name in ("cells", "whole", "mixes"):
        one, two = (getattr(found, name).rate(1, 0).size for found in (exact, rounded))
        assert (two < one).all(), name


def test_a_function_of_one_block_has_its_degrees_of_freedom_and_of_two_blocks_their_sum():
    rates, two = np.array([0.3, 0.3]), np.ones(2)
    errors = np.sqrt(rates * (1 - rates) / 1e4)
    known = Precision(rates, 1e4 * two, 6 * two, errors, two > 0, np.eye(2), blocks=np.array([0, 1]))
    joined = Precision(rates, 1e4 * two, 6 * two, errors, two > 0, np.eye(2), blocks=np.array([0, 0]))
    difference = np.array([1.0, -1.0])
    t_of_6, t_of_12 = 2.446912, 2.178813
    assert known.reach(difference, 0.95) == pytest.approx(t_of_12 * np.hypot(*errors), rel=1e-5)
    assert joined.reach(difference, 0.95) == pytest.approx(t_of_6 * np.hypot(*errors), rel=1e-5)
    assert known.reach(np.array([1.0, 0.0]), 0.95) == pytest.approx(t_of_6 * errors[0], rel=1e-5)
