"""Every panel asks a question, answers it in large type, writes the line of Python for it, and frees its widgets."""

from __future__ import annotations

import base64
import gc
import io
import re
from html import unescape
from html.parser import HTMLParser

import ipywidgets as widgets
import numpy as np
import pandas as pd
import pytest
from ipywidgets.widgets.widget import _instances
from matplotlib.image import imread

import toolkit
from toolkit import scenarios
from toolkit.panels import (
    ChangePanel,
    ExitPanel,
    InterruptionPanel,
    LiveSharePanel,
    MixPanel,
    OrderPanel,
    Panel,
    PromotionPanel,
    RatesPanel,
    ReturnsPanel,
    RulesPanel,
)
from toolkit.panels.calls import Call
from toolkit.panels.controls import choice
from toolkit.scenarios import creators, economics, promotion
from toolkit.tiers import compare


class _Images(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.found.append(dict(attrs))


def images(page: str) -> list[dict[str, str | None]]:
    parser = _Images()
    parser.feed(page)
    return parser.found


def picture(page: str) -> np.ndarray:
    """The pixels of a panel's figure."""
    [image] = images(page)
    return imread(io.BytesIO(base64.b64decode(image["src"].partition("base64,")[2])), format="png")


def counts() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "platform": ["douyin"] * 3 + ["kuaishou"] * 3,
            "step": ["enter", "cart", "pay"] * 2,
            "n": [1000, 200, 50, 400, 100, 40],
        }
    )


def gaps():
    rows = pd.DataFrame({"platform": ["A"] * 2 + ["B"] * 2 + ["C"] * 2, "city_tier": ["one", "two"] * 3})
    n, converted = [100, 900, 400, 600, 300, 300], [5, 160, 60, 90, 30, 20]
    return compare(rows.assign(n=n, converted=converted), to="B")


def series() -> pd.DataFrame:
    days = pd.date_range("2019-05-01", periods=80)
    noise = np.random.default_rng(1).standard_normal((80, 2))
    fallen = np.where(days < "2019-06-10", 100.0, 80.0)[:, None]
    return pd.DataFrame(fallen + noise, index=days, columns=["visits", "a 'quoted' name"])


def log():
    rows = [(f"a{i}", day, "open", "x") for i in range(9) for day in (1, 9, 16)]
    rows += [(f"b{i}", 2, "pay", "it's") for i in range(9)] + [
        ("b0", 8, "pay", "it's"),
        ("c", 3, "pay", None),
    ]
    frame = pd.DataFrame(rows, columns=["user_id", "day", "event", "platform"])
    frame["timestamp"] = pd.Timestamp("2019-11-01") + pd.to_timedelta(frame.pop("day"), "D")
    return toolkit.read_events(frame)


def visits():
    """Ten days; ten users enter a day, most of them from y, and half as many buy from the sixth day on."""
    rows = []
    for day in range(10):
        for user in range(10):
            who, at = f"{day}-{user}", pd.Timestamp("2024-06-03 09:00") + pd.Timedelta(day, "D")
            rows.append((who, at, "enter", "x" if user < 3 + day % 2 else "y"))
            if user % (2 if day < 5 else 4) == day % 2:
                rows.append((who, at + pd.Timedelta(1, "h"), "pay", None))
    return toolkit.read_events(pd.DataFrame(rows, columns=["user_id", "timestamp", "event", "platform"]))


def people() -> pd.DataFrame:
    fans, exposed = [800, 5000, 9000, 40_000], [2000, 12_000, 900, 60_000]
    kept = {
        "mcn": [1, 1, 0, 1],
        "real_name": 1,
        "notes_over_2000_reads": [0, 12, 10, 40],
        "violations": [0, 1, 0, 0],
    }
    return pd.DataFrame({"creator": list("abcd"), "fans": fans, "mean_exposure": exposed, **kept})


SALES = {"a": 425, "b": 130, "it's": 90}

HOURS = pd.DataFrame({"hour": [20, 21], "minutes": [40, 20], "block": 30})
CARRIERS = {"live": economics.Power(3, 0.5), "notes": economics.Power(2, 0.6)}


def a_holdout():
    arms = {"arm": ["promoted", "held"], "n": [1000, 1000], "orders": [900, 500], "squares": [2600, 1100]}
    test = promotion.holdout(
        pd.DataFrame(arms), arm="arm", outcome="orders", n="n", squares="squares", held="held"
    )
    return promotion.saturation([20, 50, 100, 150], [0.21, 0.38, 0.52, 0.61], randomised=True), test


def sold():
    terms = {"platform_fee": 0.05, "commission": 0.2, "return_rate": 0.3, "shipping": 6, "return_shipping": 8}
    return economics.order(100, 45, **terms, salvage=0.9, slot_fee=2000, orders=200, ads=4)


MADE = {
    RatesPanel: lambda: (RatesPanel(counts(), amount_per_buyer=80, source="By hand"), "counts", counts()),
    MixPanel: lambda: (MixPanel(gaps(), source="By hand"), "gaps", gaps()),
    InterruptionPanel: lambda: (
        InterruptionPanel(
            series(),
            "2019-06-10",
            name="removed",
            others={"sale": toolkit.Pulse("2019-06-18", pd.Timestamp("2019-06-20"))},
            calendar=["dragon_boat"],
        ),
        "series",
        series(),
    ),
    ReturnsPanel: lambda: (
        ReturnsPanel(log(), definitions={"bought": ("pay", "pay"), "came back": (None, None)}),
        "log",
        log(),
    ),
    ChangePanel: lambda: (
        ChangePanel(visits(), ["enter", toolkit.Step("buy", event="pay")], by="platform", within="1d"),
        "log",
        visits(),
    ),
    RulesPanel: lambda: (RulesPanel(people(), bands={"few": 0, "many": 5000}), "creators", people()),
    ExitPanel: lambda: (ExitPanel(SALES, drainage=0.05), "sales", SALES),
    LiveSharePanel: lambda: (
        LiveSharePanel(CARRIERS, 100.0, live_share=0.2, cannibalisation=0.25, hours=HOURS),
        "responses",
        CARRIERS,
    ),
    PromotionPanel: lambda: (PromotionPanel(*a_holdout(), margin=100), "curve", a_holdout()[0]),
    OrderPanel: lambda: (OrderPanel(sold()), "price", 100.0),
}


@pytest.fixture(params=MADE, ids=lambda kind: kind.__name__)
def made(request):
    """A panel, and what it was given under the name that its line of Python uses."""
    return MADE[request.param]()


def executed(panel: Panel, name: str, data: object):
    known = {one: getattr(toolkit, one) for one in toolkit.__all__}
    for room in (scenarios, creators, promotion, economics):
        known |= {one: getattr(room, one) for one in room.__all__}
    return eval(panel.code.value, known | {name: data, "test": a_holdout()[1], "hours": HOURS})


def extremes(control: widgets.Widget):
    """Values at the ends of what a control can be set to, and for a choice all of them."""
    if isinstance(control, widgets.RadioButtons | widgets.SelectionSlider):
        values = [value for _, value in control._options_full]
        return values if isinstance(control, widgets.RadioButtons) else [values[0], values[-1]]
    if isinstance(control, widgets.Checkbox):
        return [not control.value]
    if isinstance(control, widgets.DatePicker):
        return [None]
    if isinstance(control, widgets.BoundedFloatText):
        return [control.min, 1000.0]
    return [control.min, control.max]


def test_its_line_of_python_gives_its_result_at_every_setting(made):
    panel, name, data = made
    assert panel.code.value.count("\n") == 0
    for control in panel.controls:
        for value in extremes(control):
            panel.reset.click()
            control.value = value
            again = executed(panel, name, data)
            assert again.sentence() == panel.result.sentence()
            pd.testing.assert_frame_equal(again.table, panel.result.table)


def test_each_control_changes_the_answer_or_says_why_it_cannot(made):
    panel, _, _ = made
    silent = []
    for control in panel.controls:
        panel.reset.click()
        if isinstance(control, widgets.BoundedIntText) or control.description.startswith("decay's tau"):
            panel.terms["pulse"].value = panel.terms["decay"].value = True
        before = (panel.answer.value, panel.figure.value, panel.warning.value)
        for value in extremes(control):
            control.value = value
            if (panel.answer.value, panel.figure.value, panel.warning.value) != before:
                break
        else:
            silent.append(control.description)
    assert silent == []


def test_the_button_brings_back_the_first_answer(made):
    panel, _, _ = made
    first = (panel.answer.value, panel.figure.value, panel.code.value)
    whose = {"group", "pair", "series"}  # whose answer it is stays
    kept = [getattr(panel, name) for name in whose if hasattr(panel, name)]
    for control in panel.controls:
        for value in extremes(control)[::-1]:
            if control not in kept:
                control.value = value
    panel.reset.click()
    assert (panel.answer.value, panel.figure.value, panel.code.value) == first
    assert panel.warning.value == ""


def test_it_asks_its_question_and_shows_its_figure_with_a_text_for_those_who_do_not_see_it(made):
    panel, _, _ = made
    assert re.search(r"<h3[^>]*>[^<]+\?</h3>", panel.children[0].value)
    [image] = images(panel.figure.value)
    assert image["alt"].startswith("Figure: ")
    for number, what in panel._numbers():
        assert f"{what}: {number}" in unescape(image["alt"])
    assert "width: 100%" in image["style"]
    assert "height: auto" in image["style"]
    high, wide = picture(panel.figure.value).shape[:2]
    assert int(image["width"]) / int(image["height"]) == pytest.approx(wide / high, rel=0.01)


def test_every_control_has_a_name_and_no_choice_is_an_empty_box(made):
    panel, _, _ = made
    for control in panel.controls:
        assert control.description
        if isinstance(control, widgets.RadioButtons):
            assert control.label
            assert control.value is not None


def test_a_panel_that_is_dropped_frees_its_widgets(made):
    kind = type(made[0])
    gc.collect()
    before = len(_instances)
    for _ in range(3):
        panel, _, _ = MADE[kind]()
        panel.reset.click()
    del panel
    gc.collect()
    assert len(_instances) <= before


def test_a_panel_that_is_shown_stays_until_it_is_closed(made):
    panel, _, _ = made
    before = len(_instances)
    model = panel._repr_mimebundle_()["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert _instances[model] is panel
    assert widgets.HBox([panel]).children == (panel,)
    panel.close()
    assert not any(one in _instances.values() for one in panel.controls)
    assert len(_instances) < before


def test_a_cell_that_runs_again_closes_what_it_showed_before(monkeypatch):
    class Shell:
        run = 0

        def get_parent(self):
            return {"metadata": {"cellId": "one cell"}, "header": {"msg_id": f"run {self.run}"}}

    shell = Shell()
    monkeypatch.setattr("toolkit.panels.panel.get_ipython", lambda: shell)
    first, second = (RatesPanel(counts(), amount_per_buyer=1) for _ in range(2))
    first._repr_mimebundle_()
    second._repr_mimebundle_()
    assert first.comm is not None
    shell.run = 1
    second._repr_mimebundle_()
    assert first.comm is None
    assert second.comm is not None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.30000000000000004"),
        (np.float64(0.5), "0.5"),
        (float("inf"), "float('inf')"),
        ("it's", '"it\'s"'),
        (("a",), "('a',)"),
        ([pd.Timestamp("2019-07-31")], "['2019-07-31']"),
        (pd.Timestamp("2019-07-31 08:30"), "'2019-07-31 08:30:00'"),
        (pd.Period("2019-07", "M"), "'2019-07-01'"),
        ({"a": toolkit.Level("2019-07-31")}, "{'a': Level(at='2019-07-31')}"),
        (toolkit.Step("big", event="pay"), "Step(name='big', event=('pay',))"),
        ([pd.Series([1])], "value"),
    ],
)
def test_arguments_are_written_as_python_or_go_by_their_name(value, text):
    def asked(data, value=None):
        return data

    assert Call(asked, 1, "data", {"value": value}).code() == f"asked(data, value={text})"


def test_an_option_at_its_default_is_not_written():
    def asked(data, kind="exact", share=0.0):
        return data

    assert Call(asked, 1, "data", {"kind": "exact", "share": 0}).code() == "asked(data, share=0)"


def test_few_options_stand_beside_each_other_and_many_on_a_slider():
    assert isinstance(choice("of", range(8)), widgets.RadioButtons)
    many = choice("of", [(f"group {i}", (i,)) for i in range(9)], (3,))
    assert isinstance(many, widgets.SelectionSlider)
    assert (many.value, many.label) == ((3,), "group 3")
