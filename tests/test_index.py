"""Logs as arrays: an index and a streamed pass give SQL's answers, whatever the columns hold."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from toolkit import Step, funnel, read_events
from toolkit.funnels import sql, sums
from toolkit.funnels.kernels import indexed, stream, unit_table
from toolkit.logs import codes

STEPS = ["enter", "cart", "pay"]
TIERS = pd.CategoricalDtype(["tier_2", "tier_1", "tier_10"])


def rows(n=600, seed=0):
    """Rows in time order with many ties, whose columns hold every kind of value, and nulls."""
    rng = np.random.default_rng(seed)

    def some(*values):
        picked = pd.Series([values[i] for i in rng.integers(0, len(values), n)], dtype=object)
        return picked.where(rng.random(n) > 0.1)

    return pd.DataFrame(
        {
            "user_id": rng.choice([f"用户 {i}'; --\n😀" for i in range(25)], n),
            "timestamp": pd.Timestamp("2019-11-11", tz="UTC")
            + pd.to_timedelta(np.sort(rng.integers(0, 200, n)), "min"),
            "event": some("enter", "cart", "pay", "watch").astype("str"),
            "platform": some("douyin", "小红书", '"quoted"').astype("str"),
            "tier": some(*TIERS.categories).astype(TIERS),
            "session": some(-1, 7, 10**12).astype("Int64"),
            "room": some(1, 2, 3).astype("Int8"),
            "day": some(dt.date(2019, 11, 11), dt.date(2019, 11, 12)),
            "fan": some(True, False).astype("boolean"),
            "amount": some(9.5, 10.0, 99.99).astype("float64"),
        }
    )


@pytest.fixture(scope="module")
def log():
    log = read_events(rows())
    return log.index(keep=log.properties)


def table(log, path, **options):
    answer = funnel(log, STEPS, within="40min", path=path, **options)
    assert answer.path == path
    return answer.table


@pytest.mark.parametrize("path", ["stream", "index"])
@pytest.mark.parametrize("name", ["platform", "session", "room", "day", "fan", "amount", "event"])
def test_groups_and_held_values_of_every_type_are_those_of_sql(log, path, name):
    for options in (
        {"by": name},
        {"by": name, "attribution": "last", "hold": ["platform", "session"]},
        {"by": [name, "tier"], "count": "entries"},
        {"by": name, "hold": name, "count": "pairs"},
    ):
        expected, found = (
            table(log, way, **options).astype({"tier": "str"} if "tier" in options["by"] else {})
            for way in ("windows", path)
        )
        keys = [*(options["by"] if isinstance(options["by"], list) else [name]), "step"]
        expected, found = (one.sort_values(keys, ignore_index=True) for one in (expected, found))
        pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"by": "tier"},
        {"by": ["platform", "room"], "attribution": "step:cart"},
        {"hold": ["platform", "session"]},
        {"hold": "room", "by": "room", "count": "pairs"},
        {"hold": ["room", "platform"], "by": "platform", "count": "pairs"},
        {"by": "platform", "count": "entries"},
        {"mode": "strict", "by": "fan"},
        {"mode": "any", "hold": "platform", "by": "platform"},
    ],
)
def test_sums_over_arrays_are_those_of_sql(log, options):
    question = funnel(log, STEPS, within="40min", path="index", **options).question
    for path in ("index",) if "mode" in options else ("index", "stream"):
        found = (indexed if path == "index" else stream).units(question)
        by_sql = log.engine.over(found, sums.reduce(question, unit_table.relation(question))).df()
        keys = sql.grouped(question)
        ours, theirs = (
            frame.sort_values(keys, ignore_index=True) if keys else frame
            for frame in (unit_table.reduce(question, found), by_sql)
        )
        pd.testing.assert_frame_equal(ours[theirs.columns], theirs, check_dtype=False)


def test_a_condition_is_answered_from_kept_columns_and_remembered(log):
    steps = ["enter", Step("big order", event="pay", where="amount > 10 AND platform <> 'douyin'")]
    for within in ("10min", "50min"):
        found, expected = (
            funnel(log, steps, within=within, path=path).table for path in ("index", "windows")
        )
        pd.testing.assert_frame_equal(found, expected)
    assert sum(key[0] == "words" for key in log.memory.memory) == 1


def test_a_column_that_the_index_does_not_keep_is_read_from_the_source_and_the_answer_says_so():
    log = read_events(rows()).index(keep=["platform"])
    answer = funnel(log, STEPS, within="1h", by="tier")
    assert answer.path != "index"
    assert "the index does not keep tier" in answer.sentence()
    with pytest.raises(ValueError, match=r"does not keep tier; make it with log.index\(keep=\['tier'\]\)"):
        funnel(log, STEPS, within="1h", by="tier", path="index")


def test_the_first_of_several_copies_counts_although_another_user_has_the_next_one():
    times = pd.to_datetime(["2019-11-11 20:00"] * 3 + ["2019-11-11 20:01"] * 2)
    log = pd.DataFrame(
        {"user_id": [2, 1, 2, 1, 2], "timestamp": times, "event": ["enter", "enter", "pay", "pay", "pay"]}
    )
    log = read_events(log.assign(order=[None, None, "o1", "o1", "o2"])).index(keep=["order"])
    answer = funnel(log, ["enter", "pay"], within="1h", dedupe="order", path="index")
    assert answer.users().df().set_index("user_id")["depth"].to_dict() == {1: 1, 2: 2}


@pytest.mark.parametrize("path", ["stream", "index"])
def test_a_value_that_turns_up_late_is_not_lost(path, monkeypatch):
    monkeypatch.setattr(codes, "SAMPLE", 5)
    frame = rows().sort_values("timestamp", kind="stable")
    frame["platform"] = np.where(np.arange(len(frame)) < 20, "douyin", frame["platform"])
    log = read_events(frame).index(keep=["platform"])
    options = {"by": "platform", "hold": "platform", "count": "pairs"}
    pd.testing.assert_frame_equal(table(log, path, **options), table(log, "windows", **options))


def test_rows_out_of_time_order_are_sorted_by_sql_and_the_answer_says_so():
    log = read_events(pd.concat([rows(seed=1), rows(seed=2)]))
    answer = funnel(log, STEPS, within="1h", path="stream")
    assert answer.path == "windows"
    assert "not in time order" in answer.sentence()


def test_an_index_puts_rows_of_any_order_by_user_time_and_arrival():
    frame = pd.concat([rows(seed=1), rows(seed=2)], ignore_index=True)
    frame.loc[3, "timestamp"] = pd.NaT
    index = read_events(frame).index(keep=["session"]).memory
    usable = frame.drop(index=3).reset_index(names="arrival")
    usable = usable.assign(user=pd.Categorical(usable["user_id"], index.users.to_pylist()))
    expected = usable.sort_values(["user", "timestamp", "arrival"])
    assert index.arrival.tolist() == [row - (row > 3) for row in expected["arrival"]]
    assert index.columns["session"].to_pylist() == [None if pd.isna(v) else v for v in expected["session"]]
    assert np.diff(index.offsets).tolist() == usable["user"].value_counts(sort=False).tolist()


def test_numbers_come_back_from_their_codes_after_the_table_has_grown():
    values = np.random.default_rng(0).integers(-(2**62), 2**62, 100_000)
    numbers = codes.Numbers()
    coded = np.concatenate([numbers.encode(part) for part in np.array_split(np.append(values, values), 7)])
    assert (numbers.values()[coded - 1] == np.append(values, values)).all()
    assert numbers.count == len(np.unique(values))


def test_an_index_of_no_rows_answers():
    log = read_events(rows().head(0)).index()
    answer = funnel(log, STEPS, within="1h", path="index", observed_until="2019-11-12")
    assert answer.table["reached"].tolist() == [0, 0, 0]
