"""Which rows of a log a question of cohorts reads: events and conditions, end of observation, retries left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolkit.cohorts.periods import shown
from toolkit.counts import refuse_taken
from toolkit.intervals import UserSums
from toolkit.logs.engines import identifier, literals
from toolkit.logs.expressions import condition
from toolkit.logs.times import instant
from toolkit.wording import counted, some

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.logs.events import EventLog

#: Columns of the wing's tables, which no group can be named as.
OWN = {
    *("cohort", "age", "age_to", "size", "eligible", "retained", "retained_eligible", "rate", "status"),
    *("cohorts", "definition", "meaning", "estimate", "low", "high", "n"),
    *("day", "dau", "wau", "mau", "stickiness", "start", "active", "new", "resurrected", "churned"),
    *("opens", "within", "repurchased", "buyers", "immature", "repurchased_all", "note"),
    *("again", "censored", "events"),
}


@dataclass(frozen=True)
class Rows:
    """Rows that match: a predicate in SQL, the names in it, what a reader calls them, and columns of conditions."""

    sql: str = "TRUE"
    events: tuple[str, ...] = ()
    said: str = "any event"
    columns: frozenset[str] = frozenset()
    conditional: bool = False

    @property
    def all(self) -> bool:
        """Whether every row matches."""
        return self.sql == "TRUE"


def matching(log: EventLog, what: Any, option: str) -> Rows:
    """Rows that match an event's name, a `Step`, or any of a list of these; all rows for None."""
    if what is None:
        return Rows()
    listed = [what] if isinstance(what, str) or not isinstance(what, Iterable) else list(what)
    if not listed:
        raise ValueError(f"{option} is an empty list; name an event, or leave it out for any event")
    names = tuple(dict.fromkeys(item for item in listed if isinstance(item, str)))
    parts = [f"{log.named} IN ({literals(names)})"] if names else []
    said, known, read = [*names], [*names], set()
    conditional = False
    for step in (item for item in listed if not isinstance(item, str)):
        if not hasattr(step, "events") or not hasattr(step, "where"):
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
    return Rows(f"({sql})", tuple(known), " or ".join(said), frozenset(read), conditional)


def refuse_absent(log: EventLog, names: Sequence[str]) -> None:
    """An error if the log knows none of its events by one of the names."""
    absent = [name for name in names if name not in log.vocabulary]
    if absent and log.facts.rows:
        raise ValueError(f"no event {absent[0]!r} in {log.source}; it has: {some(list(log.events))}")


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


def opened(log: Any, question: str) -> None:
    """An error if what was given is no log."""
    if not hasattr(log, "engine"):
        raise TypeError(f"{question} takes a log from read_events, not {type(log).__name__}")


def end_of(log: EventLog, observed_until: Any) -> int:
    """The instant at which observation ends, itself not observed; just after the last row if not given."""
    facts = log.facts
    if observed_until is None:
        if facts.last is None:
            raise ValueError(
                f"{log.source} is empty: it has no row with a user and a time. To count an empty log as observed, "
                "say until when: observed_until="
            )
        return facts.last + 1
    until = instant(observed_until, log.timezone, "observed_until")
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


def by_groups(groups: Sequence[str]) -> str:
    """SQL of what follows a query that adds up group by group: one row each, in their order, null last."""
    if not groups:
        return ""
    order = ", ".join(f"{name} NULLS LAST" for name in groups)
    return f" GROUP BY {', '.join(groups)} ORDER BY {order}"


def sums(x: str, y: str, prefix: str = "") -> str:
    """SQL that adds up `UserSums` over one row per user with y successes in x trials."""
    x, y = f"CAST({x} AS DOUBLE)", f"CAST({y} AS DOUBLE)"
    found = {
        "users": f"count(*) FILTER ({x} > 0)",
        "x": f"sum({x})",
        "y": f"sum({y})",
        "xx": f"sum({x} * {x})",
    }
    found |= {"xy": f"sum({x} * {y})", "yy": f"sum({y} * {y})"}
    found["yy_per_x"] = f"sum(CASE WHEN {x} > 0 THEN {y} * {y} / {x} ELSE 0 END)"
    return ", ".join(f"coalesce({sql}, 0) AS {prefix}{name}" for name, sql in found.items())


def user_sums(row: pd.Series, prefix: str = "") -> UserSums:
    """The `UserSums` in one row of an answer."""
    return UserSums(*(float(row[f"{prefix}{name}"]) for name in UserSums._fields))
