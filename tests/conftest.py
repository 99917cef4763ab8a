"""In CI a skipped test counts as a failure; `shared` finds the research files where there are any."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

# A machine under load would draw a progress bar where the kept outputs have none; kernels inherit this.
os.environ.setdefault("TQDM_DISABLE", "1")

#: The one reason to skip that CI accepts: a clone stands alone, without the research files beside it.
ALONE = "needs ../shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of research files beside the clone; without it the test is skipped, in CI too."""
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip(ALONE)
    return folder


def _must_run(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure that gives its reason."""
    if not os.environ.get("CI") or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if ALONE not in reason:
        report.outcome = "failed"
        report.longrepr = f"a skipped test fails in CI: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _must_run(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _must_run(report)
    return report
