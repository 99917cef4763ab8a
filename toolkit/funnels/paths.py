"""Which way to count: what each path offers, which one is the fastest, and running it.

asof     ASOF joins, one per step, DuckDB's own
windows  nested window functions: any SQL engine, every question
stream   one pass over rows in time order, compiled
index    rows kept in memory by user and time, compiled
"""

from __future__ import annotations

import importlib.util
from dataclasses import replace

from toolkit.compiled import uninterrupted
from toolkit.counts import one_of
from toolkit.funnels import asof, sql
from toolkit.funnels.counting_units import CountingUnits, Path
from toolkit.funnels.question import Question
from toolkit.logs.source import RESOLUTIONS
from toolkit.wording import counted, some

PATHS = ("auto", "asof", "windows", "stream", "index")
#: From this many rows on, one streamed pass repays the second that loading numba takes.
STREAM_ROWS = 2_000_000
NOT_INSTALLED = "numba is not installed for this Python"


def count_units(question: Question, path: Path, *, sequence: bool = False) -> CountingUnits:
    """Counting units of a question by a path; "auto" takes the fastest that answers it.

    Parameters
    ----------
    sequence
        Whether the times of the matched steps of steps are wanted too, as `t1` to `tk`.
    """
    one_of("path", path, PATHS)
    notes = _warnings(question)
    for name in _candidates(question, notes) if path == "auto" else [path]:
        refused = _refusal(question, name)
        if refused and path != "auto":
            raise ValueError(f"path={path!r} cannot answer this: {refused}")
        if refused:
            continue
        units = _run(question, name, sequence, tuple(notes))
        if units is not None:
            return units
        notes.append("the rows are not in time order, so SQL sorted them")
    return _by_sql(question, "windows", sequence, tuple(notes))  # it answers every question


def _warnings(question: Question) -> list[str]:
    """What of the log the question cannot use, and what its times cannot tell."""
    log, found = question.log, []
    if question.hold and (rows := log.without(question.hold)):
        is_left = "is" if rows == 1 else "are"
        found.append(f"{counted(rows, 'row')} without {some(question.hold)} {is_left} left out")
    if question.within is not None and question.within < RESOLUTIONS["day"]:
        unit = log.resolution
        if unit and question.within < RESOLUTIONS[unit]:
            found.append(
                f"times are whole {unit}s, longer than the window: rows of one {unit} are one moment"
            )
    return found


def lost_to_exclusions(units: CountingUnits) -> int:
    """Counting units that would have got further without the exclusions."""
    # By the same path, so that both tables lie in one place and are compared there.
    without = _run(replace(units.question, exclude=()), units.path, False, ())
    if without is None:
        raise RuntimeError(f"the path {units.path} counted with exclusions, but not without them")
    return units.behind(without)


def _candidates(question: Question, notes: list[str]) -> list[Path]:
    log = question.log
    names: list[Path] = []
    if log.memory is not None:
        absent = sorted(question.columns - set(log.memory.kept))
        if absent:
            notes.append(f"the index does not keep {some(absent)}: answered from {log.source}")
        else:
            names.append("index")
    if log.facts.rows >= STREAM_ROWS:
        if importlib.util.find_spec("numba"):
            names.append("stream")
        else:
            notes.append(f"{NOT_INSTALLED}: SQL answered")
    return [*names, "asof", "windows"]


def _refusal(question: Question, path: Path) -> str | None:
    """Why a path does not offer a question, or None."""
    if path == "windows":
        return None
    if path == "asof":
        return asof.refusal(question)
    if not importlib.util.find_spec("numba"):
        return NOT_INSTALLED
    with uninterrupted():
        from toolkit.funnels.kernels import indexed, stream
    return indexed.refusal(question) if path == "index" else stream.refusal(question)


def _run(question: Question, path: str, sequence: bool, notes: tuple[str, ...]) -> CountingUnits | None:
    """The units by one path; None where a streamed pass met rows out of time order."""
    if path in ("asof", "windows"):
        return _by_sql(question, path, sequence, notes)
    with uninterrupted():
        from toolkit.funnels.kernels import indexed, stream, unit_table
    units = indexed.units if path == "index" else stream.units
    table = units(question, sequence=sequence)
    if table is None:
        return None
    return CountingUnits(question, path, unit_table.relation(question), notes, table)


def _by_sql(question: Question, path: str, sequence: bool, notes: tuple[str, ...]) -> CountingUnits:
    if path == "asof" and not sequence:
        return CountingUnits(question, path, asof.joins(question), notes)
    return CountingUnits(question, "windows", sql.windows(question, sequence=sequence), notes)
