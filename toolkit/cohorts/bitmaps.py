"""Retention as SQL: one row per user with a bit for each period in which they were active, and cells as sums of bits.

The table of users has columns `c` (number of the cohort's period), `b0..` (values of `by`), `born` (instant of the
first event), `last` (the last period number in which the user was active, null for never) and `w0..` (words of bits,
the lowest being period 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.cohorts.filters import select
from toolkit.cohorts.question import BITS, RetentionQuestion

#: Bits of a HUGEINT that are free of its sign.
WIDE = 126


@dataclass(frozen=True)
class Layout:
    """How the bits of a user are kept: in one pass over the log or two, as how many words of which type."""

    one_pass: bool
    word: str
    width: int
    words: int


def layout(question: RetentionQuestion) -> Layout:
    """One pass where every return is known to follow a first event and the log's periods fit into one word."""
    length = question.log_periods
    one_pass = question.clock == "calendar" and question.covered and length <= WIDE and question.forward
    size = length if one_pass else max(high for _, high in question.cells) + 1
    word, width = ("BIGINT", BITS) if size <= BITS else ("HUGEINT", WIDE)
    return Layout(one_pass, word, width, -(-size // width))


def users(question: RetentionQuestion) -> str:
    """SQL of the table of users.

    One pass sets bits by calendar periods of the log and shifts them by the cohort's afterwards; two passes find
    first events first.
    """
    form = layout(question)
    return _one_pass(question, form.word) if form.one_pass else _two_passes(question, form)


def first_events(question: RetentionQuestion) -> str:
    """SQL of one row per user: u, born, c and the values of `by` in the first row."""
    number = question.calendar.sql("born", *question.span)
    source = question.source(question.start, by=True, ordered=bool(question.by))
    return f"SELECT *, {number} AS c FROM (SELECT u, min(t) AS born{_values(question)} FROM ({source}) GROUP BY u)"


def returning(question: RetentionQuestion) -> str:
    """SQL of the rows that count as returns, with their period `p`."""
    number = question.calendar.sql("t", *question.span)
    return f"SELECT u, t, {number} AS p FROM ({question.source(question.returns)})"


def cells(question: RetentionQuestion) -> str:
    """SQL of the counts: c, b0.., size, and per cell i r{i} (retained); e{i}, a{i} and g{i} by the elapsed clock.

    These are users whose period is fully observed, the retained among them, and users whose period has begun.
    """
    groups = ["c", *(f"b{i}" for i in range(len(question.by)))]
    sums = ["count(*) AS size"]
    for i, (low, high) in enumerate(question.cells):
        active = _active(question, low, high)
        sums.append(f"count(*) FILTER ({active}) AS r{i}")
        if question.clock == "elapsed":
            whole = f"born + {(high + 1) * question.length} <= {question.until}"
            sums.append(f"count(*) FILTER ({whole}) AS e{i}")
            sums.append(f"count(*) FILTER ({whole} AND {active}) AS a{i}")
            sums.append(f"count(*) FILTER (born + {low * question.length} < {question.until}) AS g{i}")
    return (
        f"SELECT {', '.join([*groups, *sums])} FROM ({users(question)}){_born(question)} GROUP BY {', '.join(groups)} "
        f"ORDER BY {', '.join([*(f'{name} NULLS LAST' for name in groups[1:]), 'c'])}"
    )


def never_started(question: RetentionQuestion) -> str:
    """SQL of how many users there are with a return and without any first event."""
    returned, started = (question.source(rows) for rows in (question.returns, question.start))
    return (
        f"SELECT count(*) AS n FROM (SELECT DISTINCT u FROM ({returned})) r LEFT JOIN (SELECT DISTINCT u AS started "
        f"FROM ({started})) s ON r.u = s.started WHERE s.started IS NULL"
    )


def shared(ours: RetentionQuestion, theirs: RetentionQuestion, cells: Sequence[tuple[int, int]]) -> str:
    """SQL of sums over users of two questions to one log, by `same` (whether in one cohort) and cell.

    Per cell i: xx{i} users whose cohort's cell is complete in both, yx{i} and xy{i} of these retained in the first and
    in the second, yy{i} in both.
    """
    sides = []
    for question in (ours, theirs):
        own = ["u", "c"]
        for i, (low, high) in enumerate(cells):
            whole = _whole(question, high)
            own.append(f"CAST({whole} AS INTEGER) AS x{i}")
            own.append(
                f"CAST({whole} AND coalesce({_active(question, low, high)}, FALSE) AS INTEGER) AS y{i}"
            )
        found = f"SELECT * FROM ({users(question)}){_born(question)}"
        if question.clock == "elapsed":
            found = f"SELECT *, max(born) OVER (PARTITION BY c) AS latest FROM ({found})"
        sides.append(f"(SELECT {', '.join(own)} FROM ({found}))")
    sums = [
        f"coalesce(sum(a.{one}{i} * b.{other}{i}), 0) AS {one}{other}{i}"
        for i in range(len(cells))
        for one in "xy"
        for other in "xy"
    ]
    both = f"{sides[0]} a JOIN {sides[1]} b USING (u)"
    return f"SELECT a.c = b.c AS same, {', '.join(sums)} FROM {both} GROUP BY a.c = b.c"


def _whole(question: RetentionQuestion, high: int) -> str:
    """SQL of whether a cohort's cell is complete, as `cells.marked` has it."""
    if question.clock == "elapsed":
        return f"latest + {(high + 1) * question.length} <= {question.until}"
    return f"c <= {question.calendar.number(question.until) - high - 1}"


def _one_pass(question: RetentionQuestion, word: str) -> str:
    starts, log = question.start, question.log
    number = question.calendar.sql(log.at, *question.span, since=question.first)
    columns = [f"{number} AS p"]
    every = question.returns.all or starts.sql == question.returns.sql
    if not every:
        columns.append(f"coalesce({question.returns.sql}, FALSE) AS returned")
    counted = "" if every else " FILTER (returned)"
    source = select(
        log,
        columns,
        question.until,
        by=question.by,
        dedupe=question.dedupe,
        ordered=bool(question.by),
        where=starts.sql,
    )
    # Each part is asked for only where it is needed: 10 M rows tell the difference.
    last = f", max(p){counted} - min(p) AS last" if question.kind == "rolling" else ""
    born = ", min(t) AS born" if question.bounded else ""
    bits = f"bit_or(CAST(1 AS {word}) << CAST(p AS INTEGER)){counted}"
    per_user = (
        f"SELECT u{'' if every else ', min(p) AS first'}{born}{last}, coalesce({bits}, 0) AS mask{_values(question)} "
        f"FROM ({source}) GROUP BY u"
    )
    # Where every row is a return the lowest bit is the first event's.
    first = "bit_count((mask & -mask) - 1)" if every else "first"
    return (
        f"SELECT *, mask >> CAST(c - {question.first} AS INTEGER) AS w0 FROM "
        f"(SELECT *, CAST({first} AS BIGINT) + {question.first} AS c FROM ({per_user}))"
    )


def _two_passes(question: RetentionQuestion, form: Layout) -> str:
    word, width, size = form.word, form.width, max(high for _, high in question.cells) + 1
    passed = "p - c" if question.clock == "calendar" else f"(t - born) // {question.length}"
    words = []
    for k in range(form.words):
        inside = f"d >= {k * width} AND d < {min((k + 1) * width, size)}"
        # A filtered row is shifted all the same, and may not be shifted out of the word.
        bit = f"CAST(1 AS {word}) << CAST(CASE WHEN {inside} THEN d - {k * width} ELSE 0 END AS INTEGER)"
        words.append(f"bit_or({bit}) FILTER ({inside}) AS w{k}")
    dated = f"SELECT r.u AS u, {passed} AS d FROM ({returning(question)}) r JOIN born USING (u) WHERE r.t >= born.born"
    return (
        f"WITH born AS ({first_events(question)}), active AS (SELECT u, max(d) AS last, {', '.join(words)} "
        f"FROM ({dated}) GROUP BY u) SELECT born.*, active.* EXCLUDE (u) FROM born LEFT JOIN active USING (u)"
    )


def _active(question: RetentionQuestion, low: int, high: int) -> str:
    """SQL of whether a user counts as retained in a cell; a user without a return has null for bits."""
    if question.kind == "rolling":
        return f"last >= {low}"
    form = layout(question)
    tests = []
    for k in range(low // form.width, min(high // form.width + 1, form.words)):
        start, end = max(low, k * form.width), min(high, (k + 1) * form.width - 1)
        bits = ((1 << (end - start + 1)) - 1) << (start - k * form.width)
        tests.append(f"(w{k} & CAST({bits} AS {form.word})) <> 0")
    return " OR ".join(tests) or "FALSE"


def _values(question: RetentionQuestion) -> str:
    return "".join(f", arg_min_null(b{i}, (t, seq)) AS b{i}" for i in range(len(question.by)))


def _born(question: RetentionQuestion) -> str:
    return f" WHERE born >= {question.born_from}" if question.bounded else ""
