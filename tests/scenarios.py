"""Reference cases of scenarios through the public functions: `python -m tests.scenarios FOLDER`.

A folder holds one folder a case, each with `expected.json`: case, data (files beside it) and checks. A check is
{id, estimator, term, field, value, rtol | atol, given}: `field` of `term` under `estimator` must be `value`, within
rtol x |value| or atol, else exactly. `raises`: this exception, with a message; `says`: the sentence (or the message
of a refusal) must say it; `law`: a property. `tests.scenario_calls` maps estimators to public calls.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

#: A number written with so many digits was rounded or cut; a shorter one is exact.
LONG = 7


@dataclass(frozen=True)
class Check:
    """One check, with the files of its case."""

    id: str
    estimator: str
    term: str
    field: str
    value: Any
    given: dict[str, Any]
    tolerance: float | None
    case: str
    files: tuple[Path, ...] = field(repr=False)

    @property
    def table(self) -> pd.DataFrame:
        """The first data file."""
        return pd.read_csv(self.files[0])


@dataclass
class Tally:
    """What came of the checks of a folder."""

    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    not_expressible: list[str] = field(default_factory=list)


def read(folder: str | Path) -> Iterator[Check]:
    """The checks of all cases below a folder."""
    places = sorted(Path(folder).rglob("expected.json"))
    if not places:
        raise FileNotFoundError(f"no expected.json below {folder}")
    for place in places:
        case = json.loads(place.read_text(encoding="utf-8"))
        files = tuple((place.parent / name).resolve() for name in case["data"])
        for row in case["checks"]:
            given = _numbers(row.get("given") or {})
            tolerance = row.get("atol")
            if tolerance is None and row.get("rtol") is not None:
                tolerance = max(_flat(row["rtol"] * np.abs(np.asarray(row["value"], float))))
            names = (row["id"], row["estimator"], row["term"], row["field"])
            yield Check(*names, row["value"], given, tolerance, case["case"], files)


def run(folder: str | Path) -> Tally:
    """All checks of a folder."""
    from tests.scenario_calls import NotExpressible, answer

    tally = Tally()
    for check in read(folder):
        try:
            if check.field == "raises":
                fault = _raises(check, answer)
            elif check.field == "says":
                fault = _says(check, answer)
            else:
                fault = _compare(answer(check), check)
        except NotExpressible as reason:
            tally.not_expressible.append(
                f"{check.id} {check.estimator}, {check.term}, {check.field}: {reason}"
            )
            continue
        except Exception as error:
            fault = f"{type(error).__name__}: {error}"
        if fault:
            tally.failed.append(f"{check.id} {check.estimator}, {check.term}, {check.field}: {fault}")
        else:
            tally.passed.append(check.id)
    return tally


def main() -> int:
    """Print what fails and what cannot be asked, and count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    tally = run(parser.parse_args().folder)
    for line in tally.not_expressible:
        print(f"not expressible: {line}")
    for line in tally.failed:
        print(f"FAILED {line}")
    print(f"{len(tally.not_expressible)} not expressible")
    print(f"{len(tally.passed)} passed, {len(tally.failed)} failed")
    return 1 if tally.failed else 0


def _raises(check: Check, answer: Any) -> str:
    try:
        found = answer(check)
    except (ValueError, TypeError, KeyError) as error:
        if type(error).__name__ != check.value:
            return f"raises {type(error).__name__}, not {check.value}"
        return "" if len(str(error)) > 15 else f"the message says nothing: {error}"
    return f"raises nothing, but answers {found!r}"


def _says(check: Check, answer: Any) -> str:
    try:
        said = answer(check)
    except ValueError as refusal:
        said = str(refusal)
    text = said if isinstance(said, str) else said.sentence()
    return "" if check.value in text else f"does not say {check.value!r}: {text}"


def _compare(found: Any, check: Check) -> str:
    wanted = check.value
    if isinstance(wanted, str) or isinstance(found, str):
        return "" if str(found) == str(wanted) else f"{found!r} for {wanted!r}"
    if isinstance(wanted, list) and wanted and isinstance(wanted[0], str):
        return "" if list(found) == wanted else f"{found} for {wanted}"
    one, other = _flat(found), _flat(wanted)
    if len(one) != len(other):
        return f"{one} for {other}"
    for a, b in zip(one, other, strict=True):
        allowed = max(check.tolerance or 0.0, _last_digit(b) if check.tolerance else 0.0)
        if math.isnan(a) or abs(a - b) > allowed:
            return f"{a!r} for {b!r}, {abs(a - b):.3g} apart where {allowed:.3g} is allowed"
    return ""


def _last_digit(value: float) -> float:
    """What a long number leaves open that was rounded or cut when it was written: one unit of its last digit."""
    digits = Decimal(repr(value)).normalize().as_tuple()
    return float(Decimal(1).scaleb(int(digits.exponent))) if len(digits.digits) >= LONG else 0.0


def _flat(value: Any) -> list[float]:
    return [float(one) for one in np.atleast_1d(np.asarray(value, float)).ravel()]


def _numbers(value: Any) -> Any:
    """ "inf" and "nan" as numbers, wherever they stand."""
    if isinstance(value, dict):
        return {name: _numbers(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_numbers(one) for one in value]
    return {"inf": math.inf, "nan": math.nan}.get(value, value) if isinstance(value, str) else value


if __name__ == "__main__":
    raise SystemExit(main())
