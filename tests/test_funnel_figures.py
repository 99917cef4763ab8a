"""Figures of a funnel: every group is named at its end, bands are inside, and many groups stay legible."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from toolkit import Funnel, style

STEPS = ["直播间曝光人数", "商品点击人数", "支付成功人数"]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def counts(steps=STEPS, by="room", **groups):
    """A funnel from the counts of each group."""
    rows = [(name, step, n) for name, line in groups.items() for step, n in zip(steps, line, strict=True)]
    return Funnel.from_counts(pd.DataFrame(rows, columns=[by, "step", "n"]))


def many(number):
    """Rooms of falling size, of which every one converts as its number says."""
    return counts(**{f"r{at:02}": [10_000 - 100 * at, 1000 + at, 100 + at] for at in range(number)})


def texts(ax):
    return [text.get_text() for text in ax.texts]


def bands(ax):
    """Ends of all vertical bars."""
    return np.array([segment for lines in ax.collections for segment in lines.get_segments()])[:, :, 1]


def test_a_group_that_ends_at_0_is_named_at_its_end_as_the_lowest():
    ax = counts(good=[1000, 100, 10], none=[1000, 400, 0]).plot()
    placed = {text.get_text(): text.xy for text in ax.texts}
    assert set(placed) == {"good 1.0 %", "none 0.0 %"}
    assert placed["none 0.0 %"][0] == placed["good 1.0 %"][0] == 2
    assert placed["none 0.0 %"][1] < placed["good 1.0 %"][1]
    hollow = [line for line in ax.lines if line.get_markerfacecolor() == "white"]
    assert [list(line.get_xdata()) for line in hollow] == [[2]]
    assert "hollow: 0" in ax.get_ylabel()


@pytest.mark.parametrize("last", [0, 1, 3, 900])
def test_bands_lie_inside_the_limits(last):
    ax = counts(a=[1000, 950, last], b=[1000, 990, 980]).plot()
    bottom, top = ax.get_ylim()
    assert bands(ax).min() >= bottom
    assert bands(ax).max() <= top


def test_a_log_axis_of_less_than_a_decade_names_ticks_between():
    ax = counts(["enter", "click"], a=[1000, 700], b=[1000, 900]).plot()
    ax.figure.canvas.draw()
    bottom, top = ax.get_ylim()
    ticks = zip(ax.yaxis.get_minorticklocs(), ax.yaxis.get_minorticklabels(), strict=True)
    named = [label.get_text() for at, label in ticks if bottom <= at <= top and label.get_text()]
    assert named == ["60 %", "70 %", "80 %", "90 %"]


@pytest.mark.parametrize("groups", [1, 2])
def test_long_names_of_steps_wrap_and_stay_inside_the_figure(groups):
    names = ["a_step_with_a_rather_long_name_of_its_own", "直播间曝光人数与商品点击人数", "支付"]
    ax = counts(names, **{f"g{at}": [900, 90, 9] for at in range(groups)}).plot()
    ax.figure.canvas.draw()
    labels = ax.get_yticklabels() if groups == 1 else ax.get_xticklabels()
    assert ["".join(label.get_text().split("\n")) for label in labels] == names
    assert [label.get_text().count("\n") > 0 for label in labels] == [True, True, False]
    boxes = [label.get_window_extent() for label in labels]
    assert not any(one.overlaps(other) for at, one in enumerate(boxes) for other in boxes[:at])
    width, height = ax.figure.canvas.get_width_height()
    assert all(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height for box in boxes)


def test_twelve_groups_are_drawn_each_in_a_colour_of_its_own():
    ax = many(12).plot()
    assert len({text.get_color() for text in ax.texts}) == len(ax.texts) == 12


def test_of_many_groups_the_largest_12_are_drawn_and_the_others_as_one():
    answer = many(30)
    ax = answer.plot()
    drawn = [text for text in texts(ax) if "other" not in text]
    assert sorted(text.split()[0] for text in drawn) == [f"r{at:02}" for at in range(12)]
    rest = answer.table.query("room >= 'r12'").groupby("step", sort=False)["reached"].sum()
    assert [text for text in texts(ax) if "other" in text] == [
        f"18 other groups {rest[STEPS[2]] / rest[STEPS[0]] * 100:.1f} %"
    ]
    assert answer.table["room"].nunique() == 30
    _, labels = answer.compare("r29").plot().get_legend_handles_labels()
    assert labels == [*(f"r{at:02}" for at in range(12)), "17 other groups"]


def test_a_comparison_draws_what_each_step_adds_and_says_what_it_found():
    compared = counts(a=[10_000, 5_000, 1_000], b=[10_000, 5_000, 500]).compare("b")
    ax = compared.plot()
    marks = {line.get_label(): line for line in ax.lines}["a"]
    assert marks.get_xdata() == pytest.approx([0, 5, 5])
    assert [label.get_text().replace("\n", "") for label in ax.get_yticklabels()] == [
        "all steps",
        *(f"to {step}" for step in STEPS[:0:-1]),
    ]
    assert ax.get_title(loc="left").replace("\n", " ") == (
        "100 % of the gap of a to b arises from 商品点击人数 to 支付成功人数"
    )
    none = counts(a=[1000, 500, 100], b=[1000, 500, 101]).compare("b").plot()
    assert none.get_title(loc="left") == "No end-to-end gap to b is distinguishable from 0"


@pytest.mark.parametrize("by", ["group", "order", "others", "place"])
def test_groups_may_be_called_what_they_like(by):
    answer = counts(by=by, **{f"g{at}": [900, 90 + at, 9] for at in range(20)})
    compared = answer.compare("g0")
    assert compared.table[by].unique().tolist() == [f"g{at}" for at in range(1, 20)]
    assert compared.plot() is not answer.plot()


def test_groups_without_a_value_are_drawn_as_null_and_one_without_entries_not_at_all():
    frame = pd.DataFrame({"room": ["a", "a", None, None, "empty", "empty"], "step": ["enter", "pay"] * 3})
    ax = Funnel.from_counts(frame.assign(n=[100, 10, 100, 20, 0, 0])).plot()
    assert sorted(texts(ax)) == ["<null> 20.0 %", "a 10.0 %"]


def test_bars_give_each_rate_its_interval():
    ax = Funnel.from_counts(pd.DataFrame({"step": ["enter", "pay"], "n": [263, 81]})).plot()
    assert texts(ax) == ["263", "81\n30.8 % of the step before (25.5 to 36.6 %)"]
    assert ax.get_xlabel() == "those counted (in brackets: 95 % interval)"


def test_a_platform_keeps_its_colour_among_others():
    ax = counts(douyin=[100, 50, 10], iOS=[100, 50, 20]).plot()
    colours = {text.get_text().split()[0]: text.get_color() for text in ax.texts}
    assert colours == {"抖音": style.PLATFORMS["douyin"].colour, "iOS": style.COLOURS[0]}
