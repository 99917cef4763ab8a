"""The panel of rules answers as `eligible` does, and its preset and its conditions follow each other."""

from __future__ import annotations

import pandas as pd
import pytest

from toolkit.panels import RulesPanel
from toolkit.panels.rules import OWN
from toolkit.scenarios.creators import eligible

from .test_panel_base import picture

BANDS = {"<b>small": 0, "large": 5000}
OLD, MAY, NEW = "brand partner before May 2019", "brand partner of May 2019", "Creator 123"


def creators(**more) -> pd.DataFrame:
    rows = {
        "creator": list("abcdef"),
        "fans": [800, 1500, 5000, 9000, 20_000, 70_000],
        "mean_exposure": [2000, 1000, 12_000, 900, 30_000, 50_000],
        "mcn": [0, 0, 1, 1, 0, 1],
        "real_name": [1, 1, 1, 1, 1, 0],
        "notes_over_2000_reads": [0, 12, 10, 3, 15, 30],
        "violations": [0, 0, 0, 1, 0, 0],
        "reach": [1, 2, 10, 7, 30, 50],
    }
    return pd.DataFrame(rows | more)


@pytest.fixture
def panel() -> RulesPanel:
    return RulesPanel(creators(), bands=BANDS)


@pytest.mark.parametrize("name", [OLD, MAY, NEW])
def test_a_published_rule_brings_its_conditions_and_answers_as_eligible_does(panel, name):
    panel.rule.value = NEW if name != NEW else OLD
    panel.rule.value = name
    twin = eligible(creators(), name, bands=BANDS)
    pd.testing.assert_frame_equal(panel.result.table, twin.table)
    assert panel._conditions() == twin.rule.conditions


def test_moving_a_condition_makes_the_rule_ones_own_and_moving_it_back_makes_it_the_published_one(panel):
    panel.switches["mcn"].value = False
    assert panel.rule.value == OWN
    assert panel.result.creators == ["c", "e"]
    panel.switches["mcn"].value = True
    assert panel.rule.value == MAY
    assert panel.result.creators == ["c"]


def test_who_is_gained_and_who_is_lost_are_both_said(panel):
    panel.rule.value = NEW
    panel.against.value = MAY
    assert panel.result.creators == ["c", "e", "f"]
    assert (panel.gained, panel.lost) == (2, 0)
    panel.rule.value, panel.against.value = MAY, NEW
    assert (panel.gained, panel.lost) == (0, 2)
    assert "+0 / −2" in panel.answer.value


def test_a_rule_that_asks_nothing_says_so_and_keeps_the_last_answer(panel):
    panel.rule.value = OLD
    panel.least["fans"].value = 0
    before = panel.answer.value
    panel.least["mean_exposure"].value = 0
    assert "lets everybody in" in panel.warning.value
    assert panel.answer.value == before


def test_a_rule_nobody_meets_is_an_answer(panel):
    panel.rule.value = MAY
    panel.least["notes_over_2000_reads"].value = 30
    assert panel.result.creators == []
    assert "0.0 %" in panel.answer.value


def test_the_number_of_creators_of_a_census_has_no_interval_and_that_of_a_sample_has_one(panel):
    assert " to " not in panel._numbers()[0][1]
    assert "6, 3.0 to 56.4 %)" in RulesPanel(creators(), sampled=True)._numbers()[0][1]


def test_missing_values_are_unknown_and_said():
    panel = RulesPanel(creators(fans=[800, 1500, None, 9000, 20_000, 70_000]))
    assert panel.result.unknown == 1
    assert "they are unknown, not below" in panel.answer.value


def test_only_what_the_table_can_answer_is_offered():
    few = creators().drop(columns=["mcn", "violations", "reach"])
    panel = RulesPanel(few, rule=OLD)
    assert list(panel.rule.options) == [OLD, OWN]
    assert list(panel.switches) == ["real_name"]


@pytest.mark.parametrize(
    ("table", "asked", "message"),
    [
        (creators().drop(columns="fans"), {}, "no column 'fans' in the creators; it has: creator, mean"),
        (creators().drop(columns="mcn"), {}, "no field 'mcn' in the creators"),
        (creators(), {"against": {"fans": 3}}, "no published rule of these columns 'own rule'"),
        (creators(fans=None), {}, "nobody's number of fans is known"),
    ],
)
def test_what_cannot_be_asked_is_named(table, asked, message):
    with pytest.raises(ValueError, match=message):
        RulesPanel(table, **asked)


def test_a_least_value_between_the_round_ones_has_a_place_on_its_slider():
    panel = RulesPanel(creators(), rule={"fans": 4321})
    assert panel.least["fans"].value == 4321
    assert panel.rule.value == OWN
    panel.rule.value = MAY
    panel.reset.click()
    assert panel.least["fans"].value == 4321


def test_names_from_the_data_are_text_and_the_figure_is_a_png():
    panel = RulesPanel(creators(**{"<b>$x": 1.0}), bands=BANDS, of=["<b>$x"], source="<i>$s")
    assert "<b>" not in panel.answer.value
    assert "<i>" not in panel.figure.value
    assert picture(panel.figure.value).shape[1] == 1280
