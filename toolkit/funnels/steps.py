"""A funnel's question, checked: steps, window and options turned into predicates and microseconds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from toolkit.counts import confidence_level, refuse_taken
from toolkit.logs.engines import WHOLE, identifier, literals
from toolkit.logs.expressions import condition
from toolkit.logs.times import instant

if TYPE_CHECKING:
    from toolkit.logs.events import EventLog

MODES = ("ordered", "any", "strict")
COUNTS = ("users", "pairs", "entries")
MOST_STEPS = 16
#: Values of held columns up to which they are numbered.
MOST_HELD = 1000
#: Columns of a funnel's tables, which no group can be named as: those of its answers, and sums by step.
OWN = {
    *(
        "step",
        "reached",
        "open",
        "from_previous",
        "from_first",
        "first_low",
        "first_high",
        "quantile",
        "rate",
    ),
    *("measure", "estimate", "low", "high", "n", "n_reference", "p", "p_adjusted"),
    *(f"{letter}{j}" for letter in "nqfuoars" for j in range(1, MOST_STEPS + 1)),
}


@dataclass(frozen=True)
class Step:
    """One step of a funnel: a row whose event is among some names, and for which a condition holds.

    Parameters
    ----------
    name
        What the step is called in tables and figures.
    event
        Name of the event, or several. The step's own name if neither `event` nor `where` is given.
    where
        One boolean SQL expression over the log's columns, such as ``"amount > 100"``. Null does not match.

    Examples
    --------
    >>> Step("interest", event=["cart", "fav"])
    Step(name='interest', event=('cart', 'fav'), where=None)
    """

    name: str
    event: str | Sequence[str] | None = None
    where: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"a step's name is a non-empty text, not {self.name!r}")
        events = self.event
        if events is None and self.where is None:
            events = self.name
        if events is not None:
            events = (events,) if isinstance(events, str) else tuple(events)
            if not events or not all(isinstance(event, str) for event in events):
                raise ValueError(
                    f"step {self.name!r}: event is a name or a list of names, not {self.event!r}"
                )
        object.__setattr__(self, "event", events)

    @property
    def events(self) -> tuple[str, ...]:
        """Names of the events that match; empty where the condition alone decides."""
        return tuple(self.event or ())


@dataclass(frozen=True)
class Predicate:
    """A step as SQL, with what a path without SQL needs to know of it."""

    sql: str
    events: tuple[str, ...]
    where: str | None
    columns: frozenset[str]


@dataclass(frozen=True)
class Exclusion:
    """Rows that void a link between chain rows l and l+1, for first <= l < last (steps counted from 1)."""

    predicate: Predicate
    first: int
    last: int


@dataclass(frozen=True)
class Question:
    """What `funnel` was asked, checked against its log. Times and durations are in microseconds."""

    log: EventLog = field(repr=False)
    steps: tuple[Step, ...]
    predicates: tuple[Predicate, ...]
    within: int | None
    by: tuple[str, ...]
    attribution: int | str
    mode: str
    universe: tuple[Predicate, ...]
    hold: tuple[str, ...]
    count: str
    exclude: tuple[Exclusion, ...]
    gaps: dict[int, int]
    entries: tuple[int | None, int | None]
    observed_until: int
    dedupe: str | None
    mature: bool
    confidence: float

    @property
    def size(self) -> int:
        """Number of steps."""
        return len(self.steps)

    @property
    def held_by(self) -> bool:
        """Whether every column of `by` is held constant, so that a unit has one value."""
        return set(self.by) <= set(self.hold)

    @property
    def single(self) -> bool:
        """Whether a user has one unit in a group at most: he has only one, or groups differ by all that is held."""
        return self.count == "users" or (self.count == "pairs" and set(self.hold) <= set(self.by))

    @property
    def disjoint(self) -> bool:
        """Whether no row can match two steps, as far as the event names alone tell."""
        names = [name for predicate in self.predicates for name in predicate.events]
        return all(predicate.events for predicate in self.predicates) and len(names) == len(set(names))

    @property
    def plain(self) -> bool:
        """Ordered, without limits on single links: what the fast paths offer."""
        return self.mode == "ordered" and not self.gaps and not self.exclude and self.dedupe is None

    @property
    def columns(self) -> set[str]:
        """Properties that the question reads."""
        read = {*self.by, *self.hold} | ({self.dedupe} if self.dedupe else set())
        for predicate in (*self.predicates, *self.universe, *(rule.predicate for rule in self.exclude)):
            read |= predicate.columns
        return read

    @cached_property
    def numbers(self) -> int:
        """How many values held columns have, if each user and value can be one whole number together; else 0."""
        log, names = self.log, ", ".join(map(identifier, self.hold))
        if not names or log.columns[log.user] not in WHOLE:
            return 0
        few = f"SELECT DISTINCT {names} FROM {log.engine.table} LIMIT {MOST_HELD + 1}"
        user = f"CAST({identifier(log.user)} AS BIGINT)"
        asked = f"SELECT min({user}), max({user}), (SELECT count(*) FROM ({few})) FROM {log.engine.table}"
        low, high, n = log.engine.rows(asked)[0]
        return n if low is not None and n <= MOST_HELD and max(-low, high) < (1 << 62) // n else 0

    def overlapping_rows(self) -> int:
        """Rows that match more than one step, counted in the log."""
        if self.disjoint:
            return 0
        hits = " + ".join(f"CASE WHEN {predicate.sql} THEN 1 ELSE 0 END" for predicate in self.predicates)
        return self.log.engine.rows(f"SELECT count(*) FROM {self.log.engine.table} WHERE {hits} > 1")[0][0]


def ask(
    log: EventLog,
    steps: Sequence[str | Step],
    *,
    within: str | pd.Timedelta | None,
    by: str | Sequence[str] | None,
    attribution: str,
    mode: str,
    universe: Sequence[str | Step] | None,
    hold: str | Sequence[str] | None,
    count: str,
    exclude: Sequence[Any],
    gaps: Mapping[str, str | pd.Timedelta] | None,
    entries: tuple[Any, Any] | None,
    observed_until: Any,
    dedupe: str | None,
    mature: bool,
    confidence: float,
) -> Question:
    """Check the options of `funnel` against a log."""
    if not hasattr(log, "facts"):
        raise TypeError(f"funnel takes a log from read_events, not {type(log).__name__}")
    chosen = _steps(steps)
    for value, known, option in ((mode, MODES, "mode"), (count, COUNTS, "count")):
        if value not in known:
            raise ValueError(f"{option}={value!r}; use one of {', '.join(map(repr, known))}")
    confidence = confidence_level(confidence)
    window = None if within is None else duration(within, "within")
    names = [step.name for step in chosen]
    held, groups = _columns(log, hold, "hold"), _columns(log, by, "by")
    refuse_taken(groups, OWN)
    if dedupe is not None:
        log.column(dedupe, "dedupe column")
    until = (
        log.facts.last if observed_until is None else instant(observed_until, log.timezone, "observed_until")
    )
    if until is None:
        raise ValueError(
            f"{log.source} is empty: it has no row with a user and a time. To count an empty log as observed, "
            "and found to have nobody, say until when: observed_until="
        )
    first, last = _entries(entries, log.timezone)
    if mature:
        if window is None:
            raise ValueError("mature=True needs a window: without one, no entry's window is ever over")
        # The window's end is inclusive, so an entry is mature when entry + window <= end of observation.
        last = min(last, until - window + 1) if last is not None else until - window + 1
    question = Question(
        log=log,
        steps=chosen,
        predicates=tuple(_predicate(log, step) for step in chosen),
        within=window,
        by=groups,
        attribution=_attribution(attribution, names),
        mode=mode,
        universe=tuple(_predicate(log, _step(step)) for step in universe or ()),
        hold=held,
        count=count,
        exclude=tuple(_exclusion(log, rule, names) for rule in _listed(exclude)),
        gaps=_gaps(gaps, names),
        entries=(first, last),
        observed_until=until,
        dedupe=dedupe,
        mature=mature,
        confidence=confidence,
    )
    _refuse_contradictions(question)
    return question


def duration(value: Any, option: str) -> int:
    """A length of time as microseconds; bare numbers are refused, since they do not say their unit."""
    if isinstance(value, str) and re.fullmatch(r"\s*[-+]?[\d.]*\s*", value):
        raise ValueError(f"{option}={value!r} has no unit; write '30min', '1d' or a pandas Timedelta")
    if not isinstance(value, str) and not hasattr(value, "total_seconds"):
        raise ValueError(f"{option}={value!r} has no unit; write '30min', '1d' or a pandas Timedelta")
    try:
        # pandas wants a capital D for days; "1d" is what people write.
        length = pd.Timedelta(
            re.sub(r"(?<=[\d\s])d(?![a-zA-Z])", "D", value) if isinstance(value, str) else value
        )
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{option}={value!r} is not a length of time; write '30min', '1d' or a pandas Timedelta"
        ) from error
    if length is pd.NaT or pd.isna(length):
        raise ValueError(
            f"{option}={value!r} is not a length of time; write '30min', '1d' or a pandas Timedelta"
        )
    if length < pd.Timedelta(0):
        raise ValueError(f"{option}={value!r} is negative; a length of time is zero or more")
    return length // pd.Timedelta(1, "us")


def _steps(steps: Sequence[str | Step]) -> tuple[Step, ...]:
    if isinstance(steps, str | Step):
        raise ValueError(f"steps is a list of two or more steps, not {steps!r} alone")
    chosen = tuple(_step(step) for step in steps)
    # A lone name is a slip; a lone Step was meant, and counts who did one thing.
    if not chosen or (len(chosen) == 1 and isinstance(next(iter(steps)), str)):
        raise ValueError(
            f"a funnel needs at least two steps; got {[step.name for step in chosen]}. "
            "To count who did one thing, give it as Step(name)"
        )
    if len(chosen) > MOST_STEPS:
        raise ValueError(f"a funnel has at most {MOST_STEPS} steps; got {len(chosen)}")
    names = [step.name for step in chosen]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"two steps are called {twice[0]!r}; name one of them anew: Step('{twice[0]} again', event={twice[0]!r})"
        )
    return chosen


def _step(step: str | Step) -> Step:
    if isinstance(step, Step):
        return step
    if isinstance(step, str):
        return Step(step)
    raise TypeError(f"a step is an event's name or a Step, not {step!r}")


def _predicate(log: EventLog, step: Step) -> Predicate:
    parts, where = [], None
    columns: set[str] = set()
    if step.events:
        parts.append(f"{log.named} IN ({literals(step.events)})")
    if step.where is not None:
        where, columns = condition(log, step.where, f"step {step.name!r}")
        parts.append(where)
    return Predicate(
        " AND ".join(parts), step.events if step.where is None else (), where, frozenset(columns)
    )


def _exclusion(log: EventLog, rule: Any, names: list[str]) -> Exclusion:
    if isinstance(rule, str | Step):
        return Exclusion(_predicate(log, _step(rule)), 1, len(names))
    if not isinstance(rule, tuple | list) or len(rule) != 3:
        raise ValueError(
            f"exclude: {rule!r} is neither an event's name, a Step, nor (event, from step, to step)"
        )
    what, first, last = rule
    low, high = _position(first, names, "exclude"), _position(last, names, "exclude")
    if low >= high:
        raise ValueError(f"exclude: {last!r} does not come after {first!r} in the funnel")
    return Exclusion(_predicate(log, _step(what)), low, high)


def _position(name: Any, names: list[str], option: str) -> int:
    if name not in names:
        raise ValueError(f"{option}: no step {name!r}; the steps are {', '.join(names)}")
    return names.index(name) + 1


def _gaps(gaps: Mapping[str, Any] | None, names: list[str]) -> dict[int, int]:
    found = {}
    for name, length in (gaps or {}).items():
        position = _position(name, names, "gaps")
        if position == 1:
            raise ValueError(f"gaps: {name!r} is the first step; a gap is the time since the step before")
        found[position] = duration(length, f"gaps[{name!r}]")
    return found


def _entries(entries: tuple[Any, Any] | None, timezone: str) -> tuple[int | None, int | None]:
    if entries is None:
        return None, None
    if isinstance(entries, str) or len(entries) != 2:
        raise ValueError(f"entries={entries!r}; give (from, to), either of which may be None")
    low, high = (None if end is None else instant(end, timezone, "entries") for end in entries)
    if low is not None and high is not None and low >= high:
        raise ValueError(f"entries={entries!r} is an empty range: from must lie before to")
    return low, high


def _attribution(attribution: str, names: list[str]) -> int | str:
    if attribution in ("entry", "last"):
        return attribution
    if isinstance(attribution, str) and attribution.startswith("step:"):
        return _position(attribution.removeprefix("step:"), names, "attribution")
    raise ValueError(f"attribution={attribution!r}; use 'entry', 'last' or 'step:NAME'")


def _columns(log: EventLog, names: str | Sequence[str] | None, option: str) -> tuple[str, ...]:
    listed = _listed(names)
    for name in listed:
        log.column(name, f"{option} column")
    if len(set(listed)) < len(listed):
        raise ValueError(f"{option}={listed!r} names a column twice")
    return tuple(listed)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return [value] if isinstance(value, str | Step) else list(value)


def _refuse_contradictions(question: Question) -> None:
    if question.count == "pairs" and not question.hold:
        raise ValueError("count='pairs' counts (user, held value) pairs; say what is held: hold=")
    if question.universe and question.mode != "strict":
        raise ValueError("universe= says which rows break a strict funnel; use it with mode='strict'")
    if question.mode != "any":
        return
    for option in ("gaps", "exclude"):
        if getattr(question, option):
            raise ValueError(f"{option}= needs an order of steps; mode='any' has none")
    if question.count == "entries" or question.entries != (None, None):
        raise ValueError("mode='any' has no first step, so no entries; use mode='ordered'")
    overlapping = question.overlapping_rows()
    if overlapping:
        raise ValueError(f"mode='any' needs disjoint steps; {overlapping:,} rows match more than one")
    for name in question.by:
        if name not in question.hold:
            _refuse_varying(question.log, name)


def _refuse_varying(log: EventLog, name: str) -> None:
    value = identifier(name)
    varying = log.engine.rows(
        f"SELECT count(*) FROM (SELECT 1 FROM {log.engine.table} WHERE {identifier(log.user)} IS NOT NULL "
        f"GROUP BY {identifier(log.user)} HAVING count(DISTINCT {value}) + max(CASE WHEN {value} IS NULL "
        "THEN 1 ELSE 0 END) > 1)"
    )[0][0]
    if varying:
        raise ValueError(
            f"mode='any' has no step whose {name!r} would be the user's, and {varying:,} of the users have several; "
            f"hold it constant: hold={name!r}"
        )
