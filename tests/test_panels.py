"""The panel answers as its headless twin does, and both say what they assume."""

from __future__ import annotations

import html
import math

import matplotlib as mpl
import pandas as pd
import pytest

from toolkit import Funnel, funnel, read_events
from toolkit.panels import RatesPanel
from toolkit.panels.rates import break_even
from toolkit.scenarios import what_if

from .test_panel_base import picture

STEPS = ["enter", "cart", "pay"]


def two_platforms() -> pd.DataFrame:
    counts = pd.DataFrame({"platform": ["douyin"] * 3 + ["kuaishou"] * 3, "step": STEPS * 2})
    return counts.assign(
        reached=[1000, 200, 50, 400, 100, 40], low=[None, 0.17, 0.19] * 2, high=[None, 0.23, 0.31] * 2
    )


@pytest.fixture
def panel() -> RatesPanel:
    return RatesPanel(two_platforms(), amount_per_buyer={"douyin": 80, "kuaishou": 25})


def test_at_the_observed_rates_nothing_changes():
    answer = what_if(two_platforms(), {}, group="douyin", amount_per_buyer=80)
    assert (answer.buyers, answer.buyers_now, answer.gmv) == (50, 50, 4000)
    assert "assumed" not in answer.sentence()


def test_a_higher_rate_carries_through_to_buyers_and_gmv():
    answer = what_if(two_platforms(), {"cart": 0.3}, group="douyin", amount_per_buyer=80)
    assert answer.table["would_reach"].tolist() == [1000, 300, 75]
    assert (answer.gmv, answer.gmv_now) == (6000, 4000)


def test_the_answer_names_its_rate_the_observed_one_with_interval_and_n_and_its_caveat():
    sentence = what_if(two_platforms(), {"cart": 0.3}, group="douyin", amount_per_buyer=80).sentence()
    for words in [
        "30.0 % from enter to cart",
        "observed 20.0 %",
        "17.0 to 23.0 %",
        "n = 1,000",
        "75 buyers instead of 50",
    ]:
        assert words in sentence
    assert "arithmetic on assumed rates" in sentence


def test_without_an_amount_there_is_no_gmv():
    answer = what_if(two_platforms(), {"pay": 1}, group="kuaishou")
    assert answer.gmv is None
    assert "GMV" not in answer.sentence()


def test_counts_without_groups_need_no_group():
    counts = two_platforms().query("platform == 'douyin'").drop(columns="platform")
    assert what_if(counts, {"pay": 0.5}).buyers == 100


def test_plain_counts_get_their_intervals_from_a_funnel_of_counts():
    answer = what_if(pd.DataFrame({"step": STEPS, "n": [1000, 200, 50]}), {"cart": 0.3})
    assert answer.buyers == 75
    assert answer.table["low"].iloc[1] < 0.2 < answer.table["high"].iloc[1]


def test_where_nobody_came_the_next_rate_must_be_given():
    counts = pd.DataFrame({"step": STEPS, "reached": [100, 0, 0]})
    with pytest.raises(ValueError, match="'pay', so its rate is unknown: give one"):
        what_if(counts, {"cart": 0.5})
    answer = what_if(counts, {"cart": 0.5, "pay": 0.1})
    assert answer.buyers == 5
    assert "never observed" in answer.sentence()


@pytest.mark.parametrize("rate", [-0.1, 1.1, 30, float("nan"), "0.3", True, None])
def test_a_rate_is_a_share(rate):
    with pytest.raises(ValueError, match=r"rate .* to step 'cart': give a number between 0 and 1"):
        what_if(two_platforms(), {"cart": rate}, group="douyin")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"rates": {"chart": 0.1}, "group": "douyin"},
            "no rate to step 'chart' .did you mean 'cart'..; there are: cart, pay",
        ),
        ({"rates": {"enter": 0.1}, "group": "douyin"}, "no rate to step 'enter'"),
        ({"rates": {}, "group": "bilibili"}, "no group 'bilibili'; there are: douyin, kuaishou"),
        ({"rates": {}}, "broken down by platform: give group="),
        ({"rates": {}, "group": ("douyin", "new")}, "broken down by platform: give group="),
    ],
)
def test_a_name_that_is_not_there_is_named_with_those_that_are(arguments, message):
    with pytest.raises(ValueError, match=message):
        what_if(two_platforms(), **arguments)


def test_a_negative_amount_is_refused():
    with pytest.raises(ValueError, match="amount_per_buyer=-1: give an amount of 0 or more"):
        what_if(two_platforms(), {}, group="douyin", amount_per_buyer=-1)


def test_a_moved_slider_gives_the_answer_of_the_headless_twin(panel):
    before = panel.figure.value
    panel.rates["cart"].value = 0.3
    twin = what_if(two_platforms(), {"cart": panel.rates["cart"].value}, group="douyin", amount_per_buyer=80)
    pd.testing.assert_frame_equal(panel.result.table, twin.table)
    assert twin.sentence() in panel.answer.value
    assert panel.figure.value != before
    assert repr(panel) == "RatesPanel: 抖音 Douyin, 75 buyers (observed 50), GMV CNY 6,000"


def test_a_new_amount_gives_a_new_gmv(panel):
    panel.amount.value = 100
    assert panel.result.gmv == 5000
    assert "5,000" in panel.answer.value


def test_another_group_brings_its_own_rates_and_amount(panel):
    panel.rates["cart"].value = 0.9
    panel.group.value = ("kuaishou",)
    assert (panel.result.buyers, panel.result.gmv) == (40, 1000)
    assert panel.rates["cart"].value == pytest.approx(0.25)


def test_each_group_keeps_what_was_set_for_it(panel):
    panel.rates["cart"].value = 0.3
    panel.amount.value = 100
    panel.group.value = ("kuaishou",)
    panel.rates["pay"].value = 0.8
    panel.group.value = ("douyin",)
    assert (panel.rates["cart"].value, panel.amount.value, panel.result.gmv) == (0.3, 100, 7500)
    panel.reset.click()
    assert (panel.result.buyers, panel.amount.value) == (50, 80)
    panel.group.value = ("kuaishou",)
    assert panel.result.buyers == 80


def test_one_amount_for_all_groups_stays_one_for_all():
    panel = RatesPanel(two_platforms(), amount_per_buyer=80)
    panel.amount.value = 100
    panel.group.value = ("kuaishou",)
    assert panel.result.gmv == 4000


def test_the_button_brings_back_the_observed_rates(panel):
    panel.rates["pay"].value = 0.9
    panel.reset.click()
    assert panel.result.buyers == panel.result.buyers_now == 50


def test_an_unmoved_slider_stands_for_the_exact_rate():
    counts = pd.DataFrame({"step": STEPS, "reached": [100_003, 30_011, 7_013]})
    panel = RatesPanel(counts, amount_per_buyer=1)
    assert panel.result.buyers == 7_013
    panel.rates["cart"].value = 0.4
    assert panel.result.buyers == what_if(counts, {"cart": 0.4}).buyers


def test_sliders_wait_for_the_hand_to_rest_and_fit_the_rates_of_every_group(panel):
    for slider in panel.rates.values():
        assert not slider.continuous_update
        assert slider.max >= 0.5
    small = RatesPanel(pd.DataFrame({"step": ["enter", "pay"], "reached": [10_000, 30]}), amount_per_buyer=1)
    assert small.rates["pay"].max == pytest.approx(0.006)


def test_counts_without_groups_hide_the_choice_of_a_group():
    panel = RatesPanel(pd.DataFrame({"step": STEPS, "reached": [10, 5, 0]}), amount_per_buyer=1)
    assert panel.group.layout.display == "none"
    panel.rates["pay"].value = 0.5
    assert panel.result.buyers == 2


def test_a_rate_that_is_needed_and_unknown_is_asked_for_and_not_taken_as_0():
    panel = RatesPanel(pd.DataFrame({"step": STEPS, "reached": [100, 0, 0]}), amount_per_buyer=1)
    panel.rates["cart"].value = 0.01
    assert "'pay', so its rate is unknown" in html.unescape(panel.warning.value)
    assert "as observed" in panel.answer.value
    panel.rates["pay"].value = panel.rates["pay"].max
    assert panel.warning.value == ""
    assert panel.result.buyers == 1
    assert "never observed" in panel.rates["pay"].description


def test_counts_of_one_step_are_refused():
    with pytest.raises(ValueError, match="a funnel needs at least two steps; got enter"):
        RatesPanel(pd.DataFrame({"step": ["enter"], "reached": [10]}))


def test_without_an_amount_there_is_no_gmv_until_one_is_set():
    panel = RatesPanel(pd.DataFrame({"step": STEPS, "n": [1000, 200, 50]}))
    assert panel.result.gmv is None
    assert "GMV" not in panel.answer.value
    assert repr(panel) == "RatesPanel: 50 buyers (observed 50)"
    panel.amount.value = 80
    assert panel.result.gmv == 4000


def paid(amount: str = "amount") -> Funnel:
    """Buyers of x pay 10 and 30, those of y 5 each; two more of each platform only enter."""
    rows = [(f"{p}{i}", p, "enter", None) for p in "xy" for i in range(4)]
    rows += [("x0", "x", "pay", 10), ("x1", "x", "pay", 30), ("y0", "y", "pay", 5), ("y1", "y", "pay", 5)]
    frame = pd.DataFrame(rows, columns=["user_id", "platform", "event", amount])
    frame["timestamp"] = pd.Timestamp("2019-11-11") + pd.to_timedelta(range(len(frame)), "min")
    return funnel(read_events(frame), ["enter", "pay"], within="1d", by="platform")


def test_the_amount_is_that_of_the_logs_own_baskets():
    panel = RatesPanel(paid())
    assert panel.result.gmv == 40
    panel.group.value = ("y",)
    assert panel.result.gmv == 10
    assert RatesPanel(paid("price"), amount_per_buyer="price", group="x").result.gmv == 40
    assert RatesPanel(paid("price")).result.gmv is None
    assert RatesPanel(paid(), amount_per_buyer=7).result.gmv == 14


def test_amounts_of_a_column_need_a_log():
    with pytest.raises(
        ValueError, match="amount_per_buyer='amount': amounts are read from a funnel of a log"
    ):
        RatesPanel(two_platforms(), amount_per_buyer="amount")


def test_the_break_even_rate_reaches_the_goal_with_the_other_rates_as_set(panel):
    assert panel.break_even == pytest.approx(0.25)
    panel.rates["cart"].value = 0.1
    assert panel.break_even == pytest.approx(0.5)
    panel.goal.value = 2000
    assert panel.break_even == pytest.approx(0.25)
    assert "25.0 %" in panel.answer.value
    panel.rates["pay"].value = panel.break_even
    assert panel.result.gmv == 2000
    panel.lever.value = "cart"
    panel.rates["pay"].value = 0.5
    assert panel.break_even == pytest.approx(2000 / 80 / 1000 / 0.5)
    panel.goal.value = 1e9
    assert "no rate to cart alone reaches a GMV of CNY 1,000,000,000" in panel.answer.value


def test_no_rate_breaks_even_where_nobody_else_gets_through():
    answer = what_if(pd.DataFrame({"step": STEPS, "reached": [100, 20, 5]}), {"cart": 0})
    assert break_even(answer, "pay", 5) == math.inf
    assert break_even(answer, "cart", 5) == pytest.approx(0.2)


def test_labels_of_twelve_steps_have_room_each():
    steps = [f"step {i} 直播间曝光人数" for i in range(12)]
    panel = RatesPanel(pd.DataFrame({"step": steps, "reached": range(1200, 0, -100)}))
    wide, high = picture(panel.figure.value).shape[1::-1]
    assert wide == 1280
    assert high / 12 > 60  # pixels of two lines of a label


def test_long_names_are_not_cut(panel):
    name = "从直播间曝光到商品点击再到支付的用户"
    panel = RatesPanel(pd.DataFrame({"step": ["enter", name], "reached": [10, 5]}))
    assert panel.rates[name].description == f"to {name}"
    assert "white-space: normal" in panel.children[0].value


def test_a_panel_begins_with_the_group_asked_for(panel):
    assert RatesPanel(two_platforms(), amount_per_buyer=1, group="kuaishou").result.buyers == 40
    with pytest.raises(ValueError, match="no group 'bilibili'; there are: douyin, kuaishou"):
        RatesPanel(two_platforms(), amount_per_buyer=1, group="bilibili")


def test_groups_of_different_steps_are_refused():
    counts = two_platforms().assign(step=[*STEPS, "enter", "order", "pay"])
    with pytest.raises(
        ValueError, match="the steps of kuaishou are enter, order, pay; those of the first group"
    ):
        RatesPanel(counts, amount_per_buyer=1)


def test_a_group_without_an_amount_and_an_amount_below_nothing_are_named():
    with pytest.raises(ValueError, match="no amount for 'douyin'"):
        RatesPanel(two_platforms(), amount_per_buyer={"kuaishou": 1})
    with pytest.raises(ValueError, match="amount_per_buyer=-1: give an amount"):
        RatesPanel(two_platforms(), amount_per_buyer=-1)


def test_names_from_the_data_are_text():
    names = ["<script>alert(1)</script>", '$a_b$ & "c"', "😀\n'"]
    counts = pd.DataFrame({"who": ["<b>x</b>"] * 3, "step": names, "reached": [9, 6, 3]})
    panel = RatesPanel(counts, amount_per_buyer=1, currency="<i>")
    panel.rates[names[2]].value = 0.9
    for page in (panel.answer.value, panel.result._repr_html_()):
        assert "<script" not in page
        assert "<b>" not in page
        assert "<i>" not in page
    assert not any(slider.description_allow_html for slider in panel.rates.values())


def test_the_figure_is_drawn_without_touching_the_session(panel):
    before = dict(mpl.rcParams)
    panel.rates["cart"].value = 0.4
    assert picture(panel.figure.value).shape[:2] == (800, 1280)
    assert dict(mpl.rcParams) == before
