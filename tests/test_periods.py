"""A funnel by period of the entry: each period is what it would be if it were asked for alone."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from toolkit import Level, funnel, interrupted_time_series, read_events

STEPS = ["enter", "pay"]


def log(*rows):
    return read_events(
        pd.DataFrame(rows, columns=["user_id", "timestamp", "event", "platform"]).assign(
            timestamp=lambda frame: pd.to_datetime(frame["timestamp"], format="mixed")
        )
    )


def random_log(seed, users=40, days=9):
    rng = np.random.default_rng(seed)
    size = 600
    times = pd.Timestamp("2024-06-01") + pd.to_timedelta(rng.integers(0, days * 24 * 60, size), unit="min")
    return read_events(
        pd.DataFrame(
            {
                "user_id": rng.integers(0, users, size),
                "timestamp": times,
                "event": rng.choice(["enter", "click", "pay"], size),
                "platform": rng.choice(["a", "b"], size),
                "session": rng.integers(0, 3, size),
            }
        )
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"count": "entries"},
        {"hold": "session", "count": "pairs"},
        {"hold": "session"},
        {"mode": "strict"},
        {"gaps": {"click": "5h"}},
        {"exclude": ["pay"], "gaps": {"pay": "9h"}},
    ],
    ids=str,
)
def test_each_period_is_what_the_funnel_says_of_its_entries_alone(options):
    source, steps = random_log(1), ["enter", "click", "pay"]
    found = funnel(source, steps, within="1d", period="day", **options)
    for at, day in enumerate(found.step_counts.groups["period"]):
        alone = funnel(source, steps, within="1d", entries=(day, day + pd.Timedelta("1D")), **options)
        assert found.step_counts.reached[at].tolist() == alone.step_counts.reached[0].tolist()
        np.testing.assert_array_equal(found.step_counts.in_window[at], alone.step_counts.in_window[0])


def test_groups_of_all_periods_add_up_to_the_period():
    source = random_log(2)
    by = funnel(source, STEPS, within="1d", period="week", by="platform").step_counts
    whole = funnel(source, STEPS, within="1d", period="week").step_counts
    assert by.reached.reshape(2, -1, 2).sum(0).tolist() == whole.reached.tolist()


ROWS = [
    (1, "2024-06-01 10:00", "enter", "a"),
    (1, "2024-06-01 11:00", "pay", "a"),
    (2, "2024-06-03 10:00", "enter", "a"),
    (2, "2024-06-04 09:00", "pay", "a"),
    (3, "2024-06-04 23:00", "enter", "a"),
]


def test_a_day_without_entries_is_nought_of_nought_and_a_late_one_is_not_complete():
    table = funnel(log(*ROWS), STEPS, within="1d", period="day").table
    assert table["reached"].tolist() == [1, 1, 0, 0, 1, 1, 1, 0]
    assert np.isnan(table["from_first"].iloc[3])
    assert table["complete"].tolist() == [True, True, True, True, False, False, False, False]
    assert list(table.columns[:2]) == ["period", "step"]


def test_the_series_leaves_out_periods_that_may_yet_rise():
    series = funnel(log(*ROWS), STEPS, within="1d", period="day").series()
    assert series.index.tolist() == [pd.Timestamp("2024-06-01"), pd.Timestamp("2024-06-02")]
    assert series.iloc[0] == 1
    assert np.isnan(series.iloc[1])


def test_a_series_goes_straight_into_an_interrupted_time_series():
    series = funnel(random_log(3, days=60), STEPS, within="1h", period="day").series("pay")
    assert len(interrupted_time_series(series.fillna(0), {"change": Level("2024-07-01")}).table)


def test_comparisons_leave_out_periods_that_are_not_complete():
    compared = funnel(random_log(4), STEPS, within="1d", period="day").compare(to="2024-06-01")
    assert "2024-06-09" not in compared.table["period"].astype(str).tolist()
    assert " of 2024-06-0" in compared.sentence()
    assert "00:00:00" not in compared.sentence()


def test_the_sentence_says_how_many_periods_are_not_over():
    said = funnel(log(*ROWS), STEPS, within="1d", period="day").sentence()
    assert "2 days at the end are not over" in said


def test_open_periods_are_hollow():
    ax = funnel(log(*ROWS), STEPS, within="1d", period="day").plot()
    assert "hollow" in ax.get_ylabel()
    plt.close(ax.figure)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"period": "month"}, "as long as the log"),
        ({"period": "year"}, "use one of 'hour', 'day', 'week', 'month'"),
        ({"period": "day", "mode": "any"}, "no first step"),
        ({"period": "day", "by": "platform", "attribution": "last"}, "use attribution='entry'"),
    ],
)
def test_a_period_that_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        funnel(log(*ROWS), STEPS, within="1d", **options)


def three_days():
    """Entries on three days, paid after 5, 10 and 20 minutes; on the last day the window is not over."""
    return log(
        (1, "2024-06-01 10:00", "enter", "a"),
        (1, "2024-06-01 10:05", "pay", "a"),
        (2, "2024-06-02 10:00", "enter", "b"),
        (2, "2024-06-02 10:10", "pay", "b"),
        (3, "2024-06-02 11:00", "enter", "a"),
        (3, "2024-06-02 11:20", "pay", "a"),
        (4, "2024-06-03 10:00", "enter", "a"),
        (4, "2024-06-03 10:30", "pay", "a"),
    )


def test_complete_periods_are_those_whose_windows_are_over():
    found = funnel(three_days(), STEPS, within="1h", period="day")
    assert found.table["complete"].tolist() == [True] * 4 + [False] * 2
    complete = found.complete
    assert complete.table["period"].nunique() == 2
    assert complete.table["complete"].all()
    pd.testing.assert_frame_equal(complete.table, found.table[found.table["complete"]])
    assert complete.complete.table.equals(complete.table)
    with pytest.raises(ValueError, match="no day is complete: without a window"):
        _ = funnel(three_days(), STEPS, within=None, period="day").complete


@pytest.mark.parametrize("by", [None, "platform"])
def test_times_by_period_are_those_of_its_entries_alone(by):
    found = funnel(three_days(), STEPS, within="1h", period="day", by=by).times
    days = pd.to_datetime(["2024-06-01", "2024-06-02"])
    assert found.table["period"].unique().tolist() == days.tolist()
    for day in days:
        alone = funnel(three_days(), STEPS, within="1h", by=by, entries=(day, day + pd.Timedelta("1D"))).times
        own = found.table[found.table["period"] == day].drop(columns="period").reset_index(drop=True)
        pd.testing.assert_frame_equal(own, alone.table)
    medians = found.table[found.table["quantile"] == 0.5]["estimate"]
    assert medians.iloc[0] == pd.Timedelta("5min")
    assert "2024-06-02: median 10 minutes" in found.sentence() or by
    assert found.curve["group"].iloc[-1].endswith("2024-06-02")
    plt.close(found.plot().figure)


def test_times_without_a_window_are_those_of_all_periods():
    found = funnel(three_days(), STEPS, within=None, period="day").times
    assert found.table["period"].nunique() == 3
