"""Files and tables as analysts hold them: read as what they are, or refused with the place, the value and the fix."""

import datetime as dt
import gzip
import subprocess
import sys
import zipfile

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from toolkit import Step, funnel, read_events, repurchase, retention
from toolkit.logs.duckdb_engine import limit

HEADER = "user_id,timestamp,event\n"
ROWS = "1,2024-06-17 20:00,enter\n1,2024-06-17 20:10,pay\n"
FRAME = pd.DataFrame(
    {"user_id": [1, 1], "timestamp": ["2024-06-17 20:00", "2024-06-17 20:10"], "event": ["enter", "pay"]}
)
STAGES = {
    "created": "create_time",
    "approved": "approve_time",
    "shipped": "ship_time",
    "received": "receive_time",
}


def written(folder, text, name="log.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def reached(log, steps=("enter", "pay"), within="1h", **options):
    return funnel(log, list(steps), within=within, **options).table["reached"].tolist()


def at(*times, **options):
    frame = pd.DataFrame({"user_id": 1, "timestamp": list(times), "event": "enter"})
    return read_events(frame, **options)


def first(log):
    return str(pd.Timestamp(log.facts.first, unit="us", tz="UTC").tz_convert(log.timezone).tz_localize(None))


# Columns of several files


def test_files_with_their_columns_in_another_order_are_read_by_name(tmp_path):
    written(tmp_path, HEADER + ROWS, "a.csv")
    written(tmp_path, "event;note;user_id;timestamp\nenter;x;007;2024-06-18 20:00\n", "b.csv")
    log = read_events(str(tmp_path / "*.csv"))
    assert log.events == {"enter": 2, "pay": 1}
    users = log.engine.rows(f"SELECT DISTINCT user_id FROM {log.engine.table} ORDER BY 1")
    assert users == [("007",), ("1",)]


def test_research_files_of_unlike_order_are_read_by_name(shared):
    files = str(shared / "reference/inputs/columns_*.csv")
    log = read_events(files, user="uid", time="at", event="act")
    assert reached(log) == [3, 2]
    users = log.engine.rows(f"SELECT DISTINCT uid FROM {log.engine.table} ORDER BY 1")
    assert users == [("11",), ("12",), ("13",)]


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (
            "user_id,timestamp,action\n2,2024-06-18 20:00,pay\n",
            r"no event column 'event' in .*b\.csv; it has",
        ),
        ("", r"b\.csv is empty"),
        (
            "user_id,timestamp,event,event\n1,2024-06-18 20:00,a,b\n",
            r"b\.csv has 2 columns named event, event",
        ),
    ],
)
def test_one_file_of_several_that_is_unlike_the_others_is_named(tmp_path, second, said):
    written(tmp_path, HEADER + ROWS, "a.csv")
    written(tmp_path, second, "b.csv")
    with pytest.raises(ValueError, match=said):
        read_events(str(tmp_path / "*.csv"))


def test_one_parquet_file_of_several_without_a_column_is_named(tmp_path):
    FRAME.to_parquet(tmp_path / "a.parquet")
    FRAME.rename(columns={"event": "action"}).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(ValueError, match=r"no event column 'event' in .*b\.parquet; it has: user_id"):
        read_events(str(tmp_path / "*.parquet"))


@pytest.mark.parametrize("kind", ["csv", "parquet", "gbk"])
def test_a_property_that_one_file_of_several_lacks_is_named(tmp_path, kind):
    whole = FRAME.assign(shop=["a", "b"])
    for name, frame in (("one", whole), ("two", FRAME.assign(user_id=9))):
        if kind == "parquet":
            frame.to_parquet(tmp_path / f"{name}.parquet")
        else:
            frame.to_csv(tmp_path / f"{name}.csv", index=False)
    options = {"encoding": "gb18030"} if kind == "gbk" else {}
    log = read_events(str(tmp_path / f"*.{'parquet' if kind == 'parquet' else 'csv'}"), **options)
    assert list(log.lacking) == ["shop"]
    line = log.summary().problems.set_index("name").loc["files without shop"]
    assert line["value"] == 1
    assert "two." in line["note"]
    by_shop = funnel(log, ["enter", "pay"], within="1d", by="shop")
    assert "shop is missing from 1 file (" in by_shop.sentence()
    held = Step("pay", event="pay", where="shop = 'a'")
    assert "shop is missing" in funnel(log, ["enter", held], within="1d").sentence()
    assert "shop is missing" not in funnel(log, ["enter", "pay"], within="1d").sentence()


def test_columns_that_all_files_have_or_that_are_made_are_missing_from_none(tmp_path):
    for name in ("a", "b"):
        FRAME.assign(Day="2024-06-17", Time="20:00").to_csv(tmp_path / f"{name}.csv", index=False)
    log = read_events(str(tmp_path / "*.csv"), time=["Day", "Time"])
    assert "Day Time" in log.columns
    assert log.lacking == {}


# What a file is


def archive(name):
    def made(path):
        with zipfile.ZipFile(path, "w") as file:
            file.writestr(name, HEADER + ROWS)

    return made


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (archive("log.csv"), "is a zip archive: unpack it first"),
        (archive("xl/workbook.xml"), r"is an Excel workbook: give pandas\.read_excel"),
        (lambda path: path.write_bytes(b"PAR1 and so on"), "is Parquet: name it .parquet"),
        (lambda path: path.write_text(HEADER + ROWS, "utf-16"), "UTF-16 text: pass encoding='utf-16'"),
        (lambda path: path.write_text(HEADER + ROWS, "utf-16-le"), "encoding='utf-16-le'"),
        (lambda path: path.write_text("<!DOCTYPE html>"), "is a web page"),
        (lambda path: path.write_text('{"user_id": 1}'), "is JSON lines"),
        (lambda path: path.write_text((HEADER + ROWS).replace(",", "^")), "Its delimiter is none of"),
        (
            lambda path: path.write_bytes((HEADER + ROWS).replace("\n", "\r\n").encode() + ROWS.encode()),
            "end in two ways",
        ),
        (lambda path: path.write_text(""), "is empty: it has not even a header row"),
    ],
)
def test_a_file_of_another_kind_says_what_it_is(tmp_path, harm, said):
    path = tmp_path / "log.csv"
    harm(path)
    with pytest.raises(ValueError, match=said):
        read_events(path)


def test_utf16_text_is_read_when_it_is_named(tmp_path):
    path = written(tmp_path, (HEADER + ROWS).encode("utf-16"))
    assert reached(read_events(path, encoding="utf-16")) == [1, 1]


def test_a_compressed_file_is_read_whatever_its_name(tmp_path):
    assert reached(read_events(written(tmp_path, gzip.compress((HEADER + ROWS).encode())))) == [1, 1]


def test_the_research_file_that_is_gzip_is_read(shared):
    assert read_events(shared / "reference/inputs/gzip_named.csv").events == {"enter": 3, "pay": 2}


def test_an_encoding_holds_for_every_file_of_a_glob_or_a_list(tmp_path):
    text = HEADER + "甲,2024-06-17 20:00,进入\n"
    files = [written(tmp_path, text.encode("gb18030"), name) for name in ("a.csv", "b.csv")]
    assert read_events(str(tmp_path / "*.csv"), encoding="gb18030").events == {"进入": 2}
    assert read_events(files, encoding="gb18030").events == {"进入": 2}
    with pytest.raises(FileNotFoundError, match="no file matches"):
        read_events(str(tmp_path / "c*.csv"), encoding="gb18030")


# What stands in its lines


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "数据周期：2024-06-17至2024-06-18,,\n" + HEADER + ROWS,
            "line stands above the header, which is line 2",
        ),
        ("Report\nof,June\n" + HEADER + ROWS, "2 lines stand above the header, which is line 3"),
        (HEADER + ROWS + "2,2024-06-17 20:10,pay,extra\n", "line 4: 4 fields where the header has 3"),
        (HEADER + ROWS + "2,2024-06-17 20:10\n", "line 4: 2 fields where the header has 3"),
        (HEADER + ROWS * 15_000 + "2,2024-06-17,pay,extra\n", "line 30002: 4 fields where the header has 3"),
        (HEADER + ROWS * 15_000 + "2,2024-06-17\n", "line 30002: 2 fields where the header has 3"),
        (HEADER + '1,2024-06-17 20:00,"pay\n' + ROWS * 3, "line 2: a quote is opened and not closed"),
    ],
)
def test_a_line_that_does_not_fit_is_named_and_no_encoding_is_blamed(tmp_path, text, said):
    with pytest.raises(ValueError, match=said) as error:
        _ = read_events(written(tmp_path, text)).events
    assert "log.csv" in str(error.value)
    assert "ncoding" not in str(error.value)


def test_the_research_file_with_a_title_says_how_to_skip_it(shared):
    with pytest.raises(ValueError, match=r"line stands above the header.*skiprows=1") as error:
        read_events(shared / "reference/inputs/title_above_header.csv")
    assert "ncoding" not in str(error.value)


def test_a_byte_of_another_encoding_deep_in_a_file_is_found(tmp_path):
    text = (HEADER + ROWS * 15_000).encode() + "1,2024-06-17 20:00,进入\n".encode("gb18030")
    with pytest.raises(ValueError, match=r"not UTF-8 text \(line 30002\).*encoding='gb18030'"):
        _ = read_events(written(tmp_path, text)).events


def test_a_text_deep_in_a_column_of_numbers_is_named_with_its_line(tmp_path):
    text = (
        "user_id,timestamp,event,amount\n"
        + "1,2024-06-17 20:00,pay,60\n" * 30_000
        + "2,2024-06-17 20:00,pay,N/A\n"
    )
    big = Step("big", event="pay", where="amount > 50")
    with pytest.raises(ValueError, match=r"log\.csv, line 30002: amount is 'N/A'.*na_values=\['N/A'\]"):
        reached(read_events(written(tmp_path, text)), ["pay", big])


def test_the_research_file_of_numbers_then_text_names_its_line(shared):
    big = Step("big", event="pay", where="amount > 50")
    with pytest.raises(
        ValueError, match="line 21002: amount is 'N/A', and the rows above it hold whole numbers"
    ):
        reached(read_events(shared / "reference/inputs/number_then_text.csv"), ["pay", big])


def test_quotes_that_come_late_in_a_file_are_no_part_of_the_values(tmp_path):
    path = written(tmp_path, HEADER + ROWS * 15_000 + '2,2024-06-17 20:00,"pay"\n')
    assert read_events(path).events == {"pay": 15_001, "enter": 15_000}


def test_single_quotes_around_fields_are_no_part_of_them(tmp_path):
    path = written(tmp_path, HEADER + "'1','2024-06-17 20:00','enter'\n")
    assert read_events(path).events == {"enter": 1}


def test_an_address_is_not_fetched():
    with pytest.raises(ValueError, match="nothing is fetched: download it first"):
        read_events("http://127.0.0.1:9/log.csv")


def test_names_must_be_as_many_as_columns(tmp_path):
    with pytest.raises(ValueError, match="has 3 columns, and names= has 2"):
        read_events(written(tmp_path, ROWS), names=["user_id", "timestamp"])
    with pytest.raises(TypeError, match="names='user_id'; give a list"):
        read_events(written(tmp_path, ROWS), names="user_id")


def test_a_file_that_changes_under_an_open_log_must_be_read_again(tmp_path):
    path = written(tmp_path, HEADER + ROWS)
    log = read_events(path)
    assert log.facts.rows == 2
    written(tmp_path, HEADER + ROWS * 2)
    with pytest.raises(ValueError, match="has changed since it was opened: read it again"):
        _ = log.events
    assert read_events(path).facts.rows == 4


# Forms of time


@pytest.mark.parametrize(
    ("written_as", "meant"),
    [
        (20240618193000, "2024-06-18 19:30:00"),
        ("20240618193000", "2024-06-18 19:30:00"),
        (20240618193000.0, "2024-06-18 19:30:00"),
        ("202406181930", "2024-06-18 19:30:00"),
        (2024061819, "2024-06-18 19:00:00"),
        (20240618, "2024-06-18 00:00:00"),
        ("20240618", "2024-06-18 00:00:00"),
        ("2024年6月18日 19:30", "2024-06-18 19:30:00"),
        ("2024.06.18", "2024-06-18 00:00:00"),
    ],
)
def test_a_time_is_what_a_person_reads_in_it(written_as, meant):
    assert first(at(written_as)) == meant


def test_the_summary_says_that_digits_were_read_as_a_date():
    assert "digits, read as year, month, day" in str(at(20240618193000).summary())


def test_digits_that_are_no_day_are_refused():
    with pytest.raises(ValueError, match="1 value of 'timestamp' cannot be read.*'20240631'"):
        _ = at(20240631, *[20240601] * 99).facts


def test_a_unit_that_is_named_outweighs_the_look_of_digits():
    assert first(at(20140919, time_unit="s")) == "1970-08-22 10:41:59"


def test_research_files_of_compact_times_are_read_as_written(shared):
    folder = shared / "reference/inputs"
    assert reached(read_events(folder / "compact_seconds.csv")) == [2, 1]
    assert reached(read_events(folder / "compact_hours.csv")) == [1, 0]


def test_the_research_file_of_days_as_numbers_holds_days_of_2014(shared):
    log = read_events(shared / "reference/inputs_files/days_as_numbers.csv", time="day")
    assert (log.facts.rows, first(log)[:4]) == (50, "2014")
    assert repurchase(log, definition="30d").table["buyers"].tolist() == [40]


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (["01/07/2019"], "the day or the month may come first: .*'%d/%m/%Y' or '%m/%d/%Y'"),
        (["22/07/2019 10:00"], "the day comes first: time_format='%d/%m/%Y %H:%M'"),
        (["07/22/2019 10:00:00 PM"], "the month comes first: time_format='%m/%d/%Y %I:%M:%S %p'"),
        (["07/22/2019", "22/07/2019"], "some have the day first and some the month first"),
        (["24-06-18 10:00"], "a year has two digits"),
        (["2024-06-18 10:30 PM"], "AM and PM: time_format="),
        (["2024-06-18 10:00:00 CST"], r"write the zone behind a time as \+08:00"),
        (["2024-06-18T10:00:00 +08:00"], r"write the zone behind a time as \+08:00"),
        (["10:30"], r"its day in another column: time=\[DATE, TIME\]"),
        (["18 Jun 2024"], "name their form with time_format="),
        (["0000-00-00 00:00:00"], "cannot be read as a time"),
        (["infinity"], "cannot be read as a time"),
        ([45461.5], r"a day of a spreadsheet is one in pd\.Timestamp"),
    ],
)
def test_a_form_that_could_be_mistaken_is_refused_by_its_name(times, said):
    with pytest.raises(ValueError, match=said):
        _ = at(*times).facts


@pytest.mark.parametrize(
    ("text", "form", "meant"),
    [
        ("01/07/2019 10:00", "%d/%m/%Y %H:%M", "2019-07-01 10:00:00"),
        ("01/07/2019 10:00", "%m/%d/%Y %H:%M", "2019-01-07 10:00:00"),
        ("2024-06-18 10:30 PM", "%Y-%m-%d %I:%M %p", "2024-06-18 22:30:00"),
        ("24-06-18", "%y-%m-%d", "2024-06-18 00:00:00"),
        (20140919, "%Y%m%d", "2014-09-19 00:00:00"),
        ("18/06/2024 02:00 +0000", "%d/%m/%Y %H:%M %z", "2024-06-18 10:00:00"),
    ],
)
def test_a_form_that_is_named_is_read(text, form, meant):
    log = at(text, time_format=form)
    assert first(log) == meant
    assert form in log.clock.said


@pytest.mark.parametrize(
    ("form", "said"),
    [("%H:%M", "names no year or no day"), ("%Y-%d %Q", "is no form of times"), ("%Y %d %Z", "use %z")],
)
def test_a_form_that_names_no_moment_is_refused(form, said):
    with pytest.raises(ValueError, match=said):
        at("x", time_format=form)


@pytest.mark.parametrize("option", ["10:00", "now", 5])
def test_an_option_that_is_no_moment_is_refused(option):
    with pytest.raises(ValueError, match="observed_until=.* is not a time"):
        reached(read_events(FRAME), observed_until=option)


@pytest.mark.parametrize(
    "ask",
    [
        lambda log, day: funnel(log, ["enter", "pay"], within="1d", observed_until=day),
        lambda log, day: funnel(log, ["enter", "pay"], within="1d", entries=(day, None)),
        lambda log, day: retention(log, start="enter", periods=1, observed_until=day),
        lambda log, day: retention(log, start="enter", periods=1, born_from=day),
    ],
    ids=["observed_until", "entries", "retention", "born_from"],
)
def test_a_day_that_may_be_another_is_refused_with_both_wherever_it_is_asked(ask):
    said = r"'01/07/2024' is 2024-07-01 \(day first\) or 2024-01-07 \(month first\); write the year first"
    with pytest.raises(ValueError, match=said):
        ask(read_events(FRAME), "01/07/2024")


@pytest.mark.parametrize(
    "until", ["2024-06-17 20:10", "17/06/2024 20:10", "2024年6月17日 20:10", "2024-06-17T12:10Z"]
)
def test_a_day_that_can_be_one_only_is_read_however_it_is_written(until):
    assert reached(read_events(FRAME), observed_until=until) == [1, 0]


# Shapes


@pytest.mark.parametrize(
    ("day", "clock"),
    [
        ("2024-06-17", "20:00"),
        (pd.Timestamp("2024-06-17"), dt.time(20)),
        (20240617, "20:00:00"),
        (dt.date(2024, 6, 17), 20),
    ],
)
def test_a_day_and_a_time_of_day_in_two_columns_make_a_time(day, clock):
    frame = pd.DataFrame({"user_id": [1], "Date": [day], "Time": [clock], "event": "enter"})
    log = read_events(frame, time=["Date", "Time"])
    assert first(log) == "2024-06-17 20:00:00"
    assert log.properties == ["Date", "Time"]


def test_a_row_without_a_time_of_day_has_no_time():
    frame = pd.DataFrame({"user_id": 1, "Date": "2024-06-17", "Time": ["20:00", None], "event": "enter"})
    assert read_events(frame, time=["Date", "Time"]).facts.null_times == 1


def test_one_column_per_stage_becomes_one_row_per_stage_that_has_a_time(tmp_path):
    text = "order,shop,made,paid\no1,a,2024-06-17 20:00,2024-06-17 20:30\no2,b,2024-06-17 21:00,\n"
    log = read_events(written(tmp_path, text), user="order", time={"create": "made", "pay": "paid"})
    assert log.events == {"create": 2, "pay": 1}
    assert log.properties == ["shop"]
    assert reached(log, ["create", "pay"]) == [2, 1]
    mixed = pd.DataFrame(
        {"order": [1], "made": [pd.Timestamp("2024-06-17 20:00")], "paid": ["2024-06-17 20:30"]}
    )
    assert reached(
        read_events(mixed, user="order", time={"create": "made", "pay": "paid"}), ["create", "pay"]
    ) == [1, 1]


def test_rows_without_any_stage_are_counted_and_said():
    frame = pd.DataFrame(
        {"order": [1, 2, 3], "shop": "a", "made": ["2024-06-17 20:00", None, None], "paid": [None] * 3}
    )
    frame.loc[1, "paid"] = "2024-06-17 21:00"
    log = read_events(frame, user="order", time={"create": "made", "pay": "paid"})
    assert log.events == {"create": 1, "pay": 1}
    assert (log.facts.rows, log.facts.null_times) == (3, 1)
    assert "rows without a time 1" in str(log.summary())
    answer = funnel(log, ["create", "pay"], within="1d")
    assert "1 row without a user or a time is left out" in answer.sentence()
    assert log.index().memory is not None


def test_the_research_file_of_order_stages_is_read_as_it_is(shared):
    path = shared / "reference/inputs_files/order_stages_wide.csv"
    log = read_events(path, user="order_id", time=STAGES)
    assert reached(log, STAGES, within=None) == [100, 95, 85, 80]
    assert log.events == {"created": 100, "approved": 95, "shipped": 93, "received": 88}


def test_each_row_is_one_event_where_no_column_names_it():
    log = read_events(FRAME.drop(columns="event").assign(bought=[0, 1]), event=None)
    assert log.events == {"row": 2}
    assert reached(log, ["row", Step("buy", event="row", where="bought = 1")]) == [1, 1]


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"time": ["a", "b", "c"]}, ValueError, "two columns make a time"),
        ({"time": 5}, TypeError, "time=5; give a column"),
        ({"time": {}}, ValueError, "give the name of each event"),
        ({"time": {"a": "timestamp", "b": "timestamp"}}, ValueError, "names a column twice"),
        (
            {"time": {"a": "timestamp"}},
            ValueError,
            "has one of that name already: name the new one with event=",
        ),
        ({"time": {"a": "timestamp"}, "event": None}, ValueError, "leave event= out"),
        ({"time": {"a": "timestmp"}}, ValueError, "did you mean 'timestamp'"),
        ({"user": "event"}, ValueError, "columns of their own; got 'event', 'timestamp', 'event'"),
        ({"user": None}, TypeError, "user=None; give the name of a column"),
        ({"time_format": 5}, TypeError, "time_format=5"),
        ({"names": ["a"]}, ValueError, "names= and encoding= are for CSV files"),
    ],
)
def test_roles_that_cannot_be_meant_are_refused(options, kind, said):
    with pytest.raises(kind, match=said):
        read_events(FRAME, **options)


# Sources


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (FRAME.to_dict("list"), r"wrap it in pd\.DataFrame"),
        (FRAME.to_dict("records"), r"wrap it in pd\.DataFrame"),
        (pl.from_pandas(FRAME).lazy(), r"collect\(\) it first"),
        (duckdb.connect(), r"read_events\('TABLE', connection=\.\.\.\)"),
        (FRAME["event"], "give the frame"),
        (None, "cannot read events from NoneType"),
    ],
)
def test_a_source_of_no_known_kind_is_refused_with_the_way_to_one(source, said):
    with pytest.raises(TypeError, match=said):
        read_events(source)


def test_a_reader_of_batches_is_read_once_and_asked_often():
    log = read_events(pa.Table.from_pandas(FRAME).to_reader())
    assert reached(log) == reached(log) == [1, 1]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (pd.DataFrame(), "the frame has no columns"),
        (
            FRAME.assign(timestamp=pd.period_range("2024", periods=2, freq="D")),
            r"column 'timestamp' of the frame is period\[D\].*\.dt\.to_timestamp\(\)",
        ),
        (
            FRAME.assign(
                timestamp=pd.Series([pd.Timestamp("2024", tz="UTC"), pd.Timestamp("2024")], dtype=object)
            ),
            "mixes times with and without a zone",
        ),
        (pd.concat({"x": FRAME}, axis=1), "no user column 'user_id' in the frame"),
        (FRAME.assign(x=[1j, 2j]), "column 'x' of the frame is complex128"),
        (FRAME.set_index("timestamp"), r"Its index has that name: reset_index\(\)"),
        (FRAME.assign(Event="x"), "2 columns named event, Event"),
        (FRAME.assign(timestamp=[[1], [2]]), r"is INTEGER\[\], not a time"),
        (FRAME.assign(timestamp=[dt.time(20), dt.time(21)]), r"time=\[DATE, TIME\]"),
    ],
)
def test_a_frame_that_no_engine_reads_names_its_column(frame, said):
    with pytest.raises(ValueError, match=said):
        _ = read_events(frame).facts


def test_a_table_or_a_connection_that_is_gone_is_told():
    connection = duckdb.connect()
    connection.register("frame", FRAME)
    connection.execute("CREATE TABLE live AS SELECT * FROM frame")
    log = read_events("live", connection=connection)
    connection.execute("DROP TABLE live")
    with pytest.raises(ValueError, match="the table of the log is gone"):
        _ = log.facts
    connection.execute("CREATE TABLE live AS SELECT * FROM frame")
    log = read_events("live", connection=connection)
    connection.close()
    with pytest.raises(ValueError, match="the connection of the log is closed"):
        _ = log.facts
    with pytest.raises(ValueError, match="connection= is closed"):
        read_events("live", connection=connection)
    with pytest.raises(TypeError, match="connection=5 is no connection"):
        read_events("live", connection=5)


@pytest.mark.parametrize(
    ("where", "kind", "said"),
    [
        (
            "amount > 50",
            ValueError,
            r"cannot be computed on this log.*amount is text: TRY_CAST\(amount AS DOUBLE\)",
        ),
        ("amount + 1 > event", ValueError, "cannot be computed on this log"),
        ("event = 5", ValueError, r"write TRY_CAST\(column AS DOUBLE\)"),
        (5, TypeError, "where=5 is no text"),
    ],
)
def test_a_condition_that_cannot_be_computed_is_no_error_of_the_engine(where, kind, said):
    log = read_events(FRAME.assign(amount=["N/A", "60"]))
    with pytest.raises(kind, match=said):
        reached(log, ["enter", Step("big", event="pay", where=where)])


# What the log cannot tell


def busy(days, a_day=30, **columns):
    times = pd.DatetimeIndex(days).repeat(a_day)
    return pd.DataFrame({"user_id": range(len(times)), "timestamp": times, "event": "enter", **columns})


def problems(frame, **options):
    found = read_events(frame, **options).summary().problems
    return dict(zip(found["name"], found["value"], strict=True))


def test_days_without_any_row_between_days_with_many_are_a_problem():
    days = pd.date_range("2024-06-01 12:00", periods=14)
    assert problems(busy(days)) == {}
    assert problems(busy(days.delete([3, 4]))) == {"days without any row": 2}
    assert problems(busy(days.delete([3, 4]), a_day=2)) == {}


def test_a_null_date_is_a_problem_and_no_day_of_the_log():
    frame = busy(["2024-06-01 12:00", "2024-06-02 12:00"])
    frame = frame.assign(timestamp=frame["timestamp"].astype(str))
    frame.loc[:9, "timestamp"] = "0001-01-01 00:00:00"
    summary = read_events(frame).summary()
    assert summary.problems[["name", "value"]].values.tolist() == [["rows of a null date", 10]]
    assert summary.days["main"].tolist() == [False, True, True]


def test_users_without_a_name_are_not_one_busy_user_in_silence():
    frame = busy(["2024-06-01"], a_day=4).assign(user_id=["", "null", "a", "b"])
    assert problems(frame) == {"rows of a user without a name": 2}


def test_an_event_in_two_spellings_is_a_problem():
    frame = busy(["2024-06-01"], a_day=4).assign(event=["pay", "pay", "Pay ", "enter"])
    assert problems(frame) == {"rows of an event spelled in another way": 1}


@pytest.mark.parametrize("kind", ["text", "local", "digits"])
def test_local_times_that_a_change_of_clocks_left_out_are_counted(kind):
    times = pd.to_datetime(["2021-03-14 01:30", "2021-03-14 02:30", "2021-03-14 03:30"])
    written_as = {"text": times.astype(str), "local": times, "digits": times.strftime("%Y%m%d%H%M")}[kind]
    frame = pd.DataFrame({"user_id": [1, 2, 3], "timestamp": written_as, "event": "enter"})
    assert problems(frame, timezone="America/New_York") == {"local times that do not exist": 1}
    assert problems(frame, timezone="Asia/Shanghai") == {}


def test_one_row_per_user_with_flags_is_no_log_of_steps():
    frame = busy(["2024-06-01"], a_day=6, bought=[0, 1, 0, 0, 1, 0])
    assert problems(frame) == {"users with one row": 6}
    assert problems(pd.concat([frame, frame[:1]])) == {}


def test_the_research_file_of_one_row_per_session_is_told(shared):
    log = read_events(shared / "reference/inputs_files/one_row_per_session.csv", event="group")
    found = log.summary().problems
    assert found[["name", "value"]].values.tolist() == [["users with one row", 120]]
    assert "subscribed holds two values" in found["note"][0]


def test_rows_without_a_value_held_constant_are_counted_and_said():
    log = read_events(FRAME.assign(session=[None, "a"]))
    assert log.without(["session"]) == 1
    answer = funnel(log, ["enter", "pay"], within="1h", hold="session")
    assert "1 row without session is left out" in answer.sentence()


def test_the_research_file_without_sessions_says_how_many_rows(shared):
    log = read_events(shared / "reference/inputs/half_without_session.csv")
    answer = funnel(log, ["enter", "pay"], within="1h", hold="session")
    assert "3 rows without session are left out" in answer.sentence()


def test_a_window_shorter_than_the_log_can_tell_is_said():
    log = read_events(busy(pd.date_range("2024-06-01", periods=3)).assign(event=["enter", "pay"] * 45))
    assert log.resolution == "day"
    said = "times are whole days, longer than the window"
    assert said in funnel(log, ["enter", "pay"], within="1h").sentence()
    assert said not in funnel(log, ["enter", "pay"], within="1d").sentence()


# As of


ASKED = [
    {},
    {"by": "room"},
    {"hold": "room"},
    {"count": "entries"},
    {"mode": "strict"},
    {"mode": "any"},
    {"dedupe": "key"},
]


@pytest.mark.parametrize("path", ["asof", "windows", "stream", "index"])
@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_rows_at_or_after_the_end_of_observation_do_not_exist(path, asked):
    fast = not {"count", "mode", "dedupe"} & {*asked} or (path == "stream" and "count" in asked)
    if path in ("asof", "stream") and not fast:
        return  # these paths do not offer it
    minutes = [0, 20, 90, 91, 130, 180, 180, 240]
    frame = pd.DataFrame(
        {
            "user_id": [1, 2, 1, 3, 2, 1, 3, 3],
            "timestamp": pd.Timestamp("2024-06-01 20:00") + pd.to_timedelta(minutes, unit="min"),
            "event": ["enter", "enter", "pay", "enter", "pay", "enter", "pay", "pay"],
            "room": ["a", "b", "a", "a", "b", "a", "a", "a"],
            "key": [1, 2, 3, 4, 5, 6, 7, 7],
        }
    )
    end = frame["timestamp"][5]

    def counted(rows):
        log = read_events(rows)
        log = log.index(["room", "key"]) if path == "index" else log
        return funnel(log, ["enter", "pay"], within="2h", observed_until=end, path=path, **asked).table

    pd.testing.assert_frame_equal(counted(frame), counted(frame[:5]))


def test_a_log_as_of_a_day_before_its_first_row_is_refused():
    with pytest.raises(ValueError, match="observed_until='2024-01-01' is not after the first row"):
        reached(read_events(FRAME), observed_until="2024-01-01")


def test_a_window_that_ends_at_the_end_of_observation_is_not_over():
    log = read_events(FRAME.assign(user_id=[1, 2]))

    def still(until):
        return funnel(log, ["enter", "pay"], within="1h", observed_until=until).table["open"][0]

    assert (still("2024-06-17 21:00"), still("2024-06-17 21:00:01")) == (1, 0)


def test_the_research_file_as_of_the_tenth_of_june(shared):
    log = read_events(shared / "reference/inputs/as_of.csv")
    assert reached(log, within="30d", observed_until="2024-06-10") == [2, 1]
    assert reached(log.index(), within="30d", observed_until="2024-06-10") == [2, 1]


@pytest.mark.parametrize(("steps", "by"), [(None, None), (5, None), (["enter", "pay"], 5)])
def test_steps_and_groups_that_are_no_lists_are_refused(steps, by):
    with pytest.raises(TypeError, match="list of"):
        funnel(read_events(FRAME), steps, within="1h", by=by)


# Memory


def test_memory_is_bounded_and_spills_to_a_folder_that_is_named(tmp_path):
    code = f"""
import duckdb, pandas as pd
from toolkit import funnel, read_events
from toolkit.logs.duckdb_engine import limit
limit(memory="60MB", spill={str(tmp_path / "spilled")!r})
rows = "SELECT i % 50000 AS user_id, epoch_ms(1718625600000 + i * 1000) AS timestamp, 'e' || i % 2 AS event"
duckdb.connect().execute(f"COPY ({{rows}} FROM range(1000000) AS r(i)) TO {str(tmp_path / "log.parquet")!r}")
log = read_events({str(tmp_path / "log.parquet")!r})
print(log.engine.rows("SELECT current_setting('memory_limit'), current_setting('temp_directory')")[0])
print(funnel(log, ["e0", "e1"], within=None, path="windows").table["reached"].tolist())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    settings, counts = done.stdout.splitlines()
    assert "57.2 MiB" in settings
    assert str(tmp_path / "spilled") in settings
    assert counts == "[25000, 0]"
    assert not (tmp_path / ".tmp").exists()


@pytest.mark.parametrize("wrong", ["much", "-1GB", 5])
def test_a_bound_that_is_none_is_refused(wrong):
    with pytest.raises((ValueError, TypeError), match=f"memory={wrong!r}"):
        limit(memory=wrong)
