"""Active users by hour: each hour of the log's clock once, and only hours that are fully observed."""

import numpy as np
import pandas as pd
import pytest

from tests.test_cohorts import log
from toolkit import activity, read_events

EVENING = log(
    *(("a", "2019-11-01 20:05", "open"), ("a", "2019-11-01 20:50", "open")),
    ("b", "2019-11-01 20:59:59.999999", "open"),
    *(("a", "2019-11-01 22:00", "open"), ("c", "2019-11-01 23:10", "pay"), ("c", "2019-11-02 20:00", "open")),
    room=["x", "x", "y", "x", None, "x"],
)  # fmt: skip


def test_a_user_counts_once_in_each_hour_and_an_hour_without_anybody_is_0():
    result = activity(EVENING, period="hour", observed_from="2019-11-01 20:00", observed_until="2019-11-02")
    assert result.table["active"].tolist() == [2, 0, 1, 1]
    assert result.table["hour"].iloc[0] == pd.Timestamp("2019-11-01 20:00")
    assert activity(EVENING, event="open", period="hour").table["active"].sum() == 1


def test_the_first_and_the_last_hour_are_left_out_unless_whole():
    result = activity(EVENING, period="hour")
    assert result.table["hour"].iloc[[0, -1]].tolist() == [
        pd.Timestamp("2019-11-01 21:00"),
        pd.Timestamp("2019-11-02 19:00"),
    ]
    assert "the log's first and last hour may be observed in part" in result.sentence()
    assert len(activity(EVENING, period="hour", observed_until="2019-11-02 20:59").table) == 23


def test_groups_of_an_hour_stand_apart_a_missing_one_last():
    result = activity(
        EVENING, period="hour", by="room", observed_from="2019-11-01 20:00", observed_until="2019-11-02"
    )
    assert result.table["active"].tolist() == [1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1]
    assert result.table["room"].isna().tolist() == [False] * 8 + [True] * 4
    assert "<null>: 1 user active in the hour from 2019-11-01 23:00" in result.sentence()


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        # New York: at 2:00 on 8 March 2020 clocks went forward an hour, at 2:00 on 1 November back.
        ("2020-03-08", [0, 1, 3, 4]),
        ("2020-11-01", [0, 1, 2, 3, 4]),
    ],
)
def test_an_hour_that_the_clock_leaves_out_is_none_and_one_it_shows_twice_is_one(day, hours):
    begin = pd.Timestamp(day, tz="America/New_York")
    times = pd.date_range(begin, periods=12, freq="30min")
    frame = pd.DataFrame({"user_id": range(12), "timestamp": times, "event": "open"})
    opened = read_events(frame, timezone="America/New_York")
    result = activity(opened, period="hour", observed_from=day, observed_until=f"{day} 05:00")
    assert result.table["hour"].dt.hour.tolist() == hours
    expected = times.tz_localize(None).hour.value_counts()
    assert result.table["active"].tolist() == [expected[hour] for hour in hours]


def test_by_hour_the_answer_is_that_of_pandas_on_each_path():
    rng = np.random.default_rng(5)
    times = pd.Timestamp("2019-11-01 03:12") + pd.to_timedelta(rng.integers(0, 5 * 86_400, 3000), unit="s")
    frame = pd.DataFrame({"user_id": rng.integers(0, 200, 3000), "timestamp": times, "event": "open"})
    frame["platform"] = rng.choice(["a", "b"], 3000)
    expected = frame.groupby(["platform", frame["timestamp"].dt.floor("h")])["user_id"].nunique()
    opened = read_events(frame)
    for kept, path in ((opened, "sql"), (opened.index("platform"), "index")):
        result = activity(kept, period="hour", by="platform")
        assert result.path == path
        found = result.table.set_index(["platform", "hour"])["active"]
        assert len(found) == 2 * (5 * 24 - 1)
        assert found.to_dict() == expected.reindex(found.index, fill_value=0).to_dict()


def test_the_rhythm_of_the_day_is_the_mean_over_days_with_its_range():
    rows = [
        (f"u{user}", f"2019-11-0{day} {hour}:30", "open")
        for day, hour, users in ((1, "20", 4), (1, "09", 2), (2, "20", 8), (2, "09", 4))
        for user in range(users)
    ]
    result = activity(log(*rows), period="hour", observed_from="2019-11-01", observed_until="2019-11-03")
    profile = result.profile.set_index("clock")
    assert len(profile) == 24
    assert profile.loc[20].tolist() == [6, 4, 8, 2]
    assert profile.loc[9].tolist() == [3, 2, 4, 2]
    assert (
        "most at 20:00, 6 on average (4 to 8 over 2 days); fewest at 00:00, 0 on average" in result.sentence()
    )
    assert result.growth("day").table["active"].tolist() == [4, 8]


def test_the_figure_is_a_line_for_each_group():
    axes = activity(
        EVENING, period="hour", by="room", observed_from="2019-11-01 20:00", observed_until="2019-11-02"
    ).plot()
    assert axes.lines[0].get_ydata().tolist() == [1, 0, 1, 0]
    assert len(axes.lines) == 3
    assert axes.get_ylabel() == "active users in the hour"


def test_what_cannot_be_meant_by_the_hour_is_refused():
    with pytest.raises(ValueError, match="period='week'; use one of 'day', 'hour'"):
        activity(EVENING, period="week")
    with pytest.raises(ValueError, match="period='hour' makes 2[0-9]{2},[0-9]{3} hours"):
        activity(EVENING, period="hour", observed_until="2049-11-01")
    named = log(("a", 1, "open"), ("a", 3, "open"), hour=[1, 2])
    assert len(activity(named, by="hour").table)
    with pytest.raises(ValueError, match="'hour' cannot name groups"):
        activity(named, by="hour", period="hour")
    assert "No hour is fully observed" in activity(log(("a", 1, "open")), period="hour").sentence()
