"""Funnels as SQL: the set-based form that any engine runs, and the table that every path ends in.

The table has one row per counting unit (a user, a pair or an entry) that has a row matching a step:

    u, h0.., b0..   user, values held constant, values of `by` (those of one row of the matched sequence of steps)
    level           furthest step: the length of the longest sequence of steps matched, 0 to k
    start           latest start of a sequence of that length, for "still in window"
    ended           when a sequence of that length is first complete

all times in microseconds. `toolkit.funnels.sums` adds it up; nothing else leaves the engine.
"""

from __future__ import annotations

from toolkit.funnels.question import Question
from toolkit.logs.engines import identifier, in_order

#: Every other row of the unit before, or after, this one in total order.
BEFORE = "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
AFTER = "ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING"


def held(question: Question) -> list[str]:
    """Names of the columns held constant, in the table."""
    return [f"h{i}" for i in range(len(question.hold))]


def grouped(question: Question) -> list[str]:
    """Names of the `by` columns, in the table."""
    return [f"b{i}" for i in range(len(question.by))]


def mask(question: Question) -> str:
    """SQL of a row's step mask: bit j-1 is set where the row matches step j."""
    return " + ".join(
        f"CASE WHEN {predicate.sql} THEN {1 << j} ELSE 0 END"
        for j, predicate in enumerate(question.predicates)
    )


def base(question: Question, *, arrival: bool) -> str:
    """The rows that matter: user, time, mask, held and group values, flags of exclusions.

    A row without user, time or a value held constant is dropped; of a deduplicated key only the first row stays.
    """
    log = question.log
    # Arrival decides only between rows of one time and one mask, which differ in nothing but their properties.
    order = log.engine.arrival if arrival or question.dedupe is not None else None
    columns = [f"{identifier(log.user)} AS u", f"{log.at} AS t", f"{mask(question)} AS m"]
    columns += [f"{identifier(name)} AS h{i}" for i, name in enumerate(question.hold)]
    columns += [f"{identifier(name)} AS b{i}" for i, name in enumerate(question.by)]
    columns += [
        f"CASE WHEN {rule.predicate.sql} THEN 1 ELSE 0 END AS x{i}" for i, rule in enumerate(question.exclude)
    ]
    columns.append("0 AS seq" if order is None else "seq")
    if question.mode == "strict":
        known = " OR ".join(f"({predicate.sql})" for predicate in question.universe) or "TRUE"
        columns.append(f"CASE WHEN {known} THEN 1 ELSE 0 END AS known")
    if question.dedupe is not None:
        columns.append(f"{identifier(question.dedupe)} AS dedupe")
    source = log.engine.table
    if order is not None:
        source = f"(SELECT *, {order} AS seq FROM {source})"
    rows = f"SELECT {', '.join(columns)} FROM {source}"
    if question.dedupe is not None:
        first = in_order(log.engine, ["u", "m", *held(question), *grouped(question)])
        rows = (
            f"SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY dedupe ORDER BY t, {first}) AS copy "
            f"FROM ({rows}) WHERE u IS NOT NULL AND t IS NOT NULL) WHERE dedupe IS NULL OR copy = 1"
        )
    keep = " OR ".join(["m <> 0", *(f"x{i} = 1" for i in range(len(question.exclude)))])
    if question.mode == "strict":
        keep = f"{keep} OR known = 1"
    nulls = [f"{name} IS NOT NULL" for name in ("u", "t", *held(question))]
    return f"SELECT * FROM ({rows}) WHERE {' AND '.join(nulls)} AND ({keep})"


def windows(question: Question, *, sequence: bool = False) -> str:
    """Counting units by nested window functions: every mode and option.

    Parameters
    ----------
    sequence
        Add the times of the matched steps, `t1` to `tk` (not for entries, nor for mode "any").
    """
    if question.mode == "any":
        return _any_order(question)
    if question.count == "entries":
        return _entry_units(question)
    return _matched(question, sequence)


def _unit(question: Question) -> str:
    return ", ".join(["u", *held(question)])


def _ordered_rows(question: Question, arrival: bool) -> list[str]:
    """CTEs up to `r`: step rows in the unit's total order `rn`, with the nearest excluded times."""
    unit = _unit(question)
    ctes = [f"base AS ({base(question, arrival=arrival)})"]
    backwards = question.count == "entries"
    frame = "1 FOLLOWING AND UNBOUNDED FOLLOWING" if backwards else "UNBOUNDED PRECEDING AND 1 PRECEDING"
    nearest, source = "min" if backwards else "max", "base"
    if question.exclude:
        # Times are integers, so "1 preceding" by range means strictly earlier: ties never exclude.
        over = f"OVER (PARTITION BY {unit} ORDER BY t RANGE BETWEEN {frame})"
        shadows = ", ".join(
            f"{nearest}(CASE WHEN x{i} = 1 THEN t END) {over} AS e{i}" for i in range(len(question.exclude))
        )
        ctes.append(f"shadowed AS (SELECT *, {shadows} FROM base)")
        source = "shadowed"
    rows = "m <> 0 OR known = 1" if question.mode == "strict" else "m <> 0"
    # One precomputed rank: windows ordered by (t, m) may each sort equal rows in their own way.
    order = in_order(question.log.engine, grouped(question)) if arrival else "seq"
    ctes.append(
        f"r AS (SELECT *, row_number() OVER (PARTITION BY {unit} ORDER BY t, m, {order}) AS rn FROM {source} "
        f"WHERE {rows})"
    )
    return ctes


def _in_range(question: Question) -> str:
    low, high = question.entries
    limits = [f"t >= {low}"] * (low is not None) + [f"t < {high}"] * (high is not None)
    return " AND ".join(limits) or "TRUE"


def entered(question: Question) -> str:
    """SQL of "a row may be the first of a sequence"."""
    return f"(m & 1) <> 0 AND {_in_range(question)}"


def _matched(question: Question, sequence: bool) -> str:
    """Latest start of a sequence of each length that ends in each row; then the furthest step and the rows matched."""
    k, unit = question.size, _unit(question)
    attributed = bool(question.by) and not question.held_by
    walk = sequence or (attributed and question.attribution != "last")
    ctes = _ordered_rows(question, arrival=attributed)
    frame = "ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING" if question.mode == "strict" else BEFORE
    over = f"OVER (PARTITION BY {unit} ORDER BY rn {frame})"
    ctes.append(f"c1 AS (SELECT *, CASE WHEN {entered(question)} THEN t END AS s1 FROM r)")
    for j in range(2, k + 1):
        # Of the rows that end a sequence of length j-1 the last one also has the latest start: S_j in the spec.
        valid = f"CASE WHEN s{j - 1} IS NOT NULL THEN"
        ctes.append(
            f"p{j} AS (SELECT *, max(s{j - 1}) {over} AS p{j}, max({valid} t END) {over} AS q{j}, "
            f"max({valid} rn END) {over} AS n{j} FROM c{j - 1})"
        )
        limits = [f"(m & {1 << (j - 1)}) <> 0", f"p{j} IS NOT NULL"]
        if question.within is not None:
            limits.append(f"t - p{j} <= {question.within}")
        if j in question.gaps:
            limits.append(f"t - q{j} <= {question.gaps[j]}")
        limits += [
            f"(e{i} IS NULL OR e{i} <= q{j})"
            for i, rule in enumerate(question.exclude)
            if rule.first < j <= rule.last
        ]
        # The last one is read by the sums and by each step back along the sequence.
        kept = "MATERIALIZED " if j == k and (walk or attributed) else ""
        ctes.append(
            f"c{j} AS {kept}(SELECT *, CASE WHEN {' AND '.join(limits)} THEN p{j} END AS s{j} FROM p{j})"
        )
    sums = [f"max({_highest(k, 's{} IS NOT NULL')}) AS level"]
    for j in range(1, k + 1):
        done = f"CASE WHEN s{j} IS NOT NULL THEN"
        sums.append(f"max(s{j}) AS a{j}, min({done} t END) AS z{j}, min({done} rn END) AS f{j}")
    ctes.append(f"deep AS (SELECT {unit}, {', '.join(sums)} FROM c{k} WHERE m <> 0 GROUP BY {unit})")
    ctes.append(
        f"d AS (SELECT {unit}, level, {_at_level(k, 'a')} AS start, {_at_level(k, 'z')} AS ended, "
        f"{_at_level(k, 'f')} AS lastrow FROM deep)"
    )
    joins, columns = "", [f"d.{name} AS {name}" for name in ("u", *held(question), "level", "start", "ended")]
    same = " AND ".join(f"d.{name} = {{0}}.{name}" for name in ("u", *held(question)))
    if walk:
        # Back along the sequence: the row of step j is where step j+1's row found its latest predecessor.
        for j in range(k, 0, -1):
            onward = f" ELSE r{j + 1}.n{j + 1} END" if j < k else " END"
            row = f"CASE WHEN d.level = {j} THEN d.lastrow{onward}"
            joins += f" LEFT JOIN c{k} r{j} ON {same.format(f'r{j}')} AND r{j}.rn = {row}"
    elif attributed:
        joins = f" LEFT JOIN c{k} last ON {same.format('last')} AND last.rn = d.lastrow"
    if sequence:
        columns += [f"r{j}.t AS t{j}" for j in range(1, k + 1)]
    for i, name in enumerate(question.by):
        if question.held_by:
            columns.append(f"d.h{question.hold.index(name)} AS b{i}")
        elif question.attribution == "last":
            last = " ".join(f"WHEN {j} THEN r{j}.b{i}" for j in range(1, k + 1))
            columns.append(f"CASE d.level {last} END AS b{i}" if walk else f"last.b{i} AS b{i}")
        else:
            columns.append(f"r{1 if question.attribution == 'entry' else question.attribution}.b{i} AS b{i}")
    return f"WITH {', '.join(ctes)} SELECT {', '.join(columns)} FROM d{joins}"


def _entry_units(question: Question) -> str:
    """Every step-1 row with the longest sequence from it: the earliest end of steps j to L, from the last row back."""
    k, unit = question.size, _unit(question)
    # Of two entries of one moment the one that came first gets further, so arrival says whose group that is.
    ctes = _ordered_rows(question, arrival=bool(question.by) and not question.held_by)
    frame = "ROWS BETWEEN 1 FOLLOWING AND 1 FOLLOWING" if question.mode == "strict" else AFTER
    over = f"OVER (PARTITION BY {unit} ORDER BY rn {frame})"
    # g{j}_{L}: earliest end of a sequence of steps j to L that begins in this row.
    ends = ", ".join(f"CASE WHEN (m & {1 << (j - 1)}) <> 0 THEN t END AS g{j}_{j}" for j in range(1, k + 1))
    ctes.append(f"g0 AS (SELECT *, {ends} FROM r)")
    for span in range(1, k):
        pairs = [(j, j + span) for j in range(1, k - span + 1)]
        nexts, here = [], []
        for j, end in pairs:
            later = f"g{j + 1}_{end}"
            nexts.append(f"min({later}) {over} AS y{j}_{end}")
            nexts.append(f"min(CASE WHEN {later} IS NOT NULL THEN t END) {over} AS w{j}_{end}")
            limits = [f"(m & {1 << (j - 1)}) <> 0"]
            if j + 1 in question.gaps:
                limits.append(f"w{j}_{end} - t <= {question.gaps[j + 1]}")
            limits += [
                f"(e{i} IS NULL OR e{i} >= w{j}_{end})"
                for i, rule in enumerate(question.exclude)
                if rule.first <= j < rule.last
            ]
            here.append(f"CASE WHEN {' AND '.join(limits)} THEN y{j}_{end} END AS g{j}_{end}")
        ctes.append(f"h{span}_ AS (SELECT *, {', '.join(nexts)} FROM g{span - 1})")
        ctes.append(f"g{span} AS (SELECT *, {', '.join(here)} FROM h{span}_)")
    reach = "g1_{0}"
    reach += " IS NOT NULL" if question.within is None else f" - t <= {question.within}"
    columns = [
        "u",
        *held(question),
        *grouped(question),
        f"{_highest(k, reach)} AS level",
        "t AS start",
        "t AS entered",
    ]
    columns += [f"g1_{j}" for j in range(1, k + 1)]
    ctes.append(f"d AS (SELECT {', '.join(columns)} FROM g{k - 1} WHERE {entered(question)})")
    shown = ", ".join(["u", *held(question), *grouped(question), "level", "start", "entered"])
    return f"WITH {', '.join(ctes)} SELECT {shown}, {_at_level(k, 'g1_')} AS ended FROM d"


def _any_order(question: Question) -> str:
    """The largest number of different steps inside one window, whatever their order."""
    k, unit = question.size, _unit(question)
    over = f"OVER (PARTITION BY {unit} ORDER BY t RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
    lasts = ", ".join(f"max(CASE WHEN (m & {1 << j}) <> 0 THEN t END) {over} AS l{j}" for j in range(k))
    near = "l{} IS NOT NULL" if question.within is None else f"t - l{{}} <= {question.within}"
    level = " + ".join(f"CASE WHEN {near.format(j)} THEN 1 ELSE 0 END" for j in range(k))
    values = "".join(f", any_value(b{i}) AS b{i}" for i in range(len(question.by)))
    return (
        f"WITH base AS ({base(question, arrival=False)}), l AS (SELECT *, {lasts} FROM base), "
        f"d AS (SELECT *, {level} AS seen FROM l) "
        f"SELECT {unit}{values}, max(seen) AS level, CAST(NULL AS BIGINT) AS start, "
        f"min_by(t, (-seen, t)) AS ended FROM d GROUP BY {unit}"
    )


def _at_level(k: int, letter: str) -> str:
    return "CASE level " + " ".join(f"WHEN {j} THEN {letter}{j}" for j in range(1, k + 1)) + " END"


def _highest(k: int, condition: str) -> str:
    return "CASE " + " ".join(f"WHEN {condition.format(j)} THEN {j}" for j in range(k, 0, -1)) + " ELSE 0 END"
