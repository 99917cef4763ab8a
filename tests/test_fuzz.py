"""Whatever is handed in, an answer comes out or an error in words: parameters, counts, cells, headers and logs.

Some examples run with every test; thousands by one command:

    EXAMPLES=3000 uv run pytest -n 0 tests/test_laws.py tests/test_fuzz.py
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import tomllib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from tests.test_laws import ROWS, STEPS, TEXTS, frame, steady
from toolkit import Funnel, Step, activity, funnel, read_events, read_export, repurchase, retention
from toolkit.inputs import cells

#: What Python says by itself of a value that nobody looked at.
RAW = re.compile(
    r"unsupported operand|not supported between|object is not|has no attribute|has no len|unhashable|"
    r"positional argument|unexpected keyword|must be str, not|indices must be|cannot unpack|not enough values|"
    r"too many values|out of bounds|division by zero|ambiguous|not iterable|expected string|can't compare"
)


def answered(ask: Callable[[], Any]) -> Any:
    """What a question gives, or None where it is refused in words of its own."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ask()
    except (ValueError, TypeError) as error:
        if not str(error) or RAW.search(str(error)):
            raise AssertionError(f"{type(error).__name__} in no words of ours: {error}") from error
        return None


def looked_at(result: Any) -> None:
    """Every face of a result but the figure."""
    if result is not None:
        assert result.sentence()
        assert repr(result)
        assert result._repr_html_()
        assert isinstance(result.table, pd.DataFrame)


#: Values that an option may be given, of any kind.
ODD = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.integers(-3, 40),
    st.floats(),
    st.sampled_from(
        [
            "1d",
            "0s",
            "-1h",
            "platform",
            "user_id",
            "timestamp",
            "event",
            "nothing",
            "2024-06-02",
            "06/07/2024",
            "day",
        ]
    ),
    st.sampled_from(
        [
            (),
            [],
            {},
            ("a",),
            ["platform"],
            ["platform", "platform"],
            [None],
            {"a": 1},
            b"a",
            dt.date(2024, 6, 2),
        ]
    ),
    st.sampled_from(
        [
            pd.Timedelta("1h"),
            pd.NaT,
            pd.NA,
            np.nan,
            np.int64(3),
            pd.Timestamp("2024-06-02"),
            Step("a"),
            object,
        ]
    ),
)


def options(**meant: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Some options, most of them as they are meant and some of them odd."""
    return st.fixed_dictionaries({}, optional={name: st.one_of(one, one, ODD) for name, one in meant.items()})


GROUPS = st.sampled_from([None, "platform", ["platform"], []])
ENDS = st.sampled_from([None, "2024-06-03", "2024-06-20", pd.Timestamp("2024-06-05", tz="UTC")])
PATHS = st.sampled_from(["auto", "windows", "stream", "asof", "index", "sql"])
LEVELS = st.sampled_from([0.5, 0.9, 0.95, 0.99])
NAMES = st.one_of(st.sampled_from(STEPS), st.none(), st.lists(st.sampled_from(STEPS), min_size=1, max_size=2))

FUNNELS = options(
    within=st.sampled_from(["10min", "1d", None, pd.Timedelta("1h")]),
    by=GROUPS,
    attribution=st.sampled_from(["entry", "last", "step:b"]),
    mode=st.sampled_from(["ordered", "any", "strict"]),
    universe=st.sampled_from([None, ["a"], ["c", "b"]]),
    hold=GROUPS,
    count=st.sampled_from(["users", "pairs", "entries"]),
    exclude=st.sampled_from([(), [Step("b")], [("b", "a", "c")], [("a", "b")], [(Step("c"), "b", "c")]]),
    gaps=st.sampled_from([None, {"b": "1h"}, {"c": "0s"}, {"a": "1h"}, {"d": "1h"}]),
    entries=st.sampled_from([None, ("2024-06-01", "2024-06-02"), (None, "2024-06-02"), ("2024-06-03", None)]),
    observed_until=ENDS,
    dedupe=st.sampled_from([None, "platform", "user_id"]),
    path=PATHS,
    period=st.sampled_from([None, "day", "week", "month"]),
    confidence=LEVELS,
)
CHOSEN = st.one_of(st.just(STEPS), st.lists(st.one_of(st.sampled_from(STEPS), ODD), max_size=4), ODD)


@steady
@given(rows=ROWS, steps=CHOSEN, asked=FUNNELS)
def test_a_funnel_answers_any_options_or_says_which_is_wrong(rows, steps, asked):
    log = read_events(frame(rows))
    looked_at(answered(lambda: funnel(log, steps, **{"within": "1d", **asked})))


@steady
@given(
    rows=ROWS,
    asked=options(
        start=NAMES,
        returns=NAMES,
        period=st.sampled_from(["day", "week", "month"]),
        periods=st.integers(1, 5),
        kind=st.sampled_from(["exact", "rolling", "bracket"]),
        brackets=st.sampled_from([None, [(1, 2)], [(1, 1), (2, 4)], [(3, 1)], [(1, 3), (2, 4)]]),
        clock=st.sampled_from(["calendar", "elapsed"]),
        by=GROUPS,
        week_start=st.integers(0, 6),
        born_from=ENDS,
        observed_until=ENDS,
        dedupe=st.sampled_from([None, "platform"]),
        path=PATHS,
        confidence=LEVELS,
    ),
)
def test_retention_answers_any_options_or_says_which_is_wrong(rows, asked):
    log = read_events(frame(rows))
    looked_at(answered(lambda: retention(log, **asked)))


@steady
@given(
    rows=ROWS,
    asked=options(
        event=NAMES,
        definition=st.sampled_from(["first_30d", "7d", "1d", ["1d", "2d"]]),
        by=GROUPS,
        observed_until=ENDS,
        dedupe=st.sampled_from([None, "platform"]),
        path=PATHS,
        confidence=LEVELS,
    ),
)
def test_repurchase_answers_any_options_or_says_which_is_wrong(rows, asked):
    log = read_events(frame(rows))
    looked_at(answered(lambda: repurchase(log, **{"event": "c", **asked})))


@steady
@given(
    rows=ROWS,
    asked=options(
        event=NAMES,
        by=GROUPS,
        period=st.sampled_from(["day", "hour"]),
        observed_from=ENDS,
        observed_until=ENDS,
        path=PATHS,
        confidence=LEVELS,
    ),
)
def test_activity_answers_any_options_or_says_which_is_wrong(rows, asked):
    log = read_events(frame(rows))
    looked_at(answered(lambda: activity(log, **asked)))


COUNTS = st.one_of(
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.sampled_from(
        [-1, 1.5, 2.0, np.nan, np.inf, None, pd.NA, "12", "1.2万", "", True, 2**63, 10**30, b"1"]
    ),
)


@steady
@given(
    rows=st.lists(
        st.tuples(
            st.one_of(st.sampled_from(STEPS), ODD), COUNTS, st.sampled_from(["x", "y", None, 1]), COUNTS
        ),
        max_size=8,
    ),
    names=st.lists(
        st.sampled_from(["step", "n", "platform", "reached", "open", "half_width", "low"]),
        min_size=4,
        max_size=4,
    ),
    cluster=st.one_of(st.none(), st.none(), st.sampled_from(["platform", "day"]), ODD),
)
def test_a_table_of_any_counts_is_a_funnel_or_refused_in_words(rows, names, cluster):
    table = pd.DataFrame(rows, columns=names, dtype=object)
    looked_at(answered(lambda: Funnel.from_counts(table, cluster=cluster)))


RAWS = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.from_regex(
        r"\A[<>~≥]?-?[0-9０-９]{1,5}([.,，][0-9]{1,3})?(万|w|W|亿|k|\+|%|％|元|小时|分|秒|:[0-9]{2})?(-[0-9]+(万|%)?)?\Z"
    ),
)


@steady
@given(raw=RAWS)
def test_any_cell_is_a_value_or_nothing_and_never_an_error(raw):
    found = [
        cells.number(raw),
        cells.ratio(raw, "fraction"),
        cells.ratio(raw, "percent"),
        *cells.bounds(raw, "percent", True),
        *cells.bounds(raw, "fraction", False),
        cells.seconds(raw),
        cells.identifier(raw),
        cells.words(raw),
        cells.carrier(raw),
        cells.hour(raw),
    ]
    for cell in found:
        assert isinstance(cell, cells.Cell)
        assert not isinstance(cell.value, float) or np.isfinite(cell.value)
        assert np.isfinite(cell.half)
        assert not (cell.fault == "unreadable" and cell.value is not None)
    low, high = found[3:5]
    assert low.value is None or high.value is None or low.value <= high.value


#: Headers of the exports that are known, by kind.
KNOWN = [
    [*tomllib.loads(path.read_text(encoding="utf-8")).get("columns", {})]
    for path in sorted((Path(toolkit.__file__).parent / "sources" / "definitions" / "exports").glob("*.toml"))
]


@st.composite
def exports(draw: st.DrawFn) -> list[list[str]]:
    """A table whose headers are mostly those of a kind of export, with odd ones among them and odd cells below."""
    headers = draw(st.sampled_from([one for one in KNOWN if one]))
    kept = [name for name in headers if draw(st.integers(0, 9))]
    more = draw(st.lists(st.one_of(TEXTS, st.sampled_from(headers)), max_size=2))
    head = draw(st.permutations([*kept, *more]))
    cell = st.one_of(
        TEXTS,
        st.sampled_from(
            ["2024-06-01", "2024/6/1 20:00", "12:30:00", "1.2万", "3.4%", "5", "0", "合计", "1e5", "#DIV/0!"]
        ),
    )
    rows = draw(st.lists(st.lists(cell, min_size=len(head), max_size=len(head)), max_size=4))
    above = draw(st.lists(st.lists(cell, max_size=2), max_size=1))
    return [*above, list(head), *rows]


@steady
@given(lines=exports(), encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16"]))
def test_an_export_with_odd_headers_and_cells_is_read_or_refused_in_words(tmp_path, lines, encoding):
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    file = tmp_path / "any.csv"
    file.write_text(text.getvalue(), encoding=encoding, errors="replace")
    export = answered(lambda: read_export(file))
    looked_at(export)
    if export is not None:
        assert isinstance(export.problems, pd.DataFrame)
        assert len(export.definitions)
        looked_at(answered(lambda: export.funnel()))


COLUMN = st.one_of(
    *(
        st.lists(value, min_size=5, max_size=5)
        for value in (
            TEXTS,
            st.integers(-5, 5),
            st.integers(1_700_000_000, 1_700_100_000),
            st.floats(),
            st.sampled_from([None, "2024-06-01", "2024-06-01 20:00:00", "1/6/2024", "20240601"]),
            st.datetimes(min_value=dt.datetime(1, 1, 1)),
            st.booleans(),
            st.one_of(st.none(), st.integers(), TEXTS),
        )
    )
)


@steady
@given(
    columns=st.tuples(COLUMN, COLUMN, st.one_of(st.just(["a", "b", "c", "a", "b"]), COLUMN), COLUMN),
    by=st.sampled_from([None, "platform"]),
)
def test_a_log_of_any_columns_is_counted_or_refused_in_words(columns, by):
    def asked() -> Funnel:
        names = ("user_id", "timestamp", "event", "platform")
        log = read_events(pd.DataFrame(dict(zip(names, columns, strict=True))))
        assert str(log.summary())
        return funnel(log, ["a", "b"], within="1d", by=by)

    looked_at(answered(asked))


# What generated examples have found, each by its name.


@pytest.mark.parametrize("raw", [np.inf, -np.inf, 1.7976931348623151e308, "9" * 400])
def test_a_number_beyond_any_count_is_unreadable(raw):
    for cell in (cells.number(raw), cells.ratio(raw, "percent"), cells.seconds(raw, unit=60)):
        assert (cell.value, cell.fault) == (None, "unreadable")


def test_a_range_written_backwards_is_unreadable():
    assert [end.fault for end in cells.bounds("10%-5%", "percent", True)] == ["unreadable"] * 2
    assert [end.value for end in cells.bounds("5%-10%", "percent", True)] == [0.05, 0.1]


def test_an_id_that_is_infinite_is_unreadable():
    assert cells.identifier(np.inf).fault == "unreadable"


def test_a_column_that_is_no_text_is_refused_by_name():
    log = read_events(frame([]))
    with pytest.raises(TypeError, match=r"\[\] cannot name a dedupe column"):
        retention(log, dedupe=[])


def test_a_cluster_that_is_no_text_is_refused_by_name():
    counts = pd.DataFrame({"step": ["a", "b"], "n": [3, 1]})
    with pytest.raises(TypeError, match=r"cluster=\[\]; give the name of the column"):
        Funnel.from_counts(counts, cluster=[])
