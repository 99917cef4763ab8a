"""The share converted by time since the entry: Kaplan-Meier, users still in window as censored."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from toolkit import funnel, read_events


def log(users):
    """Users with the minute of their entry and of their payment, None for no payment; seen until 1 o'clock."""
    rows = [(0, pd.Timestamp("2024-06-01 00:00"), "look", "a")]
    for user, (entered, paid, *platform) in enumerate(users, 1):
        for minute, event in ((entered, "enter"), (paid, "pay")):
            if minute is not None:
                time = pd.Timestamp("2024-06-01") + pd.Timedelta(minutes=minute)
                rows.append((user, time, event, *(platform or ["a"])))
    rows.append((0, pd.Timestamp("2024-06-01 01:00"), "look", "a"))
    return read_events(pd.DataFrame(rows, columns=["user_id", "timestamp", "event", "platform"]))


def at(curve, minutes):
    return curve[curve["time"] <= pd.Timedelta(minutes=minutes)].iloc[-1]


def test_users_still_in_window_are_censored_when_observation_ends():
    # Two pay after 10 and 30 minutes, one leaves the window unpaid, one is observed for 20 minutes only.
    curve = funnel(
        log([(0, 10), (0, 30), (0, None), (40, None)]), ["enter", "pay"], within="40min"
    ).times.curve
    assert at(curve, 9)["estimate"] == 0
    assert at(curve, 15)["estimate"] == pytest.approx(1 / 4)
    assert at(curve, 35)["estimate"] == pytest.approx(1 - 3 / 4 * 1 / 2)
    assert at(curve, 0)["at_risk"] == 4


def test_without_censoring_the_curve_ends_at_the_rate_of_the_funnel():
    answer = funnel(log([(0, 10), (0, 30), (0, None), (5, 6)]), ["enter", "pay"], within="40min")
    assert answer.times.curve["estimate"].iloc[-1] == pytest.approx(answer.table["from_first"].iloc[-1])


def test_limits_are_greenwoods_on_the_log_log_scale():
    curve = funnel(
        log([(0, 10), (0, 30), (0, None), (40, None)]), ["enter", "pay"], within="40min"
    ).times.curve
    row = at(curve, 15)
    kept, error = 3 / 4, np.sqrt(1 / 4 / 3)
    reach = np.exp(1.959964 * error / abs(np.log(kept)))
    assert (row["low"], row["high"]) == pytest.approx((1 - kept ** (1 / reach), 1 - kept**reach))


def test_each_group_has_a_curve_in_minutes_or_hours():
    users = [(0, 10, "a"), (0, 30, "a"), (0, 20, "b"), (0, None, "b")]
    found = funnel(log(users), ["enter", "pay"], within="40min", by="platform").times
    assert set(found.curve["group"]) == {"a", "b"}
    ax = found.plot()
    assert ax.get_xlabel() == "minutes since enter"
    plt.close(ax.figure)


def test_the_sentence_gives_the_median_its_n_and_the_share_at_the_end():
    said = funnel(log([(0, 10), (0, 30), (0, None)]), ["enter", "pay"], within="40min").times.sentence()
    assert "median 10 minutes of the 2 who converted" in said
    assert "66.7 % (22.6 to 99.1 %) within 40 minutes, n = 3" in said


def test_the_limits_of_a_median_are_said_in_its_unit():
    users = [(0, minutes) for minutes in [1] * 7 + [2] * 3 + [5] * 7]
    said = funnel(log(users), ["enter", "pay"], within="40min").times.sentence()
    assert "median 2 minutes (95 % interval 1 to 5 minutes)" in said


def test_no_one_who_converts_is_said():
    said = funnel(log([(0, None), (50, None), (55, 30)]), ["enter", "pay"], within="5min").times.sentence()
    assert "nobody converted" in said
