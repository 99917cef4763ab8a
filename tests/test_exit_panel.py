"""The panel of exits answers as `leave` does, for each of the largest and at both ends of its sliders."""

from __future__ import annotations

import pandas as pd
import pytest

from toolkit.panels import ExitPanel
from toolkit.scenarios.creators import leave

SALES = {
    "<b>a": 425,
    "b": 130,
    "c": 90,
    "d": 80,
    "e": 75,
    "f": 60,
    "g": 50,
    "h": 40,
    "i": 30,
    "j": 20,
    "k": 10,
}


def test_it_begins_with_the_largest_and_offers_the_ten_largest():
    panel = ExitPanel(SALES)
    assert panel.who.value == "<b>a"
    assert [name for _, name in panel.who.options] == list(SALES)[:10]
    assert panel.who.label == "<b>a (42.1 % of sales)"
    assert "<b>" not in panel.answer.value + panel.figure.value


@pytest.mark.parametrize(
    ("who", "spillover", "drainage"), [("c", 0.35, 0.0), ("<b>a", 0.0, 0.3), ("j", 1.0, 0.05)]
)
def test_each_setting_gives_the_answer_of_leave(who, spillover, drainage):
    panel = ExitPanel(SALES)
    panel.who.value, panel.spillover.value, panel.drainage.value = who, spillover, drainage
    twin = leave(SALES, who, spillover=spillover, drainage=drainage)
    pd.testing.assert_frame_equal(panel.result.table, twin.table)
    assert panel.result.loss == twin.loss


def test_where_nothing_is_caught_no_drainage_eats_it_up_but_none_at_all():
    panel = ExitPanel(SALES, spillover=0.0)
    assert panel._numbers()[2] == ("0.0 %", "of drainage would eat all of the spillover")


def test_a_leaver_larger_than_all_others_whose_sales_are_all_caught_cannot_be_drained_away():
    panel = ExitPanel({"a": 90, "b": 10}, spillover=1.0)
    assert panel._numbers()[2][0] == "never"


def test_where_nobody_is_left_the_index_after_is_no_number():
    panel = ExitPanel([7.0])
    assert panel._numbers()[1][0] == "10,000 → –"
    assert "nobody is left to catch them" in panel.answer.value


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"who": "k"}, "no creator among the 10 largest 'k'"),
        ({"who": "z"}, "no creator 'z' in the sales"),
        ({"spillover": 35}, r"spillover=35 is a share and lies between 0 and 1; for 35 % give 0.35"),
        ({"drainage": -0.1}, "drainage=-0.1 is a share"),
    ],
)
def test_what_cannot_be_asked_is_named(given, message):
    with pytest.raises(ValueError, match=message):
        ExitPanel(SALES, **given)


def test_a_drainage_above_the_usual_widens_its_slider():
    panel = ExitPanel(SALES, drainage=0.6)
    assert (panel.drainage.value, panel.drainage.max) == (0.6, 0.6)


def test_sales_of_nobody_are_refused_by_the_function():
    with pytest.raises(ValueError, match="sales is empty"):
        ExitPanel([])
