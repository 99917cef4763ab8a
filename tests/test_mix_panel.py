"""The panel of mixes answers as its headless twin does, shares add up, and the flag turns with the order."""

from __future__ import annotations

import html

import matplotlib as mpl
import pandas as pd
import pytest

from toolkit.panels import MixPanel
from toolkit.scenarios import what_if_mix
from toolkit.tiers import Gaps, compare

from .test_panel_base import picture

KIDNEY = {"platform": ["A", "A", "B", "B"], "city_tier": ["small", "large"] * 2}


def kidney_stones() -> Gaps:
    """Charig et al. (1986), British Medical Journal 292, 879-882: treatments as platforms, sizes as tiers."""
    return compare(pd.DataFrame({**KIDNEY, "n": [87, 263, 270, 80], "converted": [81, 192, 234, 55]}))


def heads(panel: MixPanel) -> list[str]:
    """What stands above the two columns of sliders."""
    return [column.children[0].value for column in panel.children[2].children]


def three_platforms() -> Gaps:
    tiers = ["one", "two", "three"]
    rows = pd.DataFrame({"platform": ["douyin"] * 3 + ["kuaishou"] * 3 + ["c"] * 3, "city_tier": tiers * 3})
    n, converted = [100, 200, 700, 400, 400, 200, 300, 300, 400], [5, 20, 140, 60, 60, 30, 10, 10, 90]
    return compare(rows.assign(n=n, converted=converted), to="kuaishou")


@pytest.fixture
def panel() -> MixPanel:
    return MixPanel(three_platforms())


def test_as_observed_the_parts_and_the_flag_are_those_of_the_comparison():
    gaps = kidney_stones()
    answer = what_if_mix(gaps)
    found = gaps.table.set_index("part")["estimate"]
    assert (answer.gap, answer.mix, answer.rate) == pytest.approx(tuple(found[["gap", "mix", "rate"]]))
    assert answer.reverses == answer.reverses_now == gaps.reverses
    assert "as observed" in answer.sentence()
    assert "arithmetic" not in answer.sentence()


def test_parts_are_those_counted_by_hand():
    answer = what_if_mix(kidney_stones(), mix={"small": 0.5}, rates={"large": 0.8})
    v, s, w, r = (0.5, 0.5), (81 / 87, 0.8), (270 / 350, 80 / 350), (234 / 270, 55 / 80)
    mix = sum((v[t] - w[t]) * (s[t] + r[t]) / 2 for t in (0, 1))
    rate = sum((s[t] - r[t]) * (v[t] + w[t]) / 2 for t in (0, 1))
    assert (answer.mix, answer.rate) == pytest.approx((mix, rate))
    assert answer.gap == pytest.approx(0.5 * 81 / 87 + 0.5 * 0.8 - 289 / 350)


def test_at_one_mix_nothing_is_mix_and_the_order_no_longer_reverses():
    gaps = kidney_stones()
    answer = what_if_mix(gaps, mix=dict(zip(gaps.counts.tiers, gaps.counts.mixes[1], strict=True)))
    assert answer.mix == pytest.approx(0)
    assert answer.gap == pytest.approx(answer.rate)
    assert answer.reverses_now
    assert not answer.reverses


def test_the_flag_falls_with_the_rates_too():
    answer = what_if_mix(kidney_stones(), rates={"small": 0.8, "large": 0.6})
    assert not answer.reverses
    assert answer.tiers_opposite == 0


def test_tiers_without_a_share_give_way_in_proportion():
    answer = what_if_mix(three_platforms(), platform="douyin", mix={"one": 0.4})
    shares = answer.of("douyin")["assumed_share"].tolist()
    assert shares == pytest.approx([0.4, 0.6 * 2 / 9, 0.6 * 7 / 9, 1])


def test_the_reference_stays_as_it_was_observed():
    answer = what_if_mix(kidney_stones(), mix={"small": 0.75}, rates={"large": 0.8})
    own, other = answer.of("A").set_index("tier"), answer.of("B").set_index("tier")
    assert other["assumed_share"].equals(other["share"])
    assert other["assumed_rate"].equals(other["rate"])
    assert answer.gap == pytest.approx(own.loc["all", "assumed_rate"] - other.loc["all", "rate"])
    assert answer.parts.iloc[:-1][["mix", "rate"]].sum().tolist() == pytest.approx([answer.mix, answer.rate])


def test_the_answer_shows_n_and_the_observed_intervals():
    answer = what_if_mix(kidney_stones(), mix={"small": 0.75}, source="Invented")
    observed = kidney_stones().rates_by_tier().table.query("platform == 'A' and tier != 'all'")
    pd.testing.assert_frame_equal(
        answer.of("A").iloc[:-1][["low", "high", "n"]], observed[["low", "high", "n"]].reset_index(drop=True)
    )
    for words in [
        "Invented · A against B",
        "small 75.0 % (observed 24.9 %)",
        "gap +5.5 points (observed −4.6 points, 95 % interval −10.4 to 1.3)",
        "n = 350 and 350",
        "arithmetic on assumed numbers",
    ]:
        assert words in answer.sentence()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"mix": {"small": 0.7, "large": 0.7}}, ValueError, "add up to 1; these add up to 1.4"),
        ({"mix": {"small": 0.1, "large": 0.1}}, ValueError, "add up to 1; these add up to 0.2"),
        ({"mix": {"small": 70}}, ValueError, "share of tier 'small' is 70: give a number between 0 and 1"),
        ({"rates": {"small": -0.1}}, ValueError, "rate of tier 'small' is -0.1: give"),
        ({"rates": {"small": "0.3"}}, ValueError, "rate of tier 'small' is '0.3'"),
        ({"rates": {"small": float("nan")}}, ValueError, "is nan"),
        ({"rates": {"medium": 0.3}}, ValueError, "no tier 'medium'; there are: small, large"),
        ({"mix": {"medium": 0.3}}, ValueError, "no tier 'medium'; there are: small, large"),
        ({"platform": "C"}, ValueError, "no comparison of 'C' to None; there are: A to B"),
    ],
)
def test_what_cannot_be_assumed_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        what_if_mix(kidney_stones(), **arguments)


def test_of_several_pairs_one_must_be_chosen():
    with pytest.raises(ValueError, match="douyin to kuaishou, c to kuaishou; give platform= and to="):
        what_if_mix(three_platforms())


@pytest.mark.parametrize("tier", ["one", "two", "three"])
def test_each_slider_gives_the_answer_of_the_headless_twin(panel, tier):
    for controls, name in ((panel.mix, "mix"), (panel.rates, "rates")):
        panel.reset.click()
        before = panel.figure.value
        controls[tier].value = 0.15
        twin = what_if_mix(three_platforms(), platform="douyin", **{name: {tier: 0.15}})
        pd.testing.assert_frame_equal(panel.result.table, twin.table)
        assert html.escape(twin.turn) in panel.answer.value
        assert panel.figure.value != before


def test_shares_on_the_sliders_always_add_up_to_1(panel):
    for tier, share in (("one", 0.5), ("two", 0.3), ("three", 1.0), ("three", 0.4)):
        panel.mix[tier].value = share
        shares = [slider.value for slider in panel.mix.values()]
        assert panel.mix[tier].value == share
        assert sum(shares) == pytest.approx(1)
        assert panel.result.of(panel.result.platform)["assumed_share"].tolist()[:-1] == pytest.approx(shares)
    # The others were at 0, so they come back in the proportions observed, 1 to 2.
    assert shares == pytest.approx([0.2, 0.4, 0.4])
    assert any("give way in proportion" in head for head in heads(panel))


def test_another_pair_brings_its_own_mix_and_rates(panel):
    panel.rates["one"].value = 0.3
    panel.pair.value = ("c", "kuaishou")
    assert panel.result.platform == "c"
    assert [slider.value for slider in panel.mix.values()] == pytest.approx([0.3, 0.3, 0.4])
    assert panel.rates["three"].value == pytest.approx(90 / 400)
    assert "as observed" in panel.result.sentence()


def test_the_button_brings_back_what_was_observed(panel):
    panel.rates["one"].value = 0.3
    panel.mix["one"].value = 0.3
    panel.reset.click()
    assert "as observed" in panel.result.sentence()
    assert panel.result.gap == pytest.approx(panel.result.now("gap")["estimate"])


def test_the_flag_is_shown_and_follows():
    panel = MixPanel(kidney_stones())
    assert repr(panel).endswith("the order reverses")
    panel.mix["small"].value = 0.75
    assert repr(panel) == (
        "MixPanel: A against B, gap +5.5 points (observed −4.6 points), mix −0.41 points, rate +5.9 points"
    )
    assert "inside tiers (Simpson&#x27;s paradox; observed yes)" in panel.answer.value


def test_a_panel_begins_with_the_pair_asked_for():
    assert MixPanel(three_platforms(), platform="c").result.platform == "c"
    with pytest.raises(ValueError, match="no comparison 'bilibili to any'; there are: douyin to kuaishou"):
        MixPanel(three_platforms(), platform="bilibili")


def test_sliders_wait_for_the_hand_to_rest(panel):
    assert not any(slider.continuous_update for slider in (*panel.mix.values(), *panel.rates.values()))


def test_names_from_the_data_are_text():
    names = ["<b>x</b>", '$a_b$ & "c"']
    rows = pd.DataFrame({"platform": ["<i>p</i>"] * 2 + ["<script>q"] * 2, "city_tier": names * 2})
    rows = rows.assign(**{"<u>n": [9, 6, 8, 4], "<s>y": [3, 3, 2, 1]})
    panel = MixPanel(compare(rows, of="<u>n", outcome="<s>y"), source="<em>s")
    panel.mix[names[1]].value = 0.9
    for page in (panel.answer.value, panel.result._repr_html_(), *heads(panel)):
        for tag in ("<i>", "<script", "<u>", "<s>", "<em>"):
            assert tag not in page
        assert "<b>x" not in page
    sliders = (*panel.mix.values(), *panel.rates.values())
    assert not any(slider.description_allow_html for slider in sliders)


def test_the_figure_is_a_png_drawn_without_touching_the_session(panel):
    before = dict(mpl.rcParams)
    panel.mix["one"].value = 0.4
    assert picture(panel.figure.value).shape[1] == 1280
    assert dict(mpl.rcParams) == before


def test_the_figure_names_its_source_and_the_reversal():
    ax = what_if_mix(kidney_stones(), source="Simulated log").plot()
    assert ax.get_title(loc="left").startswith(
        "Simulated log: gap −4.6 points, mix −9.9 and rate +5.4\nThe order"
    )
    ax.figure.clear()


def test_rate_sliders_fit_the_rates_of_the_pair(panel):
    assert {one.max for one in panel.rates.values()} == {0.4}
    panel.pair.value = ("c", "kuaishou")
    assert {one.max for one in panel.rates.values()} == {0.5}
    rows = pd.DataFrame({**KIDNEY, "n": [10_000] * 4, "converted": [200, 800, 300, 700]})
    assert {one.max for one in MixPanel(compare(rows)).rates.values()} == {0.2}
    near = {**KIDNEY, "n": [10_000] * 4, "converted": [120, 390, 1200, 1400]}
    assert {one.max for one in MixPanel(compare(pd.DataFrame(near))).rates.values()} == {0.2}


def test_what_is_assumed_is_said_in_a_line_however_many_tiers_there_are(panel):
    panel.mix["one"].value = 0.5
    panel.rates["two"].value = 0.3
    assert "with another mix and other rates in 1 tier:" in panel.answer.value
    assert "n = 1,000 and 1,000" in panel.answer.value
    assert "no forecast" in panel.answer.value
    assert len(panel._caveat()) < 400


def test_a_mix_of_nobody_elsewhere_is_spread_evenly():
    """One tier has all users, so nothing observed says how others would share what it gives up."""
    rows = pd.DataFrame({**KIDNEY, "n": [100, 1, 50, 50], "converted": [9, 1, 5, 6]})
    panel = MixPanel(compare(rows))
    panel.mix["small"].value = 1.0
    panel.mix["small"].value = 0.6
    assert panel.mix["large"].value == pytest.approx(0.4)


def test_long_names_of_platforms_leave_title_key_and_axis_inside_the_figure():
    rows = [
        (one, tier, 1000, 40 + 10 * at)
        for one in ("xiaohongshu", "taobao_live")
        for at, tier in enumerate("xyz")
    ]
    long = compare(pd.DataFrame(rows, columns=["platform", "city_tier", "n", "converted"]), to="taobao_live")
    ax = what_if_mix(long, mix={"x": 0.5}, source="Simulated log").plot()
    ax.figure.canvas.draw()
    drawn = [ax.get_legend(), ax.yaxis.label, *ax.get_yticklabels()]
    assert all(one.get_window_extent().x0 >= 0 and one.get_window_extent().x1 <= 640 for one in drawn)
    assert ax.bbox.width > 400


@pytest.mark.parametrize(
    "tiers",
    [
        ["small", "large"],
        ["prefecture-level cities of the coast", "towns of the west"],
        [f"第{at}档城市" for at in range(8)],
    ],
    ids=["short names", "long names", "many tiers"],
)
def test_nothing_in_the_panels_figure_is_cut(tiers: list[str]) -> None:
    """Two lines of title, since the order reverses; whatever is cut would colour the picture's edge."""
    n = [87, 263, 270, 80] if len(tiers) == 2 else [*range(80, 880, 100), *range(880, 80, -100)]
    rows = pd.DataFrame(
        {"platform": ["douyin"] * len(tiers) + ["kuaishou"] * len(tiers), "city_tier": tiers * 2}
    )
    rates = [0.93, 0.73] * (len(tiers) // 2) + [0.87, 0.69] * (len(tiers) // 2)
    rows = rows.assign(n=n, converted=[round(one * rate) for one, rate in zip(n, rates, strict=True)])
    seen = picture(MixPanel(compare(rows), source="Simulated log").figure.value)
    assert all(edge.min() == 1 for edge in (seen[0], seen[-1], seen[:, 0], seen[:, -1]))
    assert seen.min() < 0.5
