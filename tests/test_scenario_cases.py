"""Cases of scenarios with published or twice computed answers, through the public functions."""

import json
from pathlib import Path

import pytest

from tests import scenarios

FOLDER = Path(__file__).parent / "cases" / "scenarios"
CASES = sorted(path.name for path in FOLDER.iterdir())


@pytest.mark.parametrize("case", CASES)
def test_every_check_of_the_case_passes(case):
    tally = scenarios.run(FOLDER / case)
    written = len(json.loads((FOLDER / case / "expected.json").read_text())["checks"])
    assert tally.failed == []
    assert tally.not_expressible == []
    assert len(tally.passed) == written > 0


def one_check(folder, **check):
    case = {"case": "own", "data": [], "checks": [{"id": "own/001", "estimator": "fit", "term": "x"} | check]}
    (folder / "expected.json").write_text(json.dumps(case))
    return scenarios.run(folder)


def test_a_wrong_value_fails(tmp_path):
    mixes = {"label": [1, 0], "goods": [0.5, 0.5]}
    assert one_check(tmp_path, field="off_label", value=0.5, rtol=1e-9, given=mixes).passed == ["own/001"]
    assert one_check(tmp_path, field="off_label", value=0.6, rtol=1e-9, given=mixes).failed


def test_an_error_that_does_not_come_fails(tmp_path):
    fine = {"label": [1, 0], "goods": [0.5, 0.5]}
    assert one_check(tmp_path, field="raises", value="ValueError", given=fine).failed
    assert not one_check(
        tmp_path, field="raises", value="ValueError", given=fine | {"label": [0.5, 0.4]}
    ).failed


def test_a_long_number_leaves_its_last_digit_open_and_a_short_one_nothing():
    assert scenarios._last_digit(0.5134345) == pytest.approx(1e-7)
    assert scenarios._last_digit(0.25) == 0
    assert scenarios._last_digit(4000.0) == 0


def test_an_estimator_without_a_call_is_named_and_not_counted(tmp_path):
    tally = one_check(tmp_path, estimator="bgnbd", field="r", value=0.243)
    assert tally.not_expressible
    assert not tally.passed
    assert not tally.failed
