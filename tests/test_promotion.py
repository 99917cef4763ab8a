"""Promotion: what it added, what can be said without a holdout, what a test needs, and where spend levels off."""

import numpy as np
import pandas as pd
import pytest

from toolkit.scenarios.assumptions import ARITHMETIC
from toolkit.scenarios.promotion import (
    adjustments,
    arms,
    holdout,
    newcomer,
    plan,
    saturation,
    sequences,
    watched,
    without_holdout,
)


def counted(treated=(1000, 120), held=(1000, 80)):
    return pd.DataFrame(
        {"arm": ["promoted", "held"], "n": [treated[0], held[0]], "bought": [treated[1], held[1]]}
    )


def ask(frame, **options):
    return holdout(frame, **({"arm": "arm", "outcome": "bought", "n": "n", "held": "held"} | options))


# With a holdout


def test_what_the_sender_reports_is_all_that_the_treated_did():
    found = ask(counted())
    assert found.value("reported") == 0.12
    assert found.value("incremental") == pytest.approx(0.04)
    assert found.value("reported_over_incremental") == pytest.approx(3)
    assert found.value("relative") == pytest.approx(0.5)


def test_rows_of_users_and_sums_of_arms_answer_alike():
    rows = pd.DataFrame(
        {"arm": ["promoted"] * 1000 + ["held"] * 1000, "bought": [1] * 120 + [0] * 880 + [1] * 80 + [0] * 920}
    )
    one, other = ask(counted()), ask(rows, n=None)
    pd.testing.assert_frame_equal(one.table, other.table, check_dtype=False)


def test_the_return_takes_the_added_margin_only():
    found = ask(counted(), cost=200, margin=10)
    assert found.value("roi") == pytest.approx(0.04 * 1000 * 10 / 200)
    assert found.value("reported_roi") == pytest.approx(0.12 * 1000 * 10 / 200)
    row = found.table.set_index("quantity").loc["roi"]
    assert row["low"] < row["estimate"] < row["high"]


def test_an_effect_that_may_be_none_has_no_ratio_interval():
    row = ask(counted(treated=(1000, 81))).table.set_index("quantity").loc["reported_over_incremental"]
    assert np.isnan(row["low"])
    assert np.isnan(row["high"])


def test_arms_that_do_not_fit_the_plan_stop_the_comparison():
    with pytest.raises(ValueError, match="do not fit equal arms"):
        ask(counted(treated=(1500, 120)))
    assert ask(counted(treated=(1500, 120)), planned={"promoted": 0.6, "held": 0.4}).sample_ratio_p == 1
    with pytest.raises(ValueError, match="adds up to"):
        ask(counted(), planned={"promoted": 0.6, "held": 0.5})


@pytest.mark.parametrize(
    ("frame", "options", "says"),
    [
        (counted(held=(0, 0)), {}, "nobody was held out"),
        (counted(), {"held": "control"}, "nobody was held out"),
        (counted(treated=(100, 120)), {}, "120 conversions of 100"),
        (counted(), {"outcome": "sold"}, "no column 'sold'"),
        (counted(), {"covariates": ["n"]}, "measured="),
        (counted(), {"adjust": "ols"}, "'lin', 'cuped'"),
        (counted(), {"confidence": 95}, "outside 0 to 1"),
        (counted(), {"cost": 0}, "more than 0"),
        (counted().assign(currency=["CNY", "USD"]), {}, "one currency first"),
        (pd.concat([counted(), counted()]), {}, "stands twice"),
    ],
)
def test_holdout_names_what_is_wrong(frame, options, says):
    with pytest.raises(ValueError, match=says):
        ask(frame, **options)


def test_a_missing_outcome_is_not_zero():
    rows = pd.DataFrame({"arm": ["a", "b", "a", "b"], "bought": [1.0, np.nan, 0.0, 1.0]})
    with pytest.raises(ValueError, match="bought: row 1 = nan is missing"):
        ask(rows, n=None, held="a")


def test_a_covariate_measured_after_the_start_is_refused():
    rows = pd.DataFrame({"arm": ["held", "b"] * 4, "bought": range(8), "spend": range(8)})
    options = {"n": None, "covariates": ["spend"], "start": "2020-01-01"}
    with pytest.raises(ValueError, match="after the start"):
        ask(rows, measured={"spend": "2020-01-02"}, **options)


def test_adjustment_takes_away_what_the_covariate_explains():
    rng = np.random.default_rng(0)
    x = rng.normal(size=2000)
    arm = rng.random(2000) < 0.5
    y = 3 * x + 0.5 * arm + rng.normal(size=2000)
    plain = arms.gap(arms.Arm.of("t", y[arm]), arms.Arm.of("h", y[~arm]), 0.95)
    for better in (adjustments.lin(y, arm, x[:, None], 0.95), adjustments.cuped(y, arm, x, 0.95)):
        assert better.se < plain.se / 2
        assert better.low < 0.5 < better.high
        assert better.variance_left == pytest.approx(0.1, abs=0.02)


# Without one


def chosen(n=1500, effect=1.0, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    treated = rng.random(n) < 1 / (1 + np.exp(-x))
    return pd.DataFrame(
        {"treated": treated.astype(int), "y": effect * treated + 2 * x + rng.normal(size=n), "x": x}
    )


def test_selection_on_what_was_measured_is_taken_away_and_raw_is_wrong():
    found = without_holdout(chosen(), treated="treated", outcome="y", covariates=["x"]).table.set_index(
        "method"
    )
    assert found.loc["raw", "low"] > 1
    for method in ("regression", "weighting", "matching"):
        assert found.loc[method, "low"] < 1 < found.loc[method, "high"]


def test_equally_near_others_are_the_match_together_so_the_order_of_rows_does_not_matter():
    rows = pd.DataFrame(
        {
            "treated": [1, 1, 0, 0, 0, 0, 1, 0, 0],
            "y": [1.0, 0, 1, 0, 0, 0, 1, 1, 0],
            "group": list("aaaaaabbb"),
        }
    )
    options = {"treated": "treated", "outcome": "y", "covariates": ["group"]}
    found = without_holdout(rows, **options)
    # In group a half of the treated and a quarter of the others, in group b all and a half.
    assert found.value("matching") == pytest.approx((2 * (1 / 2 - 1 / 4) + 1 * (1 - 1 / 2)) / 3)
    pd.testing.assert_frame_equal(found.table, without_holdout(rows[::-1], **options).table)


def test_the_sentence_gives_the_range_and_picks_none():
    found = without_holdout(chosen(), treated="treated", outcome="y", covariates=["x"])
    lowest, highest = found.table["estimate"].min(), found.table["estimate"].max()
    assert f"{lowest:+.4g}" in found.sentence()
    assert f"{highest:+.4g}" in found.sentence()
    assert "the method decides" in found.sentence()


def test_difference_in_differences_takes_each_units_own_change():
    rows = pd.DataFrame(
        {"t": [1, 1, 1, 0, 0, 0], "b": [10, 20, 30, 10, 20, 30], "y": [11, 22, 33, 10, 21, 29]}
    )
    found = without_holdout(rows, treated="t", outcome="y", before="b").table.set_index("method")
    row = found.loc["difference in differences"]
    assert row["estimate"] == pytest.approx(2)
    assert row["high"] - row["low"] < 6


def test_groups_that_share_nobody_are_refused():
    rows = pd.DataFrame({"t": [0] * 20 + [1] * 20, "y": np.arange(40.0), "x": np.arange(40.0)})
    with pytest.raises(ValueError, match="overlap|entirely"):
        without_holdout(rows, treated="t", outcome="y", covariates=["x"])
    with pytest.raises(ValueError, match="give 0 and 1"):
        without_holdout(rows.assign(t=2), treated="t", outcome="y")


# Planning and watching


def test_a_plan_gives_back_what_was_left_out():
    size = plan(rate=0.1, lift=0.2)
    assert plan(rate=0.1, lift=0.2, n=size.n).power == pytest.approx(0.8)
    assert plan(p1=0.1, n=size.n).detectable == pytest.approx(0.12)
    amount = plan(sd=15, delta=1)
    assert plan(sd=15, n=amount.n).detectable == pytest.approx(1, rel=1e-6)


def test_clusters_cost_users():
    assert plan(rate=0.1, lift=0.2, cluster=(11, 0.1)).n == pytest.approx(2 * plan(rate=0.1, lift=0.2).n)


def test_few_conversions_are_said_and_simulated():
    found = plan(p1=0.004, p2=0.001, n=500)
    assert found.few == 0.5
    assert "simulated" in found.sentence()
    assert found.sentence().endswith(ARITHMETIC)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rate": 0.1}, "give n="),
        ({"rate": 0.1, "sd": 3}, "one of rate="),
        ({"rate": 0.1, "lift": 0.0}, "no effect"),
        ({"rate": 0.6, "lift": 1.0}, "between 0 and 1"),
        ({"rate": 0.1, "lift": 0.1, "n": 10, "power": 0.8}, "leave one out"),
        ({"rate": 0.1, "lift": 0.1, "power": 1.0}, "makes it certain"),
        ({"rate": 0.1, "lift": 0.1, "sided": 3}, "use 1 or 2"),
        ({"sd": 1.0, "delta": 0.0}, "no effect"),
    ],
)
def test_plan_names_what_is_wrong(options, says):
    with pytest.raises(ValueError, match=says):
        plan(**options)


def test_a_planted_difference_is_decided_and_none_is_not():
    rng = np.random.default_rng(2)
    same = watched(rng.normal(size=1500), rng.normal(size=1500), tuned_for=1000)
    apart = watched(rng.normal(0.5, 1, 1500), rng.normal(size=1500), tuned_for=1000)
    assert same.decided_at is None
    assert apart.decided_at is not None
    assert apart.path["low"][:99].isna().all()
    assert apart.decided_at >= 100


def test_too_early_is_said():
    assert "Too early" in watched([1.0] * 50, [0.0] * 50, tuned_for=100).sentence()


def test_a_constant_added_to_both_arms_changes_nothing():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=300), rng.normal(size=300)
    plain, moved = (watched(one + by, other + by, tuned_for=200).path for by in (0, 1e6))
    np.testing.assert_allclose(plain["high"], moved["high"], rtol=1e-6)


@pytest.mark.slow
def test_watching_all_the_time_raises_no_more_false_alarms_than_it_says():
    rng = np.random.default_rng(7)
    q, t = sequences.narrowest(500, 0.05), np.arange(1, 1001)
    gaps = rng.normal(size=(500, 1000)) - rng.normal(size=(500, 1000))
    mean = np.cumsum(gaps, 1) / t
    spread = np.sqrt(np.cumsum(gaps**2, 1) / t - mean**2)
    out = np.abs(mean) > sequences.asymptotic(t, spread, q, 0.05)
    assert out[:, 99:].any(1).mean() <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 500)


# Saturation


def test_planted_parameters_are_found():
    rng = np.random.default_rng(0)
    spend = np.repeat([5.0, 20, 60, 150, 400], 8)
    found = saturation(spend, 300 * spend / (80 + spend) + rng.normal(0, 5, 40)).table.set_index("parameter")
    assert found.loc["top", "low"] < 300 < found.loc["top", "high"]
    assert found.loc["half", "low"] < 80 < found.loc["half", "high"]


def test_units_of_spend_do_not_matter():
    spend, response = np.array([1.0, 2, 4, 8, 16]), np.array([10.0, 17, 25, 33, 38])
    one, other = saturation(spend, response), saturation(spend * 1000, response)
    assert one.marginal(4)["estimate"] == pytest.approx(1000 * other.marginal(4000)["estimate"], rel=1e-5)


def test_beyond_the_data_is_refused_or_marked():
    found = saturation([1.0, 2, 4, 8], [10.0, 17, 25, 33])
    with pytest.raises(ValueError, match="beyond the data: the largest spend was 8"):
        found.at(9)
    assert found.at(9, extrapolate=True)["beyond_the_data"] is True
    assert found.spend_for(1000) == "never"


def test_chosen_spend_is_warned_of_and_drawn_spend_is_not():
    data = ([1.0, 2, 4, 8], [10.0, 17, 25, 33])
    assert "Spend was chosen" in saturation(*data).sentence()
    assert "Spend was chosen" not in saturation(*data, randomised=True).sentence()


def test_hills_form_wants_four_spends():
    with pytest.raises(ValueError, match="4 are the least"):
        saturation([1, 2, 4], [1.0, 2, 3], form="hill")


# Newcomers


def test_more_budget_never_lowers_the_chance():
    found = newcomer(4000, 5000, 400, cost_per_view=0.01, follow=(30, 970))
    ordered = found.curve["probability"]
    assert (ordered.diff().dropna() >= -1e-9).all()


def test_the_budget_for_a_chance_gives_that_chance():
    found = newcomer(4000, 5000, 400, cost_per_view=0.01, follow=(30, 970))
    budget = found.budget_for(0.9)
    assert newcomer(4000, 5000, budget, cost_per_view=0.01, follow=(30, 970)).probability == pytest.approx(
        0.9, abs=1e-3
    )
    assert newcomer(0, 10, 1, cost_per_view=1, follow=0.0).budget_for(0.5) == "never"


def test_a_certain_rate_says_that_it_hides_its_doubt():
    assert "hides its own doubt" in newcomer(0, 10, 1, cost_per_view=1, follow=0.5).sentence()
    assert "hides" not in newcomer(0, 10, 1, cost_per_view=1, follow=(1, 1)).sentence()


@pytest.mark.parametrize(
    "result",
    [
        ask(counted(), cost=100),
        without_holdout(chosen(200), treated="treated", outcome="y", covariates=["x"]),
        plan(rate=0.1, lift=0.2),
        watched(np.arange(150.0) % 7, np.arange(150.0) % 5, tuned_for=100),
        saturation([1.0, 2, 4, 8], [10.0, 17, 25, 33]),
        newcomer(4000, 5000, 400, cost_per_view=0.01, follow=(30, 970)),
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
