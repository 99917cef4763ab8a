"""Golden cases: the answers that the reference text fixes, from every path and from the oracle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.golden import PATHS, Case, Skipped, check, main, read
from tests.oracle import answer
from toolkit import EventLog

OWN = Path(__file__).parent / "cases"
SHARED = Path(__file__).parents[2] / "shared" / "reference"
FOLDERS = [folder for folder in (OWN / "hand", OWN / "random", SHARED / "funnel") if folder.exists()]
CASES = [pytest.param(case, id=f"{folder.name}-{case.name}") for folder in FOLDERS for case in read(folder)]


@pytest.fixture(scope="module", params=CASES)
def opened(request: pytest.FixtureRequest) -> tuple[Case, EventLog]:
    """A case and its log, which all paths share."""
    return request.param, request.param.log()


@pytest.mark.parametrize("path", PATHS)
def test_a_path_gives_the_golden_answer_or_says_that_it_does_not_offer_it(
    opened: tuple[Case, EventLog], path: str
) -> None:
    case, log = opened
    try:
        wrong = check(case, path, log)
    except Skipped as reason:
        wrong = (
            [] if f"path={path!r}" in str(reason) else [("refusal", f"one that names path={path!r}", reason)]
        )
    assert not wrong


@pytest.mark.parametrize("case", CASES)
def test_the_oracle_gives_the_golden_answer(case: Case) -> None:
    assert answer(case.rows, case.params) == case.expected


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One case that is right, the same with wrong counts, and one of another kind."""
    cases = json.loads((OWN / "hand" / "expected.json").read_text(encoding="utf-8"))
    right = next(case for case in cases if case["case"] == "window_to_the_microsecond")
    wrong = {**right, "expected": {**right["expected"], "n": [2, 2]}}
    other = {**right, "kind": "series", "params": {"unit": "week"}}
    shutil.copy(OWN / "hand" / "events.csv", tmp_path)
    rows = (tmp_path / "events.csv").read_text(encoding="utf-8").splitlines()
    kept = [rows[0], *(row for row in rows if row.startswith(right["case"]))]
    (tmp_path / "events.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")
    (tmp_path / "expected.json").write_text(json.dumps([right, wrong, other]), encoding="utf-8")
    return tmp_path


def test_the_runner_counts_what_fails_and_says_what_it_skips(
    folder: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main([str(folder), "--path", "windows"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "1 passed, 1 failed"
    assert "FAILED window_to_the_microsecond on windows: n" in said
    assert "skipped window_to_the_microsecond on windows: no function for kind 'series' yet" in said
