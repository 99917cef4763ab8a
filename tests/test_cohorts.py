"""Cohorts: who comes back, buys again and is active, on logs small enough to count by hand; and wrong questions."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.golden import read
from tests.golden_cohorts import PATHS, failures, offered
from tests.oracle_cohorts import answer
from toolkit import Step, read_events
from toolkit.cohorts import Activity, Definition, Repurchase, Retention, activity, repurchase, retention
from toolkit.intervals import wilson

OWN = Path(__file__).parent / "cases" / "cohorts"
SHARED = Path(__file__).parents[2] / "shared" / "reference" / "cohort"
CASES = [
    pytest.param(case, id=f"{folder.name}-{case.name}")
    for folder in (OWN, SHARED)
    if folder.exists()
    for case in read(folder)
]


def log(*rows, timezone="Asia/Shanghai", **columns):
    """Rows of (user, day or time of November 2019, event); columns by name."""
    users, times, events = zip(*rows, strict=True)
    times = [f"2019-11-{time:02}" if isinstance(time, int) else time for time in times]
    frame = pd.DataFrame(
        {"user_id": users, "timestamp": pd.to_datetime(times, format="ISO8601"), "event": events}
    )
    return read_events(frame.assign(**columns), timezone=timezone)


def cells(result, *columns):
    columns = columns or ("retained",)
    found = result.table[list(columns)].astype(object)
    return [
        tuple(row) if len(columns) > 1 else row[0]
        for row in found.where(found.notna(), None).to_numpy().tolist()
    ]


@pytest.mark.parametrize(
    ("case", "path"),
    [
        pytest.param(*case.values, path, id=f"{case.id}-{path}")
        for case in CASES
        for path in PATHS
        if offered(*case.values, path)
    ],
)
def test_the_golden_answer_comes_from_the_public_functions_on_each_path(case, path):
    assert not failures(case, path)


@pytest.mark.parametrize("case", CASES)
def test_the_golden_answer_comes_from_walking_user_by_user(case):
    assert answer(case.kind, case.rows, case.params) == case.expected


# 4 November 2019 is a Monday.
VISITS = log(("a", 4, "open"), ("b", 5, "open"), ("a", 12, "open"), ("c", 13, "open"), ("c", 20, "open"))


def test_a_week_that_has_not_come_is_missing_and_the_running_one_is_partial():
    result = retention(VISITS, observed_until="2019-11-20 12:00")
    assert cells(result, "age", "retained", "status") == [
        (0, 2, "complete"),
        (1, 1, "complete"),
        (2, 0, "partial"),
        (0, 1, "complete"),
        (1, 1, "partial"),
        (2, None, "future"),
    ]
    curve = result.curve().table.set_index("age")
    assert curve["n"].tolist() == [3, 2, 0]
    assert curve["retained"].tolist() == [3, 1, 0]
    assert np.isnan(curve.loc[2, "estimate"])
    assert result.table.loc[result.table["status"] != "complete", ["low", "high"]].isna().all(axis=None)
    assert "2 partial cells left out" in result.sentence()


def test_observation_ends_just_after_the_last_row_if_not_said():
    assert cells(retention(VISITS), "status")[-1] == "future"
    assert retention(VISITS).table["retained"].sum() == 5


def test_rolling_counts_users_seen_in_that_period_or_later():
    result = retention(VISITS, kind="rolling", observed_until="2019-11-25", periods=2)
    assert cells(result)[:3] == [2, 1, 0]
    assert "less time" in result.sentence()


def test_a_bracket_counts_users_seen_in_any_of_its_periods():
    result = retention(VISITS, kind="bracket", brackets=[(0, 0), (1, 2)], observed_until="2019-11-25")
    assert cells(result, "age", "age_to", "retained", "status")[:2] == [
        (0, 0, 2, "complete"),
        (1, 2, 1, "complete"),
    ]


def test_the_elapsed_clock_runs_from_the_first_row_to_the_microsecond():
    rows = log(
        ("a", "2019-11-04 20:00", "open"),
        ("a", "2019-11-05 19:59:59.999999", "open"),
        ("b", "2019-11-04 20:00", "open"),
        ("b", "2019-11-05 20:00", "open"),
    )
    options = {"period": "day", "periods": 1, "observed_until": "2019-11-07"}
    assert cells(retention(rows, **options, clock="elapsed")) == [2, 1]
    assert cells(retention(rows, **options)) == [2, 2]


def test_a_cell_of_the_elapsed_clock_is_partial_while_a_user_is_right_censored_and_then_has_no_interval():
    rows = log(
        ("a", "2019-11-04 01:00", "open"),
        ("b", "2019-11-04 20:00", "open"),
        ("b", "2019-11-05 20:00", "open"),
    )
    result = retention(rows, period="day", periods=1, clock="elapsed", observed_until="2019-11-06 12:00")
    assert cells(result, "eligible", "retained", "retained_eligible", "status")[1] == (1, 1, 0, "partial")
    assert result.table.loc[1, ["low", "high"]].isna().all()
    assert result.curve().table.loc[1, "n"] == 0


def test_a_day_of_23_hours_is_one_day():
    # New York's clocks went forward on 10 March 2019: 23:30 to 00:30 is two calendar days later after 24 hours.
    rows = log(
        ("a", "2019-03-09 23:30", "open"), ("a", "2019-03-11 00:15", "open"), timezone="America/New_York"
    )
    options = {"period": "day", "periods": 2, "observed_until": "2019-03-13"}
    assert cells(retention(rows, **options)) == [1, 0, 1]
    # 23 hours and 45 minutes have passed.
    assert cells(retention(rows, **options, clock="elapsed")) == [1, 0, 0]


def test_returns_before_the_start_do_not_count_and_a_tie_does():
    rows = log(
        ("a", "2019-11-04 10:00", "like"), ("a", "2019-11-04 11:00", "pay"), ("b", 4, "pay"), ("b", 4, "like")
    )
    options = {"period": "day", "periods": 0, "observed_until": "2019-11-06"}
    assert cells(retention(rows, start="pay", returns="like", **options)) == [1]
    assert cells(retention(rows, start="like", returns="pay", **options)) == [2]


def test_the_first_event_counts_in_period_0_where_it_is_a_return_and_it_is_said():
    said = "the first event itself counts as a return in week 0"
    assert said in retention(VISITS, start="open", returns="open").sentence()
    assert said in retention(VISITS, start="open").sentence()


def test_where_returns_are_other_events_period_0_is_told_and_who_never_started():
    rows = log(
        *(
            ("a", 4, "open"),
            ("a", 6, "pay"),
            ("b", 5, "open"),
            ("c", 6, "pay"),
            ("d", 5, "pay"),
            ("d", 7, "open"),
        ),
        ("d", 14, "pay"),
    )
    for kept in (rows, rows.index()):
        result = retention(kept, start="open", returns="pay", observed_until="2019-11-18")
        told = result.sentence()
        assert "in week 0 pay after the first open: 33.3 % (6.1 to 79.2 %, n = 3)" in told
        assert "; 1 user with pay never had open: in no cohort;" in told
        assert "itself counts" not in told
        assert result.never_started == 1
    assert "never had" not in retention(rows, start=["open", "pay"], returns="pay").sentence()
    with pytest.raises(ValueError, match="users who never started needs a log"):
        Retention.from_counts(COUNTS).never_started  # noqa: B018


def test_days_without_a_row_between_days_with_many_are_said_to_count_as_nobody():
    rows = log(*((user, day, "open") for day in (1, 2, 3, 5, 6, 9) for user in range(20)))
    said = "3 days without any row between days with many (2019-11-04, 2019-11-07, 2019-11-08) count as days on which"
    assert said in retention(rows, period="day").sentence()
    assert said in activity(rows).sentence()
    early = retention(rows, period="day", observed_until="2019-11-06").sentence()
    assert (
        "1 day without any row between days with many (2019-11-04) counts as a day on which nobody came"
        in early
    )
    few = log(*((user, day, "open") for day in (1, 2, 3, 5) for user in range(3)))
    assert "without any row" not in retention(few, period="day").sentence() + activity(few).sentence()


COUNTS = pd.DataFrame({"cohort": ["a"], "age": [0], "size": [1], "retained": [1]})


def test_a_step_with_a_condition_starts_a_cohort():
    rows = log(("a", 4, "pay"), ("a", 12, "pay"), ("b", 5, "pay"), amount=[1, 500, 400])
    result = retention(rows, start=Step("big order", event="pay", where="amount > 100"), returns=["pay"])
    assert (
        cells(result, "cohort", "size")
        == [(pd.Timestamp("2019-11-04"), 1)] * 2 + [(pd.Timestamp("2019-11-11"), 1)] * 2
    )


def test_cohorts_split_by_the_value_of_the_first_row():
    rows = log(("a", 4, "open"), ("a", 12, "open"), ("b", 4, "open"), room=["r1", "r2", None])
    result = retention(rows, by="room", observed_until="2019-11-18")
    assert cells(result, "room", "retained") == [("r1", 1), ("r1", 1), (None, 1), (None, 0)]
    assert result.curve(by=()).table["retained"].tolist() == [2, 1]
    assert result.curve().table["room"].isna().tolist() == [False, False, True, True]


def test_users_from_before_the_log_are_warned_of_and_can_be_left_out():
    assert (
        "its 2 users may be new or old: born_from='2019-11-11' leaves them out"
        in retention(VISITS).sentence()
    )
    later = retention(VISITS, born_from="2019-11-11")
    assert later.table["size"].unique().tolist() == [1]
    assert "may be new or old" not in later.sentence()
    assert retention(VISITS, born_from="2019-11-13").table["size"].unique().tolist() == [1]
    assert len(retention(VISITS, born_from="2019-11-13 00:00:00.000001").table) == 0


def test_retries_are_left_out_before_first_events_are_found():
    rows = log(("a", 4, "pay"), ("a", 12, "pay"), ("b", 13, "pay"), order=["o1", "o1", "o2"])
    assert cells(retention(rows, dedupe="order", observed_until="2019-11-18"))[:2] == [1, 0]


@pytest.mark.parametrize("kind", ["exact", "rolling"])
def test_permuting_rows_changes_nothing_and_rates_obey_their_order(kind):
    generator = np.random.default_rng(3)
    days = pd.Timestamp("2019-09-02") + pd.to_timedelta(generator.integers(0, 50 * 24, 600), unit="h")
    frame = pd.DataFrame({"user_id": generator.integers(0, 60, 600), "timestamp": days, "event": "open"})
    first = retention(read_events(frame), kind=kind).table
    second = retention(read_events(frame.sample(frac=1, random_state=1)), kind=kind).table
    pd.testing.assert_frame_equal(first, second)
    exact, rolling = retention(read_events(frame)).table, retention(read_events(frame), kind="rolling").table
    assert (exact["retained"].fillna(0) <= rolling["retained"].fillna(0)).all()
    assert (first["retained_eligible"] <= first["eligible"]).all()
    assert (first["eligible"] <= first["size"]).all()
    assert first["retained"].isna().equals(first["status"] == "future")
    assert first.drop_duplicates("cohort")["size"].sum() == frame["user_id"].nunique()


def test_a_cohort_of_one_user_has_an_interval():
    table = retention(log(("a", 4, "open")), observed_until="2019-11-11").table
    # Wilson (1927) for 1 of 1: n / (n + z^2).
    assert table.loc[0, ["rate", "low", "high"]].tolist() == pytest.approx(
        [1, 1 / (1 + 1.959964**2), 1], abs=1e-6
    )


def test_a_period_longer_than_the_log_is_said():
    result = retention(VISITS, period="month")
    assert cells(result, "status") == ["partial"]
    assert "no month is complete" in result.sentence()


def test_cohorts_that_differ_widen_the_curve():
    alike = pd.DataFrame({"cohort": list("abcdefgh"), "age": 1, "size": 1000, "retained": [200] * 8})
    unlike = alike.assign(retained=[100, 300] * 4)
    even, uneven = (Retention.from_counts(frame).curve().table.iloc[0] for frame in (alike, unlike))
    assert even["estimate"] == uneven["estimate"] == 0.2
    # Of 8 cohorts at 10 and 30 %: a mean of 20 +- 2.36 * 10.7 / sqrt(8) %, nearly.
    assert uneven["high"] - uneven["low"] == pytest.approx(2 * 2.36 * 0.107 / np.sqrt(8), rel=0.15)
    assert even["high"] - even["low"] == pytest.approx(2 * 1.96 * np.sqrt(0.16 / 8000), rel=0.05)


def test_a_curve_that_rises_by_selection_is_warned_of():
    counts = [(c, age, 500, 100 if age < 5 else 300) for c in "abc" for age in range(1, 7)]
    frame = pd.DataFrame(counts, columns=["cohort", "age", "size", "retained"])
    assert (
        "retention rises with age: 60.0 % (56.7 to 63.2 %) in period 5 after 20.0 % (17.5 to 22.8 %) in period 1 of"
        in Retention.from_counts(frame).sentence()
    )
    falling = frame.assign(retained=200 - 10 * frame["age"])
    assert Retention.from_counts(falling).warnings == ()


def test_next_day_retention_has_both_definitions_by_name():
    rows = [
        ("x", 3, "open"),
        ("a", 4, "open"),
        ("a", 5, "open"),
        ("a", 6, "open"),
        ("b", 4, "open"),
        ("b", 6, "open"),
    ]
    table = retention(log(*rows), observed_until="2019-11-07").d1.table.set_index("definition")
    assert table.loc["new users", ["retained", "n"]].tolist() == [
        1,
        2,
    ]  # nobody is known as new on the first day
    assert table.loc["active users", ["retained", "n"]].tolist() == [2, 4]


def splitting():
    """Old users retained at one half, new ones never; new ones stop coming."""
    rows = [(f"o{i}", day, "open") for i in range(8) for day in range(1, 29) if i % 2 or day % 2]
    rows += [(f"n{day}-{i}", day, "open") for day in range(2, 12) for i in range(8)]
    return retention(log(*rows), period="day", observed_until="2019-11-29")


def test_retention_that_rises_because_nobody_new_comes_is_mix_and_not_rate():
    result = splitting().split(before=("2019-11-04", "2019-11-10"), after=("2019-11-14", "2019-11-24"))
    change, mix, rate = (result.part(name)["estimate"] for name in ("change", "mix", "rate"))
    assert change == pytest.approx(mix + rate)
    assert change > 0.3
    assert rate == pytest.approx(0, abs=0.01)
    assert result.part("fixed users")["estimate"] == pytest.approx(0, abs=0.01)
    new = result.table.query("part == 'share' and group == 'new'").iloc[0]
    assert new["before"] > 0.5
    assert new["after"] == 0
    assert result.part("mix")["low"] <= mix <= result.part("mix")["high"]


def test_a_change_of_one_rate_has_the_standard_error_of_two_independent_rates():
    # 40 users are active once before and 40 others once after, all old: 10 of 40 and 20 of 40 come back.
    rows = [(f"{who}{i}", 1, "open") for who in "xy" for i in range(40)]
    for who, day, kept in (("x", 5, 10), ("y", 15, 20)):
        rows += [(f"{who}{i}", day, "open") for i in range(40)] + [
            (f"{who}{i}", day + 1, "open") for i in range(kept)
        ]
    spans = {"before": ("2019-11-05", "2019-11-06"), "after": ("2019-11-15", "2019-11-16")}
    change = retention(log(*rows), period="day", observed_until="2019-11-20").split(**spans).part("change")
    assert change[["before", "after", "n", "n_after"]].tolist() == [0.25, 0.5, 40, 40]
    half = 1.959964 * np.sqrt(0.25 * 0.75 / 40 + 0.5 * 0.5 / 40)
    assert change[["low", "high"]].tolist() == pytest.approx([0.25 - half, 0.25 + half], abs=1e-6)


def test_the_components_are_those_of_kitagawas_formula():
    from toolkit.cohorts.split import components

    # By hand: shares .5 .5 to .2 .8, rates .2 .4 to .3 .4.
    totals = np.array([[[100, 20], [100, 40]], [[20, 6], [80, 32]]], float)
    mix, rate = components(totals)
    assert mix == pytest.approx(-0.3 * 0.25 + 0.3 * 0.4)
    assert rate == pytest.approx(0.1 * 0.35)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mix": "city"}, "mix='city'; use one of 'new_or_old', 'age'"),
        (
            {"before": ("2019-11-01", "2019-11-05")},
            "holds the log's first day, in which every user looks new",
        ),
        ({"after": ("2019-11-05", "2019-11-09")}, "the two spans must not overlap"),
        ({"after": ("2019-11-28", "2019-11-29")}, "no whole day of which the next one is observed"),
        ({"after": "2019-11-20"}, r"give \(from, to\)"),
    ],
)
def test_spans_that_cannot_be_compared_are_refused(options, message):
    asked = {"before": ("2019-11-04", "2019-11-06"), "after": ("2019-11-14", "2019-11-16")} | options
    with pytest.raises(ValueError, match=message):
        splitting().split(**asked)


BUYS = log(
    ("a", 1, "pay"),
    ("a", 8, "pay"),
    ("b", 1, "pay"),
    ("b", "2019-11-08 00:00:00.000001", "pay"),
    ("c", 20, "pay"),
)


def test_a_second_purchase_at_the_last_moment_of_the_window_counts_and_recent_buyers_do_not():
    result = repurchase(BUYS, definition="7d", observed_until="2019-11-21")
    row = result.table.iloc[0]
    assert row[["n", "repurchased", "buyers", "immature"]].tolist() == [2, 1, 3, 1]
    assert "1 buyer too recent" in result.sentence()


def test_definitions_in_use_differ_on_the_same_buyers():
    rows = [
        ("a", "2019-01-05", "pay"),
        ("a", "2019-01-06", "pay"),
        ("b", "2019-09-10", "pay"),
        ("b", "2019-10-20", "pay"),
    ]
    rows += [("c", "2019-09-12", "pay"), ("d", "2019-05-10", "pay"), ("d", "2019-10-30", "pay")]
    table = (
        repurchase(log(*rows), observed_until="2019-11-01")
        .compare_definitions()
        .table.set_index("definition")
    )
    # b and c bought in days 31 to 60 before 1 November, b again later; d in days 91 to 180, and again in the last 90.
    assert table.loc["taobao_30d", ["repurchased", "n"]].tolist() == [1, 2]
    assert table.loc["taobao_90d", ["repurchased", "n"]].tolist() == [1, 1]
    assert table.loc["first_30d", ["repurchased", "n"]].tolist() == [1, 4]
    assert table.loc["first_90d", ["repurchased", "n"]].tolist() == [1, 2]
    # January is cut at its beginning, so its buyers are no month's.
    assert table.loc["same_month", ["repurchased", "n"]].tolist() == [0, 5]
    assert table.loc["next_month", ["repurchased", "n"]].tolist() == [1, 3]


def test_a_definition_that_looks_back_further_than_the_log_has_no_estimate():
    result = repurchase(BUYS, definition="taobao_90d")
    assert np.isnan(result.table.loc[0, "estimate"])
    assert "the log reaches 19 days back, the definition 180" in result.sentence()


def test_a_definition_of_your_own_and_groups_by_the_first_purchase():
    rows = log(
        ("a", 1, "pay"), ("a", 2, "pay"), ("b", 1, "pay"), ("c", 1, "pay"), platform=["x", "y", "y", None]
    )
    own = Definition("two days", "within", days=2, said="bought again within two days")
    table = repurchase(rows, definition=[own, "7d"], by="platform", observed_until="2019-11-20").table
    assert table["repurchased"].tolist() == [1, 1, 0, 0, 0, 0]
    assert table["platform"].isna().tolist() == [False] * 4 + [True] * 2


def test_times_to_a_second_purchase_are_kaplan_and_meiers():
    # Freireich et al. (1963), 6-MP: the weeks of Kalbfleisch & Prentice (2002), table 1.4; taken as days here.
    events, censored = [6, 6, 6, 7, 10, 13, 16, 22, 23], [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    start = pd.Timestamp("2019-01-01")
    rows = []
    for i, day in enumerate([*events, *censored]):
        first = start - pd.Timedelta(day, "D") - pd.Timedelta("1h")
        rows.append((f"u{i}", str(first), "pay"))
        if i < len(events):
            rows.append((f"u{i}", str(first + pd.Timedelta(day, "D")), "pay"))
    waits = repurchase(log(*rows), observed_until=start).waits
    table = waits.table.set_index("day")
    survival = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    assert (1 - table["estimate"]).round(3).to_dict() == survival
    assert table["n"].tolist() == [21, 17, 15, 12, 11, 7, 6]
    # Greenwood's errors as published: 0.0764 at 6 weeks, 0.1346 at 23.
    half = [-np.log(-np.log(1 - table[end])) for end in ("low", "high")]
    s = 1 - table["estimate"]
    error = (half[0] - half[1]).abs() / (2 * 1.959964) * s * s.map(np.log).abs()
    assert error[[6, 23]].tolist() == pytest.approx([0.0764, 0.1346], abs=5e-5)
    assert np.isnan(waits.at(40)["estimate"].iloc[0])


def test_where_nobody_has_bought_again_the_interval_is_not_0_to_0():
    waits = repurchase(log(*((f"u{i}", 1, "pay") for i in range(20))), observed_until="2019-12-30").waits
    assert waits.at(30)[["estimate", "low", "high"]].to_numpy()[0] == pytest.approx([0, *wilson(0, 20)])
    assert "0.0 % within 30 days (0 to 16.1 %, n = 20 followed that long)" in waits.sentence()


def test_the_curve_of_second_purchases_is_drawn_to_the_day_that_its_sentence_names():
    rows = log(("a", "2019-07-01", "pay"), ("a", "2019-07-08", "pay"), ("b", "2019-07-01", "pay"))
    waits = repurchase(rows, observed_until="2019-11-08").waits
    assert "within 90 days" in waits.sentence()
    [line] = waits.plot().lines
    assert line.get_xdata()[-1] == 90
    assert line.get_ydata()[-1] == pytest.approx(100 * waits.at(90)["estimate"].iloc[0])


def test_a_buyer_is_at_risk_on_a_day_that_ends_before_observation_does():
    rows = log(("a", 1, "pay"), ("b", "2019-10-31", "pay"), ("b", 5, "pay"))
    assert repurchase(rows, observed_until="2019-11-08").waits.days.query("censored > 0")["day"].tolist() == [
        6
    ]
    assert repurchase(rows, observed_until="2019-11-08 00:01").waits.days.query("censored > 0")[
        "day"
    ].tolist() == [7]


def test_without_censoring_the_curve_is_the_rate_of_buyers_whose_window_is_complete():
    generator = np.random.default_rng(8)
    rows = [(f"u{i}", 1, "pay") for i in range(200)]
    rows += [
        (f"u{i}", f"2019-11-{1 + day:02} 05:00", "pay")
        for i, day in enumerate(generator.integers(0, 28, 120))
    ]
    result = repurchase(log(*rows), definition=["7d", "20d"], observed_until="2019-12-31")
    assert [result.waits.at(day)["estimate"].iloc[0] for day in (7, 20)] == pytest.approx(
        result.table["estimate"].tolist()
    )


def test_equal_curves_pass_the_log_rank_test_and_unlike_ones_do_not():
    rows, platforms = [], []
    for i in range(80):
        rows += [(f"u{i}", 1, "pay")]
        platforms.append("ab"[i % 2])
        if i % 4 == 0 or i % 3 == 0:
            rows.append((f"u{i}", 2 + i % 9, "pay"))
            platforms.append("ab"[i % 2])
    chi, p = repurchase(log(*rows, platform=platforms), by="platform").waits.log_rank
    assert chi > 5
    assert p < 0.05
    with pytest.raises(ValueError, match="compares groups; ask repurchase with by="):
        _ = repurchase(log(*rows)).waits.log_rank


def test_active_users_of_trailing_days_wait_until_the_days_are_there():
    rows = [("a", 1, "open"), ("b", 1, "open"), ("a", 7, "open"), ("c", 8, "open")]
    table = activity(log(*rows), observed_from="2019-11-01", observed_until="2019-11-10").table
    assert table["dau"].tolist() == [2, 0, 0, 0, 0, 0, 1, 1, 0]
    assert table["wau"].isna().tolist() == [True] * 6 + [False] * 3
    assert table["wau"].tolist()[6:] == [2, 2, 2]
    assert table["mau"].isna().all()


def test_stickiness_is_dau_over_mau_with_wilsons_interval():
    rows = [(f"u{i}", 1 + i % 30, "open") for i in range(263)] + [(f"u{i}", 30, "open") for i in range(81)]
    last = activity(log(*rows), observed_from="2019-11-01", observed_until="2019-12-01").table.iloc[-1]
    assert last["mau"] == 263
    assert last["stickiness"] == last["dau"] / 263
    assert last["low"] < last["stickiness"] < last["high"]


def test_a_day_observed_in_part_is_left_out():
    rows = log(("a", "2019-11-01 09:00", "open"), ("a", 2, "open"), ("a", "2019-11-03 09:00", "open"))
    result = activity(rows)
    assert result.table["day"].dt.day.tolist() == [2]
    assert "first and last day may be observed in part" in result.sentence()


def test_flows_of_growth_add_up():
    generator = np.random.default_rng(2)
    days = pd.Timestamp("2019-09-02") + pd.to_timedelta(generator.integers(0, 70 * 24, 900), unit="h")
    platforms = generator.choice(["x", "y"], 900)
    frame = pd.DataFrame({"user_id": generator.integers(0, 150, 900), "timestamp": days, "event": "open"})
    rows = read_events(frame.assign(platform=platforms))
    for by in (None, "platform"):
        table = activity(rows, by=by, observed_until="2019-11-11", observed_from="2019-09-02").growth().table
        for _, own in table.groupby(by) if by else [("", table)]:
            known = own.iloc[1:]
            assert (known["active"] == known["new"] + known["retained"] + known["resurrected"]).all()
            before = own["active"].shift().iloc[1:]
            assert (known["active"] == before + known["new"] + known["resurrected"] - known["churned"]).all()
            assert own["new"].isna().tolist() == [True] + [False] * (len(own) - 1)


def test_flows_by_hand():
    # New in week 1 (a, b), gone in week 2 (b), back in week 3 (b).
    rows = log(
        ("x", 3, "open"),
        ("a", 4, "open"),
        ("b", 4, "open"),
        ("a", 12, "open"),
        ("b", 19, "open"),
        ("a", 20, "open"),
    )
    table = activity(rows, observed_until="2019-11-25").growth().table
    found = table[["active", "new", "retained", "resurrected", "churned"]].astype(int).to_numpy().tolist()
    assert found == [[2, 2, 0, 0, 1], [1, 0, 1, 0, 1], [2, 0, 1, 1, 0]]


def test_sessions_a_day_and_the_time_between_visits():
    rows = [("a", 1, "open"), ("a", 1, "open"), ("a", 2, "open"), ("b", 1, "open"), ("b", 4, "open")]
    result = activity(log(*rows), observed_from="2019-11-01", observed_until="2019-11-09")
    opens = result.opens
    assert opens.means.loc[0, ["estimate", "n"]].tolist() == [5 / 4, 4]
    assert opens.table.set_index("opens").loc[[1, 2], "estimate"].tolist() == [0.75, 0.25]
    returns = result.returns.table.set_index("within")
    assert returns.loc[[1, 3, 7], "n"].tolist() == [4, 4, 2]
    assert returns.loc[[1, 3, 7], "estimate"].tolist() == [0.25, 0.5, 1.0]
    d1 = retention(log(*rows), observed_until="2019-11-09").d1.table.set_index("definition")
    assert d1.loc["active users", "estimate"] == returns.loc[1, "estimate"]


ROWS = log(("a", 4, "open"), ("a", 12, "pay"), ("b", 5, "open"), amount=[1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": "opne"}, "no event 'opne' in the frame .did you mean 'open'.*; it has: open, pay"),
        ({"returns": "payy"}, "no event 'payy'"),
        ({"returns": ["pay", "payy"]}, "no event 'payy'"),
        ({"start": []}, "start is an empty list"),
        ({"period": "year"}, "period='year'; use one of 'day', 'week', 'month'"),
        ({"periods": -1}, "periods=-1; use a whole number from 0"),
        ({"periods": True}, "periods=True"),
        ({"kind": "bounded"}, "kind='bounded'; use one of 'exact'"),
        ({"kind": "bracket"}, "needs brackets="),
        ({"kind": "bracket", "brackets": 3}, "needs brackets="),
        ({"kind": "bracket", "brackets": [(3, 1)]}, r"\(3, 1\) is not \(first, last\)"),
        ({"brackets": [(0, 1)]}, "brackets= is for kind='bracket'"),
        ({"clock": "solar"}, "clock='solar'"),
        ({"clock": "elapsed", "period": "month"}, "months have no such length"),
        ({"week_start": 7}, "week_start=7; use 0"),
        ({"by": "room"}, "no by column 'room' in the frame; it has"),
        ({"dedupe": "amuont"}, "no dedupe column 'amuont'.*did you mean 'amount'"),
        ({"confidence": 95}, "confidence=95 lies outside"),
        ({"observed_until": "2019-11-01"}, "is not after the first row, 2019-11-04"),
        ({"observed_until": 20191120}, "is not a time"),
        ({"born_from": "2020-01-01"}, "no user could have a first event"),
        ({"start": Step("big", where="amount")}, "start 'big': where='amount' is DOUBLE"),
    ],
)
def test_a_wrong_question_of_retention_names_the_thing_and_the_fix(options, message):
    with pytest.raises(ValueError, match=message):
        retention(ROWS, **options)


def test_what_is_of_the_wrong_kind_is_named():
    for question in (retention, repurchase, activity):
        with pytest.raises(
            TypeError, match=f"{question.__name__} takes a log from read_events, not DataFrame"
        ):
            question(pd.DataFrame())
    with pytest.raises(TypeError, match="start takes events' names and Steps, not 3"):
        retention(ROWS, start=3)
    with pytest.raises(TypeError, match="confidence='0.95' is no number"):
        retention(ROWS, confidence="0.95")
    with pytest.raises(TypeError, match="a definition is a name, a length of time such as '30d'"):
        repurchase(ROWS, definition=30)
    for result in (Retention, Repurchase, Activity):
        with pytest.raises(TypeError, match="counts are a DataFrame with .*, not list"):
            result.from_counts([1, 2])


def test_numbers_of_numpy_are_whole_numbers_too():
    asked = {"periods": np.int64(1), "week_start": np.int64(2)}
    pd.testing.assert_frame_equal(
        retention(ROWS, **asked).table, retention(ROWS, periods=1, week_start=2).table
    )
    found = retention(ROWS, kind="bracket", brackets=[(np.int64(0), np.int64(1))])
    assert cells(found, "age", "age_to") == [(0, 1)]


def test_an_end_in_thousands_of_years_is_a_time():
    assert retention(ROWS, period="day", observed_until="9998-12-31").table["status"].eq("complete").all()


def test_where_born_from_leaves_no_user_it_is_said():
    result = retention(ROWS, born_from="2019-11-10")
    assert "users whose first event is before 2019-11-10 are left out (born_from)" in result.sentence()


def test_a_start_that_is_known_but_that_no_user_has_gives_no_cohort():
    frame = pd.DataFrame({"user_id": [1], "timestamp": pd.to_datetime(["2019-11-04"]), "event": ["open"]})
    frame["event"] = pd.Categorical(frame["event"], categories=["open", "pay"])
    result = retention(read_events(frame), start="pay")
    assert result.sentence() == "No user has a first event; start: pay."
    assert len(result.table) == 0
    assert len(result.curve().table) == 0


def test_a_time_zone_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="unknown timezone 'Asia/Shangai'"):
        log(("a", 4, "open"), timezone="Asia/Shangai")


def test_an_empty_log_is_an_error_unless_it_was_observed():
    frame = pd.DataFrame({"user_id": [], "timestamp": pd.to_datetime([]), "event": []}, dtype=object)
    empty = read_events(frame.astype({"timestamp": "datetime64[us]"}))
    for question in (retention, repurchase, activity):
        with pytest.raises(ValueError, match="is empty.*observed_until="):
            question(empty)
    assert "No user" in retention(empty, observed_until="2019-11-11").sentence()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"definition": "taobao_30"},
            r"no definition 'taobao_30' \(did you mean 'taobao_30d'\?\).*time such as '7d'",
        ),
        ({"definition": ["7d", "7d"]}, "give one name or several different ones"),
        ({"event": "buy"}, "no event 'buy'"),
        ({"event": None}, "would make every row a purchase; name the event that is one: "),
        ({"by": "room"}, "no by column 'room'"),
    ],
)
def test_a_wrong_question_of_repurchase_names_the_thing_and_the_fix(options, message):
    with pytest.raises(ValueError, match=message):
        repurchase(ROWS, **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "weekly"}, "kind='weekly'"),
        ({"kind": "windows", "base": (1, 30), "again": (1, 30)}, "the base farther than all of again"),
        ({"kind": "within"}, "days=0.0 must be above 0"),
        ({"kind": "within", "days": float("inf")}, "days=inf must be above 0 and below"),
        ({"kind": "month", "months": -1}, "months=-1"),
        ({"kind": "month", "months": 1.5}, "months=1.5 must be a whole number"),
    ],
)
def test_a_definition_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Definition("mine", **arguments)


def test_every_definition_has_words_and_a_source():
    from toolkit.cohorts.purchases import known_definitions
    from toolkit.sources.definitions import read as definitions

    assert {"taobao_30d", "taobao_90d", "same_month"} <= set(known_definitions())
    assert all(each.said and each.source and each.header for each in known_definitions().values())
    assert any("unknown" in row["definition"] for row in definitions("repurchase")["published"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"retained": [50, 60]}, "row 1 .w1, 1.: retained = 60 is above its cohort's size, 50"),
        ({"retained": [50, -1]}, "retained = -1 is negative"),
        ({"retained": [50, 0.5]}, "is fractional: give counts, not rates"),
        ({"size": [50, 40]}, "row 0 .w1.: the size of this cohort differs between its periods"),
        ({"size": [50, None]}, "size = nan is missing"),
        ({"age": [1, 1]}, "is given twice"),
        ({"status": ["complete", "open"]}, "status='open'; use one of"),
        ({"status": ["complete", "future"]}, "a future cell has no count"),
    ],
)
def test_counts_that_cannot_be_cohorts_are_refused(changes, message):
    frame = pd.DataFrame(
        {"cohort": ["w1", "w1"], "age": [0, 1], "size": [50, 50], "retained": [50, 20]} | changes
    )
    with pytest.raises(ValueError, match=message):
        Retention.from_counts(frame)


def test_a_result_from_counts_is_the_same_result_and_says_what_needs_a_log():
    first = retention(VISITS, observed_until="2019-11-20 12:00")
    again = Retention.from_counts(first.table, period="week")
    pd.testing.assert_frame_equal(first.table, again.table)
    pd.testing.assert_frame_equal(first.curve().table, again.curve().table)
    with pytest.raises(ValueError, match="next-day retention needs a log"):
        _ = again.d1
    with pytest.raises(ValueError, match="not broken down by 'room': ask retention with by='room'"):
        again.curve(by="room")
    counts = pd.DataFrame({"definition": ["ours"], "n": [263], "repurchased": [81]})
    # Newcombe (1998), Statistics in Medicine 17, 857-872, table I: 81 of 263.
    row = Repurchase.from_counts(counts).table.iloc[0]
    assert row[["low", "high"]].tolist() == pytest.approx([0.2553, 0.3662], abs=5e-5)
    with pytest.raises(ValueError, match="row 0 .ours.: repurchased = 300 is above its buyers, n = 263"):
        Repurchase.from_counts(counts.assign(repurchased=300))
    days = pd.DataFrame({"day": ["2019-11-01"], "dau": [81], "mau": [263]})
    assert Activity.from_counts(days).table.loc[0, "low"] == pytest.approx(0.2553, abs=5e-5)
    with pytest.raises(ValueError, match="users of 1, 7 and 30 days cannot fall"):
        Activity.from_counts(days.assign(dau=300))
    for result, frame, name in ((Repurchase, counts, "ours"), (Activity, days, "2019-11-01")):
        with pytest.raises(ValueError, match=f"{name}.* is given twice"):
            result.from_counts(pd.concat([frame, frame]))
    with pytest.raises(ValueError, match="day = 'soon' is no date"):
        Activity.from_counts(days.assign(day="soon"))
    with pytest.raises(ValueError, match="sessions a day needs a log"):
        _ = Activity.from_counts(days).opens


def test_days_of_counts_are_read_in_one_form_and_refused_where_they_may_have_two():
    days = pd.DataFrame({"day": ["01/07/2019", "13/07/2019"], "dau": [5, 6]})
    assert Activity.from_counts(days).table["day"].dt.strftime("%m-%d").tolist() == ["07-01", "07-13"]
    with pytest.raises(
        ValueError, match=r"'02/07/2019' is 2019-07-02 or 2019-02-07|'01/07/2019' is 2019-07-01 or"
    ):
        Activity.from_counts(days.assign(day=["01/07/2019", "02/07/2019"]))


def test_rows_without_user_or_time_are_said():
    frame = pd.DataFrame(
        {"user_id": ["a", None], "timestamp": pd.to_datetime(["2019-11-04"] * 2), "event": "open"}
    )
    assert "1 row without a user or a time left out" in retention(read_events(frame)).sentence()


def test_every_result_has_its_faces():
    import matplotlib.pyplot as plt

    rows, rooms = [], []
    for i in range(40):
        for day in range(1 + i % 5, 29, 1 + i % 3):
            rows.append((f"u{i}", day, "pay" if i % 2 else "open"))
            rooms.append("<b>$x" if i % 4 < 2 else None)
    busy = log(*rows, room=rooms)
    spans = {"before": ("2019-11-04", "2019-11-09"), "after": ("2019-11-14", "2019-11-19")}
    days, visits = retention(busy, period="day", by="room"), activity(busy, by="room")
    bought = repurchase(busy, by="room", definition=["7d", "taobao_90d"])
    everybody = retention(busy, observed_until="2019-11-28 12:00")
    results = [days, everybody, days.curve(), days.d1, days.split(**spans), days.split(mix="room", **spans)]
    results += [
        bought,
        bought.waits,
        visits,
        activity(busy),
        visits.opens,
        visits.returns,
        visits.growth("day"),
    ]
    results.append(retention(busy, kind="bracket", brackets=[(0, 0), (1, 2)]))
    for result in results:
        ax = result.plot(plt.figure().subplots())
        assert ax.get_figure().canvas.draw() is None
        assert "<b>" not in result._repr_html_()
        assert repr(result) == f"{type(result).__name__}: {result.sentence()}"
        assert "nan" not in result.sentence()
        assert result.sentence().endswith(".")
        plt.close("all")
    heat = everybody.plot(plt.figure().subplots())
    partial = int((everybody.cells["status"] == "partial").sum())
    assert sum(patch.get_hatch() == "////" for patch in heat.patches) == partial > 0
    plt.close("all")


def test_the_groups_of_one_figure_never_share_a_colour():
    shops = ["app", "store", "search"]
    counts = pd.DataFrame({"shop": [*shops, None], "definition": "30 days", "n": 90, "repurchased": 30})
    drawn = [line.get_color() for line in Repurchase.from_counts(counts).plot().get_lines()]
    assert len(set(drawn)) == len(shops) + 1


def test_cdnow_repeats_the_counts_that_its_readme_states(shared):
    purchases = pd.read_csv(shared / "data" / "cdnow" / "CDNOW_master.txt", sep=r"\s+", dtype=str)
    purchases = purchases.assign(event="pay", date=pd.to_datetime(purchases["date"]))
    bought = read_events(purchases, user="customer_id", time="date", timezone="America/New_York")
    months = retention(bought, period="month", periods=7, observed_until="1998-07-01")
    assert months.cohorts["size"].tolist() == [7846, 8476, 7248]
    assert cells(months)[1:8] == [1157, 964, 810, 679, 736, 720, 582]
    again = repurchase(bought, definition="600d", observed_until="1998-07-01").table
    assert again.loc[0, ["buyers", "repurchased_all"]].tolist() == [23570, 11662]


def test_the_taobao_sample_is_warned_of(shared):
    path = shared / "data" / "taobao_userbehavior_sample" / "UserBehavior_sample.csv"
    rows = read_events(path, names=["user_id", "item", "category", "event", "timestamp"])
    days = retention(rows, period="day", periods=8, born_from="2017-11-25", observed_until="2017-12-04")
    assert "retention rises with age: 99.1 % (" in days.sentence()
    frame = pd.read_csv(path, names=["user_id", "item", "category", "event", "timestamp"])
    inside = read_events(
        frame[frame["timestamp"] >= pd.Timestamp("2017-11-25", tz="Asia/Shanghai").timestamp()]
    )
    first = retention(inside, period="day", periods=8, observed_until="2017-12-04")
    assert cells(first)[:9] == [370, 302, 294, 293, 290, 284, 276, 366, 367]


@pytest.mark.parametrize("name", ["cohort", "size", "low", "day"])
def test_a_group_is_not_lost_behind_a_column_of_the_result(name):
    rows = pd.DataFrame({"user_id": [1], "event": ["pay"], "timestamp": ["2019-11-11"], name: ["x"]})
    for ask in (
        lambda log: retention(log, start="pay", by=name),
        lambda log: repurchase(log, event="pay", by=name),
        lambda log: activity(log, by=name),
    ):
        with pytest.raises(ValueError, match=f"'{name}' cannot name groups.*rename or drop"):
            ask(read_events(rows))
