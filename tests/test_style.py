"""The four platforms look alike everywhere, and their names are drawn with the shipped font."""

from __future__ import annotations

import subprocess
import sys
import warnings

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbformat
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from nbclient import NotebookClient

from toolkit import Funnel, Level, Retention, compare, interrupted_time_series, style

PLATFORMS = ["xiaohongshu", "taobao_live", "douyin", "kuaishou"]


def contrast_with_white(colour: str) -> float:
    """WCAG 2.2, relative luminance and contrast ratio."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


def test_each_platform_has_a_colour_a_marker_and_two_labels_of_its_own():
    looks = style.looks(PLATFORMS)
    assert [look.label for look in looks.values()] == ["小红书", "淘宝直播", "抖音", "快手"]
    assert [look.colour for look in looks.values()] == ["#0072B2", "#D55E00", "#009E73", "#CC79A7"]
    assert len({look.marker for look in looks.values()}) == 4
    assert style.label("taobao_live") == "淘宝直播 Taobao Live"


@pytest.mark.parametrize("colour", [look.colour for look in style.PLATFORMS.values()])
def test_platform_colours_stand_out_on_white(colour):
    assert contrast_with_white(colour) >= 3


@pytest.mark.parametrize("colour", style.COLOURS)
def test_other_colours_stand_out_on_white_more(colour):
    assert contrast_with_white(colour) >= 4


@pytest.mark.parametrize(
    "names",
    [
        ["iOS", "Android"],
        ["控制组", "实验组"],
        ["A", "B"],
        ["tier_1", "tier_new_1", "tier_2", "tier_3", "tier_4", "tier_5"],
        [*PLATFORMS, "new", "old"],
        [*range(len(style.COLOURS))],
        ["<null>", "missing", "nan"],
    ],
)
def test_every_group_of_a_figure_has_a_colour_of_its_own(names):
    found = style.looks(names)
    assert len({look.colour for look in found.values()}) == len(names)
    assert len({look.marker for look in found.values()}) == min(len(names), len(style.MARKERS))


def test_markers_tell_groups_apart_where_colours_run_out():
    found = style.looks(range(len(style.COLOURS) + 3)).values()
    assert len({look.colour for look in found}) == len(style.COLOURS)
    assert len({(look.colour, look.marker) for look in found}) == len(found)


def test_any_other_name_is_drawn_alike_in_whatever_order_names_come():
    names = ["tier 1", "tier 2", "new", "old", "fan", "douyin"]
    assert style.looks(names) == style.looks(names[::-1])
    assert style.look("tier 1") == style.look("tier 1")


def test_the_names_of_one_figure_never_share_a_look():
    looks = style.looks([*PLATFORMS, *(f"room {number}" for number in range(len(style.OTHERS)))])
    assert len({(look.colour, look.marker) for look in looks.values()}) == len(looks)


def test_more_names_than_looks_still_get_one_each():
    assert len(style.looks(range(200))) == 200


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT])
def test_a_missing_name_is_called_null_and_a_text_that_looks_so_is_itself(missing):
    assert style.label(missing) == "<null>"
    assert style.look(missing) == style.look("<null>")
    assert style.label("nan") == "nan"


def test_a_platform_keeps_its_colour_whoever_stands_beside_it():
    assert style.looks(["tier 1", "douyin"])["douyin"] == style.look("douyin")


@pytest.mark.parametrize("name", ["$x$", "a $ b", r"\$y$", "<b>", "😀\n"])
def test_a_name_in_a_figure_is_text_and_no_formula(name):
    figure = Figure()
    text = figure.text(0, 0, style.drawn(name))
    shown, is_formula = text._preprocess_math(text.get_text())
    assert (shown, is_formula) == (name, False)


def test_chinese_is_drawn_from_the_shipped_font_without_a_warning():
    with style.context(), warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = Figure()
        figure.text(0.1, 0.5, "小红书 淘宝直播 抖音 快手：¥1,299，−3 ± 2 %，≥ 1 → 2 薯条 é")
        FigureCanvasAgg(figure).draw()
        file = findfont(style.FONT, fallback_to_default=False)
    assert file.endswith("LiveCommerceSans.otf")
    assert set(map(ord, "小红书淘宝直播抖音快手薯条¥−±≥→é")) <= set(get_font(file).get_charmap())


def test_a_context_leaves_the_session_as_it_was():
    before = dict(mpl.rcParams)
    with style.context():
        assert mpl.rcParams["figure.figsize"] == [6.4, 4.0]
    assert dict(mpl.rcParams) == before


def test_nothing_but_use_changes_global_state():
    code = (
        "import matplotlib as mpl; before = dict(mpl.rcParams)\n"
        "from toolkit import style; style.looks(['a', 'douyin']); style.label('a')\n"
        "assert dict(mpl.rcParams) == before\n"
        "style.use(); assert mpl.rcParams['font.family'][0] == style.FONT"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_colours_and_labels_need_no_matplotlib():
    code = "import sys; from toolkit import style; style.looks(['a']); assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_plot_makes_a_figure_of_its_own_unless_it_is_given_axes():
    first, second = style.axes(), style.axes(width=5, height=3)
    assert first.figure is not second.figure
    assert [list(ax.figure.get_size_inches()) for ax in (first, second)] == [[6.4, 4.0], [5, 3]]
    assert first.figure.dpi == 100
    assert not first.spines["top"].get_visible()
    assert style.axes(first) is first
    plt.close("all")


STEPS = {"platform": ["xiaohongshu"] * 2 + ["taobao_live"] * 2, "step": ["enter", "pay"] * 2}
TIERS = {"platform": STEPS["platform"], "tier": ["one", "two"] * 2, "converted": [9, 12, 30, 20]}
AGES = {"platform": ["xiaohongshu"] * 3 + ["taobao_live"] * 3, "cohort": "2019-01", "age": [0, 1, 2] * 2}
DAYS = pd.DataFrame(
    {
        "xiaohongshu": [9.0 + at * 7 % 5 for at in range(40)],
        "taobao_live": [8.0 + at * 3 % 5 for at in range(40)],
    },
    pd.date_range("2019-01-01", periods=40, freq="D"),
)
BY_WING = {
    "funnels": lambda: Funnel.from_counts(pd.DataFrame(STEPS | {"n": [90, 9, 70, 30]})).plot(),
    "tiers": lambda: compare(pd.DataFrame(TIERS | {"n": [90, 80, 70, 60]}), tier="tier").plot(),
    "cohorts": lambda: (
        Retention.from_counts(pd.DataFrame(AGES | {"size": 90, "retained": [90, 40, 30] * 2}), period="month")
        .curve()
        .plot()
    ),
    "interruptions": lambda: interrupted_time_series(DAYS, {"removal": [Level("2019-01-25")]}).plot(),
}


@pytest.mark.parametrize("wing", BY_WING)
def test_every_wing_calls_a_platform_by_both_its_names_inside_the_figure(wing):
    figure = BY_WING[wing]().figure
    FigureCanvasAgg(figure).draw()
    named = [text for text in figure.findobj(mpl.text.Text) if "小红书" in text.get_text()]
    assert named
    for text in named:
        assert "小红书 Xiaohongshu" in text.get_text()
        place = text.get_window_extent()
        assert place.xmin >= 0
        assert place.ymin >= 0
        assert place.xmax <= figure.bbox.width
        assert place.ymax <= figure.bbox.height
    plt.close(figure)


@pytest.mark.parametrize("draw", ["style.axes();", "with style.context(): style.axes().plot([1, 2]);"])
def test_every_cell_of_a_fresh_kernel_shows_its_figure_once(draw):
    cells = ["from toolkit import style", draw, draw, draw]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    images = [
        sum("image/png" in output.get("data", {}) for output in cell.outputs) for cell in notebook.cells
    ]
    assert images == [0, 1, 1, 1]
