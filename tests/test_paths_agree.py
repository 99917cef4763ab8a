"""Random questions about random logs: every path, the oracle and ClickHouse's windowFunnel give one answer."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cases.random_logs import COLUMNS, END, EVENTS, HOUR, OVERLAPPING, START, log
from tests.golden import PATHS, Case, Skipped, check
from tests.oracle import answer, iso, usable
from toolkit import funnel, read_events

TYPES = dict.fromkeys(COLUMNS, "str") | {"at": "Int64", "value": "float64"}
# The same examples on every run: a failure in CI is a failure at home.
steady = settings(derandomize=True, database=None, deadline=None, max_examples=50)

lengths = st.sampled_from([0, HOUR, 4 * HOUR, 12 * HOUR])
early, late = (
    st.integers(*hours).map(lambda hour: iso(START + hour * HOUR)) for hours in ((0, 16), (24, 52))
)
disjoint = st.lists(st.sampled_from(EVENTS), min_size=2, max_size=4, unique=True).map(
    lambda names: [{"event": name} for name in names]
)
filters = st.sampled_from(
    [{"item": "i1"}, {"item": ["i1", "i2"]}, {"value": {"gte": 10.0}}, {"value": {"gte": 10.0, "lt": 99.99}}]
)
predicates = st.one_of(
    st.fixed_dictionaries({"event": st.sampled_from(EVENTS)}),
    st.fixed_dictionaries({"event": st.lists(st.sampled_from(EVENTS), min_size=1, max_size=3, unique=True)}),
    st.fixed_dictionaries({"event": st.sampled_from(EVENTS[:3])}, optional={"where": filters}),
    st.fixed_dictionaries({"where": filters}),
)
overlapping = st.one_of(st.just(OVERLAPPING), st.lists(predicates, min_size=2, max_size=4))
logs = st.builds(
    log,
    st.integers(0, 2**32),
    users=st.just(40),
    most=st.sampled_from([9, 24]),
    grid=st.sampled_from([10, 30, 60]),
    shuffled=st.booleans(),
)


@st.composite
def questions(draw: st.DrawFn) -> dict[str, Any]:
    """Params of a golden case; what the reference text gives no meaning is left out."""
    mode = draw(st.sampled_from(["ordered", "ordered", "strict", "unordered"]))
    params: dict[str, Any] = {"mode": mode, "window_us": draw(st.none() | lengths)}
    params["steps"] = draw(disjoint if mode == "unordered" else st.one_of(disjoint, overlapping))
    size = len(params["steps"])
    if draw(st.booleans()):
        params["hold"] = draw(st.sampled_from([["session"], ["platform", "session"]]))
    counts = ["users"] + ["pairs"] * ("hold" in params) + ["entries"] * (mode != "unordered")
    params["count"] = draw(st.sampled_from(counts))
    if draw(st.booleans()):
        params["observed_until"] = draw(late)
    if draw(st.integers(0, 3)) == 3:
        params["dedupe"] = "order_id"
    if mode == "unordered":
        # Without a chain a value is a unit's only where it is held, and a user's only where units are pairs.
        return params | ({"breakdown": "session"} if params["count"] == "pairs" else {})
    if draw(st.booleans()):
        params["breakdown"] = draw(st.sampled_from(["platform", "session", "item"]))
        places = ["entry"] if params["count"] == "entries" else ["entry", "last", f"step:{size}"]
        params["attribution"] = draw(st.sampled_from(places))
    if draw(st.booleans()):
        params |= {"entry_from": draw(early), "entry_to": draw(late)}
    if draw(st.booleans()):
        params["gaps_us"] = {str(draw(st.integers(2, size))): draw(lengths)}
    if draw(st.booleans()):
        first = draw(st.integers(1, size - 1))
        rule = draw(predicates) | {"from": first, "to": draw(st.integers(first + 1, size))}
        params["exclude"] = [rule]
    if mode == "strict" and draw(st.booleans()):
        params["strict_universe"] = draw(predicates)
    return params


@pytest.mark.slow
@steady
@given(rows=logs, params=questions())
def test_every_path_agrees_with_the_oracle(rows: list[dict[str, Any]], params: dict[str, Any]) -> None:
    case = Case("random", "funnel", params, answer(rows, params), rows, TYPES, list(EVENTS))
    opened, refusals = case.log(), {}
    for path in PATHS:
        try:
            assert not check(case, path, opened), path
        except Skipped as reason:
            refusals[path] = str(reason)
    assert not {"windows", "index"} & set(refusals)


@pytest.fixture(scope="module")
def window_funnel(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, int]]:
    """Levels by ClickHouse's `windowFunnel`, in its default mode, of units that match a step."""
    chdb = pytest.importorskip("chdb", reason="needs chdb: uv sync --group engines")
    folder, numbers = tmp_path_factory.mktemp("clickhouse"), itertools.count()

    def levels(rows: list[dict[str, Any]], params: dict[str, Any]) -> dict[str, int]:
        # A new file each time, since ClickHouse may remember what an old one held.
        file = folder / f"{next(numbers)}.parquet"
        pd.DataFrame(usable(rows)).astype({"at": "int64", "event": "str"}).to_parquet(file)
        unit = ["user", *params.get("hold", [])]
        steps = ", ".join(f"ifNull(event = '{step['event']}', 0)" for step in params["steps"])
        window = END - START if params["window_us"] is None else params["window_us"]
        # Microseconds as numbers: `windowFunnel` takes no DateTime64.
        answer = chdb.query(
            f"SELECT {', '.join(unit)}, windowFunnel({window})(toUInt64(at), {steps}) "
            f"FROM file('{file}', Parquet) WHERE {' AND '.join(f'{name} IS NOT NULL' for name in unit)} "
            f"GROUP BY {', '.join(unit)} HAVING max(greatest({steps})) > 0",
            "JSONCompact",
        )
        return {"|".join(key): level for *key, level in json.loads(str(answer))["data"]}

    return levels


@st.composite
def plain_questions(draw: st.DrawFn) -> dict[str, Any]:
    """Params that `windowFunnel` can answer: disjoint steps in order."""
    params = {"steps": draw(disjoint), "window_us": draw(st.none() | lengths), "observed_until": iso(END)}
    return params | draw(st.sampled_from([{}, {"hold": ["platform", "session"], "count": "pairs"}]))


@pytest.mark.slow
@settings(steady, max_examples=25)
@given(rows=logs, params=plain_questions())
def test_the_oracle_agrees_with_window_funnel(
    window_funnel: Callable[..., dict[str, int]], rows: list[dict[str, Any]], params: dict[str, Any]
) -> None:
    assert answer(rows, params)["levels"] == window_funnel(rows, params)


@pytest.mark.slow
@settings(steady, max_examples=8)
@given(seed=st.integers(0, 2**32), shuffled=st.booleans(), params=plain_questions())
def test_every_path_agrees_with_window_funnel_on_long_histories(
    window_funnel: Callable[..., dict[str, int]], seed: int, shuffled: bool, params: dict[str, Any]
) -> None:
    rows = log(seed, users=200, most=120, grid=1, shuffled=shuffled)
    levels = window_funnel(rows, params)
    reached = [sum(level >= i for level in levels.values()) for i, _ in enumerate(params["steps"], 1)]
    case = Case("long", "funnel", params, {"n": reached, "levels": levels}, rows, TYPES, list(EVENTS))
    opened = case.log()
    for path in PATHS:
        assert not check(case, path, opened), path


@pytest.mark.parametrize(("most", "numbered"), [(2**57, True), (2**63 - 1, False)])
def test_users_of_any_whole_number_stay_apart_in_the_joins(most: int, numbered: bool) -> None:
    users = np.array([-most, -7, -1, 0, 1, 3, most - 1, most])
    rng = np.random.default_rng(5)
    size = 4_000
    rows = {
        "user_id": rng.choice(users, size),
        "event": rng.choice(["a", "b", "c", "d"], size, p=[0.4, 0.3, 0.2, 0.1]),
        "room": rng.choice(["x", "y", "z", None], size),
        "seat": rng.integers(-2, 3, size),
        "timestamp": pd.Timestamp("2019-11-11") + pd.to_timedelta(rng.integers(0, 10**6, size), unit="s"),
    }
    log = read_events(pd.DataFrame(rows))
    for ask in ({"by": "room"}, {"by": "seat", "exclude": ["d"]}):
        options = {"within": "1h", "hold": ["room", "seat"], "count": "pairs", **ask}
        found = [funnel(log, ["a", "b", "c"], path=path, **options) for path in ("asof", "windows")]
        pd.testing.assert_frame_equal(found[0].table, found[1].table)
        assert found[0].step_counts.reached[:, 2].sum() > 0
        assert bool(found[0].question.numbers) is numbered
