"""Runs cases of exports: `python -m tests.exports FOLDER` reads every case and ends with `N passed, M failed`.

A case is a folder with files and `expected.json`: what each call of `read_export` must answer. FOLDER is a case, or
holds cases.
"""

import json
import math
import sys
from pathlib import Path

import pandas as pd

from toolkit.inputs.exports.export import read_export
from toolkit.inputs.faults import ExportError

EXACT = ("metric", "unit", "counts", "additive", "over", "estimate", "bound")
TOLD = ("scope", "window", "basis", "refunds")
#: Codes that an answer may add freely.
FREE = {"encoding", "percent_without_sign", "rounded", "ignored_columns"}
WHERE = ("cell", "cells", "row", "rows", "column", "columns", "header", "headers", "kept", "dropped")


def answer(path, arguments, place=None):
    """What read_export answers, in the shape of a case's read; definitions lie beside the case."""
    arguments = dict(arguments)
    if "definitions" in arguments:
        given = arguments["definitions"]
        given = [given] if isinstance(given, str) else given
        arguments["definitions"] = [(place or Path(path).parent) / one for one in given]
    try:
        export = read_export(path, **arguments)
    except ExportError as error:
        return {"error": {"code": error.code, "says": str(error)}}
    units = {name: {c: d.unit for c, d in part.definitions.items()} for name, part in export.parts.items()}
    return {
        "error": None,
        "platform": export.platform,
        "kind": export.kind,
        "period": [day.isoformat() for day in export.period] if export.period else None,
        "tables": {
            name: {
                "order": list(frame.columns),
                "columns": {c: d.as_dict() for c, d in export.parts[name].definitions.items()},
                "rows": [
                    [
                        plain(value, units[name][column])
                        for column, value in zip(frame.columns, row, strict=True)
                    ]
                    for row in frame.itertuples(index=False, name=None)
                ],
            }
            for name, frame in export.tables.items()
        },
        "totals": {
            name: [
                {column: plain(value, units[name].get(column, "text")) for column, value in row.items()}
                for row in frame.to_dict("records")
            ]
            for name, frame in export.totals.items()
        },
        "problems": [problem.as_dict() for problem in export.told],
    }


def plain(value, unit):
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d" if unit == "date" else "%Y-%m-%d %H:%M:%S")
    return value.item() if hasattr(value, "item") else value


def same(one, other):
    if one is None or other is None:
        return one is other
    if isinstance(one, (int, float)) and isinstance(other, (int, float)) and not isinstance(one, bool):
        return abs(one - other) <= 1e-6 * max(1.0, abs(other))
    return str(one) == str(other)


def flat(value):
    return sorted(map(str, value)) if isinstance(value, (list, tuple)) else value


def faults(want, got):
    """Where an answer differs from what a case wants; nothing when all is right."""
    if want["error"]:
        code = (got["error"] or {}).get("code")
        return [] if code == want["error"]["code"] else [f"error {want['error']['code']} wanted, {code} got"]
    if got["error"]:
        return [f"no error wanted, {got['error']} got"]
    found = [
        f"{name}: {want[name]!r} wanted, {got[name]!r} got"
        for name in ("platform", "kind", "period")
        if want[name] is not None and want[name] != got[name]
    ]
    found += [
        f"a table {name} that the file has not" for name in got["tables"].keys() - want["tables"].keys()
    ]
    for name, table in want["tables"].items():
        found += table_faults(name, table, got["tables"].get(name))
    for name, rows in want["totals"].items():
        for row in rows:
            values = {column: value for column, value in row.items() if column != "label"}
            kept = got["totals"].get(name, [])
            if not any(all(same(one.get(c), v) for c, v in values.items()) for one in kept):
                found.append(f"totals of {name}: {row} is not kept")
    return found + problem_faults(want["problems"], got["problems"])


def table_faults(name, want, got):
    if got is None:
        return [f"table {name} is missing"]
    found = [f"{name}: column {column} is missing" for column in want["order"] if column not in got["order"]]
    columns = [column for column in want["order"] if column in got["order"]]

    def rows(table):
        dicts = [dict(zip(table["order"], row, strict=True)) for row in table["rows"]]
        return sorted(dicts, key=lambda row: [str(row.get(column)) for column in (*want["key"], *columns)])

    wanted, answered = rows(want), rows(got)
    if len(wanted) != len(answered):
        return [*found, f"{name}: {len(wanted)} rows wanted, {len(answered)} got"]
    for one, other in zip(wanted, answered, strict=True):
        key = [one.get(column) for column in want["key"]]
        found += [
            f"{name}.{column} at {key}: {one[column]!r} wanted, {other[column]!r} got"
            for column in columns
            if not same(other[column], one[column])
        ]
    for column in columns:
        wanted_of, got_of = want["columns"][column], got["columns"][column]
        found += [
            f"definition of {name}.{column}, {one}: {wanted_of[one]!r} wanted, {got_of.get(one)!r} got"
            for one in EXACT
            if one in wanted_of and wanted_of[one] != got_of.get(one)
        ]
        found += [
            f"definition of {name}.{column}, {one}: {'not told' if wanted_of[one] is None else 'told'} wanted"
            for one in TOLD
            if one in wanted_of and (wanted_of[one] is None) != (got_of.get(one) is None)
        ]
        headers = [
            set(one) if isinstance(one, list) else {one}
            for one in (wanted_of["source_header"], got_of.get("source_header"))
        ]
        if not headers[0] <= headers[1]:
            found.append(f"definition of {name}.{column}: header {headers[0]} wanted, {headers[1]} got")
    return found


def problem_faults(want, got):
    left, found = list(got), []
    for one in want:
        hit = next(
            (
                other
                for other in left
                if other["code"] == one["code"]
                and all(flat(other.get(k)) == flat(one[k]) for k in WHERE if k in one)
            ),
            None,
        )
        if hit is None:
            near = [other for other in left if other["code"] == one["code"]]
            found.append(f"problem {one} is not told" + (f"; told instead: {near[0]}" if near else ""))
        else:
            left.remove(hit)
    return found + [f"a problem told that is none: {one}" for one in left if one["code"] not in FREE]


def reads(folder):
    """Every read of a case or of a folder of cases: case, read, and the folder it lies in."""
    for file in sorted([*folder.glob("expected.json"), *folder.glob("*/expected.json")]):
        case = json.loads(file.read_text(encoding="utf-8"))
        for read in case["reads"]:
            yield case["case"], read, file.parent


def main(folder):
    passed = failed = 0
    for case, read, place in reads(Path(folder)):
        found = faults(read, answer(place / read["read"], read.get("kwargs") or {}, place))
        passed += not found
        failed += bool(found)
        if found:
            print(f"{case}: {read['read']}")
            print(*(f"    {one}" for one in found), sep="\n")
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0 or not passed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
