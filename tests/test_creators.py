"""Creators: who qualifies, how much a few hold, what a threshold changes, who rises."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from toolkit.scenarios.assumptions import ARITHMETIC
from toolkit.scenarios.creators import (
    bands,
    bunching,
    chains,
    concentration,
    eligible,
    fit,
    fit_and_conversion,
    inequality,
    jump,
    leave,
    moves,
    persistence,
    rules,
    shrink,
    supply,
    tail,
    tail_resampling,
)

FACES = ("table", "plot", "sentence", "__repr__", "_repr_html_")


def creators(**columns):
    frame = pd.DataFrame(
        {"creator": ["a", "b", "c"], "fans": [800, 1000, 7000], "mean_exposure": [2000, 1000, 20_000]}
    )
    return frame.assign(**columns)


# Who qualifies


def test_a_rule_by_date_holds_from_its_first_day():
    assert rules.rule_of("2019-05-09").conditions == {"fans": 1000, "mean_exposure": 1000}
    assert rules.rule_of("2019-05-10").conditions["mcn"] is True
    assert "mcn" not in rules.rule_of("2020-01-15").conditions


def test_every_published_rule_carries_its_source():
    assert len(rules.published()) == 3
    assert all(rule.source for rule in rules.published())


def test_a_threshold_is_met_at_equality():
    assert eligible(creators(), {"fans": 1000}).creators == ["b", "c"]


def test_a_missing_value_is_unknown_and_not_below():
    answer = eligible(creators(mean_exposure=[np.nan, 1000, 2000]), {"mean_exposure": 1000})
    assert answer.unknown == 1
    assert answer.creators == ["b", "c"]
    assert answer.table["estimate"].iloc[0] == 1  # of the two that are known
    assert "unknown, not below" in answer.sentence()


def test_a_missing_value_does_not_matter_where_another_condition_fails():
    answer = eligible(creators(mean_exposure=[np.nan, 1000, 2000]), {"fans": 5000, "mean_exposure": 1000})
    assert answer.unknown == 0
    assert answer.creators == ["c"]


def test_a_later_rule_need_not_hold_all_of_an_earlier():
    table = creators(notes=[12, 12, 3])
    many, large = eligible(table, {"notes": 10}), eligible(table, {"fans": 5000})
    assert large.against(many) == {"gained": ["c"], "lost": ["a", "b"]}


def test_a_census_has_no_interval_and_a_sample_has_one():
    assert eligible(creators(), {"fans": 1000}).table["low"].isna().all()
    sampled = eligible(creators(), {"fans": 1000}, sampled=True)
    assert sampled.table["low"].iloc[0] < 2 / 3 < sampled.table["high"].iloc[0]
    assert "counted" in eligible(creators(), {"fans": 1000}).sentence()
    assert "counted" not in sampled.sentence()


@pytest.mark.parametrize(
    ("table", "rule", "says"),
    [
        (creators(), {"fanz": 1000}, "did you mean 'fans'"),
        (creators(), {}, "lets everybody in"),
        (creators(), "2019-13-40", "no rule"),
        (creators(share=[0.1, 0.2, 0.3]), {"share": 50}, "for 50 % give 0.5"),
        (creators(fans=[-1, 5, 6]), {"fans": 5}, "'a'"),
        (creators(creator=["a", "a", "c"]), {"fans": 5}, "'a' stands twice"),
    ],
)
def test_eligible_names_what_is_wrong(table, rule, says):
    with pytest.raises(ValueError, match=says):
        eligible(table, rule)


def test_supply_counts_at_equality_and_refuses_thresholds_out_of_order():
    assert supply(creators(), at=[1000, 7000]).table["estimate"].tolist() == [2, 1]
    with pytest.raises(ValueError, match="out of order"):
        supply(creators(), at=[7000, 1000])


# How much a few hold


def test_the_scale_of_sales_does_not_matter():
    one, other = (concentration(np.array([1.0, 2, 3, 10]) * by, question="this set").table for by in (1, 7.5))
    pd.testing.assert_frame_equal(one, other)


def test_a_transfer_from_a_large_to_a_small_creator_lowers_every_index():
    before, after = (concentration(x, question="this set") for x in ([1, 2, 3, 10], [2, 2, 3, 9]))
    for measure in ("gini", "hhi", "theil", "top1"):
        assert after.value(measure) < before.value(measure)


def test_zeros_count_and_the_sentence_says_how_many():
    kept, dropped = (concentration(x, question="this set") for x in ([0, 0, 5, 5, 10, 20], [5, 5, 10, 20]))
    assert kept.value("gini") > dropped.value("gini")
    assert "2 with nothing" in kept.sentence()


def test_groups_are_measured_apart():
    found = concentration([1, 1, 0, 5], by=["x", "x", "y", "y"], question="this set").table
    gini = found[found["measure"] == "gini"].set_index("group")["estimate"]
    assert gini["x"] == 0
    assert gini["y"] == 0.5


def test_fewer_than_thirty_creators_get_no_interval_and_it_is_said():
    found = concentration(np.arange(1, 20))
    assert found.table["low"].isna().all()
    assert "no interval" in found.sentence()


def test_the_census_has_no_interval_and_another_draw_has_one():
    values = np.random.default_rng(0).lognormal(0, 1, 60)
    assert concentration(values, question="this set").table["low"].isna().all()
    rows = concentration(values).table.set_index("measure")
    assert (rows["low"] <= rows["estimate"]).all()
    assert (rows["estimate"] <= rows["high"]).all()


def test_another_period_resamples_sessions_within_creators():
    rng = np.random.default_rng(0)
    creator = np.repeat(np.arange(40), 6)
    steady = np.repeat(rng.lognormal(0, 1, 40), 6)
    lucky = steady * rng.lognormal(0, 1.5, 240)
    width = {}
    for name, sales in (("steady", steady), ("lucky", lucky)):
        row = concentration(sales, creator=creator, question="another period").table.iloc[0]
        width[name] = row["high"] - row["low"]
    assert width["steady"] == pytest.approx(0, abs=1e-9)
    assert width["lucky"] > 0.05
    with pytest.raises(ValueError, match="give creator="):
        concentration(steady, question="another period")


def test_a_log_normal_is_refused_where_the_amounts_reject_it():
    rng = np.random.default_rng(3)
    with pytest.raises(ValueError, match="reject a log-normal"):
        concentration((1 - rng.random(500)) ** (-1 / 1.5), tail="log-normal")
    narrow, wide = (
        concentration(rng.lognormal(0, 1, 200), tail=tail).table.iloc[0] for tail in ("log-normal", "auto")
    )
    assert narrow["high"] - narrow["low"] < wide["high"] - wide["low"]


def test_refunds_above_sales_are_refused_by_name_or_set_to_zero():
    sales = pd.Series([-5.0, 0, 10], index=["x", "y", "z"])
    with pytest.raises(ValueError, match="'x'"):
        concentration(sales)
    assert concentration(sales, negatives="zero", question="this set").value("gini") == pytest.approx(2 / 3)


def test_a_wrong_word_is_named():
    with pytest.raises(ValueError, match="another draw"):
        concentration([1, 2], question="next")
    with pytest.raises(ValueError, match="tail="):
        concentration([1, 2], tail="pareto")


def test_the_lorenz_curve_begins_at_nothing_and_ends_at_all():
    curve = concentration([0, 5, 15], question="this set").lorenz()
    assert curve.table["held"].tolist() == [0, 0, 0.25, 1]


def test_the_half_parametric_model_keeps_the_body_and_finds_the_exponent():
    values = (1 - np.random.default_rng(0).random(40_000)) ** (-1 / 2.0)
    model = tail_resampling.HalfParametric.of(values)
    assert model.exponent == pytest.approx(2, rel=0.25)
    assert len(model.body) + model.k == 40_000


@pytest.mark.slow
def test_intervals_of_another_draw_hold_the_truth_where_the_tail_is_heavy():
    rng, held = np.random.default_rng(5), 0
    for _ in range(100):
        values = (1 - rng.random(100)) ** (-1 / 1.5)
        ends = tail_resampling.intervals(
            values, {"gini": inequality.gini_of_sorted}, 0.95, seed=int(rng.integers(1e9))
        )
        held += ends["gini"].low <= inequality.pareto_gini(1.5) <= ends["gini"].high
    assert held >= 90


# Tails and bands


def test_the_exponent_of_a_simulated_power_law_is_found():
    values = (1 - np.random.default_rng(2).random(2000)) ** (-1 / 1.3)
    found = tail(values, xmin=1.0)
    row = found.table.set_index("measure").loc["survival_exponent"]
    assert row["low"] < 1.3 < row["high"]
    assert row["estimate"] == pytest.approx(1.3, rel=0.06)


def test_a_short_tail_says_so_and_too_short_a_one_is_refused():
    values = np.append(np.arange(1.0, 30), [100, 200])
    assert "fewer than 50" in tail(values).sentence()
    with pytest.raises(ValueError, match="fewer than 10"):
        tail([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="no tail"):
        tail([5.0] * 40)


def test_bands_find_the_log_normal_they_were_cut_from():
    edges = [0, 1000, 5000, 10_000, 50_000, 500_000, np.inf]
    counts = np.histogram(np.random.default_rng(1).lognormal(7.3, 1.9, 5000), edges)[0]
    rows = bands(edges, counts).table.set_index("parameter")
    assert rows.loc["mu", "low"] < 7.3 < rows.loc["mu", "high"]
    assert rows.loc["sigma", "low"] < 1.9 < rows.loc["sigma", "high"]


def test_above_the_last_edge_both_models_answer():
    found = bands([0, 1000, 5000, 50_000, np.inf], [400, 300, 200, 20])
    assert len(found.supply(2000)) == 1
    assert len(found.supply(80_000)) == 2
    assert len(found.share_above(50_000)) == 2


@pytest.mark.parametrize(
    ("edges", "counts", "says"),
    [
        ([0, 1000, 500, 2000], [1, 2, 3], "out of order"),
        ([0, 1000, 5000], [1, 2, 3], "one edge more"),
        ([0, 1000, 5000, 9000], [1, 0, 3], "3 or more"),
        ([0, 1000, 5000, 9000], [1, -1, 3], "negative"),
    ],
)
def test_bands_name_what_is_wrong(edges, counts, says):
    with pytest.raises(ValueError, match=says):
        bands(edges, counts)


# A head creator leaves


def test_full_spillover_without_drainage_loses_nothing():
    assert leave([5, 3, 2], 0, spillover=1).loss == 0
    assert leave([5, 3, 2], 0, spillover=0).share_lost == 0.5


def test_the_break_even_drainage_eats_the_spillover():
    gone = leave([50, 30, 20], 0, spillover=0.4)
    assert leave([50, 30, 20], 0, spillover=0.4, drainage=gone.break_even_drainage).loss == pytest.approx(50)
    assert leave([90, 10], 0, spillover=0.9).break_even_drainage == "never"


def test_an_exit_is_arithmetic_and_says_so():
    gone = leave({"Li": 5, "Wei": 4}, "Li", spillover=0.35)
    assert gone.sentence().endswith(ARITHMETIC)
    assert "interval (" not in gone.sentence()
    assert gone.each()["creator"].tolist() == ["Li", "Wei"]
    with pytest.raises(ValueError, match="did you mean 'Li'"):
        leave({"Li": 5, "Wei": 4}, "li", spillover=0)
    with pytest.raises(ValueError, match="for 35 % give 0.35"):
        leave([1, 2], 0, spillover=35)


# At a threshold


def threshold(n=1500, height=2.0, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, n)
    return pd.DataFrame({"x": x, "y": x + height * (x >= 0) + rng.normal(0, 1, n)})


def test_a_planted_jump_is_found_and_a_placebo_is_not():
    found = jump(threshold(), x="x", y="y", cutoff=0)
    row = found.table.iloc[0]
    assert row["low"] < 2 < row["high"]
    assert row["low"] > 0
    placebo = found.placebo([0.5]).iloc[0]
    assert placebo["low"] < 0 < placebo["high"]
    assert found.sensitivity()["h"].tolist() == pytest.approx([row["h"] / 2, row["h"], row["h"] * 2])


def test_shifting_the_outcome_shifts_no_jump_and_turning_x_turns_its_sign():
    frame = threshold(400)
    one = jump(frame, x="x", y="y", cutoff=0, bandwidth=(0.5, 0.8)).fit
    up = jump(frame.assign(y=frame["y"] + 100), x="x", y="y", cutoff=0, bandwidth=(0.5, 0.8)).fit
    turned = jump(frame.assign(x=-frame["x"]), x="x", y="y", cutoff=0, bandwidth=(0.5, 0.8)).fit
    assert up.conventional == pytest.approx(one.conventional)
    assert turned.conventional == pytest.approx(-one.conventional)
    assert turned.se_robust == pytest.approx(one.se_robust)


def test_rows_without_an_outcome_are_left_out_and_said():
    frame = threshold(400)
    frame.loc[:4, "y"] = np.nan
    assert (
        "5 rows without a value are left out" in jump(frame, x="x", y="y", cutoff=0, bandwidth=0.6).sentence()
    )


def test_too_few_rows_on_a_side_are_refused():
    with pytest.raises(ValueError, match="20 are needed"):
        jump(threshold(60), x="x", y="y", cutoff=0.95, bandwidth=0.04)
    with pytest.raises(ValueError, match="did you mean 'x'"):
        jump(threshold(60), x="X", y="y", cutoff=0)


def test_those_who_chose_to_stand_at_the_threshold_are_said():
    frame = threshold(800)
    crowd = pd.DataFrame({"x": np.linspace(0.001, 0.05, 80), "y": 2.0})
    found = jump(pd.concat([frame, crowd]), x="x", y="y", cutoff=0, bandwidth=0.4)
    assert "may have chosen to be there" in found.sentence()
    assert "may have chosen" not in jump(frame, x="x", y="y", cutoff=0, bandwidth=0.4).sentence()


def test_bunching_counts_the_threshold_as_above_and_adjusts_over_windows():
    found = bunching([4990, 5000, 5001, 5010], 5000, window=[10, 20])
    assert found.table[["below", "above"]].to_numpy().tolist() == [[1, 2], [1, 3]]
    assert (found.table["p_adjusted"] >= found.table["p"]).all()
    with pytest.raises(ValueError, match="nobody lies within"):
        bunching([1, 2], 5000, window=10)


# Between bands


def panel():
    months = {"a": "LLHH", "b": "LHHH", "c": "LL", "d": ".LLH", "e": "HHHL"}
    rows = [(who, at, band) for who, path in months.items() for at, band in enumerate(path) if band != "."]
    return pd.DataFrame(rows, columns=["creator", "month", "band"])


def test_entries_and_exits_are_moves():
    found = moves(panel(), order=["L", "H"], prior=0)
    counted = found.table.set_index(["from", "to"])["moves"]
    assert counted["new", "L"] == 1
    assert counted["L", "gone"] == 1
    assert counted["L", "H"] == 3
    assert counted["H", "L"] == 1
    assert counted["L", "L"] == 3
    assert counted.sum() == 14


def test_nobody_becomes_new_and_nobody_leaves_gone():
    found = moves(panel(), order=["L", "H"])
    assert "new" not in set(found.table["to"])
    assert "gone" not in set(found.table["from"])
    assert found.matrix.sum(1) == pytest.approx(1)


def test_a_chain_reaches_with_the_odds_of_its_first_step():
    matrix = np.array([[0, 0.3, 0.7], [0, 1, 0], [0, 0, 1.0]])
    assert chains.reach(matrix, [1]).tolist() == [0.3, 1, 0]
    assert chains.mean_time(matrix, [1])[0] == 1  # of those who arrive
    assert np.isnan(chains.mean_time(matrix, [1])[2])
    assert chains.median_time(matrix, [2], 0) == 1
    assert np.isnan(chains.median_time(matrix, [1], 0))


def test_no_path_is_never_in_these_data():
    found = moves([[10, 0], [0, 5]], prior=0).time_to("1")
    assert found.value("0") == "never"
    assert "never in these data" in found.sentence()


def test_a_chain_that_forgets_passes_its_check():
    rng = np.random.default_rng(0)
    matrix = np.array([[0.8, 0.2], [0.3, 0.7]])
    rows = []
    for who in range(400):
        state = 0
        for month in range(8):
            rows.append((who, month, "ab"[state]))
            state = int(rng.random() < matrix[state, 1])
    found = moves(pd.DataFrame(rows, columns=["creator", "month", "band"]))
    assert found.check().p > 0.01
    with pytest.raises(ValueError, match="give the panel"):
        moves([[1, 2], [3, 4]]).check()


def test_moves_name_what_is_wrong():
    with pytest.raises(ValueError, match="'a' stands twice"):
        moves(pd.concat([panel(), panel().head(1)]))
    with pytest.raises(ValueError, match="square"):
        moves([[1, 2, 3], [4, 5, 6]])
    with pytest.raises(ValueError, match="no band 'X'"):
        moves([[1, 2], [3, 4]]).reach("X")
    with pytest.raises(ValueError, match="no band 'H'"):
        moves(panel(), order=["L", "M"])


# Skill


def test_shrunk_rates_lie_between_the_rate_and_the_mean():
    found = shrink([2, 30, 55, 90], [100, 300, 500, 600])
    table = found.table
    away, kept = (table[name] - found.mean for name in ("rate", "estimate"))
    assert (np.sign(away) == np.sign(kept)).all()
    assert (kept.abs() <= away.abs()).all()
    assert (table["low"] < table["estimate"]).all()
    assert (table["estimate"] < table["high"]).all()


def test_anchors_who_are_all_alike_get_the_common_rate():
    found = shrink([50] * 12, [1000] * 12)
    assert found.factor == 0
    assert found.table["estimate"].nunique() == 1
    assert "no spread beyond chance" in found.sentence()


def test_the_spread_of_anchors_is_net_of_their_traffic():
    rng = np.random.default_rng(4)
    who = np.repeat(np.arange(30), 6)
    paid = np.repeat(rng.normal(size=30), 6) + 0.3 * rng.normal(size=180)
    n = rng.integers(300, 800, 180)
    y = rng.binomial(n, 1 / (1 + np.exp(3 - 0.6 * paid)))  # anchors differ by their traffic alone
    found = shrink(y, n, anchor=who, traffic=pd.DataFrame({"paid": paid}))
    assert found.p < 0.001
    assert found.anchors.sd < 0.1
    assert found.anchors.coefficients.set_index("term").loc["paid", "estimate"] == pytest.approx(0.6, abs=0.1)


def test_anchors_who_do_not_differ_leave_the_intervals_of_a_plain_logit():
    rng = np.random.default_rng(2)
    who, n = np.repeat(np.arange(60), 5), np.full(300, 400)
    traffic = pd.DataFrame({"paid": rng.random(300), "fans": rng.normal(size=300)})
    y = rng.binomial(n, 1 / (1 + np.exp(3 + 0.8 * traffic["paid"] - 0.3 * traffic["fans"])))
    found = shrink(y, n, anchor=who, traffic=traffic).anchors.coefficients.iloc[1:]
    sides = np.column_stack([y, n - y])
    plain = sm.GLM(sides, sm.add_constant(traffic), family=sm.families.Binomial()).fit().conf_int().iloc[1:]
    width = found["high"] - found["low"]
    assert width.tolist() == pytest.approx((plain[1] - plain[0]).tolist(), rel=0.05)


def test_shrink_names_what_is_wrong():
    with pytest.raises(ValueError, match="'Li'"):
        shrink([5, 1], [4, 10], anchor=["Li", "Wei"])
    with pytest.raises(ValueError, match="equal n"):
        shrink([1, 2, 3, 4], [10, 20, 30, 40], method="james_stein")


def test_persistence_speaks_of_survivors_and_says_who_is_missing():
    found = persistence([1, 2, 3, 4, 5, 6], [2, 1, 4, np.nan, 6, 5])
    assert found.never_later == 1
    assert "survivors only" in found.sentence()
    assert found.table["n"].iloc[0] == 5
    assert found.table["low"].isna().all()
    with pytest.raises(ValueError, match="3 creators"):
        persistence([1, 2, 3], [3, 2, 1])


def test_the_best_fall_back_to_the_mean():
    rng = np.random.default_rng(0)
    skill = rng.normal(size=500)
    first, later = (skill + rng.normal(size=500) for _ in range(2))
    best = persistence(first, later, reliability=0.5).best(50)
    assert best["later"] < best["first"]
    assert best["predicted"] == pytest.approx(best["later"], abs=0.25)


# Fit to label


def test_categories_are_matched_by_name():
    one = fit({"food": 0.5, "beauty": 0.5}, {"beauty": 1.0})
    assert one.value("off_label") == 0.5
    assert one.value("breadth") == pytest.approx(2)


def test_a_planted_slope_of_fit_is_found_and_its_choice_is_said():
    rng = np.random.default_rng(1)
    creator = np.repeat(np.arange(60), 4)
    cosine = rng.random(240)
    n = rng.integers(200, 900, 240)
    y = rng.binomial(n, 1 / (1 + np.exp(3 - 1.2 * cosine - 0.3 * rng.normal(size=60)[creator])))
    frame = pd.DataFrame(
        {"fit": cosine, "conversions": y, "n": n, "creator": creator, "category": creator % 3}
    )
    found = fit_and_conversion(frame)
    row = found.table.set_index("term").loc["fit"]
    assert row["low"] < 1.2 < row["high"]
    assert found.p < 0.01
    assert "choose what they sell" in found.sentence()
    shuffled = fit_and_conversion(frame.assign(fit=rng.permutation(cosine)))
    assert shuffled.p > 0.01


# Faces


@pytest.mark.parametrize(
    "result",
    [
        eligible(creators(), {"fans": 1000}, bands={"small": 0, "large": 5000}),
        supply(creators(), at=[500, 1000]),
        concentration([1, 2, 3, 10], by=["x", "x", "y", "y"], question="this set"),
        concentration([1, 2, 3, 10], question="this set").lorenz(),
        concentration([1, 2, 3, 10], by=["x", "x", "y", "y"], question="this set").lorenz(),
        tail(np.geomspace(1, 100, 60)),
        bands([0, 1000, 5000, 50_000, np.inf], [400, 300, 200, 20]),
        leave([5, 3, 2], 0, spillover=0.5),
        jump(threshold(200), x="x", y="y", cutoff=0, bandwidth=0.6),
        bunching([4990, 5000, 5001, 5010], 5000, window=[10, 20]),
        moves([[9, 1], [2, 8]]),
        moves([[9, 1], [2, 8]]).time_to("1"),
        moves([[9, 1], [2, 8]]).reach("1", 3),
        moves(panel()).check(),
        shrink([1, 2, 9], [40, 50, 60]),
        persistence([1, 2, 3, 4], [2, 1, 4, 3]),
        fit([1, 0], [0.5, 0.5]),
    ],
    ids=lambda result: type(result).__name__,
)
def test_every_answer_has_its_five_faces(result):
    import matplotlib.pyplot as plt

    ax = result.plot()
    assert ax.has_data()
    other = plt.figure().subplots()
    assert result.plot(other) is other
    assert other.figure is not ax.figure
    plt.close("all")
    assert len(result.table)
    assert result.sentence().endswith((".", ")"))
    assert result.sentence() in repr(result)
    assert "<table" in result._repr_html_()
