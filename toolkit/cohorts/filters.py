"""Which rows of a log a question reads: events, conditions, end of observation and retries, in SQL or by an index."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit.cohorts.periods import EPOCH, Calendar, shown
from toolkit.counts import refuse_taken
from toolkit.logs.engines import identifier, literals
from toolkit.logs.events import EventLog
from toolkit.logs.expressions import condition
from toolkit.logs.problems import silent_days
from toolkit.logs.times import instant, refuse_never
from toolkit.wording import counted, some, unknown

if TYPE_CHECKING:
    from toolkit.logs.index import Index

#: Columns of the wing's tables, which no group can be named as.
OWN = {
    *("cohort", "age", "age_to", "size", "eligible", "retained", "retained_eligible", "rate", "status"),
    *("cohorts", "definition", "meaning", "estimate", "low", "high", "n"),
    *("day", "dau", "wau", "mau", "stickiness", "start", "active", "new", "resurrected", "churned"),
    *("opens", "within", "repurchased", "buyers", "immature", "repurchased_all", "note"),
    *("again", "censored", "events"),
}


@runtime_checkable
class StepLike(Protocol):
    """A `Step`: events' names, a condition, or both, under a name of its own."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def events(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def where(self) -> str | None: ...  # noqa: D102


#: What the options `start`, `returns` and `event` take.
Events = str | StepLike | Collection[str | StepLike] | None


@dataclass(frozen=True)
class Filter:
    """A predicate on rows: in SQL, the events it names, its words, and the columns that its conditions read."""

    sql: str = "TRUE"
    events: tuple[str, ...] = ()
    said: str = "any event"
    columns: frozenset[str] = frozenset()
    conditional: bool = False

    @property
    def all(self) -> bool:
        """Whether every row matches."""
        return self.sql == "TRUE"


def matching(log: EventLog, what: Events, option: str) -> Filter:
    """Rows that match an event's name, a `Step`, or any of a list of these; all rows for None."""
    if what is None:
        return Filter()
    listed: list[Any] = [what]
    if isinstance(what, Iterable) and not isinstance(what, str | StepLike):
        listed = list(what)
    if not listed:
        raise ValueError(f"{option} is an empty list; name an event, or leave it out for any event")
    names = tuple(dict.fromkeys(item for item in listed if isinstance(item, str)))
    parts = [f"{log.named} IN ({literals(names)})"] if names else []
    said, known, read = [*names], [*names], set()
    conditional = False
    for step in (item for item in listed if not isinstance(item, str)):
        if not isinstance(step, StepLike):
            raise TypeError(f"{option} takes events' names and Steps, not {step!r}")
        own = [f"{log.named} IN ({literals(step.events)})"] if step.events else []
        if step.where is not None:
            where, columns = condition(log, step.where, f"{option} {step.name!r}")
            own.append(where)
            read |= columns
            conditional = True
        parts.append(" AND ".join(own))
        said.append(step.name)
        known += step.events
    if len(known) > 1:
        # One name that is not there shows as an empty answer; among several it would pass unseen.
        refuse_absent(log, known)
    sql = parts[0] if len(parts) == 1 else " OR ".join(f"({part})" for part in parts)
    return Filter(f"({sql})", tuple(known), " or ".join(said), frozenset(read), conditional)


def refuse_absent(log: EventLog, names: Sequence[str]) -> None:
    """An error if the log has no event of one of the names."""
    absent = [name for name in names if name not in log.vocabulary]
    if absent and log.facts.rows:
        raise ValueError(unknown("event", absent[0], log.events, of=log.source))


def grouping(log: EventLog, names: str | Sequence[str] | None) -> tuple[str, ...]:
    """Checked columns to break down by."""
    several = isinstance(names, Iterable) and not isinstance(names, str)
    listed: list[Any] = [] if names is None else list(names) if several else [names]
    for name in listed:
        log.column(name, "by column")
    if len(set(listed)) < len(listed):
        raise ValueError(f"by={listed!r} names a column twice")
    refuse_taken(listed, OWN)
    return tuple(listed)


def refuse_other_than_log(log: object, question: str) -> None:
    """An error if what was given is no log."""
    if not isinstance(log, EventLog):
        raise TypeError(f"{question} takes a log from read_events, not {type(log).__name__}")


def deduplicated(log: EventLog, dedupe: str | None) -> str | None:
    """The checked column of which each value counts once."""
    if dedupe is not None:
        log.column(dedupe, "dedupe column")
    return dedupe


def end_of(log: EventLog, observed_until: Any) -> int:
    """The instant at which observation ends, itself not observed; just after the last row if not given."""
    facts = log.facts
    if observed_until is None:
        if facts.last is None:
            raise ValueError(
                f"{log.source} is empty: it has no row with a user and a time. To count an empty log as observed, "
                "say until when: observed_until="
            )
        refuse_never(facts.last, log.source)
        return facts.last + 1
    until = instant(observed_until, log.timezone, "observed_until")
    refuse_never(until, log.source)
    if facts.first is not None and until <= facts.first:
        raise ValueError(
            f"observed_until={observed_until!r} is not after the first row, {shown(facts.first, log.timezone)}: "
            "nothing would be observed"
        )
    return until


def span(log: EventLog, until: int) -> tuple[int, int]:
    """The first instant of a log and the last one observed."""
    first = until - 1 if log.facts.first is None else log.facts.first
    return first, max(first, until - 1)


def left_out(log: EventLog) -> tuple[str, ...]:
    """A note on rows that no answer can use."""
    rows = log.facts.unusable
    return (f"{counted(rows, 'row')} without a user or a time left out",) if rows else ()


def silent(log: EventLog, until: int) -> tuple[str, ...]:
    """A note on days without any row between days with many: they count as days on which nobody came."""
    if log not in _days:
        first, last = span(log, until if log.facts.last is None else log.facts.last + 1)
        number = Calendar(log.timezone).sql("t", first, last)
        found = log.engine.frame(
            f"SELECT {number} AS day, count(*) AS rows FROM ({select(log, [], last + 1)}) GROUP BY 1"
        )
        found["day"] = pd.Timestamp(EPOCH) + pd.to_timedelta(found["day"], unit="D")
        _days[log] = found
    end = pd.Timestamp(Calendar(log.timezone).first_day(Calendar(log.timezone).number(until)))
    days = [f"{day:%Y-%m-%d}" for day in silent_days(_days[log]) if day < end]
    if not days:
        return ()
    return (
        f"warning: {counted(len(days), 'day')} without any row between days with many ({some(days, 3)}) "
        f"count{'s' * (len(days) == 1)} as {'a day' if len(days) == 1 else 'days'} on which nobody came",
    )


#: Rows of each day of a log, counted once.
_days: WeakKeyDictionary[EventLog, pd.DataFrame] = WeakKeyDictionary()


def select(
    log: EventLog,
    columns: Sequence[str],
    until: int,
    *,
    by: Sequence[str] = (),
    dedupe: str | None = None,
    ordered: bool = False,
    where: str = "TRUE",
) -> str:
    """SQL of the observed rows: u, t, `columns`, the values of `by` as b0.., and the arrival `seq` if `ordered`.

    Of rows with the same value in `dedupe` only the first is a row at all.
    """
    source, arrival = log.engine.table, ordered or dedupe is not None
    if arrival:
        source = f"(SELECT *, row_number() OVER () AS seq FROM {source})"
    chosen = [f"{identifier(log.user)} AS u", f"{log.at} AS t", *columns]
    chosen += [f"{identifier(name)} AS b{i}" for i, name in enumerate(by)]
    chosen += ["seq"] * arrival
    # Each condition on every row is worth leaving out: 10 M rows tell the difference.
    usable = f"{identifier(log.user)} IS NOT NULL AND {log.at} IS NOT NULL"
    known = usable if log.facts.unusable else "TRUE"
    if log.facts.last is not None and log.facts.last >= until:
        known += f" AND {log.at} < {until}"
    if dedupe is None:
        return f"SELECT {', '.join(chosen)} FROM {source} WHERE {known} AND {where}"
    chosen += [f"{identifier(dedupe)} AS dedupe", f"{where} AS kept"]
    return (
        "SELECT * EXCLUDE (copy, dedupe, kept) FROM (SELECT *, row_number() OVER (PARTITION BY dedupe ORDER BY t, "
        f"seq) AS copy FROM (SELECT {', '.join(chosen)} FROM {source} WHERE {known})) "
        "WHERE (dedupe IS NULL OR copy = 1) AND kept"
    )


def words(
    log: EventLog, index: Index, filters: Sequence[Filter], dedupe: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Codes of an index's rows, and the word of each code: a bit for each filter that such a row matches.

    Codes are those of events where no condition is asked, else each row's own word.
    """
    if dedupe is None and not any(each.conditional for each in filters):
        of_events = np.zeros(len(index.events) + 1, np.uint8)
        for place, each in enumerate(filters):
            for code, event in enumerate([None, *index.events]):
                of_events[code] |= (each.all or event in each.events) << place
        return index.event, of_events
    word = " + ".join(
        f"CASE WHEN {each.sql} THEN {1 << place} ELSE 0 END" for place, each in enumerate(filters)
    )
    columns = {name for each in filters for name in each.columns}
    own: np.ndarray = index.words(log, word, columns).astype(np.uint8)
    if dedupe is not None:
        own[index.copies(dedupe)] = 0
    return own, np.arange(1 << len(filters), dtype=np.uint8)


def observed(
    log: EventLog,
    index: Index,
    filters: Sequence[Filter],
    until: int,
    *,
    by: Sequence[str] = (),
    dedupe: str | None = None,
) -> pa.Table:
    """An index's observed rows by user, time and arrival: u, t, seq, `kinds` (a bit for each filter), `by` as b0.."""
    code, word = words(log, index, filters, dedupe)
    rows = np.flatnonzero((word[code] > 0) & (index.t < until))
    users = np.searchsorted(index.offsets, rows, side="right") - 1
    values = {f"b{i}": index.column(name).take(pa.array(rows)) for i, name in enumerate(by)}
    plain = {k: v.cast(v.type.value_type) if pa.types.is_dictionary(v.type) else v for k, v in values.items()}
    return pa.table({"u": users, "t": index.t[rows], "seq": rows, "kinds": word[code[rows]], **plain})
