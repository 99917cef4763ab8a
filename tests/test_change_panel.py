"""The panel of changes answers as `what_changed` does, whatever date, spans and properties are set."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from toolkit import read_events, what_changed
from toolkit.inputs import read_export
from toolkit.panels import ChangePanel
from toolkit.sources.bundled import bundled

from .test_panel_base import picture, visits

STEPS = ["enter", "pay"]


def counts(days=range(12), **more) -> pd.DataFrame:
    """Half as many buy from the seventh day on, all of them of the second tier."""
    rows = [
        (f"{pd.Timestamp('2024-06-01') + pd.Timedelta(day, 'D'):%Y-%m-%d}", tier, step, n)
        for day in days
        for tier, rate in (("one", 0.30), ("<b>two", 0.30 if day < 6 else 0.15))
        for step, n in (("enter", 1000 + day), ("pay", round(1000 * rate) + day % 3))
    ]
    return pd.DataFrame(rows, columns=["date", "tier", "step", "n"]).assign(**more)


@pytest.fixture
def panel() -> ChangePanel:
    return ChangePanel(counts(), by="tier")


def same(panel: ChangePanel, **asked) -> bool:
    twin = what_changed(counts(), **asked)
    pd.testing.assert_frame_equal(panel.result.table, twin.table)
    return panel.result.sentence() == twin.sentence()


def test_it_begins_in_the_middle_with_all_days_and_all_properties(panel):
    assert same(panel, at="2024-06-07", by="tier")
    assert panel.day.value == date(2024, 6, 7)
    assert repr(panel) == "ChangePanel: pay of enter since 2024-06-07, −7.6 points (−7.7 to −7.5)"


def test_another_date_and_shorter_spans_are_asked_for(panel):
    panel.date.value = pd.Timestamp("2024-06-06")
    assert same(panel, at="2024-06-06", by="tier")
    panel.before.value = 3
    whole = ("2024-06-06", "2024-06-13")
    assert same(panel, before=("2024-06-03", "2024-06-06"), after=whole, by="tier")
    panel.after.value = 2
    assert same(panel, before=("2024-06-03", "2024-06-06"), after=("2024-06-06", "2024-06-08"), by="tier")
    assert panel.result.days == (3, 2)


def test_a_span_longer_than_the_days_there_are_takes_them_all(panel):
    panel.before.value, panel.day.value = 5, date(2024, 6, 4)
    assert panel.result.days[0] == 3


def test_a_typed_date_moves_the_slider_and_one_at_the_edge_says_why_it_cannot_be_meant(panel):
    panel.day.value = date(2024, 6, 5)
    assert panel.date.value == pd.Timestamp("2024-06-05")
    before = panel.answer.value
    panel.day.value = date(2024, 6, 2)
    assert "2024-06-02 has fewer than 2 days with counts on a side" in panel.warning.value
    assert panel.answer.value == before
    panel.day.value = None
    assert "no date is given" in panel.warning.value


def test_a_typed_day_without_counts_means_the_next_with_some():
    panel = ChangePanel(counts([0, 1, 2, 3, 6, 7, 8, 9]), at="2024-06-06")
    assert panel.date.value == pd.Timestamp("2024-06-07")


def test_the_switch_of_a_property_takes_mix_rate_and_segments_away(panel):
    assert set(panel.result.table["part"]) == {"change", "step", "mix", "rate", "segment"}
    high = picture(panel.figure.value).shape[0]
    panel.by["tier"].value = False
    assert set(panel.result.table["part"]) == {"change", "step"}
    assert "tier" not in panel.answer.value
    assert picture(panel.figure.value).shape[0] < high


def test_the_largest_segment_is_named_and_names_are_text(panel):
    assert "of it from &lt;b&gt;two" in panel.answer.value
    assert "<b>" not in panel.answer.value
    assert "by tier the rate adds" in panel.answer.value


def test_days_that_merely_differ_are_said_to(panel):
    quiet = ChangePanel(
        counts().assign(n=lambda rows: rows["n"].where(rows["step"] == "enter", 300 + rows.index % 7))
    )
    assert "No more than days differ: none of 2 numbers" in quiet.answer.value
    assert "No more than days differ" not in panel.answer.value


def test_days_are_counted_once_and_the_index_answers_as_the_log_does():
    log = visits()
    plain = ChangePanel(log, STEPS, by="platform", within="1d")
    indexed = ChangePanel(log.index(keep=["platform"]), STEPS, by="platform", within=pd.Timedelta("1D"))
    for panel in (plain, indexed):
        panel.date.value = pd.Timestamp("2024-06-07")
    pd.testing.assert_frame_equal(plain.result.table, indexed.result.table)
    twin = what_changed(log, STEPS, at="2024-06-07", by="platform", within="1d")
    pd.testing.assert_frame_equal(plain.result.table, twin.table)


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (counts(range(3)), {}, "there are 3 days with counts"),
        (counts(), {"at": "2024-06-02"}, "fewer than 2 days with counts on a side; they run from 2024-06-01"),
        (counts(), {"at": "soon"}, "'soon' is not a date"),
        (counts(), {"by": "teir"}, "did you mean 'tier'"),
        (counts(), {"confidence": 95}, "confidence=95"),
        (counts(), {"within": "1d"}, "within= belongs to a log"),
        (counts(n=0), {}, "nobody reached 'enter' before the change"),
    ],
)
def test_what_cannot_be_asked_is_refused(given, options, message):
    with pytest.raises(ValueError, match=message):
        ChangePanel(given, **options)


def test_a_log_needs_steps_and_a_window():
    log = read_events(pd.DataFrame({"user_id": [1], "timestamp": ["2024-06-01"], "event": ["enter"]}))
    with pytest.raises(ValueError, match="steps= names the events"):
        ChangePanel(log)
    with pytest.raises(ValueError, match="within='1d'"):
        ChangePanel(log, STEPS)
    with pytest.raises(TypeError, match="not list"):
        ChangePanel([1, 2])


def test_an_export_is_asked_as_it_is():
    export = read_export(bundled("exports/直播明细_2019-09-02_2019-09-29.csv"))
    panel = ChangePanel(export, ["enter", "pay"], at="2019-09-16", by="account")
    twin = what_changed(export, ["enter", "pay"], at="2019-09-16", by="account")
    pd.testing.assert_frame_equal(panel.result.table, twin.table)
    assert panel.code.value.startswith("what_changed(export, steps=['enter', 'pay'], at='2019-09-16'")
    panel.by["account"].value = False
    alone = what_changed(export, ["enter", "pay"], at="2019-09-16")
    pd.testing.assert_frame_equal(panel.result.table, alone.table)
