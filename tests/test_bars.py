"""A bar over queries: after two seconds of a question, and gone with it. Here the two seconds are less."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from toolkit.logs import progress
from toolkit.logs.progress import Progress, together


class Halfway:
    """What runs a query, always half done."""

    def interrupt(self) -> None:
        """Nothing runs."""

    def query_progress(self) -> float:
        return 50.0


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    monkeypatch.setenv("TQDM_DISABLE", "")
    monkeypatch.setattr(progress, "LOOK", 0.05)
    return lambda: capsys.readouterr().err


def query() -> None:
    with Progress(Halfway()) as asked:
        asked.answer(lambda: time.sleep(0.3))


def test_a_short_query_has_no_bar(shown: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 60)
    query()
    assert shown() == ""


def test_short_queries_of_one_question_have_a_bar_which_goes(
    shown: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 60)
    with together():
        query()
        assert shown() == ""
        # As if the first query had taken as long as the patience.
        monkeypatch.setattr(progress, "PATIENCE", 0.3)
        with together():  # a question within it begins no second time
            query()
        _, *bars, gone, _ = shown().split("\r")
        assert any("reading the log:  50%" in bar for bar in bars)
        assert not gone.strip()
    monkeypatch.setattr(progress, "PATIENCE", 60)
    query()
    assert shown() == ""


def test_parts_that_each_come_at_once_have_a_bar(
    shown: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.1)
    with Progress(Halfway()) as asked:
        for _ in range(2):
            asked.answer(int)
            time.sleep(0.2)  # what is done with a part
        assert "reading the log" in shown()
