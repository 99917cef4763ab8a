"""Estimates of cohorts beside the formula of their definition, worked out cell by cell, and at the edges of time."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.test_cohorts import log
from toolkit import Step, activity, repurchase, retention
from toolkit.cohorts import Retention
from toolkit.cohorts.curves import rising
from toolkit.cohorts.split import components
from toolkit.intervals import wilson


def cohorts(*cells, **columns):
    """Counts of (cohort, period number, size, retained)."""
    frame = pd.DataFrame(cells, columns=["cohort", "age", "size", "retained"])
    return Retention.from_counts(frame.assign(**columns), period="week")


def effective_wilson(p, size, freedom, confidence=0.95):
    """Wilson's limits of a rate known as well as from `size` trials, with a quantile of Student's t."""
    z2 = stats.t.ppf((1 + confidence) / 2, freedom) ** 2
    middle = (p + z2 / (2 * size)) / (1 + z2 / size)
    half = np.sqrt(z2 * (p * (1 - p) / size + z2 / (4 * size**2))) / (1 + z2 / size)
    return middle - half, middle + half


UNLIKE = [("a", 1, 50, 30), ("b", 1, 200, 40), ("c", 1, 800, 240), ("a", 2, 50, 10), ("b", 2, 200, 20)]


ALIKE = [("a", 1, 100, 20), ("b", 1, 100, 30), ("c", 1, 100, 28), ("a", 2, 100, 17), ("b", 2, 100, 25)]
LONELY = [*UNLIKE, ("d", 1, 1, 1), ("e", 1, 1, 0), ("d", 2, 1, 0), ("e", 2, 1, 1)]


@pytest.mark.parametrize(
    "cells",
    [UNLIKE, ALIKE, LONELY, [cell for cell in UNLIKE if cell[0] != "c"]],
    ids=["three cohorts", "cohorts that hardly differ", "cohorts of one user", "two cohorts"],
)
def test_the_interval_of_a_pooled_rate_is_that_of_its_definition(cells):
    # By hand: the analysis of variance over weeks 1 and 2 together, then one design effect for each week.
    weeks = {week: [(size, y) for _, at, size, y in cells if at == week] for week in (1, 2)}
    excess = room = 0.0
    for own in weeks.values():
        n = sum(size for size, _ in own)
        p = sum(retained for _, retained in own) / n
        typical = sum(size**2 for size, _ in own) / n
        excess += sum((y - size * p) ** 2 / (size * p * (1 - p)) for size, y in own) - (len(own) - 1)
        room += n - typical - (len(own) - 1)
    r = excess / room
    assert 0 < r < 1
    table = cohorts(*cells).curve().table.set_index("age")
    for week, own in weeks.items():
        n = sum(size for size, _ in own)
        p = sum(retained for _, retained in own) / n
        effect = 1 + r * (sum(size**2 for size, _ in own) / n - 1)
        freedom = (len({name for name, *_ in cells}) - 1) * (effect / (effect - 1)) ** 2
        low, high = effective_wilson(p, n / effect, freedom)
        assert table.loc[week, ["estimate", "low", "high"]].tolist() == pytest.approx([p, low, high])


def test_a_week_that_one_cohort_has_reached_is_as_uncertain_as_the_others_say_cohorts_are():
    alone = cohorts(("a", 3, 50, 8)).curve().table.iloc[-1]
    among = cohorts(*UNLIKE, ("a", 3, 50, 8)).curve().table.iloc[-1]
    assert alone[["low", "high"]].tolist() == pytest.approx(list(wilson(8, 50)))
    assert among["low"] < alone["low"]
    assert among["high"] > alone["high"]


def test_where_cohorts_do_not_differ_the_interval_is_wilsons():
    alike = cohorts(("a", 1, 100, 30), ("b", 1, 100, 30), ("c", 1, 300, 90)).curve().table.iloc[0]
    assert alike[["low", "high"]].tolist() == pytest.approx(list(wilson(150, 500)))


@pytest.mark.parametrize("retained", [0, 1])
def test_a_week_in_which_all_or_none_came_back_has_wilsons_interval_and_tells_nothing_of_others(retained):
    whole = [(name, 0, size, retained * size) for name, size in (("a", 50), ("b", 200), ("c", 800))]
    table = cohorts(*whole, *UNLIKE).curve().table
    first = table.iloc[0]
    pd.testing.assert_frame_equal(table.iloc[1:].reset_index(drop=True), cohorts(*UNLIKE).curve().table)
    assert first[["low", "high"]].tolist() == pytest.approx(list(wilson(retained * 1050, 1050)))


def test_a_cohort_that_is_split_by_a_column_is_one_cluster_where_the_column_is_pooled_over():
    cells = [(*cell, room) for cell in UNLIKE for room in "xy"]
    frame = pd.DataFrame(cells, columns=["cohort", "age", "size", "retained", "room"])
    pooled = Retention.from_counts(frame, period="week").curve(by=()).table
    doubled = cohorts(*((name, week, 2 * size, 2 * y) for name, week, size, y in UNLIKE)).curve().table
    pd.testing.assert_frame_equal(pooled, doubled)


def test_cells_that_are_not_complete_are_left_out_of_the_curve():
    status = ["complete", "partial", "complete"]
    curve = cohorts(("a", 1, 50, 30), ("b", 1, 100, 0), ("c", 1, 50, 20), status=status).curve()
    assert curve.table.loc[0, ["estimate", "n", "cohorts"]].tolist() == [0.5, 100, 2]
    assert "1 partial cell left out (right-censored)" in curve.sentence()


def test_the_sentence_of_a_curve_ends_with_the_last_week_that_is_known():
    cells = [("a", 0, 50, 50), ("a", 1, 50, 30), ("a", 2, 50, 20), ("a", 3, 50, None)]
    assert cohorts(*cells).curve().sentence() == (
        "Came back: 60.0 % in week 1 (95 % interval 46.2 to 72.4 %, n = 50) and 40.0 % in week 2 "
        "(27.6 to 53.8 %, n = 50)."
    )
    assert "50 users in 1 cohort by week" in cohorts(*cells).sentence()


def test_a_curve_that_rises_because_other_cohorts_reach_further_is_no_rise():
    # Cohort b never gets beyond week 1, and pulls it down alone.
    cells = [("a", 1, 500, 300), ("a", 2, 500, 300), ("b", 1, 500, 50)]
    result = cohorts(*cells)
    estimates = result.curve().table["estimate"].tolist()
    assert estimates[1] > estimates[0] + 0.2
    assert result.warnings == ()
    assert cohorts(*cells[:1], ("a", 2, 500, 400)).warnings != ()


def test_the_rise_that_is_told_is_the_greatest_and_period_0_is_none():
    cells = [("a", 0, 100, 0), ("a", 1, 100, 30), ("a", 2, 100, 5), ("a", 3, 100, 40), ("a", 4, 100, 60)]
    pair, level = rising(cohorts(*cells).cells, 0.95)
    assert level == pytest.approx(1 - 0.05 / 3)
    assert pair["age"].tolist() == [2, 4]
    assert pair["estimate"].tolist() == [0.05, 0.6]
    low, high = wilson([5, 60], 100, level)
    assert pair[["low", "high"]].to_numpy() == pytest.approx(np.column_stack([low, high]))
    assert rising(cohorts(*cells[:2]).cells, 0.95) is None


def test_a_rise_is_judged_by_intervals_of_cohorts_that_differ():
    # By Wilson's intervals week 2 lies above week 1; but cohorts differ so much that neither is known so well.
    cells = [(name, week, 400, y) for name, ys in (("a", (40, 60)), ("b", (200, 240)), ("c", (120, 160)))
             for week, y in enumerate(ys, 1)]  # fmt: skip
    first, second = wilson([360, 460], 1200)[1][0], wilson([360, 460], 1200)[0][1]
    assert first < second
    assert cohorts(*cells).warnings == ()


def test_of_many_weeks_a_rise_must_stand_out_more():
    # 95 % intervals of 30 and 52 of 100 do not touch (39.6 and 42.3 %); those adjusted for 12 comparisons do.
    rise = [("a", 1, 100, 30), ("a", 2, 100, 52)]
    assert cohorts(*rise).warnings != ()
    flat = [("a", week, 100, 35) for week in range(3, 14)]
    assert cohorts(*rise, *flat).warnings == ()


def test_a_rise_is_looked_for_in_each_group_and_not_where_all_later_weeks_count():
    frame = pd.DataFrame(
        [(room, "a", week, 100, y) for room, ys in (("x", (20, 90)), (None, (20, 20))) for week, y in enumerate(ys, 1)],
        columns=["room", "cohort", "age", "size", "retained"],
    )  # fmt: skip
    (warning,) = Retention.from_counts(frame, period="week").warnings
    assert (
        "age: x: 90.0 % (82.6 to 94.5 %) in week 2 after 20.0 % (13.3 to 28.9 %) in week 1 of the same"
        in warning
    )
    rows = log(*((f"u{i}", day, "open") for i in range(40) for day in ([1, 9] if i < 4 else [1]) + [16]))
    rising_log = retention(rows, observed_until="2019-11-25")
    assert any("rises with age" in warning for warning in rising_log.warnings)
    assert not any("rises" in warning for warning in retention(rows, kind="rolling").warnings)


def test_a_log_that_ends_on_the_day_of_a_clock_change_is_read_by_the_new_clock():
    # New York, 10 to 14 March 2021: clocks went forward at 2:00 on the 14th, less than four days after the first row.
    rows = log(
        ("a", "2021-03-10 23:45", "open"),
        ("b", "2021-03-10 23:50", "open"),
        ("a", "2021-03-14 23:30", "open"),
        timezone="America/New_York",
    )
    days = {"period": "day", "kind": "bracket", "brackets": [(0, 0), (4, 4)]}
    found = retention(rows, **days, observed_until="2021-03-15")
    assert found.table["retained"].tolist() == [2, 1]
    assert found.table["status"].tolist() == ["complete", "complete"]


def test_a_group_that_one_span_lacks_is_all_composition():
    # By hand: old users 50 of which 25, then 100 of which 60; new ones 50 of which 10, then none.
    totals = np.array([[[50, 25], [50, 10]], [[100, 60], [0, 0]]], float)
    mix, rate = components(totals)
    assert mix == pytest.approx(0.5 * 0.55 - 0.5 * 0.2)
    assert rate == pytest.approx(0.1 * 0.75)
    assert components(totals[::-1]) == pytest.approx([-mix, -rate])


def arrivals():
    """Old users who all return and new ones of whom every other does; no new ones come after 12 November."""
    rows = [(f"old{i}", day, "open") for i in range(10) for day in range(1, 29)]
    for day in range(2, 13):
        rows += [(f"new{day}-{i}", day + later, "open") for i in range(10) for later in range(1 + i % 2)]
    return retention(log(*rows), period="day", observed_until="2019-11-29")


def test_a_change_is_all_composition_where_new_users_stop_coming():
    change = arrivals().split(before=("2019-11-04", "2019-11-10"), after=("2019-11-16", "2019-11-24"))
    assert change.part("change")["estimate"] > 0.2
    # Users who come back on their second day do not on the third, which only some spans see.
    old = change.table.query("part == 'retention' and group == 'old'").iloc[0]
    assert change.part("rate")["estimate"] == pytest.approx(
        old["estimate"] * (1 + change.table.query("part == 'share' and group == 'old'").iloc[0]["before"]) / 2
    )
    new = change.table.query("part == 'retention' and group == 'new'").iloc[0]
    assert new[["before", "n", "n_after"]].tolist() == [0.5, 60, 0]
    assert new[["after", "estimate", "low", "high"]].isna().all()


def test_users_are_the_clusters_of_a_split():
    # Each user does the same in both spans, so that nothing changes for certain, however few the users.
    rows = [(f"u{i}", 1, "open") for i in range(8)]
    rows += [
        (f"u{i}", day + later, "open") for i in range(8) for day in (5, 15) for later in range(1 + i % 2)
    ]
    spans = {"before": ("2019-11-05", "2019-11-06"), "after": ("2019-11-15", "2019-11-16")}
    change = retention(log(*rows), period="day", observed_until="2019-11-20").split(**spans).part("change")
    assert change[["before", "after"]].tolist() == [0.5, 0.5]
    assert change[["low", "high"]].tolist() == pytest.approx([0, 0], abs=1e-9)


def test_new_users_of_the_logs_first_day_count_where_born_from_says_that_they_are_new():
    rows = log(("a", 4, "open"), ("a", 5, "open"), ("b", 5, "open"))
    options = {"period": "day", "observed_until": "2019-11-07"}
    unknown, known = (retention(rows, **options, born_from=born).d1 for born in (None, "2019-11-04"))
    assert [result.table.loc[0, "n"] for result in (unknown, known)] == [1, 2]
    assert "2019-11-04, when the log begins, cannot be told from old ones" in unknown.sentence()
    assert "when the log begins" not in known.sentence()


def test_two_rows_of_one_moment_are_two_purchases_unless_they_are_retries_of_one_order():
    rows = log(("a", 1, "pay"), ("a", 1, "pay"), ("b", 1, "pay"), order=["o1", "o1", "o2"])
    options = {"definition": "7d", "observed_until": "2019-11-20"}
    assert repurchase(rows, **options).table.loc[0, "repurchased"] == 1
    assert repurchase(rows, **options, dedupe="order").table.loc[0, "repurchased"] == 0


def test_definitions_may_be_compared_that_do_not_come_with_the_toolkit():
    bought = repurchase(log(("a", 1, "pay"), ("a", 8, "pay")), definition="7d", observed_until="2019-11-30")
    both = bought.compare_definitions(["3d", "7d"]).table
    assert both[["definition", "repurchased"]].to_numpy().tolist() == [["7d", 1], ["3d", 0]]


def test_a_user_active_on_two_platforms_is_active_on_each():
    rows = log(("a", 1, "open"), ("a", 1, "open"), ("b", 1, "open"), platform=["x", "y", "y"])
    whole = {"observed_from": "2019-11-01", "observed_until": "2019-11-02"}
    assert activity(rows, by="platform", **whole).table["dau"].tolist() == [1, 2]
    assert activity(rows, **whole).table["dau"].tolist() == [2]


def test_ten_sessions_a_day_stand_for_ten_and_more():
    rows = [("a", 1, "open")] * 12 + [("b", 1, "open")] * 10 + [("c", 1, "open")] * 9
    visits = activity(log(*rows), observed_from="2019-11-01", observed_until="2019-11-02").opens
    shares = visits.table.set_index("opens")["estimate"]
    assert shares[[9, 10]].tolist() == pytest.approx([1 / 3, 2 / 3])
    assert visits.means.loc[0, "estimate"] == pytest.approx(31 / 3)
    assert "each row of any event counts as a session" in visits.sentence()


def test_the_mean_of_sessions_a_day_has_the_linearised_interval_of_a_ratio():
    # By hand: 3 users with 1, 2 and 1 active days and 1, 5 and 3 sessions.
    rows = [("a", 1, "open"), *[("b", 1, "open")] * 2, *[("b", 2, "open")] * 3, *[("c", 2, "open")] * 3]
    mean = activity(log(*rows), observed_from="2019-11-01", observed_until="2019-11-03").opens.means.iloc[0]
    days, sessions = np.array([1, 2, 1]), np.array([1, 5, 3])
    ratio = 9 / 4
    half = stats.t.ppf(0.975, 2) * np.sqrt(((sessions - ratio * days) ** 2).sum() * 3 / 2) / 4
    assert mean.tolist() == pytest.approx([ratio, max(ratio - half, 1), ratio + half, 4])


def test_groups_may_be_called_as_columns_of_our_queries():
    rows = [("a", 1, "pay"), ("a", 2, "pay"), ("b", 1, "pay"), ("b", 2, "pay"), ("b", 9, "pay")]
    for name in ("u", "t", "c", "p", "o", "what", "place", "first", "again_all", "mx", "later", "b0", "seq"):
        named = log(*rows, **{name: ["x", "x", "y", "y", "y"]})
        whole = {"by": name, "observed_until": "2019-11-11"}
        days = retention(named, period="day", born_from="2019-11-01", **whole)
        assert days.curve().table[name].unique().tolist() == ["x", "y"]
        assert days.d1.table[name].tolist() == ["x", "x", "y", "y"]
        bought = repurchase(named, definition="3d", **whole)
        assert bought.table[[name, "repurchased"]].to_numpy().tolist() == [["x", 1], ["y", 1]]
        assert bought.waits.table[[name, "day"]].to_numpy().tolist() == [["x", 1], ["y", 1]]
        visits = activity(named, observed_from="2019-11-01", **whole)
        for result in (visits, visits.opens, visits.returns, visits.growth("day")):
            assert result.table[name].unique().tolist() == ["x", "y"]


def test_a_missing_group_is_null_and_a_value_called_missing_stays_apart_from_it():
    rows = [("a", 4, "open"), ("b", 4, "open"), ("c", 4, "open")]
    result = retention(log(*rows, room=["missing", None, "x"]), by="room", observed_until="2019-11-11")
    assert [name.split(":")[0].split("; ")[-1] for name in result.curve().in_words.split("; ")] == [
        "missing",
        "x",
        "<null>",
    ]


def test_52_weeks_are_shown_if_not_said_otherwise():
    rows = log(("a", "2018-01-01", "open"), ("a", "2019-11-04", "open"))
    assert retention(rows).table["age"].max() == 52
    assert retention(rows, clock="elapsed").table["age"].max() == 52
    assert retention(rows, born_from="2019-10-28").table.empty
    assert retention(rows, periods=96).table["retained"].tolist()[-1] == 1


def test_the_periods_shown_begin_where_born_from_lets_cohorts_begin():
    rows = log(("a", 1, "open"), ("b", 12, "open"), ("b", 26, "open"))
    assert retention(rows, born_from="2019-11-11").table["age"].tolist() == [0, 1, 2]
    assert retention(rows, born_from="2019-11-11", clock="elapsed").table["age"].tolist() == [0, 1, 2]


def test_a_return_may_be_another_kind_of_row_than_the_first_event():
    rows = log(("a", 4, "pay"), ("a", 12, "pay"), amount=[1.0, 500.0])
    big = Step("big", event="pay", where="amount > 100")
    until = {"observed_until": "2019-11-18"}
    assert retention(rows, start="pay", returns=big, **until).table["retained"].tolist() == [0, 1]
    assert retention(rows, start=big, returns="pay", **until).cohorts["cohort"].dt.day.tolist() == [11]
