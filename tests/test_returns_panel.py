"""The panel of returns answers as its headless twin does, and offers what the log has."""

from __future__ import annotations

import html

import pandas as pd
import pytest

from toolkit import read_events
from toolkit.panels import ReturnsPanel
from toolkit.panels.returns import Everyone
from toolkit.scenarios import who_returns

from .test_returns import small


def test_each_control_gives_the_answer_of_the_headless_twin():
    panel = ReturnsPanel(small(), source="By hand")
    assert panel.result.cohorts.path == "index"
    for control, value in (
        (panel.platform, "x"),
        (panel.period, "day"),
        (panel.kind, "bracket"),
        (panel.definition, "bought, from the first visit on"),
        (panel.platform, "<b>$y</b>"),
        (panel.kind, "rolling"),
        (panel.period, "month"),
    ):
        before = panel.figure.value
        control.value = value
        twin = who_returns(
            small(),
            definition=panel.definition.value,
            period=panel.period.value,
            kind=panel.kind.value,
            platform=panel.platform.value,
            source="By hand",
        )
        pd.testing.assert_frame_equal(panel.result.table, twin.table)
        assert panel.result.sentence() == twin.sentence()
        assert panel.figure.value != before
        assert "<b>" not in panel.answer.value
        assert "<b>" not in panel.result._repr_html_()


def test_a_panel_offers_only_what_the_log_has():
    frame = pd.DataFrame({"user_id": [1, 1, 2], "event": "open"})
    frame["timestamp"] = pd.to_datetime(["2019-11-04", "2019-11-12", "2019-11-20"])
    panel = ReturnsPanel(read_events(frame))
    assert list(panel.definition.options) == ["came back"]
    assert panel.platform.layout.display == "none"
    assert repr(panel).startswith("ReturnsPanel: came back, 100.0 % in week 1 (n = 1)")
    panel.period.value = "month"
    assert "nothing to see after the first month" in repr(panel)


def test_it_opens_with_all_platforms_and_names_them_so():
    panel = ReturnsPanel(small())
    assert panel.platform.value is Everyone.ALL
    assert panel.platform.label == "all platforms"
    assert panel.result.platform is None
    assert panel.result.table["n"].iloc[0] == 40


def test_rows_without_a_platform_are_no_platform_but_count_among_all():
    frame = pd.DataFrame({"user_id": [1, 1, 2], "event": "open", "platform": ["x", "x", None]})
    frame["timestamp"] = pd.to_datetime(["2019-11-04", "2019-11-12", "2019-11-05"])
    panel = ReturnsPanel(read_events(frame))
    assert panel.platform.options == (("all platforms", Everyone.ALL), ("x", "x"))
    assert panel.result.table["n"].iloc[0] == 2


def test_definitions_of_events_that_the_log_lacks_are_refused():
    with pytest.raises(ValueError, match="the events of none of the definitions"):
        ReturnsPanel(small(), definitions={"ordered": ("order", "order")})


def test_a_log_in_which_nobody_could_come_back_yet_has_a_sentence_and_no_number():
    frame = pd.DataFrame({"user_id": [1], "event": "open", "timestamp": pd.to_datetime(["2019-11-04"])})
    panel = ReturnsPanel(read_events(frame))
    assert panel._numbers() == []
    assert html.escape(panel.result.sentence()) in panel.answer.value
