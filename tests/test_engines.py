"""Logs that stay on a server: Sail, ClickHouse (in this process, no server was run) and PostgreSQL answer as here."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings

from tests import engines
from tests.cases.random_logs import EVENTS
from tests.golden import Case, Skipped, check, read
from tests.oracle import answer
from tests.test_paths_agree import TYPES, logs, questions, steady
from toolkit import Step, activity, compare, funnel, read_events, repurchase, retention, what_changed
from toolkit.logs.servers import connections

OWN = Path(__file__).parent / "cases"
SHARED = Path(__file__).parents[2] / "shared" / "reference"
CLOCKS = ("spring_days", "autumn_days", "midnight_that_is_not", "months")
CASES = [
    pytest.param(case, id=f"{folder.name}-{case.name}")
    for folder in (OWN / "hand", OWN / "cohorts", SHARED / "funnel", SHARED / "cohort")
    if folder.exists()
    for case in read(folder)
    # Of the many cohorts, those in which a clock is changed.
    if folder != OWN / "cohorts" or case.name in CLOCKS
]
#: Spark itself takes half a minute to start and seconds for each small query: `tests.golden --engine spark`.
NAMES = ("sail", "clickhouse", "postgres")
CONSOLE = {"a": 1, "b": 2}
SEEN = ["enter", "click", "pay"]


@pytest.fixture(scope="module", params=NAMES)
def engine(request: pytest.FixtureRequest) -> str:
    if reason := engines.absent(request.param):
        pytest.skip(reason)
    return request.param


def visits(rows: int = 400, users: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    start = pd.Timestamp("2024-06-01", tz="UTC").value // 1000
    return pd.DataFrame(
        {
            "user_id": rng.integers(1, users, rows),
            "timestamp": pd.to_datetime(
                start + np.sort(rng.integers(0, 20 * 86_400_000_000, rows)), unit="us", utc=True
            ),
            "event": rng.choice(SEEN, rows, p=[0.5, 0.3, 0.2]),
            "platform": rng.choice(["douyin", "kuaishou"], rows),
            "tier": rng.choice(["one", "two", "three"], rows),
            "amount": rng.integers(1, 200, rows).astype(float),
        }
    )


@pytest.fixture(scope="module")
def here():
    return read_events(visits())


@pytest.fixture(scope="module")
def there(engine):
    return engines.log(engine, visits())


@pytest.mark.parametrize("case", CASES)
def test_an_engine_gives_the_golden_answer(engine, case):
    if engine == "postgres" and case.params.get("times") == "text":
        return  # refused with what to write, as another test asks
    path = "windows" if case.kind == "funnel" else "sql"
    log = case.log(engine) if case.kind == "funnel" else None
    try:
        assert not check(case, path, log, engine)
    except Skipped as reason:
        # What the path does not offer here, it does not offer there: the engine has no say in it.
        with pytest.raises(Skipped, match=re.escape(str(reason))):
            check(case, path)


ASKED = {
    "in order": lambda log: funnel(log, SEEN, within="1d", by="platform").table,
    "in any order": lambda log: funnel(log, SEEN, within="1d", mode="any").table,
    "strict": lambda log: funnel(log, SEEN[:2], within="1d", mode="strict").table,
    "pairs": lambda log: funnel(log, SEEN, within="2d", hold="platform", count="pairs", by="platform").table,
    "entries": lambda log: funnel(log, SEEN, within="1d", count="entries").table,
    "excluded": lambda log: funnel(log, ["enter", "pay"], within="3d", exclude=[Step("click")]).table,
    "a condition": lambda log: (
        funnel(log, ["enter", Step("big", event="pay", where="amount > 100")], within="3d").table
    ),
    "by day": lambda log: funnel(log, SEEN, within="1d", period="day").table,
    "times": lambda log: funnel(log, SEEN, within="3d").times.table,
    "retention": lambda log: retention(log, period="day", periods=5).table,
    "repurchase": lambda log: repurchase(log, event="pay").table,
    "activity": lambda log: activity(log).table,
    "tiers": lambda log: (
        compare(funnel(log, SEEN, within="3d", by=["platform", "tier"]), tier="tier", movers="first").table
    ),
    "what changed": lambda log: (
        what_changed(log, ["enter", "pay"], at="2024-06-11", within="1d", by="platform").table
    ),
}


@pytest.mark.parametrize("question", ASKED)
def test_every_question_has_the_same_answer_there(here, there, question):
    ours, theirs = (ASKED[question](log) for log in (here, there))
    pd.testing.assert_frame_equal(theirs, ours, check_dtype=False, check_categorical=False)


CONDITIONS = [
    "platform LIKE 'd%'",
    "platform IN ('douyin', 'elsewhere') AND NOT tier = 'one'",
    "amount BETWEEN 50 AND 100",
    "user_id % 7 = 3",
    "amount / 2 > 49.5",
    "CAST(amount AS BIGINT) % 2 = 0",
    "user_id // 7 = 3 OR -user_id // 7 = -2",
    "amount IS NULL OR coalesce(amount, 0) < 20",
    "CASE WHEN tier = 'one' THEN amount > 100 ELSE amount > 150 END",
    "lower(upper(platform)) = 'douyin'",
    "length(concat(platform, '小红书')) = 9",
    "platform || '-' || tier = 'douyin-two'",
    "regexp_matches(platform, '^k.*u$')",
    "abs(amount - 100) < 10 AND floor(amount / 10) = 10",
    "timestamp >= TIMESTAMPTZ '2024-06-11 00:00:00+00'",
    "TRY_CAST(tier AS DOUBLE) IS NULL",
]


@pytest.mark.parametrize("where", CONDITIONS)
def test_a_condition_means_the_same_there(here, there, where):
    steps = ["enter", Step("chosen", event="pay", where=where)]
    ours = funnel(here, steps, within=None).table["reached"].tolist()
    assert ours[-1] > 0
    if "TRY_CAST" in where and not there.engine.tries:
        with pytest.raises(ValueError, match="CAST.tier AS DOUBLE. is its number"):
            funnel(there, steps, within=None)
        return
    assert funnel(there, steps, within=None).table["reached"].tolist() == ours


def test_a_condition_that_engines_read_otherwise_is_refused_there(here, there):
    # DuckDB keeps the fraction of 15.0 // 7, others do not.
    for where in ("amount // 7 > 2", "user_id // 1.5 > 2"):
        steps = ["enter", Step("chosen", event="pay", where=where)]
        funnel(here, steps, within=None)
        with pytest.raises(ValueError, match=r"step 'chosen'.*floor\(\)"):
            funnel(there, steps, within=None)


def test_a_condition_that_fails_there_is_said_and_leaves_nothing_to_the_next_question(there):
    for where in ("platform > 1", "amount > 'much'"):
        with pytest.raises(ValueError, match="step 'big'|Spark cannot answer|ClickHouse cannot answer"):
            funnel(there, ["enter", Step("big", event="pay", where=where)], within="1d")
        # In process, ClickHouse puts what a failed query had written before the next answer.
        assert there.engine.rows("SELECT 1 AS one") == [(1,)]


def test_a_summary_says_the_same_of_rows_and_users(here, there):
    ours, theirs = (str(log.summary()) for log in (here, there))
    assert "400" in theirs
    assert [line for line in ours.splitlines() if "user" in line][:1] == [
        line for line in theirs.splitlines() if "user" in line
    ][:1]


def test_the_query_runs_where_it_is_pasted(there):
    found = funnel(there, SEEN, within="1d", by="platform")
    answered = there.engine._answered(there.engine.fetched, found.sql()).to_pandas()
    assert sorted(answered["reached_1"]) == sorted(found.step_counts.reached[:, 0])
    for result in (
        retention(there, period="day", periods=5),
        repurchase(there, event="pay"),
        activity(there),
    ):
        for text in result.sql().split(";\n"):
            assert there.engine._answered(there.engine.fetched, text).num_rows


RESULTS = {
    "funnel": lambda log: funnel(log, SEEN, within="1d", by="platform"),
    "entries": lambda log: funnel(log, SEEN, within="1d", count="entries"),
    "by day": lambda log: funnel(log, SEEN, within="1d", period="day"),
    "retention": lambda log: retention(log, period="day", periods=5),
    "repurchase": lambda log: repurchase(log, event="pay"),
    "activity": lambda log: activity(log, by="tier"),
}


@pytest.mark.parametrize("question", RESULTS)
def test_a_log_that_is_here_gives_the_query_that_a_log_there_is_asked(engine, question):
    placed = engines.put(engine, visits())
    there = read_events(placed.pop("source"), **placed)
    written = RESULTS[question](read_events(visits())).sql(
        there.engine.dialect, table=there.engine.table.strip('"')
    )
    assert written == RESULTS[question](there).sql()


@pytest.mark.parametrize("name", ["events of June", 'a"b', "a`b"])
def test_a_query_for_a_server_runs_when_it_is_pasted_there(engine, name):
    placed = engines.put(engine, visits(), None if engine == "sail" else name)
    if engine == "sail":
        placed["source"].createOrReplaceTempView(name)
    server = read_events(**placed).engine
    found = RESULTS["funnel"](read_events(visits()))
    answer = server.fetched(found.sql(server.dialect, table=name)).to_pandas()
    counts = {row["l0"]: [int(row[f"reached_{step}"]) for step in (1, 2, 3)] for _, row in answer.iterrows()}
    reached = found.table.groupby("platform", sort=False)["reached"]
    assert counts == {group: steps.tolist() for group, steps in reached}


def test_a_query_names_the_catalog_and_the_schema_of_its_table():
    found = funnel(read_events(visits()), SEEN, within="1d")
    assert "FROM `lake`.`shop`.`events`" in found.sql("spark", table="lake.shop.events")
    assert 'FROM "shop"."events"' in found.sql(table="shop.events")


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"dialect": "oracle", "table": "events"}, ValueError, "dialect='oracle'; use one of 'duckdb'"),
        ({"dialect": "postgres"}, ValueError, "not known to PostgreSQL.*table='live_events'"),
        ({"dialect": "spark", "table": 3}, TypeError, "table=3; write a table's name"),
        ({"dialect": "spark", "table": "shop..events"}, ValueError, "table='shop..events' is no name"),
    ],
)
def test_a_query_for_a_server_that_cannot_be_meant_says_so(options, error, said):
    found = funnel(read_events(visits()), SEEN, within="1d")
    with pytest.raises(error, match=said):
        found.sql(**options)


def test_what_a_server_could_not_be_asked_is_not_written_for_it():
    frame = visits()
    texts = frame.assign(timestamp=frame["timestamp"].dt.strftime("%Y-%m-%d %H:%M:%S"))
    digits = frame.assign(timestamp=frame["timestamp"].dt.strftime("%Y%m%d%H%M%S"))
    number = Step("big", event="pay", where="TRY_CAST(tier AS DOUBLE) > 1")
    for log, step, dialect, said in (
        (texts, "pay", "postgres", "PostgreSQL is not asked to read.*to_timestamp"),
        (digits, "pay", "spark", "Spark is not asked to read.*to_timestamp"),
        (frame, number, "postgres", "PostgreSQL cannot be asked this: it has no TRY_CAST"),
    ):
        with pytest.raises(ValueError, match=said):
            funnel(read_events(log), ["enter", step], within="1d").sql(dialect, table="events")


def test_the_query_of_files_runs_here(tmp_path):
    import duckdb

    file = tmp_path / "log.parquet"
    visits().to_parquet(file)
    found = funnel(read_events(file), SEEN, within="1d")
    duckdb.sql("SET TimeZone = 'Asia/Shanghai'")
    assert duckdb.sql(found.sql()).df()["reached_3"].tolist() == [found.table["reached"].iloc[-1]]


def test_the_last_microsecond_of_a_day_is_of_that_day(engine):
    days = pd.date_range("2024-06-01", periods=40, tz="Asia/Shanghai")
    last = days + pd.Timedelta("1D") - pd.Timedelta("1us")
    frame = pd.DataFrame({"user_id": range(40), "timestamp": last.tz_convert("UTC"), "event": "enter"})
    theirs, ours = (activity(log).table for log in (engines.log(engine, frame), read_events(frame)))
    pd.testing.assert_frame_equal(theirs, ours, check_dtype=False)
    assert theirs["dau"].eq(1).all()


HOSTILE = ['a"b', "a`b", "a\\b", "a'b; DROP TABLE x --", "小红书"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_text_as_columns_values_and_tables(engine, name):
    frame = visits(100).rename(columns={"platform": name})
    frame["event"] = frame["event"].where(frame["event"] != "click", name)
    rows = frame.assign(arrived=range(len(frame)))
    table = None if engine == "sail" else f"t {name}"
    placed = engines.put(engine, rows, table)
    log = read_events(placed.pop("source"), **placed, arrival="arrived")
    asked = {"steps": ["enter", name], "within": "3d", "by": name}
    pd.testing.assert_frame_equal(
        funnel(log, **asked).table, funnel(read_events(frame), **asked).table, check_dtype=False
    )


@pytest.mark.parametrize("unit", ["s", "ms"])
def test_unix_numbers_are_times_there_too(engine, unit):
    frame = visits()
    whole = frame["timestamp"].dt.floor("s")
    numbers = frame.assign(timestamp=whole.astype("int64") // (1_000_000 if unit == "s" else 1000))
    asked = {"steps": SEEN, "within": "1d"}
    table = funnel(engines.log(engine, numbers), **asked).table
    pd.testing.assert_frame_equal(table, funnel(read_events(numbers), **asked).table, check_dtype=False)


def test_texts_are_times_or_refused_with_what_to_write(engine):
    frame = visits()
    texts = frame.assign(timestamp=frame["timestamp"].dt.strftime("%Y-%m-%d %H:%M:%S"))
    if engine == "postgres":
        with pytest.raises(ValueError, match="to_timestamp"):
            engines.log(engine, texts)
        return
    asked = {"steps": SEEN, "within": "1d"}
    table = funnel(engines.log(engine, texts), **asked).table
    pd.testing.assert_frame_equal(table, funnel(read_events(texts), **asked).table, check_dtype=False)


def test_what_a_server_cannot_be_asked_says_why(there, engine):
    for path in ("asof", "stream", "index"):
        with pytest.raises(ValueError, match=f"path='{path}'"):
            funnel(there, SEEN, within="1d", path=path)
    with pytest.raises(ValueError, match="limit=400"):
        there.index()
    asked = {"steps": SEEN, "within": "1d"}
    indexed = there.index(limit=1000)
    pd.testing.assert_frame_equal(
        funnel(indexed, **asked).table, funnel(there, **asked).table, check_dtype=False
    )
    with pytest.raises(ValueError, match="above limit=10"):
        there.index(limit=10)
    with pytest.raises(TypeError, match="limit='many'"):
        there.index(limit="many")


def test_ties_without_an_arrival_are_said(engine):
    placed = engines.put(engine, visits(50))
    log = read_events(placed.pop("source"), **placed)
    assert "rows of one moment" in funnel(log, SEEN, within="1d", by="platform").sentence()


def test_a_table_or_column_that_is_not_there_is_named_with_the_nearest(engine):
    if engine == "sail":
        session = engines.spark(engine)
        with pytest.raises(ValueError, match="no_such_events"):
            read_events("no_such_events", connection=session)
        return
    connection = {"clickhouse": engines.clickhouse, "postgres": engines.postgres}[engine]()
    placed = engines.put(engine, visits(20), "orders_of_june")
    assert placed["connection"] is connection
    with pytest.raises(ValueError, match="did you mean 'orders_of_june'"):
        read_events("order_of_june", connection=connection)
    with pytest.raises(ValueError, match="arrival column"):
        read_events("orders_of_june", connection=connection, arrival="arivd")


def test_a_connection_of_an_unknown_kind_says_which_are_known():
    with pytest.raises(TypeError, match=r"Spark or Sail.*ClickHouse.*PostgreSQL"):
        read_events("live_events", connection=CONSOLE)


def test_a_closed_connection_says_so():
    if reason := engines.absent("postgres"):
        pytest.skip(reason)
    import adbc_driver_postgresql.dbapi as driver

    engines.put("postgres", visits(20), "closed_events")
    uri = f"postgresql://postgres@127.0.0.1:{engines.port_of_postgres()}/postgres"
    connection = driver.connect(uri)
    log = read_events("closed_events", connection=connection)
    connection.close()
    with pytest.raises(ValueError, match="closed"):
        funnel(log, SEEN, within="1d")


def test_a_session_of_spark_that_is_stopped_says_so():
    if reason := engines.absent("sail"):
        pytest.skip(reason)
    session = engines.session(engines.port_of_spark("sail"))
    frame = session.createDataFrame(pa.Table.from_pandas(visits(20)))
    log = read_events(frame)
    session.stop()
    for ask in (lambda: funnel(log, SEEN, within="1d"), lambda: read_events(frame)):
        with pytest.raises(ValueError, match="the session of the Spark frame is stopped: make one"):
            ask()


def test_columns_of_dictionaries_are_text_or_said():
    if reason := engines.absent("sail"):
        pytest.skip(reason)
    kept = visits(60).astype({"event": "category", "platform": "category"})
    table = pa.Table.from_pandas(kept)
    assert pa.types.is_dictionary(table.schema.field("event").type)
    log = read_events(engines.spark("sail").createDataFrame(table))
    found = funnel(log, ["enter", "pay"], within="1d", by="platform").table
    assert found["platform"].unique().tolist() == ["douyin", "kuaishou"]


def test_a_package_that_is_not_there_has_its_line(monkeypatch):
    monkeypatch.setattr(connections.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TypeError, match=r"pip install live-commerce-toolkit\[postgres\]"):
        read_events("live_events", connection=CONSOLE)


#: Some with every run, thousands where EXAMPLES says so.
MANY = int(os.environ.get("EXAMPLES", "8"))


@pytest.mark.parametrize("name", NAMES)
@settings(steady, max_examples=MANY)
@given(rows=logs, params=questions())
def test_any_question_of_any_log_is_counted_there_as_by_brute_force(name, rows, params):
    if reason := engines.absent(name):
        pytest.skip(reason)
    case = Case("random", "funnel", params, answer(rows, params), rows, TYPES, list(EVENTS))
    assert not check(case, "windows", engine=name)
