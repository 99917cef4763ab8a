"""What a funnel says: the mode, complete windows, losses that are only order, rows that are whole users."""

import numpy as np
import pandas as pd
import pytest

from toolkit import Funnel, Step, funnel, read_events

START = pd.Timestamp("2019-11-11 20:00", tz="Asia/Shanghai")


def log(*rows, **columns):
    """Rows of (user, minute, event); columns by name."""
    users, minutes, events = zip(*rows, strict=True)
    times = [START + pd.Timedelta(minute, "min") for minute in minutes]
    return read_events(pd.DataFrame({"user_id": users, "timestamp": times, "event": events} | columns))


def many(users, *events, prefix="u", after=0):
    """Rows of so many users who do the same."""
    return [
        (f"{prefix}{user}", after + at, event) for user in range(users) for at, event in enumerate(events)
    ]


@pytest.mark.parametrize("path", ["asof", "windows", "stream", "index"])
def test_complete_windows_leave_out_later_entries_and_keep_the_rest_of_the_question(path):
    rows = (
        many(8, "enter", "pay") + many(4, "enter", prefix="late", after=100) + many(2, "enter", prefix="old")
    )
    opened = log(*rows, room=["r"] * len(rows))
    opened = opened.index(keep=["room"]) if path == "index" else opened
    answer = funnel(opened, ["enter", "pay"], within="30min", by="room", path=path)
    assert answer.table["reached"].tolist() == [14, 8]
    assert answer.complete.table["reached"].tolist() == [10, 8]
    assert answer.complete.by == ("room",)
    said = answer.sentence()
    assert "4 of these 14 are still in window (right-censored) and may go on" in said
    assert "over complete windows alone r 80.0 % (49.0 to 94.3 %, n = 10)" in said


def test_few_users_in_window_do_not_make_a_second_rate():
    rows = many(200, "enter", "pay") + many(1, "enter", prefix="late", after=100)
    said = funnel(log(*rows), ["enter", "pay"], within="30min").sentence()
    assert "1 of these 201 is still in window" in said
    assert "complete" not in said


def test_complete_windows_say_what_they_need():
    rows = log(("a", 0, "enter"), ("a", 1, "pay"))
    with pytest.raises(
        ValueError, match="complete windows need a window: with within=None none is ever complete"
    ):
        _ = funnel(rows, ["enter", "pay"], within=None).complete
    with pytest.raises(ValueError, match="mode='any' has no first step"):
        _ = funnel(rows, ["enter", "pay"], within="1d", mode="any").complete
    with pytest.raises(ValueError, match="complete windows need a log"):
        _ = Funnel.from_counts(pd.DataFrame({"step": ["enter", "pay"], "n": [9, 3]})).complete


def test_exclusions_are_counted_anew_over_complete_windows():
    rows = many(3, "enter", "leave", "pay") + many(1, "enter", "leave", "pay", prefix="late", after=29)
    answer = funnel(log(*rows, ("z", 40, "like")), ["enter", "pay"], within="30min", exclude=["leave"])
    assert (answer.excluded, answer.complete.excluded) == (4, 3)


def test_without_a_window_nobody_is_called_in_window():
    answer = funnel(log(*many(3, "enter", "pay"), ("b", 9, "enter")), ["enter", "pay"], within=None)
    assert answer.sentence() == (
        "75.0 % (95 % interval 30.1 to 95.4 %) of 4 users at enter reached pay with no limit of time."
    )
    assert not any(bar.get_hatch() and bar.get_width() for bar in answer.plot().patches)


def test_a_window_that_is_open_is_hatched():
    answer = funnel(log(*many(3, "enter", "pay"), ("b", 9, "enter")), ["enter", "pay"], within="1d")
    assert [bar.get_width() for bar in answer.plot().patches if bar.get_hatch()] == [1, 0]


@pytest.mark.parametrize("count", ["users", "pairs"])
def test_losses_that_are_only_order_are_counted_and_said(count):
    rows = many(3, "view", "cart", "pay", prefix="in order ") + many(
        5, "pay", "view", "cart", prefix="paid first "
    )
    rows += many(2, "view", prefix="left ")
    answer = funnel(
        log(*rows, session=["s"] * len(rows)),
        ["view", "cart", "pay"],
        within="1h",
        count=count,
        hold="session" if count == "pairs" else None,
    )
    assert answer.out_of_order.to_dict("list") == {
        "step": ["cart", "pay"],
        "lost": [2, 7],
        "out_of_order": [0, 5],
    }
    assert (
        "of 7 at view who did not reach pay in order, 5 (71.4 %) did view and cart and pay in another order, so that "
        "much of the loss is only order"
    ) in answer.sentence()


def test_an_order_outside_the_window_is_a_loss():
    rows = [
        ("a", 0, "pay"),
        ("a", 90, "view"),
        ("b", 50, "pay"),
        ("b", 90, "view"),
        ("c", 0, "view"),
        ("c", 1, "pay"),
    ]
    found = funnel(log(*rows), ["view", "pay"], within="1h").out_of_order
    assert found["out_of_order"].tolist() == [1]
    assert funnel(log(*rows), ["view", "pay"], within=None).out_of_order["out_of_order"].tolist() == [2]


def test_a_small_share_of_losses_by_order_is_not_said():
    rows = (
        many(10, "view", "pay") + many(1, "pay", "view", prefix="first ") + many(20, "view", prefix="left ")
    )
    assert "order" not in funnel(log(*rows), ["view", "pay"], within="1h").sentence()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"mode": "strict"}, "mode='strict' does not ask for an order of steps alone"),
        ({"gaps": {"pay": "1min"}}, "a step can be lost in order too"),
        ({"count": "entries"}, "count users or pairs"),
    ],
)
def test_a_question_in_which_more_than_the_order_decides_is_refused(options, why):
    answer = funnel(log(*many(2, "view", "pay")), ["view", "pay"], within="1h", **options)
    with pytest.raises(ValueError, match=why):
        _ = answer.out_of_order


def test_out_of_order_agrees_with_a_brute_force():
    rng = np.random.default_rng(8)
    rows = [(f"u{rng.integers(40)}", int(rng.integers(200)), "abc"[rng.integers(3)]) for _ in range(300)]
    found = funnel(log(*rows), ["a", "b", "c"], within="20min").out_of_order
    done = np.zeros(3, int)
    for user in {user for user, *_ in rows}:
        own = [(minute, event) for who, minute, event in rows if who == user]
        for size in (1, 2, 3):
            done[size - 1] += any(
                set("abc"[:size]) <= {event for minute, event in own if end - 20 <= minute <= end}
                for end, _ in own
            )
    reached = funnel(log(*rows), ["a", "b", "c"], within="20min").table["reached"].to_numpy()
    assert found["out_of_order"].tolist() == (done - reached)[1:].tolist()
    assert found["lost"].tolist() == (reached[0] - reached[1:]).tolist()


def test_rungs_of_any_order_are_named_as_such_and_the_sentence_names_the_mode():
    rows = log(("a", 0, "pay"), ("a", 1, "enter"), ("b", 0, "enter"), ("c", 0, "cart"))
    answer = funnel(rows, ["enter", "cart", "pay"], within="1d", mode="any")
    assert answer.table["step"].tolist() == ["any 1 of 3", "any 2 of 3", "any 3 of 3"]
    assert answer.sentence().startswith(
        "0.0 % (95 % interval 0 to 56.1 %) of 3 users at any 1 of 3 reached any 3 "
    )
    assert "within 1 day, steps in any order" in answer.sentence()
    strict = funnel(rows, ["enter", "pay"], within="1d", mode="strict")
    assert "within 1 day, no other row between two steps" in strict.sentence()


@pytest.mark.parametrize(
    "steps", [["entr", "cart", "pay"], ["enter", "crt", "pay"], ["enter", "cart", "pya"]]
)
def test_a_misspelt_step_in_any_order_is_named_wherever_it_stands(steps):
    rows = log(("a", 0, "pay"), ("a", 1, "enter"), ("a", 2, "cart"))
    with pytest.raises(ValueError, match="no event '(entr|crt|pya)' in the frame"):
        funnel(rows, steps, within="1d", mode="any")


def test_columns_of_0_and_1_are_no_funnel_of_0_per_cent():
    frame = pd.DataFrame({"session": range(6), "entered": 1, "paid": [1, 1, 0, 0, 0, 0], "timestamp": START})
    wide = read_events(frame.assign(event="session"), user="session")
    steps = [Step("enter", where="entered = 1"), Step("pay", where="paid = 1")]
    said = funnel(wide, steps, within="1d").sentence()
    assert (
        "nobody can reach pay here: each user has one row, every row of pay is a row of an earlier step too, and one "
        "row fills one step; where columns of 0 and 1 say who did what, add them up by step and ask Funnel.from_counts"
    ) in said
    twice = pd.concat([frame, frame.assign(timestamp=START + pd.Timedelta("1min"))])
    again = funnel(read_events(twice.assign(event="session"), user="session"), steps, within="1d")
    assert "nobody can" not in again.sentence()


def test_the_highest_and_the_lowest_of_many_groups_are_no_tiny_ones():
    rows = [
        (f"r{at}", step, n)
        for at, share in enumerate([1, 4, 5, 6, 7, 9])
        for step, n in (("e", 1000), ("p", share * 100))
    ]
    rows += [("one", "e", 1), ("one", "p", 1), ("none", "e", 1), ("none", "p", 0)]
    said = Funnel.from_counts(pd.DataFrame(rows, columns=["room", "step", "n"])).sentence()
    assert said.startswith(
        "Share of those counted at e that reached p: r5 90.0 % (95 % interval 88.0 to 91.7 %, n = 1,000); r0"
    )
    assert "the highest and the lowest of 8 groups, by the interval's nearer end" in said


def test_the_share_of_the_most_frequent_user_is_said_where_it_is_much_but_not_who():
    rows = [("often", 10 * at, "enter") for at in range(10)] + many(90, "enter")
    said = funnel(
        log(*rows), ["enter", Step("pay", event="enter")], within="1min", count="entries"
    ).sentence()
    assert (
        "intervals are clustered by user (one user makes 10.0 % of the entries: where frequent users convert "
        "otherwise, such intervals can be too short)"
    ) in said
    few = funnel(
        log(*rows[6:]), ["enter", Step("pay", event="enter")], within="1min", count="entries"
    ).sentence()
    assert "intervals are clustered by user" in few
    assert "one user makes" not in few


def test_the_step_at_which_most_are_lost_has_its_interval():
    rows = pd.DataFrame({"step": ["enter", "cart", "pay"], "n": [200, 60, 20]})
    assert "fewest go on from enter to cart (30.0 %, 24.1 to 36.7 %)" in Funnel.from_counts(rows).sentence()
