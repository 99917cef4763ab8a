"""What a budget adds and what would be reported, without widgets and on the panel."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from toolkit.panels import PromotionPanel
from toolkit.scenarios.promotion import budget, holdout, plan, saturation

from .test_panel_base import a_holdout


def asked(**more):
    curve, test = a_holdout()
    return budget(curve, test=test, **{"spend": 50, "margin": 100, "promoted": 1000, **more})


def test_what_is_added_is_the_curve_and_what_is_reported_has_the_held_arm_on_top():
    answer, (curve, test) = asked(), a_holdout()
    added = curve.at(50)["estimate"]
    assert answer.value("incremental") == pytest.approx(added)
    assert answer.value("reported") == pytest.approx(0.5 + added)
    assert answer.value("incremental_total") == pytest.approx(1000 * added)
    assert answer.value("roi") == pytest.approx(100 * added / 50)
    assert answer.value("next_roi") == pytest.approx(100 * curve.marginal(50)["estimate"])
    assert answer.table["n"].unique().tolist() == [test.treated.n + test.held.n]


def test_the_error_of_the_held_arm_widens_what_is_added_and_cancels_in_what_is_reported():
    rows, (curve, test) = asked().table.set_index("quantity"), a_holdout()
    width = rows["high"] - rows["low"]
    own = curve.at(50)["high"] - curve.at(50)["low"]
    low, high = test.held.interval(0.95)
    assert width["reported"] == pytest.approx(own)
    assert width["incremental"] == pytest.approx(np.hypot(own, high - low))


def test_no_spend_adds_nothing_and_has_no_return():
    answer = asked(spend=0)
    assert answer.table["estimate"].tolist() == [0, 0.5, 0]
    assert np.isnan(answer.value("roi"))


def test_the_next_unit_pays_until_it_brings_back_less_than_itself():
    answer, (curve, _) = asked(), a_holdout()
    assert 100 * curve.marginal(answer.best_spend)["estimate"] == pytest.approx(1, abs=1e-6)
    assert asked(margin=1e6).best_spend == 150
    assert asked(margin=0).best_spend == asked(margin=1e-3).best_spend == "never"
    assert "no spend pays for itself" in asked(margin=0).sentence()
    assert "up to the largest spend seen, 150" in asked(margin=1e6).sentence()


def test_the_detectable_rise_is_that_of_a_plan_with_the_held_arms_spread():
    answer, (_, test) = asked(held=0.2), a_holdout()
    twin = plan(sd=float(np.sqrt(test.held.variance)), n=1000, ratio=0.25)
    assert answer.detectable == pytest.approx(twin.detectable)
    assert np.isnan(asked(held=0).detectable)
    assert "no test would find a rise" in asked(held=0).sentence()


def test_with_a_yes_or_no_outcome_the_detectable_rise_is_one_of_rates():
    arms = pd.DataFrame({"arm": ["promoted", "held"], "n": [1000, 1000], "bought": [120, 80]})
    test = holdout(arms, arm="arm", outcome="bought", n="n", held="held")
    curve = saturation([20, 50, 100], [0.02, 0.03, 0.04], randomised=True)
    answer = budget(curve, test=test, spend=50, margin=100, promoted=500, held=0.5)
    assert 0.08 + answer.detectable == pytest.approx(plan(rate=0.08, n=500).detectable)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"spend": 151}, "spend=151 lies beyond the data: the largest spend was 150"),
        ({"spend": -1}, "spend=-1: give 0 or more"),
        ({"margin": float("nan")}, "margin=nan: give a finite number"),
        ({"held": 30}, "held=30 is a share"),
        ({"held": 1}, "held=1 leaves nobody to promote"),
        ({"promoted": 0}, "promoted=0: give 1 or more"),
        ({"power": 1}, "power=1: give one between 0 and 1"),
    ],
)
def test_what_cannot_be_asked_is_named(given, message):
    with pytest.raises(ValueError, match=message):
        asked(**given)


def test_a_chosen_spend_is_said():
    curve = saturation([20, 50, 100, 150], [0.21, 0.38, 0.52, 0.61])
    answer = budget(curve, test=a_holdout()[1], spend=50, margin=100)
    assert "Spend was chosen, not drawn" in answer.sentence()
    assert "Spend was chosen" not in asked().sentence()


@pytest.mark.slow
def test_nine_in_ten_intervals_of_what_is_added_hold_the_truth():
    rng, hits = np.random.default_rng(3), []
    spends = np.repeat([20.0, 50.0, 100.0, 150.0, 180.0], 200)
    truth = 19 * spends / (124 + spends)
    for _ in range(150):
        held = rng.negative_binomial(4, 4 / (4 + 18), 430)
        made = rng.negative_binomial(4, 4 / (4 + 18 + truth))
        arms = pd.DataFrame({"arm": ["held"] * 430 + ["promoted"] * 1000, "orders": np.append(held, made)})
        test = holdout(arms, arm="arm", outcome="orders", held="held", planned={"held": 0.3, "promoted": 0.7})
        gained = pd.Series(made).groupby(spends).mean() - held.mean()
        answer = budget(saturation(gained.index, gained, randomised=True), test=test, spend=100, margin=12)
        row = answer.table.iloc[0]
        hits.append(row["low"] <= 19 * 100 / 224 <= row["high"])
    assert np.mean(hits) >= 0.9


@pytest.mark.parametrize(
    ("name", "value"), [("spend", 20.0), ("margin", 7.0), ("promoted", 40.0), ("held", 0.5), ("held", 0.0)]
)
def test_each_control_of_the_panel_gives_the_answer_of_budget(name, value):
    curve, test = a_holdout()
    panel = PromotionPanel(curve, test, margin=100)
    getattr(panel, name).value = value
    begun = {"spend": 75.0, "margin": 100.0, "promoted": 1000.0, "held": 0.3, name: value}
    twin = budget(curve, test=test, **begun)
    pd.testing.assert_frame_equal(panel.result.table, twin.table)
    assert panel.result.sentence() == twin.sentence()


def test_the_panel_shows_what_is_reported_beside_what_is_added():
    panel = PromotionPanel(*a_holdout(), margin=100, spend=50)
    assert panel._numbers()[0][0] == "0.76"
    assert panel._numbers()[1][0] == "1.76"
    panel.spend.value = 0
    assert repr(panel) == "PromotionPanel: nothing is spent, nothing is added"
    panel.held.value = 0
    assert panel._numbers()[-1][0] == "–"


def test_the_panel_refuses_what_its_sliders_would_cut_down():
    with pytest.raises(ValueError, match="spend=151 lies beyond the data"):
        PromotionPanel(*a_holdout(), margin=100, spend=151)
