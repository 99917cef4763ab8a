"""Sums over days: their intervals stand on how much days differ, not on how many people came."""

import numpy as np
import pandas as pd
import pytest

from toolkit import Funnel, split_product
from toolkit.clusters import Clusters
from toolkit.dates import day_numbers

STEPS = ["enter", "pay"]


def days(rates, first="2024-10-21", n=10_000, **more):
    """One row a day and step; the rate to pay by day."""
    dates = pd.date_range(first, periods=len(rates)).strftime("%Y-%m-%d")
    rows = [
        {**more, "date": date, "step": step, "n": number}
        for date, rate in zip(dates, rates, strict=True)
        for step, number in (("enter", n), ("pay", round(n * rate)))
    ]
    return pd.DataFrame(rows)


SWINGING = [0.10, 0.14, 0.08, 0.12, 0.09, 0.13, 0.11]


def test_a_rate_over_days_is_sum_over_sum_with_a_t_interval_of_the_ratio_estimator():
    rate = Funnel.from_counts(days(SWINGING), cluster="date").step_counts.rate("pay")
    p = np.array(SWINGING)
    error = p.std(ddof=1) / np.sqrt(7)
    assert rate.estimate == pytest.approx(p.mean())
    assert np.sqrt(p.mean() * (1 - p.mean()) / rate.size) == pytest.approx(error)
    assert rate.freedom == pytest.approx(6)


def test_days_of_unlike_size_have_fewer_degrees_of_freedom():
    found = Clusters("date", np.array([[9000, 900], [100, 10], [100, 12], [100, 9]])[:, None, :])
    assert found.freedom[0] < 1.5


def test_days_that_swing_make_two_equal_spans_indistinguishable():
    both = pd.concat(
        [
            days(SWINGING, span="before"),
            days([rate * 0.95 for rate in SWINGING], first="2024-10-28", span="after"),
        ]
    )
    clustered = Funnel.from_counts(both, cluster="date").compare(to="before")
    plain = Funnel.from_counts(both.groupby(["span", "step"], sort=False)["n"].sum().reset_index())
    assert clustered.table["p_adjusted"].min() > 0.05 > plain.compare(to="before").table["p_adjusted"].min()
    assert "clustered by date (7 a group)" in clustered.sentence()
    assert "cluster=" in plain.sentence()


def test_a_weekly_pattern_is_no_chance_where_each_weekday_came_twice():
    week = [0.08, 0.08, 0.09, 0.10, 0.10, 0.13, 0.12]
    wobble = np.array([1.01, 0.99, 1.0, 1.01, 0.99, 1.0, 1.01])
    pattern = [*(week * wobble), *(week / wobble)]
    found = Funnel.from_counts(days(pattern), cluster="date").step_counts.clusters
    assert found.weekly
    assert found.freedom[0] == pytest.approx(7)
    once = Funnel.from_counts(days(week), cluster="date").step_counts.clusters
    assert not once.weekly
    assert found.rate(1, 0).size > 5 * once.rate(1, 0).size


def test_neighbouring_days_that_are_alike_widen_the_interval_and_are_said():
    walk = [0.1 + 0.02 * np.sin(day / 5) + 0.002 * (-1) ** day for day in range(30)]
    shuffled = np.random.default_rng(1).permutation(walk)
    alike, mixed = (Funnel.from_counts(days(rates), cluster="date") for rates in (walk, shuffled))
    assert alike.step_counts.rate("pay").size < mixed.step_counts.rate("pay").size / 3
    assert "alike" in alike.sentence()
    assert "alike" not in mixed.sentence()


def test_groups_seen_on_the_same_days_are_compared_day_by_day():
    rows = pd.concat([days(SWINGING, platform="a"), days([rate - 0.01 for rate in SWINGING], platform="b")])
    compared = Funnel.from_counts(rows, cluster="date").compare(to="b")
    line = compared.table.iloc[0]
    assert line["high"] - line["low"] < 0.01
    assert line["p"] < 0.001
    assert "shared between groups allowed for" in compared.sentence()


def test_rows_of_days_may_come_in_any_order():
    rows = days(SWINGING, platform="a")
    shuffled = pd.concat([part for _, part in list(rows.groupby("date"))[::-1]])
    first, second = (Funnel.from_counts(frame, cluster="date").table for frame in (rows, shuffled))
    pd.testing.assert_frame_equal(first, second)


def test_a_table_whose_groups_are_days_says_how_to_pass_them():
    assert "cluster='date'" in Funnel.from_counts(days(SWINGING)).sentence()
    twice = days(SWINGING).drop(columns="date")
    with pytest.raises(ValueError, match="name their column: cluster="):
        Funnel.from_counts(twice)


@pytest.mark.parametrize(
    ("frame", "cluster", "message"),
    [
        (days(SWINGING), "dat", r"no column 'dat' in the counts \(did you mean 'date'"),
        (days([0.1]), "date", "1 cluster of 'date'"),
        (days(SWINGING).assign(date=[None, *days(SWINGING)["date"][1:]]), "date", "date is missing"),
        (days(SWINGING), "step", "a column of the funnel itself"),
    ],
)
def test_clusters_that_cannot_be_are_refused(frame, cluster, message):
    with pytest.raises(ValueError, match=message):
        Funnel.from_counts(frame, cluster=cluster)


def test_a_day_on_both_sides_is_refused():
    both = pd.concat([days(SWINGING, span="before"), days(SWINGING, first="2024-10-27", span="after")])
    with pytest.raises(ValueError, match="1 cluster of 'date' lies in after and in before"):
        Funnel.from_counts(both, cluster="date").compare(to="before")


@pytest.mark.parametrize(
    ("labels", "are"),
    [
        (["2024-10-21", "2024-10-22"], True),
        (["2024/10/21", "2024年10月22日"], True),
        ([20241021, 20241022], True),
        (pd.to_datetime(["2024-10-21", "2024-10-22"]), True),
        (["s1", "s2"], False),
        ([1, 2], False),
        (pd.to_datetime(["2024-10-21 20:00", "2024-10-22 21:00"]), False),
    ],
)
def test_days_are_known_by_their_form(labels, are):
    assert (day_numbers(labels) is not None) == are


def test_no_one_who_pays_leaves_an_interval_of_the_people():
    rate = Funnel.from_counts(days([0, 0, 0]), cluster="date").step_counts.rate("pay")
    assert rate.interval()[1] > 0


def test_a_split_over_days_is_as_sure_as_days_are_alike():
    both = pd.concat(
        [
            days(SWINGING, platform="a"),
            days([rate - 0.02 for rate in SWINGING[::-1]], "2024-10-28", platform="b"),
        ]
    )
    wide = both.pivot(index=["platform", "date"], columns="step", values="n").reset_index()
    clustered = split_product(wide, steps=STEPS, cluster="date", to="b")
    plain = split_product(wide, steps=STEPS, to="b")
    row, alone = clustered.table.iloc[0], plain.table.iloc[0]
    assert row["estimate"] == pytest.approx(alone["estimate"])
    assert row["low"] < 0 < alone["low"]
    assert "clustered by date" in clustered.sentence()
    assert "cluster=" in plain.sentence()
    of_funnel = split_product(Funnel.from_counts(both, cluster="date"), to="b")
    assert of_funnel.table["low"].iloc[0] == pytest.approx(row["low"])


def test_a_split_refuses_clusters_that_it_cannot_use():
    wide = days(SWINGING, platform="a").pivot(index=["platform", "date"], columns="step", values="n")
    wide = wide.reset_index().assign(amount=1.0)
    with pytest.raises(ValueError, match="no column 'dat'"):
        split_product(wide, steps=STEPS, cluster="dat")
    with pytest.raises(ValueError, match="with an amount is not offered"):
        split_product(wide, steps=STEPS, cluster="date", amount="amount")


def test_two_funnels_by_day_are_compared_as_two_groups_of_one_funnel():
    before, after = days(SWINGING), days([rate * 0.6 for rate in SWINGING[::-1]], first="2024-10-28")
    apart = Funnel.from_counts(after, cluster="date").compare(to=Funnel.from_counts(before, cluster="date"))
    both = pd.concat([after.assign(funnel="this"), before.assign(funnel="reference")])
    together = Funnel.from_counts(both, cluster="date").compare(to="reference")
    pd.testing.assert_frame_equal(apart.table, together.table)
    assert "clustered by date (7 a group)" in apart.sentence()


def test_two_funnels_seen_on_the_same_days_are_compared_day_by_day():
    ours, theirs = days(SWINGING), days([rate - 0.01 for rate in SWINGING])
    compared = Funnel.from_counts(ours, cluster="date").compare(to=Funnel.from_counts(theirs, cluster="date"))
    assert compared.table.iloc[0]["high"] - compared.table.iloc[0]["low"] < 0.01
    sessions = [
        Funnel.from_counts(rows.assign(date="s" + rows["date"]), cluster="date") for rows in (ours, theirs)
    ]
    by_name = sessions[0].compare(to=sessions[1])
    assert by_name.table.iloc[0]["low"] == pytest.approx(compared.table.iloc[0]["low"])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            Funnel.from_counts(days(SWINGING).drop(columns="date").drop_duplicates("step")),
            "give both cluster=",
        ),
        (
            Funnel.from_counts(days(SWINGING).rename(columns={"date": "room"}), cluster="room"),
            "clustered by 'date', the other by 'room'",
        ),
        (
            Funnel.from_counts(days(SWINGING, first="2024-10-27"), cluster="date"),
            "1 cluster of 'date' lies in",
        ),
    ],
)
def test_two_funnels_whose_clusters_do_not_fit_are_refused(other, message):
    with pytest.raises(ValueError, match=message):
        Funnel.from_counts(days(SWINGING), cluster="date").compare(to=other)


def test_counts_that_were_rounded_add_a_third_of_the_squared_half_width():
    exact = days(SWINGING)
    rounded = exact.assign(half_width=np.where(exact["step"] == "enter", 500, 0))
    one, two = (Funnel.from_counts(rows, cluster="date").step_counts.rate("pay") for rows in (exact, rounded))
    p, n = one.estimate[0], 70_000
    variances = [p * (1 - p) / rate.size[0] for rate in (one, two)]
    assert variances[1] - variances[0] == pytest.approx(7 * p**2 * 500**2 / 3 / n**2)
    both = pd.concat([rounded.assign(span="a"), rounded.assign(span="b")])
    spans = Funnel.from_counts(both, cluster="date").step_counts.rate("pay")
    assert spans.size == pytest.approx([two.size[0]] * 2)


def test_half_widths_without_a_cluster_are_refused():
    with pytest.raises(ValueError, match="half_width.*cluster="):
        Funnel.from_counts(days(SWINGING).assign(half_width=500))


def test_a_split_refuses_a_day_on_both_sides():
    both = pd.concat([days(SWINGING, platform="a"), days(SWINGING, first="2024-10-27", platform="b")])
    with pytest.raises(ValueError, match="1 cluster of 'date' lies in b and in a|lies in a and in b"):
        split_product(Funnel.from_counts(both, cluster="date"), to="b")
