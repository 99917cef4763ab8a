"""Hostile input to scenarios: what may be lost, or taken for something else, without a word; one test a kind."""

from datetime import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from toolkit.scenarios.creators import (
    bands,
    bunching,
    concentration,
    eligible,
    fit,
    fit_and_conversion,
    jump,
    leave,
    moves,
    persistence,
    shrink,
    supply,
    tail,
)
from toolkit.scenarios.economics import (
    LogNormal,
    NegativeBinomial,
    Poisson,
    Power,
    acquisition_cost,
    allocate,
    fees,
    lifetime_value,
    models,
    order,
    payback,
)
from toolkit.scenarios.promotion import budget, holdout, newcomer, plan, saturation, watched, without_holdout

RNG = np.random.default_rng(7)
ORDER = {
    "platform_fee": 0.05, "commission": 0.2, "return_rate": 0.3, "shipping": 6, "return_shipping": 8, "salvage": 0.9,
}  # fmt: skip


def creators(**columns):
    given = {
        "creator": list("abcd"),
        "fans": [800, 1000, 7000, 60_000],
        "mean_exposure": [2000, 1000, None, 90_000],
    }
    return pd.DataFrame(given | columns)


# --- columns --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "error", "says"),
    [
        (5, TypeError, "give a list or a Series"),
        ("abc", TypeError, "give a list or a Series"),
        (pd.DataFrame({"a": [1], "b": [2]}), TypeError, "choose one of them"),
        (np.ones((2, 2)), ValueError, "2 dimensions"),
        (pd.to_datetime(["2019-01-01", "2019-02-01"]), TypeError, "dates or durations"),
        ([10**400, 1], ValueError, "too large"),
        ([1 + 2j, 3], TypeError, "complex"),
        ([1, None], ValueError, "missing is not 0"),
    ],
)
def test_what_is_no_column_of_numbers_is_refused_in_words(values, error, says):
    with pytest.raises(error, match=says):
        concentration(values, question="this set")


def test_columns_that_belong_together_have_one_order():
    sold = pd.Series([1, 9], index=["a", "b"])
    for ask in (
        lambda other: shrink(sold, other),
        lambda other: persistence(sold, other),
        lambda other: saturation(sold, other),
        lambda other: concentration(sold, by=other, question="this set"),
    ):
        with pytest.raises(ValueError, match="same labels in another order"):
            ask(pd.Series([100, 10], index=["b", "a"]))
        with pytest.raises(ValueError, match="2 rows"):
            ask([1, 2, 3])


def test_rows_without_a_name_are_not_one_creator():
    with pytest.raises(ValueError, match="row 1 has no creator"):
        concentration([1, 2, 3], creator=["a", None, None], question="this set")
    with pytest.raises(ValueError, match="row 1 has no anchor"):
        shrink([1, 2, 3], [9, 9, 9], anchor=["a", None, None])
    with pytest.raises(ValueError, match="row 0 has no creator"):
        eligible(creators(creator=[None, "b", "c", "d"]), {"fans": 5})


def test_a_column_that_stands_twice_is_named():
    twice = pd.concat([creators(), creators()[["fans"]]], axis=1)
    with pytest.raises(ValueError, match="'fans' stands 2 times"):
        supply(twice, at=[1000])


# --- creators -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "day",
    [
        datetime(2019, 5, 9, 23),
        pd.Timestamp("2019-05-09"),
        "2019/5/9",
        "20190509",
        pd.Timestamp("2019-05-09 15:59", tz="UTC"),
    ],
)
def test_the_eve_of_a_rule_is_known_in_any_form(day):
    assert eligible(creators(), day).rule.name == "brand partner before May 2019"


def test_the_rule_holds_from_midnight_in_shanghai():
    assert eligible(
        creators(mcn=1, real_name=1), pd.Timestamp("2019-05-09 16:00", tz="UTC")
    ).rule.name.endswith("2019")
    assert (
        "mcn"
        in eligible(creators(mcn=1, real_name=1), pd.Timestamp("2019-05-09 16:00", tz="UTC")).rule.conditions
    )
    with pytest.raises(ValueError, match="day first"):
        eligible(creators(), "9.5.2019")


def test_creators_below_the_lowest_band_and_without_fans_keep_a_row():
    table = eligible(creators(fans=[800, None, 7000, 60_000]), {"fans": 900}, bands={"mid": 5000}).table
    assert table["band"].tolist() == ["all", "below mid", "mid", "<null>"]
    assert table["n"].tolist() == [4, 1, 2, 1]


def test_the_share_and_its_n_are_of_those_who_are_known():
    said = eligible(creators(), "2019-05-09", sampled=True).sentence()
    assert "66.7 % of the 3 that are known" in said
    assert "n = 3" in said


def test_a_switch_is_yes_or_no():
    with pytest.raises(ValueError, match="mcn = 2 is a switch"):
        eligible(creators(mcn=[2, 0, 1, 1], real_name=1), "2019-05-10")


def test_supply_from_bands_has_its_interval_and_the_other_tail():
    known = bands([0, 1000, 5000, 10_000, 50_000, 500_000, np.inf], [4200, 3100, 1250, 1150, 280, 20])
    found = supply(known, at=[20_000, 1_000_000])
    assert "834 (788 to 882) at 20,000" in found.sentence()
    assert "Pareto tail gives another number: 83" in found.sentence()
    assert "rough" in found.sentence()
    assert found.pareto["at"].tolist() == [1_000_000]
    assert "median is 1,475 (1,414 to 1,540)" in known.sentence()


def test_bands_that_begin_above_nothing_say_what_is_taken_for_granted():
    assert "begin at 1,000" in bands([1000, 5000, 10_000, np.inf], [40, 30, 9]).sentence()


@pytest.mark.parametrize("unit", [1e-200, 1.0, 1e200, 1e307])
def test_concentration_knows_no_currency(unit):
    sold = np.array([1.0, 2, 3, 0])
    found = concentration(sold * unit, question="this set")
    assert [found.value(name) for name in ("gini", "hhi", "theil")] == pytest.approx(
        [concentration(sold, question="this set").value(name) for name in ("gini", "hhi", "theil")]
    )


def test_refunds_are_taken_from_the_same_creators_sales():
    net = concentration([10, -4, 3, 4], creator=["a", "a", "b", "c"], question="this set")
    assert net.value("top1") == pytest.approx(6 / 13)
    with pytest.raises(ValueError, match=r"below 0 at \['a'\]"):
        concentration([10, -14, 3, 4], creator=["a", "a", "b", "c"], question="this set")


def test_another_period_is_centred_on_what_was_seen():
    sessions = np.where(RNG.random(400) < 0.9, 0, RNG.lognormal(size=400))
    found = concentration(sessions, creator=np.repeat(np.arange(40), 10), question="another period").table
    rows = found[found["measure"].isin(["gini", "hhi", "top1"])]
    assert ((rows["low"] < rows["estimate"]) & (rows["estimate"] < rows["high"])).all()


def test_creators_with_one_session_each_do_not_tell_their_luck():
    alone = concentration(RNG.lognormal(size=40), creator=np.arange(40), question="another period")
    assert alone.table["low"].isna().all()
    assert "no interval" in alone.sentence()


def test_the_weighted_lorenz_curve_is_that_of_the_repeated_values():
    one = concentration([1, 2, 3], weights=[1, 20, 3], question="this set").lorenz().table
    assert one["held"].iloc[-2] == pytest.approx(41 / 50)
    assert one["creators"].iloc[-2] == pytest.approx(21 / 24)


@pytest.mark.parametrize("top", [0, -1, 1.5, True, "a"])
def test_the_largest_are_so_many_or_a_share(top):
    with pytest.raises((ValueError, TypeError), match="top="):
        concentration([1, 2, 3], top=top, question="this set")


def test_a_tail_against_a_log_normal_knows_no_unit():
    values = (1 - RNG.random(200)) ** (-1 / 1.5)
    one, other = (tail(values * unit, xmin=1.5 * unit) for unit in (1.0, 1e6))
    assert one.against.statistic == pytest.approx(other.against.statistic, abs=1e-6)
    assert "30 values of 0" in tail(np.append(values, np.zeros(30)), xmin=1.5).sentence()


def test_fractions_are_no_discrete_tail():
    with pytest.raises(ValueError, match="whole numbers"):
        tail([1.5, 2, 3] * 10, discrete=True)
    with pytest.raises(ValueError, match="xmin='min'"):
        tail([1, 2, 3] * 10, xmin="min")


def test_a_creator_without_a_name_can_leave_and_sellers_of_nothing_catch_nothing():
    assert leave(pd.Series([5.0, 3.0], index=["a", None]), None, spillover=0).loss == 3
    assert leave([5, 0], 0, spillover=0.5).share_lost == 1


def threshold(n=800, rate=False):
    x = RNG.normal(5000, 1500, n)
    y = x / 10 + 400 * (x >= 5000) + RNG.normal(0, 200, n)
    return pd.DataFrame({"fans": x, "income": (y > 700).astype(int) if rate else y})


def test_a_jump_of_a_rate_is_in_points_and_its_bunching_names_the_threshold():
    found = jump(threshold(rate=True), x="fans", y="income", cutoff=5000)
    assert "points" in found.sentence()
    assert "of 5,000" in found.bunching.sentence()


def test_text_among_outcomes_is_not_a_missing_outcome():
    rows = threshold().astype({"income": object})
    rows.loc[3, "income"] = "n/a"
    with pytest.raises(ValueError, match="row 3 = n/a is not a number"):
        jump(rows, x="fans", y="income", cutoff=5000)
    with pytest.raises(ValueError, match="cannot jump"):
        jump(threshold().assign(income=5.0), x="fans", y="income", cutoff=5000)


def test_rounded_x_is_warned_of_where_it_matters():
    x = RNG.uniform(-1, 1, 2000)
    y = np.where(x < 0, 0.0, 8 * x) + RNG.normal(0, 0.1, 2000)
    for places, said in ((np.floor(x * 40) / 40, True), (x, False)):
        found = jump(pd.DataFrame({"x": places, "y": y}), x="x", y="y", cutoff=0, bandwidth=0.6).sentence()
        assert ("if it was rounded" in found) == said


def test_bunching_without_a_window_is_refused():
    with pytest.raises(ValueError, match="window= is empty"):
        bunching([1, 2], 1, window=[])


def panel(months, level=("lo", "hi")):
    rows = [("a", month, level[at % 2]) for at, month in enumerate(months)]
    return pd.DataFrame(
        rows + [("b", month, level[0]) for month in months], columns=["creator", "month", "band"]
    )


def test_months_are_read_as_months():
    for months in (["2019-9", "2019-10"], ["2019-09-07", "2019-10-21"], [201909, 201910], [9, 10]):
        table = moves(panel(months)).table.set_index(["from", "to"])["moves"]
        assert table[("lo", "hi")] == 1
    with pytest.raises(ValueError, match="stands twice in month 2019-09"):
        moves(panel(["2019-09-07", "2019-09-21"]))


def test_no_move_is_counted_over_a_gap():
    found = moves(panel(["2019-01", "2019-02", "2019-05", "2019-06"]))
    assert int(found.counts.sum()) == 4
    assert found.gaps == ["2019-03", "2019-04"]
    assert "No rows in 2019-03, 2019-04" in found.sentence()
    with pytest.raises(ValueError, match="two months in a row"):
        moves(panel(["2019-01", "2019-04"]))


def test_a_way_that_nobody_went_is_never_whatever_the_prior():
    assert moves([[50, 0], [0, 50]]).time_to("1").value("0") == "never"
    assert moves([[50, 5], [0, 50]]).reach("1", 0).value("0") == 0


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (panel(["2019-01", "2019-02"], ("new", "x")), "called 'new'"),
        (panel(["2019-01", "2019-02"]).rename(columns={"band": "level"}), "no column 'band'"),
        ([[1, 2], [3]], "square of numbers"),
        ([[1, 0.5], [3, 2]], "fractional"),
    ],
)
def test_moves_refuse_what_would_be_counted_wrong(data, says):
    with pytest.raises(ValueError, match=says):
        moves(data)


def test_an_ordered_category_orders_the_bands():
    rows = panel(["2019-01", "2019-02"])
    rows["band"] = pd.Categorical(rows["band"], ["lo", "hi"], ordered=True)
    assert moves(rows).states[:2] == ["lo", "hi"]
    with pytest.raises(ValueError, match="every band there is"):
        moves([[5]]).time_to("0")


def test_anchors_without_any_spread_have_an_upper_limit():
    visits = np.full(60, 400)
    found = shrink(
        RNG.binomial(visits, 0.1),
        visits,
        anchor=np.repeat(np.arange(15), 4),
        traffic=pd.DataFrame({"paid": RNG.random(60)}),
    ).anchors
    assert found.low == 0
    assert found.high < 1


def test_the_size_of_a_covariate_does_not_matter_to_the_anchors_model():
    paid, visits = RNG.random(80), np.full(80, 500)
    y = RNG.binomial(visits, 1 / (1 + np.exp(2 - paid)))
    rows = [
        shrink(
            y, visits, anchor=np.repeat(np.arange(20), 4), traffic=pd.DataFrame({"paid": paid * unit})
        ).anchors
        for unit in (1, 1e6)
    ]
    one, other = (
        found.coefficients.set_index("term").loc["paid", ["estimate", "low", "high"]] for found in rows
    )
    np.testing.assert_allclose(other.astype(float) * 1e6, one.astype(float), rtol=1e-3)


def test_three_anchors_are_kept_as_they_are_and_said_to_be():
    said = shrink([1, 2, 3], [10] * 3, method="james_stein").sentence()
    assert "rates are kept as they are" in said
    assert "deviation" not in said


def test_a_missing_share_is_no_share_of_nothing():
    with pytest.raises(ValueError, match="missing is not 0"):
        fit({"a": 1.0, "b": None}, {"a": 1.0})
    with pytest.raises(ValueError, match="both by category"):
        fit({"a": 0.5, "b": 0.5}, [0.5, 0.5])


def goods():
    rows = pd.DataFrame(
        {"fit": RNG.random(160), "n": 100, "creator": np.tile(np.arange(20), 8), "category": "x"}
    )
    rows.loc[::2, "category"] = None
    return rows.assign(
        conversions=RNG.binomial(100, np.where(rows["category"].isna(), 0.4, 0.1 + 0.1 * rows["fit"]))
    )


def test_a_missing_category_is_a_category():
    rows = goods()
    named = rows.assign(category=rows["category"].fillna("none"))
    one, other = (fit_and_conversion(frame).table.loc[1, "estimate"] for frame in (rows, named))
    assert one == pytest.approx(other)


def test_what_follows_from_the_category_is_refused():
    rows = goods()
    with pytest.raises(ValueError, match="follow from the category"):
        fit_and_conversion(rows.assign(fit=rows["category"].isna() * 1.0))
    with pytest.raises(ValueError, match="nobody converted"):
        fit_and_conversion(rows.assign(conversions=0))


def test_a_score_that_is_text_is_not_a_creator_who_left():
    with pytest.raises(ValueError, match="row 4 = left"):
        persistence(range(5), [1, 2, 3, 4, "left"])
    assert "no interval: fewer than 10 pairs" in persistence([1, 2, 3, 4, 5], [2, 1, 3, 5, 4]).sentence()


# --- promotion ------------------------------------------------------------------------------------------------------


def of_users(values, **options):
    rows = pd.DataFrame(
        {"arm": np.tile(["t", "c"], len(values) // 2), "y": values} | options.pop("columns", {})
    )
    return holdout(rows, arm="arm", outcome="y", held="c", **options)


def test_large_outcomes_keep_their_spread():
    values = RNG.gamma(1, 50, 400)
    one, other = (
        of_users(values + start).table.set_index("quantity").loc["incremental"] for start in (0, 1e9)
    )
    np.testing.assert_allclose(other[["low", "high"]], one[["low", "high"]], rtol=1e-4)


def test_no_lift_is_told_on_a_base_of_returns():
    found = of_users(np.tile([3.0, -5.0, 4.0, -6.0], 50))
    assert np.isnan(found.value("relative"))
    assert "baseline" not in found.sentence()
    assert "points" not in found.sentence()


def test_an_arm_may_have_more_returns_than_sales():
    rows = pd.DataFrame(
        {"arm": ["t", "c"], "n": [1000, 1000], "y": [-100.0, 80.0], "squares": [5000.0, 4000.0]}
    )
    found = holdout(rows, arm="arm", outcome="y", n="n", squares="squares", held="c")
    assert found.value("incremental") == pytest.approx(-0.18)


def test_where_nothing_varies_there_is_no_interval():
    assert "no interval" in of_users(np.full(20, 5.0)).sentence()
    said = watched([0] * 200, [0] * 200, tuned_for=200).sentence()
    assert "no interval" in said
    assert "valid" not in said


def test_every_number_of_a_holdout_has_its_interval():
    rows = pd.DataFrame({"arm": ["t", "c"], "n": [1000, 1000], "y": [120, 80]})
    said = holdout(rows, arm="arm", outcome="y", n="n", held="c", cost=500).sentence()
    assert "+4.0 points added by t (95 % interval 1.4 to 6.6" in said
    assert "+50.0 % on the baseline (+9.6 % to +90.4 %)" in said
    assert "×3.00 what was added (×2.11 to ×11.38)" in said


def test_arms_that_read_alike_are_not_one():
    rows = pd.DataFrame({"arm": [1, "1", 0, 0], "y": [1.0, 2.0, 3.0, 4.0]})
    with pytest.raises(ValueError, match="two arms are called 1"):
        holdout(rows, arm="arm", outcome="y", held=0)


def test_a_covariate_that_is_the_arm_is_refused():
    same = {"z": np.tile([1, 0], 20)}
    with pytest.raises(ValueError, match="part treated and others"):
        of_users(
            RNG.random(40), columns=same, covariates="z", measured={"z": "2019-01-01"}, start="2019-02-01"
        )


@pytest.mark.parametrize("when", ["soon", None, "03/02/2019"])
def test_a_covariate_has_a_day(when):
    columns = {"z": RNG.random(40)}
    with pytest.raises(ValueError, match=r"measured\['z'\]"):
        of_users(RNG.random(40), columns=columns, covariates="z", measured={"z": when}, start="2019-02-01")


def chosen(n=400):
    x = RNG.normal(size=n)
    treated = (RNG.random(n) < 1 / (1 + np.exp(-x))).astype(int)
    return pd.DataFrame({"promoted": treated, "sales": x + 0.5 * treated + RNG.normal(size=n), "size": x})


def test_the_unit_of_a_covariate_does_not_matter():
    rows = chosen()
    one, other = (
        without_holdout(
            rows.assign(size=rows["size"] * unit), treated="promoted", outcome="sales", covariates="size"
        )
        for unit in (1, 1e12)
    )
    np.testing.assert_allclose(other.table["estimate"], one.table["estimate"], rtol=1e-6)


def test_missing_text_is_a_category_of_its_own():
    rows = chosen().assign(city=np.where(RNG.random(400) < 0.3, None, "a"))
    filled = rows.assign(city=rows["city"].fillna("none"))
    one, other = (
        without_holdout(frame, treated="promoted", outcome="sales", covariates=["size", "city"]).table[
            "estimate"
        ]
        for frame in (rows, filled)
    )
    np.testing.assert_allclose(one, other, rtol=1e-9)


def test_all_that_are_equally_near_are_matched():
    rows = pd.DataFrame(
        {"t": [1, 1, 0, 0, 0, 0], "y": [10.0, 10.0, 0.0, 2.0, 4.0, 6.0], "k": [1, 0, 1, 1, 0, 0]}
    )
    assert without_holdout(rows, treated="t", outcome="y", covariates="k").value("matching") == pytest.approx(
        7
    )


def test_an_effect_on_a_rate_is_in_points_and_one_method_is_no_range():
    rows = chosen().assign(sales=lambda frame: (frame["sales"] > 0).astype(int))
    assert "points (raw" in without_holdout(rows, treated="promoted", outcome="sales").sentence()
    assert "one method of five" in without_holdout(rows, treated="promoted", outcome="sales").sentence()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rate": 0.1, "delta": 0.02, "n": 1000}, "delta= does not go with rate="),
        ({"p1": 0.1, "lift": 0.2, "n": 1000}, "lift= does not go with p1="),
        ({"rate": 0.6, "lift": 1}, "takes a rate of 0.6 to 1.2"),
        ({"sd": 10, "delta": np.nan}, "delta=nan"),
        ({"p1": 0.1, "p2": 0.2, "cluster": 20}, "cluster=20"),
        ({"p1": 0.1, "p2": 0.2, "cluster": (0.5, 0.1)}, "one user or more"),
        ({"p1": 0.1, "p2": 0.2, "sided": True}, "sided=True"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(options, says):
    with pytest.raises(ValueError, match=says):
        plan(**options)


def test_an_effect_of_many_standard_deviations_needs_the_smallest_test():
    assert 2 < plan(sd=1, delta=1000).n < 3


def test_users_without_a_pair_are_said_and_rates_differ_by_points():
    said = watched(RNG.random(500) < 0.3, RNG.random(300) < 0.1, tuned_for=300).sentence()
    assert "points" in said
    assert "200 users have no pair yet" in said


SPEND = np.tile([0.02, 0.06, 0.11, 0.22, 0.56, 1.1], 2)
SEEN = np.array([76, 97, 123, 159, 191, 207, 47, 107, 139, 152, 201, 200.0])


@pytest.mark.parametrize("unit", [1e-90, 1e7, 1e140])
def test_the_fit_of_a_curve_knows_no_unit(unit):
    one, other = saturation(SPEND, SEEN).table, saturation(SPEND * unit, SEEN * unit).table
    columns = ["estimate", "low", "high"]
    np.testing.assert_allclose(other[columns] / unit, one[columns], rtol=1e-5)


def test_a_curve_says_what_its_data_do_not_hold():
    assert "rise itself is not in the data" in saturation(SPEND, 100 + RNG.normal(size=12)).sentence()
    assert (
        "More spend goes with less" in saturation(SPEND, 200 - 100 * SPEND + RNG.normal(size=12)).sentence()
    )
    exact = saturation([1, 2, 4], [5, 20 / 3, 8])
    assert "no interval" in exact.sentence()
    assert "10,000,000" in saturation(SPEND * 1e7 / 1.1, SEEN).sentence()


def test_a_newcomer_needs_whole_fans_and_a_large_budget_is_not_never():
    with pytest.raises(ValueError, match="fans=4000.7"):
        newcomer(4000.7, 5000, 400, cost_per_view=0.01, follow=0.03)
    assert newcomer(0, 1000, 1, cost_per_view=0.01, follow=(1e-3, 1e9)).budget_for(0.0001) != "never"


def test_a_budget_knows_its_quantities():
    arms = pd.DataFrame({"arm": ["t", "c"], "n": [1000, 1000], "orders": [90, 50]})
    base = holdout(arms, arm="arm", outcome="orders", n="n", held="c")
    found = budget(
        saturation([0, 20, 50, 100, 150], [0, 0.021, 0.038, 0.052, 0.061]), test=base, spend=50, margin=100
    )
    assert "points of orders" in found.sentence()
    with pytest.raises(ValueError, match="did you mean 'roi'"):
        found.value("roy")


# --- economics ------------------------------------------------------------------------------------------------------


def test_who_ships_may_not_be_another_party():
    with pytest.raises(ValueError, match="carrier='platform'"):
        order(100, 45, **ORDER).split(carrier="platform")


def test_orders_that_earn_a_fee_back_are_rounded_up_and_decimals_are_numbers():
    earned = order(Decimal(100), 45, **ORDER, slot_fee=100, orders=10)
    each = order(100, 45, **ORDER).contribution
    assert f"{int(np.ceil(100 / each))} orders earn" in earned.sentence()


@pytest.mark.parametrize("steps", [[100, 20], [(100, 20), (20,)], []])
def test_steps_are_pairs(steps):
    with pytest.raises(ValueError, match="give a pair"):
        acquisition_cost(40, steps)


def test_a_funnel_that_everybody_passes_is_not_known_for_certain():
    row = acquisition_cost(40, [(20, 20)]).table.iloc[0]
    assert row["low"] < row["high"]


@pytest.mark.parametrize(
    ("cost", "retention", "periods"),
    [
        (100, 1.0, 3),
        (40, 0.0, 1),
        (41, 0.0, "never"),
        (100, [1, 0.8, 0.8], 3),
        (1e6, 1.0, 25_000),
        (100, 0.6, "never"),
    ],
)
def test_a_payback_is_counted_however_buyers_stay(cost, retention, periods):
    assert payback(cost, 40, retention).periods == periods


def test_a_payback_beyond_the_table_is_the_first_period_that_earns_the_cost():
    long = payback(39_999, 1, 0.999975)
    earned = (1 - 0.999975 ** np.array([long.periods - 1, long.periods])) / (1 - 0.999975)
    assert long.periods > 10_000
    assert earned[0] < 39_999 <= earned[1]


def test_a_curve_that_does_not_fall_has_no_end():
    with pytest.raises(ValueError, match="ends without a fall"):
        lifetime_value(10, [1, 0.5, 0.6], 0)


@pytest.mark.parametrize("law", [Poisson(37.5), NegativeBinomial(37.5, 2.2), LogNormal(37.5, 0.8)])
def test_where_each_order_loses_the_worst_sessions_are_the_largest(law):
    draws = {
        Poisson: lambda: RNG.poisson(37.5, 400_000),
        NegativeBinomial: lambda: RNG.negative_binomial(2.2, 2.2 / 39.7, 400_000),
        LogNormal: lambda: RNG.lognormal(np.log(37.5) - np.log1p(0.64) / 2, np.sqrt(np.log1p(0.64)), 400_000),
    }[type(law)]()
    worst = np.sort(-3 * draws)[:20_000].mean()
    found = fees(law, margin=12, commission=15, deal="commission").value("brand", "worst")
    assert found == pytest.approx(worst, rel=0.02)


def test_fees_of_a_plain_number_and_of_a_thousand_million_orders():
    with pytest.raises(TypeError, match="give Poisson"):
        fees(200, margin=30, slot_fee=4000)
    assert fees(Poisson(1e9), margin=30, slot_fee=1).value("brand", "worst") == pytest.approx(3e10, rel=1e-3)


MONTH = {
    "gmv": 1e8, "gross_margin": 0.2, "fulfilment": 0.1, "subsidy": 0.05, "take": 0.99, "cac": 60, "new_buyers": 1e4,
    "merchant_share": 0.3, "dau": 1e6, "impressions": 50, "ad_load": 0.1, "cpm": 30,
}  # fmt: skip


def test_no_margin_is_above_one():
    assert models(**MONTH).break_even("self-operated", "marketplace") == "never"
    assert models(**MONTH | {"take": 0.05}).break_even("self-operated", "marketplace", by="gmv") == "never"
    assert "−10, marketplace 32" in models(**MONTH | {"gmv": 1000, "take": 0.05, "new_buyers": 1}).sentence()


def test_a_tie_of_carriers_is_said_and_a_fitted_curve_is_a_response():
    assert "Every division" in allocate({"a": Power(2, 1), "b": Power(2, 1)}, 100).sentence()
    curve = saturation(SPEND, SEEN)
    found = allocate({"live": curve, "notes": Power(20, 0.5)}, 1.0)
    assert found.table["marginal"].iloc[0] == pytest.approx(found.table["marginal"].iloc[1], rel=1e-6)
    assert (
        "the curve of live ends at 1.1" in allocate({"live": curve, "notes": Power(20, 0.5)}, 40).sentence()
    )


@pytest.mark.parametrize(
    ("responses", "error", "says"),
    [
        ([Power(1, 1), Power(2, 1)], TypeError, "dict of carrier"),
        ({"a": 5, "b": Power(1, 1)}, TypeError, "response of 'a'"),
        ({"total": Power(1, 1), "b": Power(1, 1)}, ValueError, "'total'"),
    ],
)
def test_responses_are_named_and_can_answer(responses, error, says):
    with pytest.raises(error, match=says):
        allocate(responses, 10)


def test_names_in_figures_are_text():
    name = "$\\frac{a$"
    leave(pd.Series([5.0, 3.0], index=[name, "b"]), name, spillover=0.5).plot().figure.canvas.draw()
    rows = pd.DataFrame({"arm": ["t", "c"], "n": [100, 100], name: [12, 8]})
    holdout(rows, arm="arm", outcome=name, n="n", held="c").plot().figure.canvas.draw()
