"""Funnels: what counts, on logs small enough to count by hand; and every wrong question."""

import copy
import pickle

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


def reached(answer):
    return answer.table["reached"].tolist()


def test_a_later_step_counts_only_after_the_earlier_one():
    assert reached(funnel(log(("a", 0, "pay"), ("a", 1, "enter")), ["enter", "pay"], within="1d")) == [1, 0]


def test_each_user_is_scored_from_the_entry_that_leads_furthest():
    rows = log(("a", 0, "enter"), ("a", 100, "enter"), ("a", 105, "pay"))
    assert reached(funnel(rows, ["enter", "pay"], within="10min")) == [1, 1]


def test_the_end_of_the_window_is_inside():
    rows = log(("a", 0, "enter"), ("a", 10, "pay"), ("b", 0, "enter"), ("b", 10.001, "pay"))
    assert reached(funnel(rows, ["enter", "pay"], within="10min")) == [2, 1]


def test_rows_of_one_moment_are_taken_in_the_order_of_the_steps():
    assert reached(funnel(log(("a", 0, "pay"), ("a", 0, "enter")), ["enter", "pay"], within="0s")) == [1, 1]


def test_one_row_fills_one_step():
    steps = ["pay", Step("pay again", event="pay")]
    assert reached(funnel(log(("a", 0, "pay")), steps, within="1d")) == [1, 0]
    assert reached(funnel(log(("a", 0, "pay"), ("a", 0, "pay")), steps, within="1d")) == [1, 1]


def test_a_strict_funnel_breaks_at_any_other_row_of_its_universe():
    rows = log(("a", 0, "enter"), ("a", 1, "like"), ("a", 2, "pay"))
    assert reached(funnel(rows, ["enter", "pay"], within="1d", mode="strict")) == [1, 0]
    assert reached(funnel(rows, ["enter", "pay"], within="1d", mode="strict", universe=["enter", "pay"])) == [
        1,
        1,
    ]


def test_any_order_counts_different_steps_in_one_window():
    rows = log(("a", 0, "pay"), ("a", 1, "enter"), ("b", 0, "enter"), ("b", 0, "enter"))
    assert reached(funnel(rows, ["enter", "pay"], within="1d", mode="any")) == [2, 1]


def test_an_excluded_event_voids_the_link_but_not_the_entry():
    rows = log(("a", 0, "enter"), ("a", 1, "leave"), ("a", 2, "pay"), ("b", 0, "enter"), ("b", 2, "pay"))
    answer = funnel(rows, ["enter", "pay"], within="1d", exclude=["leave"])
    assert reached(answer) == [2, 1]
    assert "1 user would have got further without the excluded events" in answer.sentence()


@pytest.mark.parametrize(
    ("count", "path", "lost"),
    [
        *(("users", path, 1) for path in ("windows", "asof", "index")),
        *(("pairs", path, 1) for path in ("windows", "asof", "index")),
        *(("entries", path, 2) for path in ("windows", "index")),
    ],
)
def test_who_is_lost_to_exclusions_is_counted_where_the_units_lie(count, path, lost):
    """On any path alike, also where users never enter, and where two entries of a moment both lose."""
    rows = log(
        *(("a", 0, "enter"), ("a", 0, "enter"), ("a", 1, "leave"), ("a", 2, "pay")),
        *(("b", 0, "enter"), ("b", 2, "pay"), ("c", 0, "pay"), ("c", 1, "leave"), ("d", 0, "enter")),
        room=1,
    )
    rows = rows.index("room") if path == "index" else rows
    hold = "room" if count == "pairs" else None
    answer = funnel(rows, ["enter", "pay"], within="1d", exclude="leave", count=count, hold=hold, path=path)
    assert answer.excluded == lost


def test_a_gap_limits_one_link():
    rows = log(("a", 0, "enter"), ("a", 1, "cart"), ("a", 90, "pay"))
    assert reached(funnel(rows, ["enter", "cart", "pay"], within="1d", gaps={"pay": "1h"})) == [1, 1, 0]


def test_a_property_held_constant_is_the_same_at_every_step():
    rows = log(("a", 0, "enter"), ("a", 1, "pay"), session=["s1", "s2"])
    assert reached(funnel(rows, ["enter", "pay"], within="1d", hold="session")) == [1, 0]
    assert reached(funnel(rows, ["enter", "pay"], within="1d", hold="session", count="pairs")) == [1, 0]


def test_every_entry_counts_when_entries_are_counted():
    rows = log(("a", 0, "enter"), ("a", 5, "enter"), ("a", 6, "pay"), ("b", 0, "enter"))
    assert reached(funnel(rows, ["enter", "pay"], within="1d", count="entries")) == [3, 2]


def test_the_value_at_the_entry_is_the_users_value():
    rows = log(("a", 0, "enter"), ("a", 1, "pay"), ("b", 0, "enter"), room=["r1", "r2", None])
    by_entry = funnel(rows, ["enter", "pay"], within="1d", by="room").table
    assert by_entry["reached"].tolist() == [1, 1, 1, 0]
    assert by_entry["room"].tolist()[:2] == ["r1", "r1"]
    assert by_entry["room"].isna().tolist() == [False, False, True, True]
    by_last = funnel(rows, ["enter", "pay"], within="1d", by="room", attribution="last").table
    assert by_last.query("room == 'r2'")["reached"].tolist() == [1, 1]
    paid = funnel(rows, ["enter", "pay"], within="1d", by="room", attribution="step:pay").table
    assert paid["reached"].tolist() == [1, 1]


def test_who_may_still_go_on_is_in_window_and_complete_windows_leave_them_out():
    rows = log(("a", 0, "enter"), ("b", 100, "enter"), ("c", 0, "enter"), ("c", 1, "pay"))
    answer = funnel(rows, ["enter", "pay"], within="30min")
    assert answer.table["open"].tolist()[:1] == [1]
    assert answer.table["open"].isna().tolist() == [False, True]
    assert reached(answer.complete) == [2, 1]
    assert answer.complete.table["open"].tolist()[:1] == [0]
    assert "only entries whose window is complete are counted" in answer.complete.sentence()
    assert answer.sentence().endswith(
        "; 1 of these 3 is still in window (right-censored) and may go on; over complete windows alone 50.0 % "
        "(9.5 to 90.5 %) of 2."
    )


def test_an_entry_range_binds_the_first_step_alone():
    rows = log(("a", 0, "enter"), ("a", 30, "pay"), ("b", 10, "enter"))
    times = ("2019-11-11 20:00", "2019-11-11 20:10")
    assert reached(funnel(rows, ["enter", "pay"], within="1d", entries=times)) == [1, 1]


def test_a_retried_order_counts_once_with_dedupe():
    rows = log(
        ("a", 0, "enter"), ("a", 1, "pay"), ("b", 0, "enter"), ("b", 2, "pay"), order=[None, 7, None, 7]
    )
    assert reached(funnel(rows, ["enter", "pay"], within="1d", dedupe="order")) == [2, 1]


def test_a_condition_is_part_of_a_step():
    rows = log(
        ("a", 0, "enter"), ("a", 1, "pay"), ("b", 0, "enter"), ("b", 1, "pay"), amount=[None, 50, None, 500]
    )
    big = Step("big order", event="pay", where="amount > 100 AND NOT event IN ('refund')")
    assert reached(funnel(rows, ["enter", big], within="1d")) == [2, 1]


def test_permuting_rows_changes_nothing():
    generator = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "user_id": generator.integers(0, 9, 300),
            "event": generator.choice(["enter", "cart", "pay"], 300),
            "timestamp": START + pd.to_timedelta(generator.integers(0, 50, 300), unit="min"),
        }
    )
    first = funnel(read_events(frame), ["enter", "cart", "pay"], within="7min").table
    second = funnel(
        read_events(frame.sample(frac=1, random_state=1)), ["enter", "cart", "pay"], within="7min"
    ).table
    pd.testing.assert_frame_equal(first, second)
    assert (first["reached"].diff().dropna() <= 0).all()


def test_rates_are_sums_over_sums_with_wilson_intervals():
    # Newcombe (1998), Statistics in Medicine 17, 857-872, table I: 81 of 263.
    table = Funnel.from_counts(pd.DataFrame({"step": ["enter", "pay"], "n": [263, 81]})).table
    assert table.loc[1, ["from_previous", "low", "high"]].tolist() == pytest.approx(
        [81 / 263, 0.2553, 0.3662], abs=5e-5
    )
    assert table.loc[0, "from_first"] == 1
    assert table.loc[0, ["from_previous", "low", "high", "first_low", "first_high"]].isna().all()


def test_entries_of_one_user_are_not_independent():
    rows = [(f"u{i}", 10 * j, "enter") for i in range(20) for j in range(10)]
    rows += [(f"u{i}", 10 * j + 1, "pay") for i in range(10) for j in range(10)]
    answer = funnel(log(*rows), ["enter", "pay"], within="1min", count="entries")
    assert reached(answer) == [200, 100]
    low, high = answer.table.loc[1, ["low", "high"]]
    # All that is known is that half of 20 users always pay: the interval of 10 of 20, not of 100 of 200.
    assert high - low > 0.38
    assert "clustered by user" in answer.sentence()


def test_times_to_convert_have_order_statistic_intervals():
    rows = [(f"u{i:02}", 0, "enter") for i in range(20)] + [(f"u{i:02}", i + 1, "pay") for i in range(20)]
    times = funnel(log(*rows), ["enter", "pay"], within="1d").times.table.set_index("quantile")
    assert times.loc[0.5, ["estimate", "low", "high"]].tolist() == [
        pd.Timedelta(m, "min") for m in (10, 6, 15)
    ]
    assert times.loc[0.5, "n"] == 20
    assert pd.isna(times.loc[0.1, "low"])  # 20 times cannot bound the first decile from below


def test_users_tells_who_and_when():
    rows = log(("a", 0, "enter"), ("a", 3, "pay"), ("b", 1, "pay"))
    users = funnel(rows, ["enter", "pay"], within="1d").users().df().set_index("user_id").sort_index()
    assert users["depth"].tolist() == [2, 0]
    assert users.loc["a", "pay"] == START + pd.Timedelta("3min")
    assert users.loc["b"].isna().tolist() == [False, True, True]


def test_a_comparison_names_its_family_and_agrees_with_published_intervals():
    # Newcombe (1998), Statistics in Medicine 17, 873-890, table II (a): 56/70 - 48/80, method 10.
    frame = pd.DataFrame({"platform": ["douyin"] * 2 + ["kuaishou"] * 2, "step": ["enter", "pay"] * 2})
    frame["n"] = [70, 56, 80, 48]
    comparison = Funnel.from_counts(frame).compare(to="kuaishou")
    line = comparison.table.query("measure == 'difference'").iloc[0]
    assert line[["estimate", "low", "high"]].tolist() == pytest.approx([0.2, 0.0524, 0.3339], abs=5e-5)
    assert line["p"] == line["p_adjusted"]
    assert "Holm over 1 test;" in comparison.sentence()


@pytest.mark.parametrize("name", ["step", "open", "low"])
def test_a_group_is_not_lost_behind_a_column_of_the_result(name):
    rows = pd.DataFrame({"user_id": [1], "event": ["enter"], "timestamp": ["2019-11-11"], name: ["x"]})
    with pytest.raises(ValueError, match=f"'{name}' cannot name groups.*rename or drop"):
        funnel(read_events(rows), ["enter", "pay"], within="1d", by=name)
    counts = pd.DataFrame({"step": ["enter", "pay"], "n": [9, 3], "low": ["x", "x"]})
    with pytest.raises(ValueError, match="'low' cannot name groups"):
        Funnel.from_counts(counts)


def test_platforms_that_share_users_are_compared_by_user():
    rows, platforms = [], []
    for i in range(60):
        for platform in ("douyin", "kuaishou"):
            pays = i % 3 == 0 or (i % 10 == 1 and platform == "douyin")
            for minute, event in ((0, "enter"), (1, "pay")) if pays else ((0, "enter"),):
                rows.append((f"u{i}", minute, event))
                platforms.append(platform)
    shared = log(*rows, platform=platforms)
    answer = funnel(shared, ["enter", "pay"], within="1d", by="platform", hold="platform", count="pairs")
    together = answer.compare(to="kuaishou")
    apart = Funnel.from_counts(
        answer.table.rename(columns={"reached": "n"})[["platform", "step", "n"]]
    ).compare("kuaishou")

    def width(comparison):
        return np.ptp(comparison.table.query("measure == 'difference'")[["low", "high"]].to_numpy())

    assert "users shared between groups" in together.sentence()
    assert width(together) < 0.6 * width(apart)


def test_a_result_from_counts_says_what_needs_a_log():
    answer = Funnel.from_counts(pd.DataFrame({"step": ["enter", "pay"], "n": [10, 2]}))
    assert "only the chance of single people" in answer.sentence()
    with pytest.raises(ValueError, match="times to convert need a log"):
        _ = answer.times
    with pytest.raises(ValueError, match="users need a log"):
        answer.users()


@pytest.mark.parametrize(
    ("n", "message"),
    [
        ([10, 12], "counts rise along the funnel: 10 before 'pay', 12 at it"),
        ([10, -1], r"row 1 \(pay\): n = -1 is negative"),
        ([10, 2.5], r"row 1 \(pay\): n = 2.5 is fractional: give counts, not rates"),
        ([10, None], "is missing"),
        ([10, np.inf], "is infinite"),
    ],
)
def test_counts_that_cannot_be_a_funnel_are_refused(n, message):
    with pytest.raises(ValueError, match=message):
        Funnel.from_counts(pd.DataFrame({"step": ["enter", "pay"], "n": n}))


ROWS = log(
    ("a", 0, "enter"), ("a", 1, "pay"), ("b", 5, "enter"), amount=[1.0, 2.0, 3.0], room=["r", "s", "r"]
)


@pytest.mark.parametrize(
    ("steps", "options", "message"),
    [
        (["enter", "payy"], {}, r"no event 'payy' in the frame \(did you mean 'pay'\?\); it has: enter, pay"),
        (["enter", Step("x", event=["pay", "nope"])], {}, "no event 'nope'"),
        ([], {}, "at least two steps"),
        (["enter"], {}, "at least two steps"),
        (["enter", "enter"], {}, "two steps are called 'enter'.*Step\\('enter again'"),
        (["enter", "pay"], {"within": "-1d"}, "within='-1d' is negative"),
        (["enter", "pay"], {"within": 30}, "within=30 has no unit"),
        (["enter", "pay"], {"within": "30"}, "within='30' has no unit"),
        (["enter", "pay"], {"within": "soon"}, "within='soon' is not a length of time"),
        (["enter", "pay"], {"by": "rooom"}, r"no by column 'rooom' in the frame \(did you mean 'room'\?\)"),
        (["enter", "pay"], {"hold": "platform"}, "no hold column 'platform'"),
        (["enter", "pay"], {"mode": "loose"}, "mode='loose'; use one of 'ordered', 'any', 'strict'"),
        (["enter", "pay"], {"count": "pairs"}, "say what is held"),
        (["enter", "pay"], {"gaps": {"enter": "1h"}}, "is the first step"),
        (["enter", "pay"], {"gaps": {"cart": "1h"}}, "no step 'cart' in the funnel; it has: enter, pay"),
        (["enter", "pay"], {"exclude": [("pay", "pay", "enter")]}, "does not come after"),
        (["enter", "pay"], {"exclude": ["refnd"]}, "no event 'refnd'"),
        (["enter", "pay"], {"entries": ("2019-11-12", "2019-11-11")}, "empty range"),
        (["enter", "pay"], {"attribution": "step:cart"}, "no step 'cart'"),
        (["enter", "pay"], {"confidence": 95}, "confidence=95 lies outside"),
        (["enter", "pay"], {"universe": ["pay"]}, "mode='strict'"),
        (["enter", "pay"], {"mode": "any", "by": "room"}, "1 of the users have several; hold it constant"),
        (["enter", "pay"], {"path": "fast"}, "path='fast'; use one of"),
        (["enter", "pay"], {"path": "asof", "dedupe": "room"}, "path='asof' cannot answer this"),
        (
            ["enter", "pay"],
            {"count": "entries", "attribution": "last"},
            "each entry in the group of its own row",
        ),
        (["enter", Step("x", where="amount")], {}, "step 'x': where='amount' is DOUBLE, not true or false"),
        (["enter", Step("x", where="amont > 1")], {}, r"no column 'amont'.*did you mean 'amount'"),
        (["enter", Step("x", where="amount > ")], {}, "is no complete SQL expression"),
        (["enter", Step("x", where="amount > 1; DROP TABLE x")], {}, "must be one condition"),
        (["enter", Step("x", where="amount > (SELECT 1)")], {}, "of one row"),
        (["enter", Step("x", where="amount > sum(amount)")], {}, "of one row"),
        (["enter", Step("x", where="getenv('HOME') = 'x'")], {}, "not a known one"),
        (["enter", Step("x", where="random() > 0.5")], {}, "draws at random"),
    ],
)
def test_a_wrong_question_names_the_thing_and_the_fix(steps, options, message):
    with pytest.raises(ValueError, match=message):
        funnel(ROWS, steps, **({"within": "1d"} | options))


def test_what_is_no_log_and_no_table_is_named():
    with pytest.raises(TypeError, match="funnel takes a log from read_events, not DataFrame"):
        funnel(pd.DataFrame({"event": ["enter"]}), ["enter", "pay"], within="1d")
    with pytest.raises(TypeError, match="counts are a DataFrame with step, not dict"):
        Funnel.from_counts({"enter": 10, "pay": 2})
    with pytest.raises(TypeError, match="a list of two or more steps, not 'enter' alone"):
        funnel(ROWS, "enter", within="1d")
    with pytest.raises(TypeError, match="a step is an event's name or a Step, not 7"):
        funnel(ROWS, ["enter", 7], within="1d")


def test_an_empty_log_is_an_error_unless_it_was_observed():
    empty = read_events(
        pd.DataFrame({"user_id": [], "timestamp": pd.to_datetime([]), "event": []}, dtype=object).astype(
            {"timestamp": "datetime64[us]"}
        )
    )
    with pytest.raises(ValueError, match="is empty.*observed_until="):
        funnel(empty, ["enter", "pay"], within="1d")
    assert reached(funnel(empty, ["enter", "pay"], within="1d", observed_until="2019-11-11")) == [0, 0]


@pytest.mark.parametrize("by", [[], ["platform"]])
def test_a_table_with_a_column_for_each_step_is_refused_with_the_line_that_melts_it(by):
    wide = pd.DataFrame({"platform": ["douyin"], "enter": [80], "pay": [48]})[[*by, "enter", "pay"]]
    with pytest.raises(ValueError, match="no column 'step': if each of enter, pay is a step") as error:
        Funnel.from_counts(wide)
    melted = eval(str(error.value).split("per step, ", 1)[1], {"frame": wide})
    assert Funnel.from_counts(melted).table["reached"].tolist() == [80, 48]


def test_a_table_whose_columns_have_other_names_is_refused_with_the_line_that_names_them():
    named = pd.DataFrame({"步骤": ["进入", "支付"], "人数": [80, 48]})
    with pytest.raises(ValueError, match="no column 'step'; say which one it is") as error:
        Funnel.from_counts(named)
    renamed = eval(str(error.value).split("it is: ")[1], {"frame": named})
    assert Funnel.from_counts(renamed).table["reached"].tolist() == [80, 48]


def test_a_lone_step_object_counts_who_did_one_thing():
    assert reached(funnel(ROWS, [Step("enter")], within="1d")) == [2]


def test_rows_without_user_or_time_are_said():
    frame = pd.DataFrame({"user_id": ["a", None], "event": ["enter", "enter"], "timestamp": [START, START]})
    answer = funnel(read_events(frame), ["enter", Step("pay", event="enter")], within="1d")
    assert reached(answer) == [1, 0]
    assert "1 row without a user or a time is left out" in answer.sentence()


@pytest.mark.parametrize("groups", [1, 4])
def test_a_figure_shows_every_step_and_group(groups):
    import matplotlib.pyplot as plt

    names = ["xiaohongshu", "taobao_live", "douyin", "a$b"][:groups]
    frame = pd.DataFrame([(g, s, n) for g in names for s, n in (("enter", 100), ("cart", 10), ("pay", 0))])
    frame.columns = ["platform", "step", "n"]
    answer = Funnel.from_counts(frame)
    ax = answer.plot(plt.figure().subplots())
    assert ax.get_figure().canvas.draw() is None
    if groups > 1:
        assert answer.compare(to="douyin").plot(plt.figure().subplots()) is not None
    plt.close("all")


def test_a_group_really_called_missing_stays_apart_from_one_that_is():
    rows = log(("a", 0, "enter"), ("b", 0, "enter"), ("b", 1, "pay"), room=["missing", None, None])
    answer = funnel(rows, ["enter", "pay"], within="1d", by="room")
    assert answer.step_counts.labels("room") == ["missing", "<null>"]
    assert "missing 0.0 %" in answer.sentence()
    assert "<null> 100.0 %" in answer.sentence()
    assert answer.compare(to=None).reference == "missing"


def test_groups_are_named_as_the_log_writes_them():
    rooms = pd.array([1, 1, None], dtype="Int64")
    rows = log(("a", 0, "enter"), ("a", 1, "pay"), ("b", 0, "enter"), room=rooms)
    answer = funnel(rows, ["enter", "pay"], within="1d", by="room")
    assert answer.step_counts.names == ["1", "<null>"]
    day = log(("a", 0, "enter"), day=[pd.Timestamp("2019-11-11").date()])
    by_day = funnel(day, ["enter", Step("b", event="enter")], within="1d", by="day")
    assert by_day.step_counts.names == ["2019-11-11"]


@pytest.mark.parametrize("path", ["windows", "asof", "stream", "index"])
def test_an_answer_from_files_can_be_pickled_and_copied(path, tmp_path):
    rows = {"user_id": ["a", "a", "b"], "event": ["enter", "pay", "enter"], "platform": ["x", "x", "y"]}
    frame = pd.DataFrame(rows | {"timestamp": pd.date_range("2019-11-11", periods=3, freq="min")})
    frame.to_parquet(tmp_path / "log.parquet")
    opened = read_events(tmp_path / "log.parquet")
    opened = opened.index(keep=["platform"]) if path == "index" else opened
    options = {"within": "1d", "by": "platform", "hold": "platform", "count": "pairs", "path": path}
    answer = funnel(opened, ["enter", "pay"], **options)
    for again in (pickle.loads(pickle.dumps(answer)), copy.deepcopy(answer)):
        assert again.sentence() == answer.sentence()
        pd.testing.assert_frame_equal(again.times.table, answer.times.table)
        pd.testing.assert_frame_equal(again.compare().table, answer.compare().table)


def test_an_answer_from_a_frame_says_why_it_cannot_be_pickled():
    with pytest.raises(TypeError, match="cannot be copied or pickled.*Parquet"):
        pickle.dumps(funnel(ROWS, ["enter", "pay"], within="1d"))


def test_a_funnels_own_table_is_read_as_counts():
    answer = funnel(ROWS, ["enter", "pay"], within="1d", by="room", hold="room", count="pairs")
    again = Funnel.from_counts(answer.table)
    assert again.by == ("room",)
    pd.testing.assert_frame_equal(
        again.table[["room", "step", "reached", "open"]], answer.table[["room", "step", "reached", "open"]]
    )
    with pytest.raises(ValueError, match="a column 'n' and a column 'reached'; drop the one"):
        Funnel.from_counts(answer.table.assign(n=1))
    with pytest.raises(ValueError, match="no column 'n' in the counts.*'reached' is taken too"):
        Funnel.from_counts(answer.table.drop(columns="reached"))


def test_a_misspelt_step_and_event_suggest_the_nearest():
    with pytest.raises(ValueError, match=r"gaps: no step 'pya' in the funnel \(did you mean 'pay'\?\)"):
        funnel(ROWS, ["enter", "pay"], within="1d", gaps={"pya": "1h"})
    with pytest.raises(ValueError, match=r"no event 'entr' in the frame \(did you mean 'enter'\?\)"):
        funnel(ROWS, ["entr", "pay"], within="1d")


def test_the_sentence_gives_the_finding_its_interval_and_n_and_then_the_warning():
    rows = [(f"u{i:02}", 0, "enter") for i in range(20)] + [(f"u{i:02}", 1, "pay") for i in range(5)]
    said = funnel(log(*rows), ["enter", "pay"], within="61s").sentence()
    assert said == (
        "25.0 % (95 % interval 11.2 to 46.9 %) of 20 users at enter reached pay within 1 minute 1 second; "
        "15 of these 20 are still in window (right-censored) and may go on; no window is complete yet."
    )
    groups = funnel(log(*rows, room=["r"] * 25), ["enter", "pay"], within="0s", by="room").sentence()
    assert groups.startswith(
        "Share of users at enter that reached pay within 0 seconds: r 0.0 % (95 % interval"
    )


def test_a_comparison_says_which_rate_differs_by_how_many_points():
    frame = pd.DataFrame({"platform": ["douyin"] * 2 + ["kuaishou"] * 2, "step": ["enter", "pay"] * 2})
    frame["n"] = [80, 48, 70, 56]
    assert (
        Funnel.from_counts(frame)
        .compare(to="kuaishou")
        .sentence()
        .startswith(
            "The rate from enter to pay of douyin lies 20.0 points below that of kuaishou (95 % interval "
            "5.2 to 33.4 points, n = 80 and 70); 1 of 1 rates differ (Holm over 1 test;"
        )
    )
    frame["n"] = [80, 48, 70, 42]
    assert (
        "No rate is distinguishable from that of kuaishou; the widest gap: the rate from enter to pay of douyin lies "
        "0.0 points below that of kuaishou (95 % interval −15.4 to 15.3 points, n = 80 and 70) (Holm over 1 test;"
        in Funnel.from_counts(frame).compare(to="kuaishou").sentence()
    )


def test_a_figure_is_a_new_one_unless_axes_are_given():
    import matplotlib.pyplot as plt

    answer = Funnel.from_counts(pd.DataFrame({"step": ["enter", "pay"], "n": [10, 2]}))
    first, second = answer.plot(), answer.plot()
    assert first.get_figure() is not second.get_figure()
    assert answer.plot(first) is first
    plt.close("all")


def test_times_of_users_who_convert_often_have_wider_intervals():
    # Ten users with ten equal times each know as much of the median as ten times do, not as a hundred.
    rows = []
    for user in range(20):
        for entry in range(10):
            rows += [(f"u{user:02}", 100 * entry, "enter"), (f"u{user:02}", 100 * entry + user + 1, "pay")]
    often = funnel(log(*rows), ["enter", "pay"], within="50min", count="entries").times.table.set_index(
        "quantile"
    )
    once = [(f"u{u:02}", 0, "enter") for u in range(20)] + [(f"u{u:02}", u + 1, "pay") for u in range(20)]
    alone = funnel(log(*once), ["enter", "pay"], within="50min").times.table.set_index("quantile")
    assert often.loc[0.5, "n"] == 200
    assert (
        often.loc[0.5, ["estimate", "low", "high"]].tolist()
        == alone.loc[0.5, ["estimate", "low", "high"]].tolist()
    )


def test_rows_of_counts_may_come_in_any_order_of_groups():
    from toolkit.scenarios import what_if

    rows = [("a", "enter", 100), ("b", "enter", 50), ("a", "pay", 10), ("b", "pay", 20)]
    frame = pd.DataFrame(rows, columns=["platform", "step", "reached"]).assign(low=[None, None, 0.05, 0.3])
    assert Funnel.from_counts(frame).table["reached"].tolist() == [100, 10, 50, 20]
    # A table's own limits stay with their rows: they may allow for users who count more than once.
    assert what_if(frame, {}, group="b").table["low"].tolist()[1:] == [0.3]


def test_an_unknown_group_suggests_the_nearest():
    rows = [
        ("douyin", "enter", 100),
        ("douyin", "pay", 10),
        ("kuaishou", "enter", 50),
        ("kuaishou", "pay", 20),
    ]
    answer = Funnel.from_counts(pd.DataFrame(rows, columns=["platform", "step", "n"]))
    with pytest.raises(
        ValueError, match=r"no group 'kuaisho' \(did you mean 'kuaishou'\?\); there are: douyin"
    ):
        answer.compare(to="kuaisho")
    with pytest.raises(ValueError, match="a group here is platform: give 1 values"):
        answer.compare(to=("douyin", "x"))
    with pytest.raises(ValueError, match="no groups; ask it with by="):
        Funnel.from_counts(pd.DataFrame({"step": ["enter", "pay"], "n": [3, 2]})).compare()


@pytest.mark.parametrize("path", ["windows", "index"])
def test_sums_over_users_are_of_those_who_are_at_the_base_of_a_rate(path):
    rows = [(user, minute, "enter") for user in "abc" for minute in (0, 10)]
    rows += [("a", 1, "cart"), ("a", 11, "cart"), ("a", 2, "pay"), ("b", 11, "cart")]
    opened = log(*rows).index() if path == "index" else log(*rows)
    counts = funnel(opened, ["enter", "cart", "pay"], within="5min", count="entries", path=path).step_counts
    assert counts.reached.tolist() == [[6, 3, 1]]
    # Entries at cart: two of a, one of b; of these one of a pays.
    sums = counts.user_sums("pay")
    assert [np.asarray(part).tolist() for part in sums] == [[2], [3], [1], [5], [2], [1], [0.5]]
    of_entries = counts.user_sums("pay", "enter")
    assert [np.asarray(part).tolist() for part in of_entries] == [[3], [6], [1], [12], [2], [1], [0.5]]
    assert counts.sums["fourths"].tolist() == [[3 * 2**4, 2**4 + 1, 1]]
    assert counts.sums["largest"].tolist() == [[2, 2, 1]]
    with pytest.raises(ValueError, match="kept for the first step and the one before"):
        Funnel.from_counts(pd.DataFrame({"step": list("wxyz"), "n": [4, 3, 2, 1]})).step_counts.user_sums(
            "z", "x"
        )
