"""From what people hold to answers: metrics, ratios with intervals, comparisons, series and public logs."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datasets.make.exports import ROOMS, sessions, write_exports, write_public
from tests.test_exports import LIST, ROWS, csv, workbook
from toolkit import (
    Funnel,
    Level,
    compare,
    funnel,
    interrupted_time_series,
    metric,
    read_export,
    read_public,
    read_series,
    repurchase,
    what_changed,
)
from toolkit.inputs import DefinitionMismatch
from toolkit.inputs.definitions import comparable
from toolkit.inputs.measures import ratio_of_sums
from toolkit.inputs.predictions import predicted
from toolkit.inputs.public import public_data
from toolkit.intervals import wilson

TAOBAO = ["场次id", "开播时间", "直播间观看人数", "商品点击人数", "成交转化率", "成交人数", "成交金额"]
DOUYIN = [
    "主播抖音号",
    "直播开始时间",
    "直播间曝光人数",
    "直播间观看人数",
    "直播间观看次数",
    "直播间商品曝光人数",
    "直播间商品点击人数",
    "直播间成交人数",
    "直播间成交金额",
    "1小时退款率",
]


EXPORTS = Path(__file__).parents[1] / "datasets" / "exports"


def taobao(folder):
    rows = [
        ["1", "2026-03-01 20:00:00", 2438, 702, "0.01567", 11, 900],
        ["2", "2026-03-02 20:00:00", 3000, 900, "0.02", 18, 1500],
        ["3", "2026-03-03 20:00:00", 1000, 300, "-", "-", "-"],
    ]
    return read_export(csv(folder, [TAOBAO, *rows], "taobao.csv"))


def douyin(folder, name="douyin.csv", drop=()):
    rows = [
        ["7", "2026-03-01 19:30:00", 9000, 1000, 1500, 900, 300, 30, 3000, "4%"],
        ["7", "2026-03-02 19:30:00", 20000, 2000, 2600, 1500, 700, 40, 5000, "3%"],
        ["7", "2026-03-04 19:30:00", 12000, 1500, 2000, 1300, 400, 36, 3600, "5%"],
    ]
    keep = [i for i, header in enumerate(DOUYIN) if header not in drop]
    return read_export(csv(folder, [[row[i] for i in keep] for row in [DOUYIN, *rows]], name))


# Metrics.


def test_a_metric_is_found_in_either_language_and_says_its_trap():
    assert metric("GPM") is metric("千次观看成交金额") is metric("gpm")
    assert "views (times), not viewers" in metric("GPM").trap
    with pytest.raises(ValueError, match="did you mean 'GPM'"):
        metric("GMP")
    with pytest.raises(TypeError, match="not int"):
        metric(3)


def test_a_rate_is_made_sum_over_sum_not_as_a_mean_of_rates(tmp_path):
    made = douyin(tmp_path).measure("GPM")
    assert made.table["estimate"].tolist() == [pytest.approx(11600 / 6100 * 1000)]
    row = made.table.iloc[0]
    assert row["low"] < row["estimate"] < row["high"]
    assert row["n"] == 3
    assert "gmv / views x 1000" in made.sentence()


def test_a_session_without_one_of_the_numbers_is_left_out_and_said(tmp_path):
    made = taobao(tmp_path).measure("buyers_per_product_clicker")
    assert made.table["estimate"][0] == pytest.approx(29 / 1602)
    assert made.table["n"][0] == 2
    assert "1 session without both numbers left out" in made.sentence()


def test_one_session_alone_has_no_interval():
    one = ratio_of_sums(np.array([5.0]), np.array([50.0]), (np.zeros(1), np.zeros(1)), 0.95)
    assert one.estimate == 0.1
    assert math.isnan(one.low)


def test_rounded_counts_widen_the_interval_by_a_third_of_the_squared_half_width():
    top, bottom = np.array([100.0, 120.0]), np.array([30.0, 36.0])
    exact = ratio_of_sums(top, bottom, (np.zeros(2), np.zeros(2)), 0.95)
    rounded = ratio_of_sums(top, bottom, (np.array([0.0, 6.0]), np.zeros(2)), 0.95)
    widened = (rounded.high - rounded.estimate) ** 2 - (exact.high - exact.estimate) ** 2
    reach = 12.706204736174698  # Student's quantile with one degree of freedom
    assert widened == pytest.approx(reach**2 * 6**2 / 3 / 66**2)


def test_clustered_intervals_are_those_of_the_sandwich():
    """The linearised variance of a ratio: Cochran (1977), Sampling Techniques, eq. 6.13, without fpc."""
    top, bottom = np.array([30.0, 50, 20, 90]), np.array([10.0, 14, 9, 20])
    found = ratio_of_sums(top, bottom, (np.zeros(4), np.zeros(4)), 0.95)
    ratio = top.sum() / bottom.sum()
    variance = ((top - ratio * bottom) ** 2).sum() / 3 * 4 / bottom.sum() ** 2
    assert found.high - found.estimate == pytest.approx(3.182446305284263 * math.sqrt(variance))


@pytest.mark.slow
def test_intervals_over_sessions_hold_the_truth_as_often_as_they_say():
    """Sessions of unlike size and unlike rates: 95 % intervals of 20 of them, against the ratio of expectations."""
    random = np.random.default_rng(7)
    zero = np.zeros(20)
    held = 0
    for _ in range(2000):
        viewers = np.round(random.lognormal(7, 0.6, 20))
        spent = viewers * random.gamma(8, 0.25, 20)
        found = ratio_of_sums(spent, viewers, (zero, zero), 0.95)
        held += found.low <= 2.0 <= found.high
    assert 0.92 <= held / 2000 <= 0.97


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("转粉率", "cannot be made"),
        ("客单价x", "no metric"),
        ("buyers_per_cart_user", "it needs buyers and cart_user"),
        ("GMV", "is a sum"),
    ],
)
def test_what_cannot_be_made_says_why(tmp_path, name, says):
    with pytest.raises(ValueError, match=says):
        douyin(tmp_path).measure(name)


# Steps.


def test_the_steps_that_an_export_has_are_a_funnel_and_one_that_it_lacks_is_said(tmp_path):
    steps = douyin(tmp_path).funnel()
    assert steps.table["step"].tolist() == ["impression", "enter", "product_shown", "product_click", "pay"]
    assert steps.table["reached"].tolist() == [41000, 4500, 3700, 1400, 106]
    assert "not in this export: cart" in steps.sentence()
    assert "people counted once per session" in steps.sentence()
    assert steps.step_counts.clusters.name == "session"


def test_a_session_that_does_not_say_a_step_is_left_out_not_taken_as_zero(tmp_path):
    steps = taobao(tmp_path).funnel()
    assert steps.table["reached"].tolist() == [5438, 1602, 29]
    assert (
        "1 session without all steps left out, not taken as 0; if a gap there means none, it is"
        in steps.sentence()
    )
    assert f"{29 / 6438:.2%}".replace("%", " %") in steps.sentence()
    assert "15 days after a click in the room" in steps.sentence()


def test_steps_that_are_no_path_are_refused(tmp_path):
    rows = [["7", "2026-03-01", "100", "200"], ["7", "2026-03-02", "100", "200"]]
    headers = ["主播抖音号", "直播开始时间", "直播间商品点击人数", "直播间成交人数"]
    export = read_export(csv(tmp_path, [headers, *rows]))
    with pytest.raises(ValueError, match="not one path"):
        export.funnel()
    with pytest.raises(ValueError, match="did you mean 'pay'"):
        export.funnel(["product_click", "pya"])


def test_order_lines_count_orders_that_were_placed_and_paid(tmp_path):
    headers = ["主订单编号", "子订单编号", "订单提交时间", "支付完成时间", "省"]
    rows = [
        ["1", "1", "2026-03-05 20:00:00", "2026-03-05 20:01:00", "四川省"],
        ["2", "2", "2026-03-05 20:00:00", "-", "四川省"],
    ]
    rows += [
        ["3", "3", "2026-03-05 20:00:00", "2026-03-05 20:01:00", "浙江省"],
        ["3", "4", "2026-03-05 20:00:00", "2026-03-05 20:01:00", "浙江省"],
    ]
    steps = read_export(csv(tmp_path, [headers, *rows])).funnel(by="province")
    reached = steps.table.pivot(index="province", columns="step", values="reached")
    assert reached.loc["四川省"].to_dict() == {"place": 2, "pay": 1}
    assert reached.loc["浙江省"].to_dict() == {"place": 1, "pay": 1}
    assert "each order once" in steps.sentence()


def test_a_range_is_answered_at_both_its_ends(tmp_path):
    own = {
        "kind": "mine.creators",
        "platform": "douyin",
        "table": "creator",
        "key": ["creator_id"],
        "found_by": ["达人", "销售额", "观看"],
        "source": "a third party",
        "columns": {"达人": "creator_id", "销售额": {"metric": "gmv", "range": True}, "观看": "views"},
    }
    rows = [["达人", "销售额", "观看"], ["1", "1w~2w", "1000"], ["2", "5000~1w", "1000"]]
    found = read_export(csv(tmp_path, rows), definitions=own).measure("gmv_per_view").table
    assert found[["bound", "estimate"]].to_numpy().tolist() == [["low", 7.5], ["high", 15.0]]


def test_two_shops_are_compared_by_the_province_of_their_orders(tmp_path):
    headers = ["主订单编号", "子订单编号", "订单提交时间", "支付完成时间", "省"]
    counts = []
    for shop, unpaid in (("a", 4), ("b", 2)):
        rows = [
            [
                str(i),
                str(i),
                "2026-03-05 20:00:00",
                "-" if i % unpaid == 0 else "2026-03-05 20:01:00",
                province,
            ]
            for i, province in enumerate(["四川省", "浙江省"] * 40)
        ]
        export = read_export(csv(tmp_path, [headers, *rows], f"{shop}.csv"))
        counts.append(export.funnel(by="province").table.assign(platform=shop))
    gaps = compare(Funnel.from_counts(pd.concat(counts)), tier="province")
    assert set(gaps.table.columns) >= {"estimate", "low", "high"}


def test_the_figures_of_inputs_draw_what_was_estimated(tmp_path):
    export = douyin(tmp_path)
    steps = export.funnel().plot()
    assert steps.get_yticklabels()[0].get_text() == "impression"
    assert export.measure("GPM", by="account_id").plot().get_xlabel() == "GPM"
    found = taobao(tmp_path).compare(export, "buyers_per_product_clicker", allow="window")
    assert len(found.plot().get_yticklabels()) == 2
    assert export.plot().get_ylabel() == "gmv"


def nights(tmp_path, buyers, name="nights.csv", account="7"):
    headers = ["主播抖音号", "直播开始时间", "直播间观看人数", "直播间商品点击人数", "直播间成交人数"]
    rows = [
        [account, f"2026-03-{day:02d} 20:00", "2000", str(600 + day % 3), str(paid)]
        for day, paid in enumerate(buyers, start=1)
    ]
    return read_export(csv(tmp_path, [headers, *rows], name))


def test_what_changed_names_the_step_that_changed_in_an_export_and_says_how_people_count(tmp_path):
    fell = what_changed(nights(tmp_path, [60, 62, 61, 63, 60, 61, 62, 30, 31, 33, 30, 32]), at="2026-03-08")
    steps = fell.table[fell.table["part"] == "step"].set_index("name")
    assert steps["estimate"].idxmin() == "pay"
    assert steps.loc["pay", "p_adjusted"] < 0.05 < steps.loc["product_click", "p_adjusted"]
    assert "people counted once per session" in fell.sentence()
    with pytest.raises(ValueError, match="counts have their window behind them"):
        what_changed(nights(tmp_path, [60, 62, 61, 63]), at="2026-03-03", within="1d")


def test_days_of_two_exports_are_one_table_of_counts(tmp_path):
    two = [nights(tmp_path, paid, f"{paid[0]}.csv") for paid in ([60, 62, 61, 63], [30, 32, 31, 33])]
    days = pd.concat(export.steps_by_day().assign(shop=name) for name, export in zip("ab", two, strict=True))
    both = Funnel.from_counts(days, cluster="day")
    assert both.table.query("step == 'pay'")["reached"].tolist() == [246, 126]
    alone = two[0].funnel()
    assert alone.table["reached"].tolist() == [8000, 2404, 246]


def test_an_account_with_one_session_has_a_rate_and_no_interval(tmp_path):
    nights(tmp_path, [60, 62, 61, 63], "export-1.csv")
    nights(tmp_path, [50], "export-2.csv", account="8")
    both = read_export(tmp_path).funnel(by="account_id").table.query("step == 'pay'").set_index("account_id")
    assert both.loc["7", ["first_low", "first_high"]].notna().all()
    assert both.loc["8", "from_first"] == 50 / 2000
    assert both.loc["8", ["low", "high", "first_low", "first_high"]].isna().all()
    text = read_export(tmp_path).funnel(by="account_id").sentence()
    assert "8 2.5 % (unknown, n = 2,000)" in text


# Comparisons.


def test_a_rate_over_clickers_and_one_over_viewers_do_not_meet(tmp_path):
    with pytest.raises(DefinitionMismatch, match="product_clickers against viewers") as error:
        taobao(tmp_path).compare(douyin(tmp_path), "buyers_per_product_clicker", "buyers_per_viewer")
    assert "Nearest: buyers_per_product_clicker on both" in str(error.value)
    assert set(error.value.differences) == {"metric", "over", "window"}
    with pytest.raises(DefinitionMismatch, match=r"with allow=\['window'\]"):
        taobao(tmp_path).compare(douyin(tmp_path), "buyers_per_product_clicker")
    found = taobao(tmp_path).compare(douyin(tmp_path), "buyers_per_product_clicker", allow=["window"])
    assert "differ in window (15 days after a click in the room against session)" in found.sentence()
    assert found.table["estimate"].tolist()[:2] == [pytest.approx(29 / 1602), pytest.approx(106 / 1400)]
    assert found.table["low"][2] < found.table["estimate"][2] < found.table["high"][2]


def test_gpm_over_views_and_over_viewers_do_not_meet(tmp_path):
    without = douyin(tmp_path, "b.csv", drop=["直播间观看次数"])
    with pytest.raises(DefinitionMismatch, match="views against viewers") as error:
        douyin(tmp_path).compare(without, "GPM", "uv_value")
    assert "Nearest: gmv_per_viewer on both" in str(error.value)


def test_refunds_dated_by_payment_and_within_the_hour_do_not_meet(tmp_path):
    headers = [
        "时间",
        "支付金额",
        "支付买家数",
        "商品访客数",
        "退款金额（支付时间）",
        "退款金额（退款时间）",
        "退款率（支付时间）",
    ]
    shop = read_export(
        csv(
            tmp_path, [headers, ["20260301", 100, 5, 50, 10, 7, "10%"], ["20260302", 200, 6, 60, 10, 9, "5%"]]
        )
    )
    with pytest.raises(
        DefinitionMismatch, match="dated by payment against refunded, dated by refund"
    ) as error:
        shop.compare(shop, "退款率（支付时间）", "退款率（退款时间）")
    assert "from order lines, dated by payment" in str(error.value)
    both = shop.definition("refund_amount_per_gmv"), douyin(tmp_path).definition("refund_rate_1h")
    with pytest.raises(DefinitionMismatch, match="refund_amount_per_gmv against refund_rate_1h"):
        comparable(*both, allow=["window", "scope"])
    with pytest.raises(ValueError, match="nothing allows that"):
        shop.compare(shop, "退款率（支付时间）", "退款率（退款时间）", allow="over")


def test_an_export_is_compared_with_an_export(tmp_path):
    with pytest.raises(TypeError, match="not with DataFrame"):
        douyin(tmp_path).compare(pd.DataFrame(), "GPM")


# One session against the account's own, and groups of one export.


def evenings(folder, last=(1000, 250, 25)):
    """Twelve like sessions of one account, two of another, and a last one as given: viewers, clickers, buyers."""
    headers = [
        "主播抖音号",
        "直播开始时间",
        "直播间观看人数",
        "直播间商品点击人数",
        "直播间成交人数",
        "直播间成交金额",
    ]
    rows = [
        ["7", f"2026-03-{day:02} 20:00:00", 1000, 250 + day % 3, 25 - day % 3, 1000 + 10 * day]
        for day in range(1, 13)
    ]
    rows += [["8", f"2026-03-{day:02} 21:00:00", 1000, 900, 600, 4000 + day] for day in (1, 2)]
    rows += [["7", "2026-03-14 20:00:00", *last, 900]]
    return read_export(csv(folder, [headers, *rows], "evenings.csv"))


def test_a_session_like_the_accounts_own_does_not_stand_out(tmp_path):
    found = evenings(tmp_path).against_own()
    assert found.others == 12
    assert found.table["step"].tolist() == ["product_click", "pay"]
    assert "no step stands out" in found.sentence()
    assert (
        (found.table["low"] < found.table["observed"]) & (found.table["observed"] < found.table["high"])
    ).all()


def test_the_step_at_which_the_last_session_lost_people_is_named_with_what_was_to_be_expected(tmp_path):
    found = evenings(tmp_path, last=(1000, 100, 10)).against_own()
    assert "product_click 10.0 % of 1,000 people, where" in found.sentence()
    assert "pay" not in found.sentence().partition("Holm")[0].replace("people", "")
    assert found.table["expected"][0] == pytest.approx(sum(250 + day % 3 for day in range(1, 13)) / 12_000)
    assert found.plot().get_title(loc="left") == "2026-03-14 20:00: product_click stands out"


def test_another_session_and_another_circle_of_sessions_are_asked_for_by_name(tmp_path):
    export = evenings(tmp_path)
    assert export.against_own("2026-03-03").when == "2026-03-03 20:00"
    assert export.against_own(among=()).others == 14
    for at, says in {
        "2026-03-01": "2 sessions at 2026-03-01",
        "2026-03-13": "the nearest is that of",
        "tonight": "is no time",
    }.items():
        with pytest.raises(ValueError, match=says):
            export.against_own(at)
    with pytest.raises(ValueError, match="1 other session"):
        export.against_own("2026-03-02 21:00")
    with pytest.raises(ValueError, match="did you mean 'account_id'"):
        export.against_own(among="acount_id")


@pytest.mark.slow
def test_prediction_intervals_hold_new_sessions_as_often_as_they_say():
    """Twenty sessions whose rates vary on their own, and one more: 95 % of those lie within."""
    random = np.random.default_rng(3)
    held = 0
    for _ in range(500):
        viewers = np.round(random.lognormal(6, 0.5, 21))
        rates = random.beta(0.2 * 99, 0.8 * 99, 21)
        passed = random.binomial(viewers.astype(int), rates)
        past = np.column_stack([viewers[1:], passed[1:]]).astype(float)
        found = predicted(viewers[0], passed[0], past, 0.95)
        held += found["low"] <= passed[0] / viewers[0] <= found["high"]
    assert 0.92 <= held / 500 <= 0.98


def test_groups_of_an_export_are_compared_with_sessions_as_units(tmp_path):
    found = evenings(tmp_path).measure("gmv_per_viewer", by="account_id").compare(to="7")
    row = found.table.iloc[0]
    seven = (sum(1000 + 10 * day for day in range(1, 13)) + 900) / 13_000
    assert row["estimate"] == pytest.approx(8003 / 2000 - seven)
    assert row["ratio"] == pytest.approx(8003 / 2000 / seven)
    assert row["low"] > 0
    assert row["ratio_low"] < row["ratio"] < row["ratio_high"]
    assert "1 of 1 difference from 7 excludes 0" in found.sentence()
    assert "less that of 7" in found.plot().get_xlabel()
    with pytest.raises(ValueError, match="no group '9'"):
        evenings(tmp_path).measure("gmv_per_viewer", by="account_id").compare(to="9")
    with pytest.raises(ValueError, match="needs two groups"):
        evenings(tmp_path).measure("gmv_per_viewer").compare()


def test_a_column_of_ones_own_groups_rows_and_more_groups_are_held_to_more(tmp_path):
    export = evenings(tmp_path)
    export.session["third"] = [str(n % 3) for n in range(len(export.session))]
    measures = export.measure("gmv_per_viewer", by="third")
    both = measures.compare(to="0").table.set_index("group").loc["1"]
    export.session["third"] = export.session["third"].where(export.session["third"] != "2")
    one = export.measure("gmv_per_viewer", by="third").table.dropna(subset="third")
    reach = math.hypot(*(one["high"] - one["estimate"]))
    assert both["high"] - both["estimate"] > reach
    assert "hold together (Bonferroni)" in measures.compare().sentence()


def test_roi_is_a_multiple_and_no_percentage(tmp_path):
    rows = [["日期", "时间-小时", "整体消耗", "整体成交金额"], ["2026-03-01", "9:00 - 9:59", "100", "250"]]
    made = read_export(csv(tmp_path, rows)).measure("ROI")
    assert "2.50" in made.sentence()
    assert "%" not in made.sentence().partition("(95")[0]


# Series and orders.


def test_amounts_of_a_day_are_added_and_a_day_without_a_session_is_missing(tmp_path):
    series = douyin(tmp_path).series("gmv")
    assert series.fillna(-1).tolist() == [3000, 5000, -1, 3600]
    assert str(series.index[0].date()) == "2026-03-01"


def test_people_of_two_sessions_of_a_day_are_not_added(tmp_path):
    rows = [LIST, *ROWS, ["青禾", "0072", "2026-03-02 22:30:00", "500", "5", "100"]]
    export = read_export(csv(tmp_path, rows))
    assert export.series("gmv").tolist() == [1500.5, 3100]
    with pytest.raises(ValueError, match="people are not added up"):
        export.series("viewers")


def test_a_series_of_an_export_goes_straight_to_an_interrupted_time_series(tmp_path):
    days = pd.date_range("2026-01-01", periods=60)
    random = np.random.default_rng(1)
    amounts = 1000 + 500 * (days >= "2026-02-01") + random.normal(0, 20, 60)
    rows = [
        ["7", f"{day:%Y-%m-%d} 20:00:00", f"{amount:.2f}"] for day, amount in zip(days, amounts, strict=True)
    ]
    export = read_export(csv(tmp_path, [["主播抖音号", "直播开始时间", "直播间成交金额"], *rows]))
    fit = interrupted_time_series(export.series("gmv"), {"rule": Level("2026-02-01")}, scale="identity")
    assert fit.table["low"].iloc[0] < 500 < fit.table["high"].iloc[0]


def test_repurchase_is_refused_where_buyers_are_starred_out_or_not_there(tmp_path):
    headers = ["场次id", "会员名", "父订单", "子订单", "支付时间"]
    starred = read_export(csv(tmp_path, [headers, ["1", "青*7", "11", "11", "2026-03-01 20:00:00"]]))
    with pytest.raises(ValueError, match="two buyers can share one mark"):
        starred.repurchase()
    none = read_export(
        csv(tmp_path, [["主订单编号", "子订单编号", "支付完成时间"], ["1", "1", "2026-03-05 20:00:00"]])
    )
    with pytest.raises(ValueError, match="no column of buyers"):
        none.repurchase()


def test_repurchase_of_orders_with_a_buyer_counts_an_order_of_two_lines_once(tmp_path):
    own = {
        "kind": "mine.orders",
        "platform": "taobao_live",
        "table": "order",
        "key": ["suborder_id"],
        "found_by": ["订单", "子订单", "买家"],
        "source": "our own shop",
        "columns": {"订单": "order_id", "子订单": "suborder_id", "买家": "buyer_id", "付款": "paid_at"},
    }
    rows = [["订单", "子订单", "买家", "付款"], ["1", "1", "a", "2026-01-01"], ["1", "2", "a", "2026-01-01"]]
    rows += [["2", "3", "b", "2026-01-01"], ["3", "4", "b", "2026-01-11"], ["4", "5", "c", "2026-03-01"]]
    found = read_export(csv(tmp_path, rows), definitions=own).repurchase(definition="30d")
    assert found.table[["repurchased", "n"]].to_numpy().tolist() == [[1, 2]]


def test_a_series_is_read_out_of_a_table_with_its_gaps(tmp_path):
    rows = [
        ["报表"],
        ["日期", "载体", "支付金额"],
        ["2026-03-03", "直播", "1.2万"],
        ["2026-03-01", "直播", "3,400.00"],
    ]
    rows += [["2026-03-01", "商品卡", "5"], ["合计", "-", "15,405"]]
    file = csv(tmp_path, rows, encoding="gb18030")
    series = read_series(file, "支付金额", where={"载体": "直播"})
    assert series.fillna(-1).tolist() == [3400, -1, 12000]
    assert any("1 of 3 periods have no row" in note for note in series.attrs["notes"])
    with pytest.raises(ValueError, match="stands 2 times; choose rows with where="):
        read_series(file, "支付金额")
    with pytest.raises(ValueError, match="did you mean '支付金额'"):
        read_series(file, "支付全额")
    with pytest.raises(ValueError, match="no value of 载体 '短视频'"):
        read_series(file, "支付金额", where={"载体": "短视频"})


def test_weeks_months_and_hours_are_told_by_their_steps(tmp_path):
    for name, index in {
        "W-MON": pd.date_range("2026-01-05", periods=4, freq="W-MON"),
        "MS": pd.date_range("2026-01-01", periods=4, freq="MS"),
        "h": pd.date_range("2026-01-05 10:00", periods=4, freq="h"),
    }.items():
        frame = pd.DataFrame({"when": index.strftime("%Y-%m-%d %H:%M"), "n": [1, 2, 3, 4]}).drop(index=2)
        frame.to_csv(tmp_path / "a.csv", index=False)
        series = read_series(tmp_path / "a.csv", "n")
        assert series.isna().tolist() == [False, False, True, False], name
        assert series.index.freqstr == name
        frame.to_parquet(tmp_path / "a.parquet")
        assert read_series(tmp_path / "a.parquet", "n", time="when").equals(series)


def test_days_that_may_be_day_first_are_decided_by_the_column_or_refused(tmp_path):
    def days(*texts):
        pd.DataFrame({"Date": texts, "visits": range(len(texts))}).to_csv(tmp_path / "a.csv", index=False)
        return tmp_path / "a.csv"

    assert read_series(days("12/07/2019", "13/07/2019"), "visits").index[0] == pd.Timestamp("2019-07-12")
    assert read_series(days("07/12/2019", "07/13/2019"), "visits").index[0] == pd.Timestamp("2019-07-12")
    for texts in (("01/07/2019", "02/07/2019"), ("13/07/2019", "07/13/2019")):
        with pytest.raises(ValueError, match="day first or month first"):
            read_series(days(*texts), "visits")


def test_a_series_out_of_a_workbook_and_what_cannot_be_one(tmp_path):
    book = workbook(tmp_path, [["日期", "GMV"], [20260301, "3,400.00"], [20260302, 12]])
    assert read_series(book, "GMV").tolist() == [3400, 12]
    two_lines = [
        ["日期", "流量", ""],
        ["", "曝光人数", "观看人数"],
        ["2026-03-01", 9, 3],
        ["2026-03-02", 8, 4],
    ]
    assert read_series(workbook(tmp_path, two_lines), "观看人数").tolist() == [3, 4]
    with pytest.raises(ValueError, match="no column holds times"):
        read_series(csv(tmp_path, [["a", "b"], ["x", "1"]]), "b")
    with pytest.raises(ValueError, match="holds 'oops', no number"):
        read_series(csv(tmp_path, [["日期", "b"], ["2026-03-01", "oops"]]), "b")
    with pytest.raises(TypeError, match="not list"):
        read_series([1], "b")


def test_the_small_files_of_analysts_are_read_as_series(shared):
    place = shared / "reference" / "inputs_files"
    series = read_series(place / "day_first_series.csv", "visits")
    assert series.index.is_monotonic_increasing
    assert read_series(place / "date_column_with_total.csv", *_value_of(place)).notna().all()


def _value_of(place):
    headers = (
        (place / "date_column_with_total.csv").read_text(encoding="utf-8-sig").splitlines()[0].split(",")
    )
    return [headers[1]]


# Public logs.


def test_every_public_log_says_what_it_is():
    table = read_public.list()
    assert {
        "taobao_userbehavior",
        "kuailive",
        "cdnow",
        "retailrocket",
        "rees46",
        "kuairand",
        "kuairec",
    } <= set(table["name"])
    assert (table[["licence", "answers", "cannot", "url"]] != "").all(axis=None)
    with pytest.raises(ValueError, match="did you mean 'kuailive'"):
        read_public("kuailve", ".")


def write(folder, name, *lines):
    (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def columns(name, file=0):
    return ",".join(public_data()[name].files[file].columns)


def test_a_live_log_of_many_files_is_one_log(tmp_path):
    for at, name in enumerate(("click", "comment", "like")):
        header, value = ("", "") if at else (",watch_live_time", ",5000")
        row = f"1,10,7,{1746600000000 + at * 1000}{value}"
        write(tmp_path, f"{name}.csv", f"user_id,live_id,streamer_id,timestamp{header}", row)
    write(tmp_path, "gift.csv", columns("kuailive", 4), "1,10,7,1746600009000,5", "2,10,7,99,5")
    log = read_public("kuailive", tmp_path)
    assert log.events == {"gift": 2, "click": 1, "comment": 1, "like": 1}
    assert log.off == ("1 row of gift.csv outside 2025-05-05 to 2025-05-25",)
    assert "gift rates are of users who give gifts at all" in log.sentence()
    reached = funnel(log, ["click", "like", "gift"], within="1h").table["reached"].tolist()
    assert reached == [1, 1, 1]


def test_flags_of_one_row_are_events_of_their_own(tmp_path):
    row = "1,5,20220422,1000,1650600000000,1,0,0,0,0,0,1,9,9,0,0,0,1,1"
    write(tmp_path, "log_random_4_22_to_5_08_pure.csv", columns("kuairand"), row)
    assert read_public("kuairand", tmp_path).events == {"click": 1, "long_view": 1, "show": 1}


def test_codes_hours_and_zones_of_the_others_are_known(tmp_path):
    name = "tianchi_mobile_recommend_train_user.csv"
    write(tmp_path, name, columns("tianchi_mobile"), "1,2,4,,3,2014-12-12 23", "1,2,9,,3,2014-12-12 22")
    log = read_public("tianchi_mobile", tmp_path)
    assert set(log.events) == {"pay", "9"}
    assert log.off == (f"1 row of {name} of a code that its schema does not know, such as '9'",)
    write(tmp_path, "2019-Oct.csv", columns("rees46"), "2019-10-01 00:00:00 UTC,view,1,2,a,b,3.5,7,s")
    assert read_public("rees46", tmp_path).clock.said == "times with a zone"
    write(tmp_path, "behavior_log.csv", "nick,time_stamp,btag,cate,brand", "1,1494000000,ipv,2,3")
    write(tmp_path, "user_profile.csv", f"{columns('ali_display', 2)} ", "1,0,2,1,3,,3,0,2")
    ali = read_public("ali_display", tmp_path)
    assert ali.events == {"ipv": 1}
    assert ali.tables["users"]["new_user_class_level"].tolist() == [2]
    assert ali.off == ()


def test_plays_lie_beside_the_city_tiers_of_their_users(tmp_path):
    second = "1593878903.438"
    write(
        tmp_path,
        "small_matrix.csv",
        columns("kuairec"),
        f"14,148,4381,6067,2020-07-05 00:08:23.438,20200705,{second},0.722",
        "15,148,100,6067,2020-07-05 00:08:23.438,20200705,,0.016",
    )
    more = f"{columns('kuairec', 1)},phone_brand"
    write(tmp_path, "user_features_raw.csv", more, "14,full_active,成都市,三线城市,107,x")
    log = read_public("kuairec", tmp_path)
    assert log.events == {"play": 2}
    assert log.off == ("1 row of small_matrix.csv without a time that can be read",)
    assert log.tables["users"]["fre_city_level"].tolist() == ["三线城市"]
    assert str(log.summary()).count("2020-07-05")


def test_a_file_that_is_not_as_its_schema_says_is_refused_or_told(tmp_path):
    write(tmp_path, "UserBehavior.csv", "1,2,3,pv")
    with pytest.raises(ValueError, match="has 4 columns, and its schema 5"):
        read_public("taobao_userbehavior", tmp_path)
    write(tmp_path, "events.csv", "timestamp,visitorid,event,transactionid")
    with pytest.raises(ValueError, match="lacks itemid"):
        read_public("retailrocket", tmp_path)
    write(tmp_path, "events.csv", "timestamp,visitorid,event,itemid,transactionid,<b>", "soon,1,view,2,,x")
    log = read_public("retailrocket", tmp_path)
    assert any("does not know: <b>" in one for one in log.off)
    assert any("without a time" in one for one in log.off)
    assert "<b>" not in log._repr_html_().replace("<p>", "")
    with pytest.raises(FileNotFoundError, match="needs click.csv"):
        read_public("kuailive", tmp_path)


def test_real_samples_are_read_as_their_descriptions_say(shared):
    data = shared / "data"
    taobao_log = read_public("taobao_userbehavior", data / "taobao_userbehavior_sample")
    assert taobao_log.events == {"pv": 49_339, "cart": 2_949, "fav": 1_587, "buy": 1_129}
    assert taobao_log.off == ("26 rows of UserBehavior_sample.csv outside 2017-11-25 to 2017-12-03",)
    assert read_public("retailrocket", data / "retailrocket_sample").events == {
        "view": 9_076,
        "addtocart": 263,
        "transaction": 46,
    }
    cdnow = read_public("cdnow", data / "cdnow")
    assert cdnow.events == {"pay": 69_659}
    assert repurchase(cdnow).table["n"].tolist() == [23_570]
    users = read_public("kuairand", data / "kuairand_user_features")
    assert users.tables["users"]["is_live_streamer"].isna().sum() == 21_127
    posts = read_public("facebook_live_sellers", data / "facebook_live_sellers_thailand").tables["posts"]
    assert str(posts["status_published"].max()) == "2018-06-13 01:12:00"


# The bundled examples.


@pytest.mark.parametrize("platform", ROOMS)
def test_a_bundled_example_gives_back_the_truth_behind_it(platform):
    """What a dashboard writes of the simulated rooms is read as what happened in them, to the last count."""
    name = {
        "douyin": "直播明细",
        "taobao_live": "直播分场次",
        "xiaohongshu": "直播场次明细",
        "kuaishou": "快分销",
    }[platform]
    export = read_export(next(EXPORTS.glob(f"{name}_*")))
    truth = sessions(platform)
    assert export.platform == platform
    columns = [
        column
        for column in truth.columns
        if column in export.table and column not in ("start", "end", "creator_id")
    ]
    assert len(columns) >= 2
    for column in columns:
        read = export.table[column].to_numpy(dtype=float, na_value=np.nan)
        sold = ~np.isnan(read)
        assert read[sold].tolist() == truth[column].to_numpy(float)[sold].tolist(), column
        assert (truth.loc[~sold, "buyers"] == 0).all()
    if "start" in export.table:
        assert export.table["start"].dt.tz_localize(None).tolist() == truth["start"].tolist()


def test_the_bundled_examples_are_those_that_the_program_writes(tmp_path):
    assert write_exports(tmp_path) == json.loads((EXPORTS / "truth.json").read_text())
    files = [*EXPORTS.rglob("*.csv")]
    assert len(files) == 8
    for file in files:
        assert (tmp_path / file.relative_to(EXPORTS)).read_bytes() == file.read_bytes()
    write_public(tmp_path)
    public = EXPORTS.parent / "public" / "UserBehavior_simulated.csv"
    assert (tmp_path / public.name).read_bytes() == public.read_bytes()


def test_the_weekly_downloads_are_the_whole_list_with_late_refunds():
    weeks = read_export(EXPORTS / "weeks")
    whole = read_export(next(EXPORTS.glob("直播明细_*")))
    for column in ("start", "viewers", "gmv"):
        ours, theirs = (one.session.sort_values(["start", "account_id"])[column] for one in (weeks, whole))
        assert ours.tolist() == theirs.tolist()
    last = whole.session["start"] >= "2019-09-29"
    missing = whole.session["refund_amount"].sum() - weeks.session["refund_amount"].sum()
    assert missing == pytest.approx(whole.session.loc[last, "refund_amount"].sum())


def test_the_bundled_advertising_gives_back_the_planted_prices():
    """Half the return in the evening: an impression costs twice as much there, and nothing else differs."""
    hours = read_export(next(EXPORTS.glob("千川_*"))).table
    evening = hours["hour"].between(19, 23)
    planted = json.loads((EXPORTS / "truth.json").read_text())["douyin_advertising"]
    assert planted["evening_price"] == 2 * planted["day_price"]
    roi = [
        hours.loc[part, "ad_gmv"].sum() / hours.loc[part, "ad_spend"].sum() for part in (evening, ~evening)
    ]
    assert 0.3 < roi[0] / roi[1] < 0.6


def test_every_bundled_order_is_paid_and_young_ones_are_not_back_yet():
    orders = read_export(next(EXPORTS.glob("订单_*"))).order
    back = orders["aftersale"].eq("退款成功")
    old = orders["paid_at"] < "2019-09-20"
    assert orders["paid_at"].notna().all()
    assert orders["suborder_id"].str.len().eq(19).all()
    low, high = wilson(back[old].sum(), old.sum(), 0.99)
    assert low < 0.38 < high
    assert back[~old].mean() < back[old].mean()
