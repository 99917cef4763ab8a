"""Golden cases through the public functions: `python -m tests.golden FOLDER [--path NAME] [--engine NAME]`.

A folder holds `events.csv` (all rows of all cases) and `expected.json` (a list of case, why, kind, params, expected).
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from tests import engines, golden_cohorts
from tests.oracle import Row, micros
from toolkit import EventLog, Funnel, Step, funnel, read_events

PATHS = ("asof", "windows", "stream", "index")
ALL_PATHS = (*PATHS, "sql")
#: The paths of a log on a server.
ELSEWHERE = ("windows", "sql")
Failure = tuple[str, Any, Any]


class Skipped(Exception):
    """A path does not offer what the case asks, and need not."""


@dataclass(frozen=True)
class Case:
    """One case: its rows in arrival order, what is asked of them, and what is expected.

    columns maps each column of the log to its dtype; events are all names that the log is known to have.
    """

    name: str
    kind: str
    params: dict[str, Any]
    expected: dict[str, Any]
    rows: list[Row] = field(repr=False)
    columns: dict[str, str] = field(repr=False)
    events: list[str] = field(repr=False)

    def log(self, engine: str = "duckdb") -> EventLog:
        """The rows as an analyst would bring them: a frame, or a table on an engine."""
        return opened(self, {*self.events, *_events(self.params)}, engine)


def opened(case: Case, names: set[str], engine: str, *, numbered: bool = False) -> EventLog:
    """The rows of a case as a log, in the zone that it names.

    Names that are declared make a step that nobody did a true zero rather than a slip of the pen. Users may be
    numbered, for a path that wants numbers.
    """
    frame = pd.DataFrame(case.rows, columns=list(case.columns)).astype(case.columns)
    if numbered:
        codes = pd.Series(pd.factorize(frame["user"])[0], index=frame.index, dtype="Int64")
        frame["user"] = codes.where(codes >= 0) * 1_000_003 - 5
    options = {"user": "user", "time": "at", "timezone": case.params.get("tz", "Asia/Shanghai")}
    clock = case.params.get("times", "instant")
    if clock == "text" and engine == "postgres":
        raise Skipped("PostgreSQL is not asked to read text as times")
    frame["at"] = _clock(frame["at"], clock, options["timezone"])
    if engine == "duckdb":
        frame["event"] = pd.Categorical(frame["event"], categories=sorted(names))
        return read_events(frame, **options)
    # A server has no categories: a row of nobody at no time declares a name there.
    declared = pd.DataFrame({"event": sorted(names)}).reindex(columns=frame.columns)
    return engines.log(
        engine, pd.concat([frame, declared.astype(frame.dtypes)], ignore_index=True), **options
    )


def _clock(micros: pd.Series, clock: str, timezone: str) -> pd.Series:
    """Times as a case's log writes them: instants, local text, or Unix numbers of a unit."""
    if clock in ("s", "ms", "us"):
        return micros // {"s": 1_000_000, "ms": 1_000, "us": 1}[clock]
    instants = pd.to_datetime(micros, unit="us", utc=True)
    return (
        instants
        if clock == "instant"
        else instants.dt.tz_convert(timezone).dt.strftime("%Y-%m-%d %H:%M:%S.%f")
    )


def read(folder: str | Path) -> list[Case]:
    """The cases of a folder. An empty field is null; what a case compares with numbers is a number, as `value` is."""
    listed = json.loads((Path(folder) / "expected.json").read_text(encoding="utf-8"))
    numbers = {"value"}.union(
        *(_compared_with_numbers(case["params"]) for case in listed if "steps" in case["params"])
    )
    rows: defaultdict[str, list[Row]] = defaultdict(list)
    events = set()
    with (Path(folder) / "events.csv").open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file)
        columns = dict.fromkeys(name for name in table.fieldnames or () if name not in ("case", "seq"))
        for line in table:
            row: Row = {name: line[name] or None for name in columns}
            row |= {name: float(row[name]) for name in numbers & set(columns) if row[name] is not None}
            row |= {"at": micros(row["at"]), "seq": int(line["seq"])}
            rows[line["case"]].append(row)
            events.add(row["event"])
    types = {name: "float64" if name in numbers else "Int64" if name == "at" else "str" for name in columns}
    known = sorted(events - {None})
    return [
        Case(
            case["case"],
            case["kind"],
            case["params"],
            case["expected"],
            sorted(rows[case["case"]], key=lambda row: row["seq"]),
            types,
            known,
        )
        for case in listed
    ]


def _predicates(params: dict[str, Any]) -> list[dict[str, Any]]:
    return [*params["steps"], *(params.get("exclude") or []), *_listed(params.get("strict_universe"))]


def _events(params: dict[str, Any]) -> list[str]:
    return [name for predicate in _predicates(params) for name in _listed(predicate.get("event"))]


def _compared_with_numbers(params: dict[str, Any]) -> set[str]:
    filters = [item for predicate in _predicates(params) for item in (predicate.get("where") or {}).items()]
    return {
        column
        for column, wanted in filters
        if isinstance(wanted, dict) or any(isinstance(value, int | float) for value in _listed(wanted))
    }


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def quoted(name: str) -> str:
    """A column's name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def sql(where: dict[str, Any] | None) -> str | None:
    """A case's `where` as the text that `Step` takes."""
    if not where:
        return None
    parts = []
    for column, wanted in where.items():
        bounds = wanted if isinstance(wanted, dict) else {"in": wanted}
        for sign, value in bounds.items():
            values = ", ".join(map(_literal, _listed(value)))
            parts.append(
                f"{quoted(column)} "
                + {"gte": f">= {values}", "lt": f"< {values}"}.get(sign, f"IN ({values})")
            )
    return " AND ".join(parts)


def _literal(value: Any) -> str:
    return repr(value) if isinstance(value, int | float) else "'" + value.replace("'", "''") + "'"


def _step(name: str, predicate: dict[str, Any]) -> Step:
    return Step(name, event=predicate.get("event"), where=sql(predicate.get("where")))


def options(params: dict[str, Any]) -> tuple[list[Step], dict[str, Any]]:
    """A case's params as the steps and options of `funnel`, without `by`."""
    names = [f"{j} {' or '.join(_listed(s.get('event')))}".strip() for j, s in enumerate(params["steps"], 1)]
    counted = params.get("count", "users")
    # An entry's value is always its own row's.
    place = params.get("attribution", "entry") if counted != "entries" else "entry"
    asked = {
        "within": _length(params.get("window_us")),
        "mode": params.get("mode", "ordered").replace("unordered", "any"),
        "universe": [_step("universe", rows) for rows in _listed(params.get("strict_universe"))],
        "hold": params.get("hold"),
        "count": counted,
        "exclude": [
            (_step(f"excluded {i}", rule), names[rule["from"] - 1], names[rule["to"] - 1])
            for i, rule in enumerate(params.get("exclude") or [], 1)
        ],
        "gaps": {names[int(j) - 1]: _length(gap) for j, gap in (params.get("gaps_us") or {}).items()},
        "entries": (_time(params.get("entry_from")), _time(params.get("entry_to"))),
        "observed_until": _time(params.get("observed_until")),
        "dedupe": params.get("dedupe"),
        "attribution": f"step:{names[int(place[5:]) - 1]}" if place.startswith("step:") else place,
    }
    return [_step(*pair) for pair in zip(names, params["steps"], strict=True)], asked


def _length(micros: int | None) -> pd.Timedelta | None:
    return None if micros is None else pd.Timedelta(micros, "us")


def _time(text: str | None) -> pd.Timestamp | None:
    return None if text is None else pd.Timestamp(text)


def offered(params: dict[str, Any], path: str) -> bool:
    """Whether a path must answer: `windows` and `index` everything, the fast ones what they are for."""
    if path not in ("stream", "asof"):
        return True
    ordered = params.get("mode", "ordered") == "ordered" and not params.get("dedupe")
    if path == "stream":
        return ordered and not params.get("gaps_us") and not params.get("exclude")
    names = [name for step in params["steps"] for name in _listed(step.get("event")) or [None, None]]
    held = params.get("breakdown") in (None, *(params.get("hold") or []))
    attributed = held or params.get("attribution", "entry") in ("entry", "last")
    return ordered and attributed and len(names) == len(set(names)) and params.get("count") != "entries"


def check(case: Case, path: str, log: EventLog | None = None, engine: str = "duckdb") -> list[Failure]:
    """Every key of a case's `expected` that a path does not reproduce, as (key, expected, got).

    log is the case's own, for callers that check several paths and open it once.
    """
    if case.kind in golden_cohorts.KINDS:
        if path not in golden_cohorts.PATHS:
            raise Skipped(f"path={path!r} is for funnels; cohorts have {', '.join(golden_cohorts.PATHS)}")
        if not golden_cohorts.offered(case, path):
            raise Skipped(f"path={path!r} does not offer this question of {case.kind}")
        return golden_cohorts.failures(case, path, engine)
    if case.kind != "funnel":
        raise Skipped(f"no function for kind {case.kind!r} yet")
    if path not in PATHS:
        raise Skipped(f"path={path!r} is for cohorts")
    steps, asked = options(case.params)
    log, by = log or case.log(engine), case.params.get("breakdown")
    if path == "index":
        log = log.index(keep=log.properties)
    try:
        answer = funnel(log, steps, path=path, **asked)
        groups = answer if by is None else funnel(log, steps, path=path, by=by, **asked)
    except ValueError as error:
        if offered(case.params, path):
            raise
        raise Skipped(str(error)) from error
    opened = [None if pd.isna(n) else n for n in answer.table["open"]]
    got: dict[str, Any] = {"n": answer.table["reached"].tolist(), "open": opened[:-1]}
    got |= listed(answer, steps, case.params)
    expected = case.expected
    if by is not None:
        counts = groups.table.groupby(by, dropna=False)["reached"].agg(list)
        got["by"] = {"<null>" if pd.isna(value) else str(value): n for value, n in counts.items()}
    if case.params.get("count") == "entries":
        expected = {**expected, "listed": expected["n"]}
    if path != "stream" or _in_time_order(case.rows):
        expected, got["path"] = {**expected, "path": path}, answer.path
    return [(key, want, got.get(key)) for key, want in expected.items() if got.get(key) != want]


def _in_time_order(rows: list[Row]) -> bool:
    times = [row["at"] for row in rows if row["at"] is not None]
    return times == sorted(times)


def listed(answer: Funnel, steps: list[Step], params: dict[str, Any]) -> dict[str, Any]:
    """What `Funnel.users()` lists, in the words of a case: levels, chains, and how many reached each step."""
    frame = answer.users().df()
    depths = frame["depth"].tolist()
    found: dict[str, Any] = {
        "listed": [sum(depth >= i for depth in depths) for i in range(1, len(steps) + 1)]
    }
    if params.get("count") == "entries":
        return found
    width = 1 + len(params["hold"]) if params.get("count") == "pairs" else 1
    keys = ["|".join(row) for row in frame.iloc[:, :width].astype("str").itertuples(index=False)]
    found["levels"] = dict(zip(keys, depths, strict=True))
    found["levels"] |= {key: "listed twice" for key in keys if keys.count(key) > 1}
    if params.get("mode") != "unordered":
        chains = [list(_stamps(row)) for row in frame[[step.name for step in steps]].itertuples(index=False)]
        found["chains"] = {key: chain for key, chain in zip(keys, chains, strict=True) if chain}
    return found


def _stamps(row: tuple[Any, ...]) -> Iterator[str]:
    for stamp in row:
        if not pd.isna(stamp):
            yield stamp.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def main(arguments: list[str] | None = None) -> int:
    """Check every case of a folder on every path, say what failed and what was skipped, and count."""
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--path", choices=ALL_PATHS, help="only this way of computing")
    parser.add_argument(
        "--engine", choices=("duckdb", *engines.NAMES), default="duckdb", help="where the rows are"
    )
    chosen = parser.parse_args(arguments)
    ways = [chosen.path] if chosen.path else ALL_PATHS if chosen.engine == "duckdb" else ELSEWHERE
    passed = failed = 0
    for case in read(chosen.folder):
        for path in ways:
            try:
                failures = check(case, path, engine=chosen.engine)
            except Skipped as reason:
                print(f"skipped {case.name} on {path}: {reason}")
                continue
            except Exception as error:
                failures = [("answer", "no error", f"{type(error).__name__}: {error}".splitlines()[0])]
            for key, want, found in failures:
                print(f"FAILED {case.name} on {path}: {key}\n  expected {want}\n  got      {found}")
            failed += bool(failures)
            passed += not failures
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
