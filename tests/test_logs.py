"""Logs: every source and every form of time opens, and what cannot be read says why."""

import datetime as dt
import gzip

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from toolkit import funnel, read_events
from toolkit.logs import summary as summaries

ROWS = pd.DataFrame(
    {
        "user_id": ["a", "a", "b"],
        "timestamp": ["2019-11-11T20:00:00Z", "2019-11-11T20:05:00Z", "2019-11-11T21:00:00Z"],
        "event": ["enter", "pay", "enter"],
        "amount": [None, 12.5, None],
    }
)
EIGHT_IN_THE_EVENING = int(pd.Timestamp("2019-11-11T20:00:00Z").value // 1000)


def sources(tmp_path):
    ROWS.to_parquet(tmp_path / "log.parquet")
    ROWS.to_csv(tmp_path / "log.csv", index=False)
    with gzip.open(tmp_path / "log.csv.gz", "wt") as file:
        file.write(ROWS.to_csv(index=False))
    connection = duckdb.connect()
    connection.register("rows", ROWS)
    connection.execute('CREATE TABLE "my ""log""" AS SELECT * FROM rows')
    return {
        "parquet": (str(tmp_path / "log.parquet"), None),
        "glob": (str(tmp_path / "*.parquet"), None),
        "csv": (tmp_path / "log.csv", None),
        "gzip": (tmp_path / "log.csv.gz", None),
        "pandas": (ROWS, None),
        "polars": (pl.from_pandas(ROWS), None),
        "arrow": (pa.Table.from_pandas(ROWS), None),
        "relation": (connection.sql("SELECT * FROM rows"), None),
        "table": ('"my ""log"""', connection),
    }


@pytest.mark.parametrize(
    "kind", ["parquet", "glob", "csv", "gzip", "pandas", "polars", "arrow", "relation", "table"]
)
def test_every_source_gives_the_same_log(tmp_path, kind):
    source, connection = sources(tmp_path)[kind]
    log = read_events(source, connection=connection)
    assert log.events == {"enter": 2, "pay": 1}
    assert log.facts.first == EIGHT_IN_THE_EVENING
    assert funnel(log, ["enter", "pay"], within="1d").table["reached"].tolist() == [2, 1]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (["2019-11-12 04:00:00", "2019-11-12 04:05"], "text"),
        (["2019-11-11T20:00:00Z", "2019-11-11 20:05:00+00"], "text"),
        (["2019-11-11 20:00:00 UTC", "2019-11-12 04:05:00+08:00"], "text"),
        (["2019/11/12 04:00", "2019/11/12 04:05:00"], "text"),
        ([1573502400, 1573502700], "Unix time in s"),
        ([1573502400000, 1573502700000], "Unix time in ms"),
        ([1573502400000000, 1573502700000000], "Unix time in us"),
        ([1573502400000000000, 1573502700000000000], "Unix time in ns"),
        ([1573502400.0, 1573502700.0], "Unix time in s"),
        (["1573502400", "1573502700"], "Unix time in s"),
        (pd.to_datetime(["2019-11-12 04:00", "2019-11-12 04:05"]), "without a zone"),
        (pd.to_datetime(["2019-11-11 20:00", "2019-11-11 20:05"], utc=True), "with a zone"),
        (pd.to_datetime(["2019-11-12 04:00", "2019-11-12 04:05"]).astype("datetime64[ns]"), "without a zone"),
    ],
)
def test_one_moment_is_one_moment_however_it_is_written(written, said):
    log = read_events(pd.DataFrame({"user_id": [1, 1], "event": ["enter", "pay"], "timestamp": written}))
    assert (log.facts.first, log.facts.last) == (EIGHT_IN_THE_EVENING, EIGHT_IN_THE_EVENING + 300_000_000)
    assert said in log.clock.said
    assert said in repr(log)


def test_a_local_time_follows_its_zone_through_a_change_of_clocks():
    times = pd.to_datetime(["2021-03-14 01:30", "2021-03-14 03:30"])  # an hour apart in New York
    rows = pd.DataFrame({"user_id": [1, 1], "event": ["enter", "pay"], "timestamp": times})
    log = read_events(rows, timezone="America/New_York")
    assert log.facts.last - log.facts.first == 3_600_000_000
    assert funnel(log, ["enter", "pay"], within="1h").table["reached"].tolist() == [1, 1]
    text = read_events(rows.assign(timestamp=times.astype(str)), timezone="America/New_York")
    assert text.facts == log.facts


def test_the_last_day_of_a_log_may_be_that_of_a_change_of_clocks():
    times = pd.to_datetime(["2021-03-10 12:00", "2021-03-14 01:30", "2021-03-14 03:30"])
    rows = pd.DataFrame({"user_id": [2, 1, 1], "event": ["enter", "enter", "pay"], "timestamp": times})
    log = read_events(rows, timezone="America/New_York")
    assert funnel(log, ["enter", "pay"], within="1h").table["reached"].tolist() == [2, 1]


def test_a_unit_can_be_named_where_magnitude_would_mislead():
    rows = pd.DataFrame({"user_id": [1], "event": ["enter"], "timestamp": [86_400]})
    with pytest.raises(ValueError, match="time_unit="):
        read_events(rows)
    assert read_events(rows, time_unit="s").facts.first == 86_400_000_000


def test_ids_of_a_csv_stay_text(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("user_id,timestamp,event\n00123,2019-11-11 20:00,enter\n123,2019-11-11 20:05,pay\n")
    log = read_events(path)
    assert funnel(log, ["enter", "pay"], within="1d").table["reached"].tolist() == [1, 0]


def test_a_csv_without_header_takes_names(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("1,x,pv,1511550516\n1,x,buy,1511550600\n")
    log = read_events(path, user="who", time="when", event="what", names=["who", "item", "what", "when"])
    assert log.events == {"buy": 1, "pv": 1}
    assert log.properties == ["item"]


def test_a_gbk_file_says_so_and_opens_with_its_encoding(tmp_path):
    path = tmp_path / "log.csv"
    text = "user_id,timestamp,event,城市\n" + "甲,2019-11-11 20:00,进入,杭州\n" * 3
    path.write_bytes(text.encode("gb18030"))
    with pytest.raises(ValueError, match="encoding='gb18030'"):
        _ = read_events(path).events
    assert read_events(path, encoding="gb18030").events == {"进入": 3}
    with pytest.raises(ValueError, match="cannot be read with encoding='ascii'"):
        read_events(path, encoding="ascii")


def test_a_missing_column_names_the_nearest(tmp_path):
    with pytest.raises(
        ValueError, match=r"no time column 'timestmp' in the frame \(did you mean 'timestamp'\?\)"
    ):
        read_events(ROWS, time="timestmp")


def test_a_log_says_which_columns_it_reads_and_how():
    assert repr(read_events(ROWS)).startswith(
        "EventLog: the frame (user user_id, event event, time timestamp: t"
    )


def test_a_file_without_a_header_row_is_recognised(tmp_path):
    path = tmp_path / "log.csv"
    ROWS.to_csv(path, index=False, header=False)
    with pytest.raises(ValueError, match="A file without a header row\\? Name its columns: names="):
        read_events(path)
    assert read_events(path, names=list(ROWS.columns)).events == {"enter": 2, "pay": 1}
    with pytest.raises(ValueError, match="log.csv has 4 columns, and names= has 6"):
        read_events(path, names=["user_id", "timestamp", "event", "amount", "x", "y"])


def test_an_empty_file_and_a_file_of_a_header_alone_are_told_apart(tmp_path):
    (tmp_path / "nothing.csv").write_text("")
    with pytest.raises(ValueError, match="nothing.csv is empty: it has not even a header row"):
        read_events(tmp_path / "nothing.csv")
    (tmp_path / "header.csv").write_text("user_id,timestamp,event\n")
    log = read_events(tmp_path / "header.csv")
    assert log.summary().problems["name"].tolist() == ["no rows"]
    with pytest.raises(ValueError, match="is empty: it has no row with a user and a time"):
        funnel(log, ["enter", "pay"], within="1d")


def test_a_time_column_that_holds_nothing_says_so():
    with pytest.raises(ValueError, match="column 'timestamp' of the frame holds no time: every row is empty"):
        read_events(ROWS.assign(timestamp=None))


def test_an_index_keeps_one_property_by_its_name():
    assert read_events(ROWS).index(keep="amount").memory.kept == ("event", "amount")


def test_unreadable_times_are_counted_and_shown():
    rows = pd.DataFrame(
        {
            "user_id": range(5),
            "event": "enter",
            "timestamp": ["2019-11-11", "soon", "never", "11 Nov", "2019-13-01"],
        }
    )
    with pytest.raises(ValueError, match="4 values of 'timestamp' .* 'soon', 'never', '11 Nov'"):
        _ = read_events(rows).facts


def test_a_column_that_is_no_time_is_refused():
    with pytest.raises(ValueError, match="BOOLEAN, not a time"):
        read_events(ROWS.assign(timestamp=True))


@pytest.mark.parametrize("harm", ["truncated", "corrupt", "text"])
def test_a_harmed_parquet_file_is_named(tmp_path, harm):
    path = tmp_path / "log.parquet"
    pq.write_table(pa.Table.from_pandas(ROWS), path)
    whole = path.read_bytes()
    harmed = {
        "truncated": whole[:-30],
        "corrupt": whole[:4] + b"\xff" * 80 + whole[84:],
        "text": b"user_id,event\n",
    }
    path.write_bytes(harmed[harm])
    with pytest.raises(ValueError, match="log.parquet"):
        funnel(read_events(path), ["enter", "pay"], within="1d")


def test_a_source_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.parquet"):
        read_events(tmp_path / "nothing.parquet")
    for name in ("nothing.parquet", "nothing.csv"):
        with pytest.raises(FileNotFoundError, match=f"^no file matches {name}$"):
            read_events(name)
    with pytest.raises(ValueError, match="is a folder"):
        read_events(tmp_path)
    with pytest.raises(ValueError, match="neither Parquet"):
        read_events("log.dat")
    with pytest.raises(ValueError, match=r"an Excel workbook: give pandas\.read_excel"):
        read_events("log.xlsx")
    with pytest.raises(TypeError, match="cannot read events from int"):
        read_events(7)
    with pytest.raises(ValueError, match="no table 'logs' in the connection"):
        read_events("logs", connection=duckdb.connect())
    with pytest.raises(ValueError, match="unknown timezone 'Shanghai'"):
        read_events(ROWS, timezone="Shanghai")


def test_the_summary_tells_what_is_wrong():
    days = pd.date_range("2019-11-01", periods=5, freq="D", tz="Asia/Shanghai")
    rows = pd.DataFrame({"user_id": 1, "event": "enter", "timestamp": days.repeat(200)})
    stray = pd.DataFrame(
        {
            "user_id": [1, None, 2, 3],
            "event": ["enter", "enter", None, "enter"],
            "timestamp": [
                pd.Timestamp("2019-09-01", tz="Asia/Shanghai"),
                days[0],
                days[1],
                pd.Timestamp.now("Asia/Shanghai") + pd.Timedelta("400D"),
            ],
        }
    )
    summary = read_events(pd.concat([rows, stray])).summary(duplicates=True)
    problems = summary.problems.set_index("name")["value"].to_dict()
    assert problems == {
        "rows without a user": 1,
        "rows without an event": 1,
        "rows outside the main span": 2,
        "rows in the future": 1,
        "exact duplicate rows": 995,
    }
    assert "2019-11-01 to 2019-11-05" in summary.problems["note"].str.cat()
    assert not summary.days.set_index("day")["main"].all()


WIDE = pd.DataFrame(
    {
        "user_id": range(12),
        "timestamp": "2019-11-11 20:00",
        "event": [f"e{i % 7}" for i in range(12)],
        "platform": ["douyin"] * 6 + ["kuaishou"] * 3 + ["missing"] * 2 + [None],
        "order_id": range(12),
        **{f"property {i}": i for i in range(20)},
    }
)


def test_the_summary_has_ten_lines_however_many_columns_a_log_has():
    summary = read_events(WIDE).summary()
    assert len(summary.lines) == 10
    assert str(summary).count("\n") == 9
    found = summary.lines.set_index("about")["found"]
    assert found["rows"] == "12 rows of 12 users"
    assert found["events"] == "e0 2, e1 2, e2 2, e3 2, e4 2 and 2 more"
    assert found["platform"] == "douyin 6, kuaishou 3, missing 2; 1 row without a value"
    assert found["distinct"].startswith("property 2 1, property 3 1")
    assert found["distinct"].endswith("property 13 1 and 6 more")
    assert found["problems"] == "none found"
    assert summary._repr_html_().count("<tr>") == 11


def test_the_most_frequent_values_are_counted_and_a_null_is_none_of_them():
    table = read_events(WIDE).summary().table
    values = table[(table["what"] == "value") & (table["name"] == "platform")]
    assert values[["note", "value"]].values.tolist() == [["douyin", 6], ["kuaishou", 3], ["missing", 2]]
    kept = table[(table["what"] == "value") & (table["name"] == "order_id")]
    assert kept["note"].tolist() == ["0", "1", "10", "11", "2"]


def test_values_of_a_property_with_very_many_are_not_listed(monkeypatch):
    monkeypatch.setattr(summaries, "MOST_VALUES", 4)
    summary = read_events(WIDE[["user_id", "timestamp", "event", "order_id"]]).summary()
    table = summary.table.set_index(["what", "name"])
    assert ("value", "order_id") not in table.index
    assert table.loc[("property", "order_id"), "value"] == 12
    assert summary.lines.set_index("about")["found"]["order_id"] == "12 distinct values"


def test_two_units_in_one_column_are_found():
    rows = pd.DataFrame({"user_id": 1, "event": "enter", "timestamp": [1573502400] * 9 + [1573502400000]})
    problems = read_events(rows).summary().problems.set_index("name")["value"]
    assert problems["rows in another time unit"] == 1


def test_opening_a_log_reads_none_of_its_rows(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(
        "user_id,timestamp,event\n" + "1,2019-11-11 20:00,enter\n" * 30_000 + "1,bad time,enter\n"
    )
    log = read_events(path)
    with pytest.raises(ValueError, match="'bad time'"):
        log.summary()


def test_names_out_of_data_are_text():
    nasty = "Robert'); DROP TABLE logs;--\n<script>alert('火')</script> 🛒 \"q\""
    rows = pd.DataFrame(
        {
            nasty: [nasty, nasty, "b"],
            "t\"'; --": ["2019-11-11 20:00", "2019-11-11 20:05", "2019-11-11 20:00"],
            "e<b>": [nasty, "pay", nasty],
            "g\n": [nasty, nasty, None],
        }
    )
    log = read_events(rows, user=nasty, time="t\"'; --", event="e<b>")
    answer = funnel(log, [nasty, "pay"], within="1d", by="g\n")
    assert answer.table["reached"].tolist() == [1, 1, 1, 0]
    assert answer.users().df()[nasty].tolist().count(nasty) == 1
    for html in (answer._repr_html_(), log.summary()._repr_html_()):
        assert "<script>" not in html
        assert "&lt;script&gt;" in html


def test_a_log_of_a_users_connection_leaves_the_connection_usable():
    connection = duckdb.connect()
    connection.register("rows", ROWS)
    first = read_events("rows", connection=connection)
    second = read_events(connection.sql("SELECT * FROM rows WHERE user_id = 'a'"))
    users = funnel(first, ["enter", "pay"], within="1d").users()
    assert funnel(second, ["enter", "pay"], within="1d").table["reached"].tolist() == [1, 1]
    assert len(users.df()) == 2
    assert connection.execute("SELECT count(*) FROM rows").fetchone() == (3,)


def test_a_date_column_is_midnight_of_the_logs_zone():
    rows = pd.DataFrame({"user_id": [1], "event": ["enter"], "timestamp": [dt.date(2019, 11, 11)]})
    assert read_events(rows).facts.first == pd.Timestamp("2019-11-11", tz="Asia/Shanghai").value // 1000
