"""Random questions about random logs: SQL, one pass, the index and the oracle agree; what a path does not offer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cases.random_logs import COLUMNS, END, EVENTS, HOUR, START, log
from tests.golden import Case
from tests.golden_cohorts import PATHS, failures, offered
from tests.oracle import iso
from tests.oracle_cohorts import answer
from toolkit import Step, activity, read_events, repurchase, retention
from toolkit.cohorts.kernels import stream

TYPES = dict.fromkeys(COLUMNS, "str") | {"at": "Int64", "value": "float64"}
steady = settings(derandomize=True, database=None, deadline=None, max_examples=40)
#: A clock that goes forward, one that goes back, one that is half an hour off, and the usual one.
ZONES = ["Asia/Shanghai", "America/New_York", "Asia/Kolkata", "Pacific/Apia"]
events = st.none() | st.sampled_from(EVENTS[:4]).map(lambda name: {"event": name})
several = st.lists(st.sampled_from(EVENTS[:4]), min_size=2, max_size=3, unique=True)
moments = st.integers(4, 60).map(lambda hour: iso(START + hour * HOUR))


@st.composite
def questions(draw: st.DrawFn) -> dict[str, Any]:
    """Params of a golden case of cohorts."""
    kind = draw(st.sampled_from(["bounded", "rolling", "bracket"]))
    params: dict[str, Any] = {"unit": draw(st.sampled_from(["day", "week", "month"])), "retention": kind}
    params["periods"] = draw(st.integers(0, 6))
    if kind == "bracket":
        params["brackets"] = draw(st.sampled_from([[[0, 0], [1, 2]], [[1, 3], [2, 5]], [[0, 9]]]))
    if params["unit"] != "month" and draw(st.booleans()):
        params["clock"] = "elapsed"
    params["tz"] = draw(st.sampled_from(ZONES))
    params["week_start"] = draw(st.integers(0, 6))
    for name, chance in (("birth", events), ("return", events | several.map(lambda e: {"event": e}))):
        chosen = draw(chance)
        if chosen is not None:
            params[name] = chosen
    if draw(st.booleans()):
        params["by"] = draw(st.sampled_from(["platform", "session"]))
    if draw(st.integers(0, 3)) == 3:
        params["dedupe"] = "order_id"
    if draw(st.booleans()):
        params["observed_until"] = draw(moments)
    return params


logs = st.builds(
    log,
    st.integers(0, 2**32),
    users=st.just(30),
    most=st.sampled_from([6, 20]),
    grid=st.sampled_from([10, 60]),
    shuffled=st.booleans(),
)


@steady
@given(rows=logs, params=questions(), stretch=st.sampled_from([1, 12]), plain=st.booleans())
def test_all_paths_agree_with_walking_user_by_user(
    rows: list[dict[str, Any]], params: dict[str, Any], stretch: int, plain: bool
) -> None:
    if plain:
        # One pass offers one kind of row and no more, which a question seldom asks by chance.
        params = {k: v for k, v in params.items() if k not in ("by", "dedupe", "clock", "return")}
        params |= {"return": params["birth"]} if "birth" in params else {}
    # Stretched over weeks, so that there are several periods of each length.
    rows = [
        row | {"at": row["at"] if row["at"] is None else START + (row["at"] - START) * stretch}
        for row in rows
    ]
    usable = [row["at"] for row in rows if row["at"] is not None and row["user"] is not None]
    if params.get("observed_until", iso(END)) <= iso(min(usable)):
        params = {name: value for name, value in params.items() if name != "observed_until"}
    case = Case("random", "cohort", params, answer("cohort", rows, params), rows, TYPES, list(EVENTS))
    for path in PATHS:
        if offered(case, path):
            assert not failures(case, path), path
    assert offered(case, "stream") or not plain


def busy(n: int = 4000, seed: int = 5) -> pd.DataFrame:
    """Rows of 60 users over ten weeks, in no order, with nulls and a column of every kind."""
    rng = np.random.default_rng(seed)
    some = pd.Series(rng.choice(["a", "小红书", "$x"], n)).where(rng.random(n) > 0.1)
    return pd.DataFrame(
        {
            "user_id": rng.integers(0, 60, n),
            "timestamp": pd.Timestamp("2019-09-02") + pd.to_timedelta(rng.integers(0, 70 * 1440, n), "min"),
            "event": pd.Series(rng.choice(["open", "like", "pay"], n)).where(rng.random(n) > 0.05),
            "platform": some,
            "tier": pd.Categorical(rng.choice(["t2", "t1", "t10"], n), categories=["t2", "t1", "t10"]),
            "room": pd.Series(rng.integers(0, 3, n)).where(rng.random(n) > 0.1).astype("Int64"),
            "amount": rng.random(n) * 100,
        }
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"by": "platform"},
        {"by": "tier"},
        {"by": ["room", "platform"]},
        {"start": Step("big", event="pay", where="amount > 90"), "returns": ["open", "pay"]},
        {"returns": Step("here", where="platform = 'a'"), "by": "room", "kind": "rolling"},
        {"period": "day", "clock": "elapsed", "born_from": "2019-09-20", "by": "platform"},
        {"period": "month", "kind": "bracket", "brackets": [(1, 1), (0, 2)], "observed_until": "2019-10-20"},
    ],
)
def test_the_index_gives_the_tables_of_sql_in_its_order_and_types(options: dict[str, Any]) -> None:
    source = read_events(busy())
    indexed = source.index(keep=source.properties)
    ours, theirs = retention(indexed, **options), retention(source, **options)
    assert (ours.path, theirs.path) == ("index", "sql")
    pd.testing.assert_frame_equal(ours.table, theirs.table)
    assert ours.sentence() == theirs.sentence()
    if options.get("kind") is None:
        pd.testing.assert_frame_equal(ours.d1.table, theirs.d1.table)
    if options.get("clock") is None:
        spans = {"before": ("2019-09-09", "2019-10-08"), "after": ("2019-10-08", "2019-11-04")}
        mix = options["by"] if isinstance(options.get("by"), str) else "age"
        if options.get("period") != "month":
            one, two = (result.split(mix=mix, **spans).table for result in (ours, theirs))
            pd.testing.assert_frame_equal(one, two)


@pytest.mark.parametrize("by", [None, "tier", ["platform", "room"]])
def test_repurchase_from_the_index_is_that_of_sql_under_every_definition(by: Any) -> None:
    source = read_events(busy())
    indexed = source.index(keep=["tier", "platform", "room", "amount"])
    big = Step("big", event="pay", where="amount > 30")
    ours, theirs = (repurchase(one, event=big, by=by) for one in (indexed, source))
    assert (ours.path, theirs.path) == ("index", "sql")
    pd.testing.assert_frame_equal(ours.compare_definitions().table, theirs.compare_definitions().table)
    pd.testing.assert_frame_equal(ours.waits.table, theirs.waits.table)


@pytest.mark.parametrize("by", [None, "tier", ["platform", "room"]])
@pytest.mark.parametrize("event", [None, Step("big", event="pay", where="amount > 30")])
def test_activity_from_the_index_is_that_of_sql(by: Any, event: Any) -> None:
    source = read_events(busy())
    indexed = source.index(keep=["tier", "platform", "room", "amount"])
    ours, theirs = (activity(one, event=event, by=by) for one in (indexed, source))
    assert (ours.path, theirs.path) == ("index", "sql")
    assert ours.sentence() == theirs.sentence()
    for one, two in [(ours, theirs), (ours.opens, theirs.opens), (ours.returns, theirs.returns)]:
        pd.testing.assert_frame_equal(one.table, two.table)
    pd.testing.assert_frame_equal(ours.growth("week").table, theirs.growth("week").table)


def test_a_log_with_an_index_is_not_read_again() -> None:
    frame = busy()
    indexed = read_events(frame).index(keep=["platform"])
    indexed.engine.table = "gone"
    active, found = activity(indexed, by="platform"), retention(indexed, by="platform")
    for result in (active, active.growth(), active.opens, active.returns):
        assert len(result.table)
    assert found.d1.table["n"].sum() > 0
    split = found.split(
        mix="platform", before=("2019-09-09", "2019-10-07"), after=("2019-10-07", "2019-11-04")
    )
    assert split.part("change")["n"] > 0
    assert repurchase(indexed, by="platform").table["n"].sum() > 0


def test_a_column_that_the_index_does_not_keep_is_read_from_the_source_and_said() -> None:
    indexed = read_events(busy()).index(keep=["platform"])
    for result in (
        retention(indexed, by="room"),
        repurchase(indexed, by="room"),
        activity(indexed, by="room"),
    ):
        assert result.path == "sql"
        assert "the index does not keep room: answered from the frame" in result.sentence()
    with pytest.raises(ValueError, match="path='index' cannot answer this: the index does not keep room"):
        retention(indexed, by="room", path="index")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"by": "platform"}, "without by or dedupe"),
        ({"clock": "elapsed"}, "calendar periods"),
        ({"start": "open"}, "one kind of row"),
        ({"born_from": "2019-09-20", "period": "month"}, "born_from at the start of a period"),
        ({"period": "day"}, "logs of 63 periods at most"),
    ],
)
def test_one_pass_says_what_it_does_not_offer(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=f"path='stream' cannot answer this: it offers .*{reason}"):
        retention(read_events(busy()), path="stream", **options)
    assert retention(read_events(busy()), **options).path == "sql"


def test_where_a_clock_goes_back_over_midnight_a_cohort_is_that_of_the_first_row() -> None:
    # At St. John's 00:01 of 7 November 2010 was followed by 23:01 of the 6th.
    times = ["2010-11-05T12:00Z", "2010-11-07T02:30Z", "2010-11-07T02:40Z", "2010-11-08T12:00Z"]
    frame = pd.DataFrame({"user_id": [9, 1, 1, 9], "timestamp": pd.to_datetime(times), "event": "open"})
    source = read_events(frame, timezone="America/St_Johns")
    for one, path in ((source, "sql"), (source.index(), "index")):
        table = retention(one, period="day", path=path).table
        assert table["cohort"].dt.day.unique().tolist() == [5, 7]
        assert table[table["retained"] > 0]["age"].tolist() == [0, 3, 0]
    with pytest.raises(ValueError, match="clocks that do not go back over midnight"):
        retention(source, period="day", path="stream")


def test_one_pass_offers_users_that_are_whole_numbers() -> None:
    named = busy().assign(user_id=lambda rows: "u" + rows["user_id"].astype(str))
    with pytest.raises(ValueError, match="users that are whole numbers; 'user_id' is VARCHAR"):
        retention(read_events(named), path="stream")


@pytest.mark.parametrize(
    "options",
    [
        {"born_from": "2019-09-16"},
        {"born_from": "2019-08-01", "observed_until": "2019-10-20 07:30"},
        {"kind": "rolling", "period": "month"},
        {"kind": "bracket", "brackets": [(0, 0), (2, 80), (100, 200)], "week_start": 3},
        {"start": ["open", "pay"], "returns": ["open", "pay"], "periods": 200},
        {"start": (big := Step("big", where="amount > 95")), "returns": big},
    ],
)
@pytest.mark.parametrize("batch", [1 << 19, 7])
def test_one_pass_gives_the_tables_of_sql(
    options: dict[str, Any], batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of small batches the users outgrow their first table.
    monkeypatch.setattr(stream, "BATCH", batch)
    monkeypatch.setattr(stream, "PER_PLACE", 1 << 30)
    source = read_events(busy().assign(user_id=np.arange(4000) * 48_271 % 3001 - 1500))
    ours, theirs = retention(source, path="stream", **options), retention(source, **options)
    assert (ours.path, theirs.path) == ("stream", "sql")
    pd.testing.assert_frame_equal(ours.table, theirs.table)
    assert ours.sentence() == theirs.sentence()


def test_a_large_log_is_answered_by_one_pass_where_no_index_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.cohorts.question.STREAM_ROWS", 4000)
    source = read_events(busy())
    assert retention(source).path == "stream"
    assert retention(source.index()).path == "index"
    assert retention(read_events(busy(3999))).path == "sql"
    assert repurchase(source).path == "sql"
    # Days are more than one pass tells apart, so that SQL answers a part of the same result.
    pd.testing.assert_frame_equal(retention(source).d1.table, retention(source, path="sql").d1.table)


@pytest.mark.parametrize("question", [retention, repurchase, activity])
def test_a_path_that_is_not_there_is_refused(question: Any) -> None:
    with pytest.raises(ValueError, match="path='asof'; use one of 'auto', 'sql', "):
        question(read_events(busy()), path="asof")
    with pytest.raises(ValueError, match=r"the log has no index; make one with log.index\(keep="):
        question(read_events(busy()), path="index")
    assert question(read_events(busy()).index(), path="sql").path == "sql"


def test_more_groups_than_the_index_counts_are_left_to_sql() -> None:
    frame = busy().assign(session=np.arange(4000) * 7919 % 4001, second=np.arange(4000))
    indexed = read_events(frame).index(keep=["session", "second"])
    result = retention(indexed, by=["session", "second"])
    assert result.path == "sql"
    assert "more than the index counts" in result.sentence()


def test_an_index_of_no_rows_has_no_user() -> None:
    empty = read_events(busy().head(0)).index()
    assert "No user" in retention(empty, observed_until="2019-11-11", path="index").sentence()
