"""A funnel's question, checked: steps, window and options turned into predicates and microseconds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from toolkit.funnels.step import Step, step_of
from toolkit.logs.engines import WHOLE, identifier, literals
from toolkit.logs.expressions import condition
from toolkit.logs.times import instant, refuse_never
from toolkit.wording import counted, some, unknown

if TYPE_CHECKING:
    from toolkit.logs.events import EventLog

Mode = Literal["ordered", "any", "strict"]
Count = Literal["users", "pairs", "entries"]
MODES = ("ordered", "any", "strict")
COUNTS = ("users", "pairs", "entries")
#: Values of held columns up to which they are numbered.
MOST_HELD = 1000
#: Columns of a funnel's tables, which no group can be named as.
OWN = frozenset(
    {
        *(
            "step",
            "reached",
            "open",
            "n",
            "n_reference",
            "quantile",
            "rate",
            "measure",
            "estimate",
            "p",
            "p_adjusted",
        ),
        *("from_previous", "low", "high", "from_first", "first_low", "first_high"),
    }
)


@dataclass(frozen=True)
class Predicate:
    """A step as SQL, with what a path without SQL needs to know of it."""

    sql: str
    events: tuple[str, ...]
    where: str | None
    columns: frozenset[str]


@dataclass(frozen=True)
class Exclusion:
    """Rows that void a link between steps l and l+1, for first <= l < last (steps counted from 1)."""

    predicate: Predicate
    first: int
    last: int


@dataclass(frozen=True)
class Question:
    """What `funnel` was asked, checked against its log. Times and durations are in microseconds."""

    log: EventLog = field(repr=False)
    steps: tuple[Step, ...]
    within: int | None
    by: tuple[str, ...]
    attribution: int | str
    mode: Mode
    universe: tuple[Predicate, ...]
    hold: tuple[str, ...]
    count: Count
    exclude: tuple[Exclusion, ...]
    gaps: dict[int, int]
    entries: tuple[int | None, int | None]
    observed_until: int
    dedupe: str | None

    def __post_init__(self) -> None:
        _ = self.predicates  # a step's condition is checked before anything is counted
        _refuse_contradictions(self)

    @cached_property
    def predicates(self) -> tuple[Predicate, ...]:
        """Each step as SQL."""
        return tuple(predicate_of(self.log, step) for step in self.steps)

    @property
    def size(self) -> int:
        """Number of steps."""
        return len(self.steps)

    @property
    def names(self) -> tuple[str, ...]:
        """What a funnel's steps are called: the steps, or, in any order, how many different ones."""
        if self.mode == "any":
            return tuple(f"any {j} of {self.size}" for j in range(1, self.size + 1))
        return tuple(step.name for step in self.steps)

    @property
    def held_by(self) -> bool:
        """Whether every column of `by` is held constant, so that a counting unit has one value."""
        return set(self.by) <= set(self.hold)

    @property
    def single(self) -> bool:
        """Whether a user has one unit in a group at most: only one at all, or groups differ by all that is held."""
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
    def lacking(self) -> list[str]:
        """Columns that are asked for and that some files of the log lack, in words."""
        asked = {*self.by, *self.hold, *(name for one in self.predicates for name in one.columns)}
        return [
            f"{name} is missing from {counted(len(files), 'file')} ({some(files, 3)}): rows there have no value"
            for name, files in self.log.lacking.items()
            if name in asked
        ]

    @property
    def columns(self) -> set[str]:
        """Properties that the question reads."""
        read = {*self.by, *self.hold} | ({self.dedupe} if self.dedupe else set())
        for predicate in (*self.predicates, *self.universe, *(rule.predicate for rule in self.exclude)):
            read |= predicate.columns
        return read

    @cached_property
    def numbers(self) -> int:
        """How many values are held constant, if each user and value can be one whole number together; else 0."""
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
        rows = self.log.engine.rows(f"SELECT count(*) FROM {self.log.engine.table} WHERE {hits} > 1")
        return int(rows[0][0])


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
    return int(length // pd.Timedelta(1, "us"))


def predicate_of(log: EventLog, step: Step) -> Predicate:
    """A step's rows as SQL over a log, its condition checked."""
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


def exclusions_of(log: EventLog, rules: Any, names: Sequence[str]) -> tuple[Exclusion, ...]:
    """What voids a link between two steps, from `exclude=`."""
    return tuple(_exclusion(log, rule, names) for rule in _listed(rules))


def _exclusion(log: EventLog, rule: Any, names: Sequence[str]) -> Exclusion:
    if isinstance(rule, str | Step):
        return Exclusion(predicate_of(log, step_of(rule)), 1, len(names))
    if not isinstance(rule, tuple | list) or len(rule) != 3:
        raise ValueError(
            f"exclude: {rule!r} is neither an event's name, a Step, nor (event, from step, to step)"
        )
    what, first, last = rule
    low, high = position(first, names, "exclude"), position(last, names, "exclude")
    if low >= high:
        raise ValueError(f"exclude: {last!r} does not come after {first!r} in the funnel")
    return Exclusion(predicate_of(log, step_of(what)), low, high)


def position(name: Any, names: Sequence[str], option: str) -> int:
    """The place of a step in a funnel, from 1 on."""
    if name not in names:
        raise ValueError(f"{option}: {unknown('step', name, names, of='the funnel')}")
    return names.index(name) + 1


def gaps_of(gaps: Mapping[str, Any] | None, names: Sequence[str]) -> dict[int, int]:
    """The longest time from the step before, by position of the step, from `gaps=`."""
    found = {}
    for name, length in (gaps or {}).items():
        at = position(name, names, "gaps")
        if at == 1:
            raise ValueError(f"gaps: {name!r} is the first step; a gap is the time since the step before")
        found[at] = duration(length, f"gaps[{name!r}]")
    return found


def entries_of(entries: tuple[Any, Any] | None, timezone: str) -> tuple[int | None, int | None]:
    """The range of the first step's time, from `entries=`."""
    low = high = None
    if entries is not None:
        if isinstance(entries, str) or not isinstance(entries, Sequence) or len(entries) != 2:
            raise ValueError(f"entries={entries!r}; give (from, to), either of which may be None")
        low, high = (None if end is None else instant(end, timezone, "entries") for end in entries)
        if low is not None and high is not None and low >= high:
            raise ValueError(f"entries={entries!r} is an empty range: from must lie before to")
    return low, high


def attribution_of(attribution: Any, names: Sequence[str]) -> int | str:
    """The row that gives a unit its group, from `attribution=`: "entry", "last" or a step's position."""
    if attribution in ("entry", "last"):
        return str(attribution)
    if isinstance(attribution, str) and attribution.startswith("step:"):
        return position(attribution.removeprefix("step:"), names, "attribution")
    raise ValueError(f"attribution={attribution!r}; use 'entry', 'last' or 'step:NAME'")


def columns_of(log: EventLog, names: str | Sequence[str] | None, option: str) -> tuple[str, ...]:
    """Columns of a log, from an option that takes a name or a list of names."""
    listed = _listed(names)
    for name in listed:
        log.column(name, f"{option} column")
    if len(set(listed)) < len(listed):
        raise ValueError(f"{option}={listed!r} names a column twice")
    return tuple(listed)


def observed_until(log: EventLog, until: Any) -> int:
    """The last instant that is observed: just before `until`, or the last row's; an empty log must be told."""
    end = log.facts.last if until is None else instant(until, log.timezone, "observed_until") - 1
    if end is None:
        raise ValueError(
            f"{log.source} is empty: it has no row with a user and a time. To count an empty log as observed, "
            "and found to have nobody, say until when: observed_until="
        )
    if log.facts.first is not None and end < log.facts.first:
        raise ValueError(f"observed_until={until!r} is not after the first row: nothing would be observed")
    refuse_never(end, log.source)
    return end


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, str | Step):
        return [value]
    if not isinstance(value, Iterable):
        raise TypeError(f"{value!r} is neither a name nor a list of names")
    return list(value)


def _refuse_contradictions(question: Question) -> None:
    if question.count == "pairs" and not question.hold:
        raise ValueError("count='pairs' counts (user, held value) pairs; say what is held: hold=")
    if question.universe and question.mode != "strict":
        raise ValueError("universe= says which rows break a strict funnel; use it with mode='strict'")
    if question.count == "entries" and question.attribution != "entry":
        raise ValueError(
            "count='entries' counts each entry in the group of its own row, attribution='entry'; for another row's "
            "group count users or pairs"
        )
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
