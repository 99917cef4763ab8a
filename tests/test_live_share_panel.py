"""The panel of live shares answers as `allocate` does; another elasticity turns about the share of today."""

from __future__ import annotations

import pandas as pd
import pytest

from toolkit.panels import LiveSharePanel
from toolkit.scenarios.economics import Power, Saturating, allocate

CARRIERS = {"live": Power(3, 0.5), "notes": Power(2, 0.5)}


def panel_of(**more) -> LiveSharePanel:
    return LiveSharePanel(CARRIERS, 100, **{"live_share": 0.2, **more})


def test_the_best_share_is_that_of_allocate_and_the_share_set_is_laid_beside_it():
    panel = panel_of()
    assert panel.result.live == pytest.approx(69.23, abs=0.01)
    panel.live_share.value = 0.5
    assert panel.chosen["response"].tolist() == pytest.approx([3 * 50**0.5, 2 * 50**0.5])
    assert panel.chosen["marginal"].tolist() == pytest.approx([1.5 / 50**0.5, 1 / 50**0.5])
    lost = 1 - 5 * 50**0.5 / panel.result.total
    assert panel._lost() == pytest.approx(lost)


def test_cannibalisation_is_counted_into_what_the_other_carrier_gives_up():
    panel = panel_of()
    panel.cannibalisation.value = 0.25
    twin = allocate(CARRIERS, 100, cannibalisation=0.25)
    pd.testing.assert_frame_equal(panel.result.table, twin.table)
    assert panel.chosen["traffic"].tolist() == pytest.approx([20, 75])
    assert panel._numbers()[3] == (f"{1.25 / 75**0.5:,.3g}", "from what notes gives up for it")


def test_another_elasticity_keeps_what_each_carrier_brings_today():
    panel = panel_of()
    before = panel.chosen["response"].tolist()
    panel.elasticities["live"].value = 0.9
    panel.elasticities["notes"].value = 0.3
    assert panel.chosen["response"].tolist() == pytest.approx(before)
    assert panel.chosen["marginal"].tolist() == pytest.approx([0.9 * before[0] / 20, 0.3 * before[1] / 80])


def test_where_live_has_nothing_today_another_elasticity_keeps_the_response_to_one_unit():
    panel = panel_of(live_share=0.0)
    panel.elasticities["live"].value = 0.9
    assert panel.result.responses["live"].at(1) == pytest.approx(3)
    assert "∞" in panel.answer.value


def test_a_share_that_leaves_nothing_to_the_other_carrier_says_so_and_keeps_the_last_answer():
    panel = panel_of()
    panel.cannibalisation.value = 1.0
    before = panel.answer.value
    panel.live_share.value = 0.6
    assert "live_share=0.6 cannot be had: 0.5 of the traffic is the most" in panel.warning.value
    assert panel.answer.value == before
    panel.live_share.value = 0.5
    assert panel.warning.value == ""
    assert panel.chosen["traffic"].tolist() == [50, 0]


def test_whole_blocks_limit_live_and_are_offered_only_with_hours():
    assert panel_of().blocks.layout.display == "none"
    hours = pd.DataFrame({"hour": [20, 21], "minutes": [40, 20], "block": 30})
    panel = panel_of(hours=hours)
    panel.blocks.value = True
    assert panel.result.largest_share == pytest.approx(0.5)
    assert panel.code.value == "allocate(responses, traffic=100, hours=hours)"


def test_a_response_without_an_elasticity_has_no_slider_for_one():
    panel = LiveSharePanel({"live": Saturating(90, 40), "notes": Power(2, 0.5)}, 100, live_share=0.3)
    assert list(panel.elasticities) == ["notes"]
    panel.elasticities["notes"].value = 0.7
    assert panel.code.value.startswith("allocate({**responses, 'notes': Power(")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"live_share": 1.2}, "live_share=1.2 is a share"),
        ({"live_share": 0.9, "cannibalisation": 0.5}, "live_share=0.9 cannot be had"),
        ({"cannibalisation": -1}, "cannibalisation=-1 is a share"),
    ],
)
def test_what_cannot_be_asked_is_named(given, message):
    with pytest.raises(ValueError, match=message):
        panel_of(**given)


def test_without_traffic_there_is_nothing_to_divide():
    panel = LiveSharePanel(CARRIERS, 0, live_share=0.0)
    assert "Without traffic there is nothing to divide" in panel.answer.value


def test_carriers_are_text():
    panel = LiveSharePanel({"<b>$l": Power(3, 0.5), "<i>n": Power(2, 0.5)}, 100, live_share=0.2)
    assert "<b>" not in panel.answer.value + panel.figure.value
