"""`funnel`: checks the question, chooses how to count, counts, and hands the counts to the result."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from toolkit.funnels import sql
from toolkit.funnels.steps import Question, Step, ask
from toolkit.wording import some

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from toolkit.funnels.result import Funnel
    from toolkit.logs.events import EventLog

PATHS = ("auto", "asof", "windows", "stream", "index")
#: From this many rows on, one streamed pass repays the second that loading numba takes.
STREAM_ROWS = 2_000_000


class OutOfOrder(Exception):
    """The rows of a source are not in time order, which only a pass over them can tell."""


@dataclass(frozen=True)
class Units:
    """A units relation (see `toolkit.funnels.sql`): its SQL, and what runs SQL over it."""

    path: str
    sql: str
    relation: Callable[[str], duckdb.DuckDBPyRelation]
    frame: Callable[[str], pd.DataFrame]
    notes: tuple[str, ...] = ()
    table: pa.Table | None = None


def funnel(
    log: EventLog,
    steps: Sequence[str | Step],
    *,
    within: str | pd.Timedelta | None,
    by: str | Sequence[str] | None = None,
    attribution: str = "entry",
    mode: str = "ordered",
    universe: Sequence[str | Step] | None = None,
    hold: str | Sequence[str] | None = None,
    count: str = "users",
    exclude: Sequence[Any] = (),
    gaps: Mapping[str, str | pd.Timedelta] | None = None,
    entries: tuple[Any, Any] | None = None,
    observed_until: Any = None,
    dedupe: str | None = None,
    mature: bool = False,
    times: bool = False,
    path: str = "auto",
    confidence: float = 0.95,
) -> Funnel:
    """Count who gets how far through steps, in order, within a time of entering.

    A user is followed from the entry that lets him get furthest, not only from his first one.

    Parameters
    ----------
    log : EventLog
        From `read_events`.
    steps : list of str or Step
        Two or more, in order.
    within : str, Timedelta or None
        Longest time from the first step to the last, its end included: "1d", "30min". None sets no limit.
    by : str or list of str, optional
        Properties to break the counts down by.
    attribution : {"entry", "last", "step:NAME"}
        The row of a user's chain whose `by` value is the user's. With "step:NAME", users who did not reach
        that step are left out.
    mode : {"ordered", "any", "strict"}
        Strict: no other row of the user may lie between two steps. Any: the largest number of different
        steps in one window, whatever their order.
    universe : list of str or Step, optional
        Rows that break a strict chain. All rows of the user if not given.
    hold : str or list of str, optional
        Properties that must stay the same along a chain, such as the session.
    count : {"users", "pairs", "entries"}
        What is counted: users; (user, held value) pairs; or every entry.
    exclude : list of str, Step or (str or Step, from, to)
        Events that void the link between two consecutive steps when they lie strictly between them; with
        names of steps, only on the links from `from` to `to`.
    gaps : dict of str to str or Timedelta, optional
        By step: longest time since the step before.
    entries : (from, to), optional
        Range of the first step's time, `from` included and `to` not; later steps may lie outside.
    observed_until : time, optional
        End of observation. The last row's time if not given.
    dedupe : str, optional
        Of rows with the same value in this column only the first counts: retries of one order.
    mature : bool
        Count only entries whose window is over by the end of observation.
    times : bool
        Compute the times to convert at once; `Funnel.times` computes them when asked otherwise.
    path : {"auto", "asof", "windows", "stream", "index"}
        How to count. All paths give the same counts; the result says which one ran.
    confidence : float
        Of every interval, between 0 and 1.

    Returns
    -------
    Funnel

    Raises
    ------
    ValueError
        For an option that cannot be meant, an event that the log does not have, or an empty log; the
        message names the value and the fix.

    Notes
    -----
    A chain of length L is L rows r1 < r2 < ... < rL of one user, ordered by time, then by step, then by
    arrival, where rj matches step j and time(rL) - time(r1) <= within. A user's depth is the length of the
    longest chain. One row fills one step. Rows of the same moment are taken in the order of the steps.

    It counts what the log shows: a user who enters before the log begins, or converts after it ends, is not
    seen. `open` says how many may still convert.

    References
    ----------
    ClickHouse's `windowFunnel` gives the same counts for ordered steps that cannot match one row twice.

    Examples
    --------
    >>> from toolkit import funnel, read_events
    >>> rows = {"user_id": [1, 1, 2, 3], "event": ["enter", "pay", "enter", "pay"],
    ...         "timestamp": pd.to_datetime(["2019-11-11 20:00", "2019-11-11 20:09"] * 2)}
    >>> funnel(read_events(pd.DataFrame(rows)), ["enter", "pay"], within="1d").table[["step", "reached", "open"]]
        step  reached  open
    0  enter        2     1
    1    pay        1  <NA>
    """
    from toolkit.funnels.result import Funnel

    question = ask(
        log,
        steps,
        within=within,
        by=by,
        attribution=attribution,
        mode=mode,
        universe=universe,
        hold=hold,
        count=count,
        exclude=exclude,
        gaps=gaps,
        entries=entries,
        observed_until=observed_until,
        dedupe=dedupe,
        mature=mature,
        confidence=confidence,
    )
    _refuse_unknown_names(question)
    units = count_units(question, path)
    counts = _counts(question, units)
    _refuse_unknown_steps(question, counts)
    answer = Funnel(
        steps=tuple(step.name for step in question.steps),
        by=question.by,
        counts=counts,
        unit=count,
        confidence=confidence,
        excluded=_lost(question, units, path) if question.exclude else None,
        question=question,
        units=units,
    )
    if times:
        _ = answer.times
    return answer


def count_units(question: Question, path: str, *, chain: bool = False) -> Units:
    """Units of a question by a path; "auto" takes the fastest that answers it."""
    if path not in PATHS:
        raise ValueError(f"path={path!r}; use one of {', '.join(map(repr, PATHS))}")
    notes: list[str] = []
    for name in _candidates(question, notes) if path == "auto" else [path]:
        refusal = _refusal(question, name)
        if refusal and path != "auto":
            raise ValueError(f"path={path!r} cannot answer this: {refusal}")
        if refusal:
            continue
        try:
            return _run(question, name, chain, tuple(notes))
        except OutOfOrder:
            notes.append("the rows are not in time order, so SQL sorted them")
            if path != "auto":
                return _run(question, "windows", chain, tuple(notes))
    raise RuntimeError("no path answered")  # windows answers every question


def _candidates(question: Question, notes: list[str]) -> list[str]:
    log = question.log
    names = []
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
            notes.append("numba is not installed for this Python: SQL answered")
    return [*names, "asof", "windows"]


def _refusal(question: Question, path: str) -> str | None:
    """Why a path does not offer a question, or None."""
    if path == "windows":
        return None
    if path == "asof":
        if question.mode != "ordered" or question.count == "entries" or question.dedupe is not None:
            return "it offers ordered funnels of users or pairs, without dedupe"
        if question.by and not question.held_by and isinstance(question.attribution, int):
            return "it attributes to the entry or to the last step"
        if question.overlapping_rows():
            return "some rows match two steps"
        return None
    if not importlib.util.find_spec("numba"):
        return "numba is not installed for this Python"
    return importlib.import_module(f"toolkit.funnels.{'indexed' if path == 'index' else path}").refusal(
        question
    )


def _run(question: Question, path: str, chain: bool, notes: tuple[str, ...]) -> Units:
    engine = question.log.engine
    if path == "asof" and not chain:
        return Units(path, sql.asof(question), engine.relation, engine.frame, notes)
    if path in ("asof", "windows"):
        return Units("windows", sql.windows(question, chain=chain), engine.relation, engine.frame, notes)
    from toolkit.funnels.units import relation

    module = importlib.import_module(f"toolkit.funnels.{'indexed' if path == 'index' else path}")
    table: pa.Table = module.units(question, chain=chain)
    over = partial(engine.over, table)
    return Units(path, relation(question), over, lambda text: over(text).df(), notes, table)


def _counts(question: Question, units: Units) -> pd.DataFrame:
    """The reduced counts, `by` columns first under their own names."""
    groups = sql.grouped(question)
    if units.table is None:
        frame = units.frame(sql.reduce(question, units.sql))
        sums = [name for name in frame.columns if name not in groups and name[0] not in "rs"]
        known = [name for name in sums if not name.startswith("o") or question.mode == "ordered"]
        frame = frame.astype(dict.fromkeys(sums, "Int64"))
        frame[known] = frame[known].fillna(0).astype("int64")
    else:
        from toolkit.funnels.units import reduce

        frame = reduce(question, units.table)
    frame = frame.sort_values(groups, na_position="last", ignore_index=True) if groups else frame
    return frame.rename(columns=dict(zip(groups, question.by, strict=True)))


def _lost(question: Question, units: Units, path: str) -> int:
    """Units that would have got further without the exclusions."""
    order = ["u", *([] if question.count == "users" else sql.held(question))]
    order += ["start", "level"] if question.count == "entries" else []
    levels = []
    for asked, answered in (
        (question, units),
        (plain := replace(question, exclude=()), count_units(plain, path)),
    ):
        # The same units in the same order: exclusions void links, they remove nobody.
        rows = f"SELECT CAST(level AS TINYINT) AS level FROM ({sql.users(asked, answered.sql)})"
        levels.append(answered.frame(f"{rows} ORDER BY {', '.join(order)}")["level"].to_numpy())
    return int((levels[0] < levels[1]).sum())


def _refuse_unknown_names(question: Question) -> None:
    """Names whose absence would not show as a step of zero: alternatives, exclusions, the universe."""
    others = [rule.predicate.events for rule in question.exclude] + [
        rule.events for rule in question.universe
    ]
    several = [step.events for step in question.steps if len(step.events) > 1]
    names = {name for events in (*others, *several) for name in events}
    if names:
        _refuse_absent(question, sorted(names))


def _refuse_unknown_steps(question: Question, counts: pd.DataFrame) -> None:
    empty = [j for j in range(1, question.size + 1) if not counts[f"n{j}"].sum()]
    if empty:
        _refuse_absent(question, [name for j in empty for name in question.steps[j - 1].events])


def _refuse_absent(question: Question, names: list[str]) -> None:
    log = question.log
    absent = [name for name in names if name not in log.vocabulary]
    if absent and log.facts.rows:
        raise ValueError(f"no event {absent[0]!r} in {log.source}; it has: {some(list(log.events))}")
