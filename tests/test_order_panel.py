"""The panel of orders answers as `order` does, and the parties' parts add up to what is kept."""

from __future__ import annotations

import pandas as pd
import pytest

from toolkit.panels import OrderPanel
from toolkit.scenarios.economics import order

TERMS = {
    "platform_fee": 0.05,
    "commission": 0.2,
    "return_rate": 0.3,
    "shipping": 6,
    "return_shipping": 8,
    "salvage": 0.9,
}
SLOT = {"slot_fee": 2000, "orders": 200, "ads": 4}


@pytest.fixture
def panel() -> OrderPanel:
    return OrderPanel(order(100, 45, **TERMS, **SLOT), mcn_share=0.3)


def test_it_begins_with_the_order_it_is_given(panel):
    assert panel.result.contribution == pytest.approx(-2.75)
    assert panel.result.terms == order(100, 45, **TERMS, **SLOT).terms
    assert "CNY −2.75" in panel.answer.value


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [
        ("amounts", "cost", 30.0),
        ("amounts", "ads", 0.0),
        ("amounts", "slot_fee", 0.0),
        ("amounts", "orders", 500.0),
        ("shares", "return_rate", 0.8),
        ("shares", "commission", 0.0),
    ],
)
def test_each_control_gives_the_answer_of_order(panel, group, name, value):
    getattr(panel, group)[name].value = value
    terms = {**TERMS, **SLOT, "cost": 45.0, name: value}
    pd.testing.assert_frame_equal(panel.result.table, order(100.0, **terms).table)


def test_price_and_the_base_of_the_commission_are_the_orders(panel):
    panel.amounts["price"].value = 120.0
    panel.commission_on.value = "paid"
    twin = order(120.0, 45, **TERMS, **SLOT, commission_on="paid")
    assert panel.result.contribution == pytest.approx(twin.contribution)


def test_what_the_parties_get_adds_up_to_what_is_kept_and_the_agency_shares_with_the_creator(panel):
    assert panel.split.table["amount"].sum() == pytest.approx(100 * 0.7)
    assert panel.split.value("creator") == pytest.approx(0.7 * (14 + 10))
    panel.mcn_share.value = 1.0
    assert panel.split.value("creator") == 0
    assert panel.result.contribution == pytest.approx(-2.75)


def test_a_slot_fee_without_orders_says_so_and_keeps_the_last_answer(panel):
    before = panel.answer.value
    panel.amounts["orders"].value = 0
    assert "slot_fee= is spread over orders=: give their number" in panel.warning.value
    assert panel.answer.value == before
    panel.amounts["slot_fee"].value = 0
    assert panel.warning.value == ""
    assert panel.result.terms.orders is None
    assert "slot fee back" not in panel.answer.value


def test_an_order_that_can_never_earn_says_never(panel):
    panel.amounts["cost"].value = 1000.0
    assert ("never", "of returns: breaks even") in panel._numbers()
    assert repr(panel).endswith("never breaks even")


def test_an_order_of_nothing_is_an_answer(panel):
    panel.amounts["price"].value = 0.0
    panel.shares["return_rate"].value = 0.8
    assert panel.result.contribution < 0
    assert panel.warning.value == ""


def test_sliders_reach_the_shares_that_the_order_has():
    terms = TERMS | {"return_rate": 0.95, "commission": 0.6}
    panel = OrderPanel(order(100, 45, **terms))
    assert (panel.shares["return_rate"].max, panel.shares["commission"].max) == (0.95, 0.6)


def test_only_an_order_will_do():
    with pytest.raises(TypeError, match="start=100 is no Order"):
        OrderPanel(100)
    with pytest.raises(ValueError, match="mcn_share=30 is a share"):
        OrderPanel(order(100, 45, **TERMS), mcn_share=30)


def test_a_currency_is_text():
    panel = OrderPanel(order(100, 45, **TERMS), currency="<b>$x$", source="<i>")
    assert "<b>" not in panel.answer.value
    assert "<i>" not in panel.figure.value
