"""What would change if: answers in words and figures, groups without a value, and names that are not there."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from toolkit.scenarios import what_if, what_if_mix, who_returns
from toolkit.tiers import compare

STEPS = pd.DataFrame({"step": ["enter", "cart", "pay"], "reached": [1000, 200, 50]})
KIDNEY = pd.DataFrame(  # Charig et al. (1986), BMJ 292, 879-882
    {
        "platform": ["A", "A", "B", "B"],
        "city_tier": ["small", "large"] * 2,
        "n": [87, 263, 270, 80],
        "converted": [81, 192, 234, 55],
    }
)


def groups(*names):
    return pd.concat(
        [STEPS.assign(platform=name, reached=STEPS["reached"] * (k + 1)) for k, name in enumerate(names)]
    )[["platform", "step", "reached"]]


def test_an_answer_says_the_finding_then_what_is_assumed_then_the_caveat():
    said = what_if(STEPS, {"cart": 0.3}, amount_per_buyer=80).sentence()
    assert said == (
        "75 buyers instead of 50, of 1,000 who reach enter; GMV CNY 6,000 instead of 4,000 at 80 a buyer, "
        "with 30.0 % from enter to cart (observed 20.0 %, interval 17.6 to 22.6 %, n = 1,000) and the other rates as "
        "observed. This is arithmetic on assumed rates and has no interval: it is no forecast."
    )
    assert what_if(STEPS, {}).sentence() == "50 buyers of 1,000 who reach enter, as observed."


def test_a_group_without_a_value_is_not_the_group_called_missing():
    counts = groups(None, "missing", "nan")
    assert what_if(counts, {}, group=np.nan).buyers == 50
    assert what_if(counts, {}, group="<null>").buyers == 50
    assert what_if(counts, {}, group="missing").buyers == 100
    assert what_if(counts, {}, group="nan").buyers == 150
    with pytest.raises(
        ValueError, match=r"no group 'missin' \(did you mean 'missing'\?\); there are: <null>, missing, nan"
    ):
        what_if(counts, {}, group="missin")


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (
            lambda: what_if(STEPS, {"crt": 0.3}),
            r"no rate to step 'crt' \(did you mean 'cart'\?\); there are: cart, pay",
        ),
        (
            lambda: what_if(STEPS, {}, group="a"),
            "counts are broken down by nothing: give group= one value of each",
        ),
        (
            lambda: what_if_mix(compare(KIDNEY), mix={"smal": 0.3}),
            r"no tier 'smal' \(did you mean 'small'\?\)",
        ),
        (
            lambda: what_if_mix(compare(KIDNEY), platform="C", to="B"),
            "no comparison of 'C' to 'B'; there are: A to B",
        ),
        (
            lambda: who_returns(None, definition="bought"),
            "no definition 'bought'.*there are: came back, bought again",
        ),
    ],
)
def test_names_that_are_not_there_are_wrong_values(ask, message):
    with pytest.raises(ValueError, match=message):
        ask()


@pytest.mark.parametrize(
    ("rates", "title"),
    [
        ({}, "Simulated log · 抖音 Douyin: as observed"),
        ({"pay": 0.5}, "Simulated log · 抖音 Douyin: 50 more buyers (+100 %)"),
        ({"pay": 0.2}, "Simulated log · 抖音 Douyin: 10 fewer buyers (−20.0 %)"),
    ],
)
def test_the_title_of_a_figure_is_its_finding(rates, title):
    ax = what_if(groups("douyin"), rates, group="douyin", source="Simulated log").plot()
    assert ax.get_title(loc="left") == title
    plt.close("all")


def test_each_scenario_draws_a_figure_of_its_own_unless_it_is_given_axes():
    for answer in (what_if(STEPS, {"pay": 0.5}), what_if_mix(compare(KIDNEY), mix={"small": 0.5})):
        first, second = answer.plot(), answer.plot()
        assert first.figure is not second.figure
        assert answer.plot(first) is first
    plt.close("all")


def test_a_mix_says_whether_the_order_reverses_and_in_how_many_tiers():
    answer = what_if_mix(compare(KIDNEY))
    assert answer.turn == "the order reverses at the pooled mix, and in 2 of 2 tiers (Simpson's paradox)"
    assert answer.sentence().endswith(f"as observed; {answer.turn}.")
    assert (
        what_if_mix(compare(KIDNEY), mix={"small": 0.75}).turn
        == "the order does not reverse at one mix of tiers"
    )


def test_a_mix_is_asked_of_gaps():
    with pytest.raises(TypeError, match="what_if_mix takes the Gaps of toolkit.compare, not DataFrame"):
        what_if_mix(KIDNEY)
