"""Economics: an order and its parties, a buyer's cost and worth, the risk of fees, live or notes."""

import numpy as np
import pandas as pd
import pytest

from toolkit import read_events, retention
from toolkit.scenarios.assumptions import ARITHMETIC
from toolkit.scenarios.economics import (
    LogNormal,
    NegativeBinomial,
    Poisson,
    Power,
    Saturating,
    acquisition_cost,
    allocate,
    fees,
    lifetime_value,
    models,
    order,
    payback,
)

SOLD = {
    "platform_fee": 0.05, "commission": 0.2, "return_rate": 0.3, "shipping": 6, "return_shipping": 8, "salvage": 0.9,
    "slot_fee": 2000, "orders": 200, "ads": 4,
}  # fmt: skip
MONTH = {
    "gmv": 1e8, "gross_margin": 0.2, "fulfilment": 0.12, "subsidy": 0.05, "take": 0.05, "cac": 60, "new_buyers": 5e4,
    "merchant_share": 0.3, "dau": 2e7, "impressions": 40, "ad_load": 0.05, "cpm": 30,
}  # fmt: skip


def sold(**changes):
    return order(100, 45, **(SOLD | changes))


# An order


@pytest.mark.parametrize(
    "changes", [{}, {"commission_on": "paid"}, {"return_rate": 1.0}, {"salvage": 0.0, "ads": 0}]
)
def test_what_the_parties_get_adds_up_to_what_is_kept(changes):
    found = sold(**changes)
    assert found.split(mcn_share=0.3).table["amount"].sum() == pytest.approx(found.value("revenue"))


@pytest.mark.parametrize("what", ["price", "return_rate", "commission", "orders"])
def test_at_the_break_even_an_order_contributes_nothing(what):
    value = sold().break_even(what)
    price = value if what == "price" else 100
    changes = {} if what == "price" else {what: value}
    assert order(price, 45, **(SOLD | changes)).contribution == pytest.approx(0, abs=1e-9)


def test_an_order_that_loses_before_the_fee_never_earns_it_back():
    assert order(60, 45, **SOLD).break_even("orders") == "never"
    assert "no number of orders" in order(60, 45, **SOLD).sentence()


def test_commission_on_returned_orders_costs_more():
    assert sold(commission_on="paid").contribution < sold().contribution


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"return_rate": 30}, "for 30 % give 0.3"),
        ({"commission": -0.1}, "commission=-0.1"),
        ({"orders": None}, "give their number"),
        ({"orders": 0}, "more than 0"),
        ({"shipping": float("nan")}, "missing value is not 0"),
        ({"commission_on": "gmv"}, "'kept', 'paid'"),
    ],
)
def test_order_names_what_is_wrong(changes, says):
    with pytest.raises(ValueError, match=says):
        sold(**changes)


def test_text_for_a_number_is_a_type_error():
    with pytest.raises(TypeError, match="shipping='6'"):
        sold(shipping="6")


# A buyer's cost and worth


def test_the_steps_of_one_funnel_telescope():
    one = acquisition_cost(40, [(1000, 100), (100, 20)])
    assert one.one_funnel
    assert one.log_variance == pytest.approx(1 / 20 - 1 / 1000)
    assert one.estimate == pytest.approx(acquisition_cost(40, [(1000, 20)]).estimate)
    assert not acquisition_cost(40, [(1000, 100), (200, 40)]).one_funnel


def test_below_ten_the_posterior_is_used_and_said():
    assert acquisition_cost(40, [(1000, 100), (100, 9)]).table["method"].iloc[0] == "posterior"
    assert "Jeffreys" in acquisition_cost(40, [(1000, 9)]).sentence()
    assert acquisition_cost(40, [(1000, 10)]).table["method"].iloc[0] == "delta"


def test_where_nobody_buys_the_cost_is_never_a_number():
    found = acquisition_cost(40, [(1000, 50), (50, 0)])
    assert found.estimate == "never"
    assert np.isnan(found.table["estimate"].iloc[0])
    assert found.table["low"].iloc[0] > 0


def test_acquisition_cost_names_what_is_wrong():
    with pytest.raises(ValueError, match="step 1: 60 of 50"):
        acquisition_cost(40, [(1000, 50), (50, 60)])
    with pytest.raises(ValueError, match="nobody reached step 0"):
        acquisition_cost(40, [(1000, 0), (10, 5)])


def test_a_value_is_the_sum_of_its_margins():
    total = sum(40 * 0.7**period / 1.02**period for period in range(2000))
    assert lifetime_value(40, 0.7, 0.02).value == pytest.approx(total)
    assert lifetime_value(40, 0.7, 0.02, first="end of period").value == pytest.approx(total / 1.02)


def test_a_curve_of_one_rate_is_worth_as_much_as_the_rate():
    curve = [0.7**period for period in range(6)]
    assert lifetime_value(40, curve, 0.02).value == pytest.approx(lifetime_value(40, 0.7, 0.02).value)
    assert "beyond the 6 periods observed" in lifetime_value(40, curve, 0.02).sentence()
    assert payback(100, 40, curve).periods == payback(100, 40, 0.7).periods


def test_a_measured_curve_is_worth_what_its_shares_are():
    days = pd.to_datetime(["2019-11-04", "2019-11-04", "2019-11-11", "2019-11-18", "2019-11-25"])
    log = read_events(pd.DataFrame({"user_id": [1, 2, 1, 1, 3], "event": "pay", "timestamp": days}))
    measured = retention(log, start="pay", returns="pay", period="week", periods=2)
    shares = measured.curve().table.query("n > 0")["estimate"].tolist()
    assert shares[0] == 1
    assert len(shares) > 1
    for given in (measured, measured.curve()):
        assert lifetime_value(10, given, 0.1).value == pytest.approx(lifetime_value(10, shares, 0.1).value)
        assert payback(12, 10, given).periods == payback(12, 10, shares).periods


def test_a_cost_that_only_the_end_of_time_pays_back_is_never():
    assert payback(100, 40, 0.6).periods == "never"
    assert "never earns it back" in payback(100, 40, 0.6).sentence()


def test_lifetimes_name_what_is_wrong():
    with pytest.raises(ValueError, match="has no end"):
        lifetime_value(40, 1.0, 0.0)
    with pytest.raises(ValueError, match="starts with 1"):
        lifetime_value(40, [0.5, 0.4], 0.1)
    with pytest.raises(ValueError, match="discount"):
        lifetime_value(40, 0.5, -0.1)


# Fees


def test_equal_means_leave_the_risk_with_one_party():
    demand = NegativeBinomial(200, 1.5)
    slot = fees(demand, margin=30, slot_fee=4000, commission=20)
    part = fees(demand, margin=30, slot_fee=4000, commission=20, deal="commission")
    assert slot.equal_slot_fee == 4000
    assert slot.value("creator", "mean") == part.value("creator", "mean")
    assert slot.value("creator", "sd") == 0
    assert part.value("brand", "p_loss") == 0
    assert slot.value("brand", "sd") > part.value("brand", "sd")


@pytest.mark.parametrize("demand", [Poisson(40), NegativeBinomial(40, 2), LogNormal(40, 1)])
def test_the_fee_for_a_chance_of_loss_has_that_chance(demand):
    fee = fees(demand, margin=30, slot_fee=1).slot_fee_for(0.2)
    loss = fees(demand, margin=30, slot_fee=fee).value("brand", "p_loss")
    assert loss <= 0.2 + 1e-9 <= fees(demand, margin=30, slot_fee=fee + 31).value("brand", "p_loss") + 0.05


def test_the_worst_sessions_agree_with_drawn_ones():
    rng = np.random.default_rng(0)
    drawn = np.sort(30 * rng.poisson(40, 200_000) - 900)
    found = fees(Poisson(40), margin=30, slot_fee=900)
    assert found.value("brand", "worst") == pytest.approx(drawn[:10_000].mean(), abs=3)
    assert found.value("brand", "p_loss") == pytest.approx((drawn < 0).mean(), abs=0.004)


def test_losing_most_sessions_at_a_mean_of_nothing_is_said():
    assert (
        "a few sessions make the mean"
        in fees(LogNormal(60_000, 1.5), margin=0.25, slot_fee=15_000).sentence()
    )


def test_a_deal_without_its_fee_is_refused():
    with pytest.raises(ValueError, match="give slot_fee="):
        fees(Poisson(5), margin=1, commission=0.5, deal="mixed")
    with pytest.raises(ValueError, match="orders.k"):
        fees(NegativeBinomial(5, 0), margin=1, slot_fee=1)


# Models and traffic


def test_at_the_break_even_two_models_earn_the_same():
    margin = models(**MONTH).break_even("self-operated", "marketplace")
    at = models(**(MONTH | {"gross_margin": margin}))
    assert at.value("self-operated") == pytest.approx(at.value("marketplace"))
    assert models(**MONTH).break_even("marketplace", "advertising", by="gross_margin") == "never"


def test_marginals_meet_at_the_optimum_and_no_neighbour_is_better():
    pair = {"live": Power(3, 0.5), "notes": Saturating(80, 60)}
    found = allocate(pair, 100)
    live, notes = found.table["marginal"]
    assert live == pytest.approx(notes)
    near = [pair["live"].at(found.live + by) + pair["notes"].at(100 - found.live - by) for by in (-1, 1)]
    assert max(near) < found.total


def test_cannibalised_live_gets_less():
    pair = {"live": Power(3, 0.5), "notes": Power(2, 0.5)}
    assert allocate(pair, 100, cannibalisation=0.3).live < allocate(pair, 100).live


def test_live_goes_only_where_whole_blocks_fit():
    hours = pd.DataFrame({"hour": [8, 20, 21], "minutes": [10, 50, 60], "block": 30})
    found = allocate({"live": Power(9, 0.5), "notes": Power(1, 0.5)}, 120, hours=hours)
    assert found.live == pytest.approx(90)
    assert "no more room" in found.sentence()
    assert found.by_hour["live"].tolist() == [0, 30, 60]


def test_a_flat_top_is_said_and_increasing_returns_are_refused():
    assert "The top is flat" in allocate({"live": Power(3, 0.5), "notes": Power(2, 0.5)}, 100).sentence()
    with pytest.raises(ValueError, match="above 1"):
        Power(3, 1.2)
    with pytest.raises(ValueError, match="give two"):
        allocate({"live": Power(3, 0.5)}, 100)


# Faces

ARITHMETIC_ANSWERS = [
    sold(),
    sold().split(mcn_share=0.3),
    payback(100, 40, 0.7),
    payback(100, 40, 0.6),
    lifetime_value(40, 0.7, 0.02),
    fees(Poisson(200), margin=30, slot_fee=4000),
    models(**MONTH),
    allocate({"live": Power(3, 0.5), "notes": Power(2, 0.5)}, 100),
]


@pytest.mark.parametrize("result", ARITHMETIC_ANSWERS, ids=lambda result: type(result).__name__)
def test_arithmetic_says_that_it_is_arithmetic_and_has_no_interval(result):
    assert result.sentence().endswith(ARITHMETIC)
    assert not {"low", "high"} & set(result.table.columns)


@pytest.mark.parametrize(
    "result",
    [*ARITHMETIC_ANSWERS, acquisition_cost(40, [(1000, 50), (50, 8)])],
    ids=lambda one: type(one).__name__,
)
def test_every_answer_has_its_five_faces(result):
    import matplotlib.pyplot as plt

    ax = result.plot()
    assert ax.has_data()
    other = plt.figure().subplots()
    assert result.plot(other) is other
    assert other.figure is not ax.figure
    plt.close("all")
    assert len(result.table)
    assert result.sentence() in repr(result)
    assert "<table" in result._repr_html_()
