"""Sums over the table of counting units, as SQL: what leaves the engine, and nothing else does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from toolkit.funnels.question import Question
from toolkit.funnels.sql import grouped, held
from toolkit.logs.engines import literal

#: A group's values of `by` as text, as the engine writes it; None for null.
Text = tuple[str | None, ...]


def texts(question: Question) -> list[str]:
    """SQL of the values of `by` as text, as columns l0.. ."""
    return [f"CAST({name} AS VARCHAR) AS l{i}" for i, name in enumerate(grouped(question))]


def counted(question: Question, units: str) -> str:
    """Units as they are counted: with values held constant and count="users", each user's best unit."""
    if question.count != "users" or not question.hold:
        return units
    order = ", ".join(["level DESC", "ended", *(f"CAST({name} AS VARCHAR)" for name in held(question))])
    return (
        "SELECT * REPLACE (latest AS start) FROM (SELECT *, max(start) OVER (PARTITION BY u, level) AS latest, "
        f"row_number() OVER (PARTITION BY u ORDER BY {order}) AS best FROM ({units})) WHERE best = 1"
    )


def reduce(question: Question, units: str) -> str:
    """Counts per group from the table of counting units, one row per group.

    Columns: b0.. and l0.. (the same as text), by step `reached_j` units and `open_j` of them still in
    window; and, where a user may count more than once, `users_j` among them and sums over users of products of
    their counts n_j: `squares_j` of n_j squared, `fourths_j` of n_j to the fourth, `with_previous_j` of n_(j-1) n_j,
    `with_first_j` of n_1 n_j, `per_previous_j` of n_j squared over n_(j-1), `per_first_j` of n_j squared over n_1;
    and `largest_j`, the largest n_j.
    """
    k, groups = question.size, grouped(question)
    by = "".join(f"{name}, " for name in groups)
    shown = by + "".join(f"{text}, " for text in texts(question))
    grouping = f" GROUP BY {', '.join(groups)}" if groups else ""
    rows = f"SELECT * FROM ({counted(question, units)}) WHERE level >= {least(question)}"
    reached = [_reached(j) for j in range(1, k + 1)]
    opened = [still(question, j) for j in range(1, k)]
    if question.count == "users":
        sums = [f"sum({one}) AS reached_{j}" for j, one in enumerate(reached, 1)]
        sums += [f"sum({one}) AS open_{j}" for j, one in enumerate(opened, 1)]
        return f"SELECT {shown}{', '.join(sums)} FROM ({rows}){grouping}"
    add = "{}" if question.single else "sum({})"
    own = [f"{add.format(one)} AS y{j}" for j, one in enumerate(reached, 1)]
    own += [f"{add.format(one)} AS o{j}" for j, one in enumerate(opened, 1)]
    per_user = f"SELECT {by}u, {', '.join(own)} FROM ({rows})"
    per_user += "" if question.single else f" GROUP BY {by}u"
    sums = []
    for j in range(1, k + 1):
        sums.append(f"sum(y{j}) AS reached_{j}, sum(y{j} * y{j}) AS squares_{j}, max(y{j}) AS largest_{j}")
        sums.append(f"sum(CAST(y{j} AS DOUBLE) * y{j} * y{j} * y{j}) AS fourths_{j}")
        sums.append(
            f"sum(y1 * y{j}) AS with_first_{j}, sum(CASE WHEN y{j} > 0 THEN 1 ELSE 0 END) AS users_{j}"
        )
    for j in range(2, k + 1):
        share = f"CASE WHEN y{j - 1} > 0 THEN CAST(y{j} * y{j} AS DOUBLE) / y{j - 1} END"
        sums.append(f"sum(y{j - 1} * y{j}) AS with_previous_{j}, sum({share}) AS per_previous_{j}")
        sums.append(f"sum(CAST(y{j} * y{j} AS DOUBLE) / y1) AS per_first_{j}")
    sums += [f"sum(o{j}) AS open_{j}" for j in range(1, k)]
    return f"SELECT {shown}{', '.join(sums)} FROM ({per_user}){grouping}"


def keys(question: Question) -> list[str]:
    """Columns that tell counting units apart, entries of one moment excepted."""
    pairs = [] if question.count == "users" else held(question)
    return ["u", *pairs, *(["start"] if question.count == "entries" else [])]


def behind(question: Question, both: str) -> str:
    """How many counting units got less far on side 0 than on side 1 of two tables of them, as a single number n."""
    own = keys(question)
    if question.count == "entries":
        # Entries of one unit and moment are told apart by how far they got.
        place = f"row_number() OVER (PARTITION BY {', '.join([*own, 'side'])} ORDER BY level) AS place"
        both, own = f"SELECT {', '.join([*own, 'level', 'side'])}, {place} FROM ({both})", [*own, "place"]
    here, there = (f"max(CASE WHEN side = {side} THEN level ELSE 0 END)" for side in (0, 1))
    units = f"SELECT {here} AS here, {there} AS there FROM ({both}) GROUP BY {', '.join(own)}"
    return f"SELECT sum(CASE WHEN here < there THEN 1 ELSE 0 END) AS n FROM ({units})"


def converters(question: Question, units: str) -> str:
    """One row per unit that reached the last step, and later step: l0.., u, the step j, and its time d from the entry.

    Of entries the time to the last step alone is known.
    """
    k, names = question.size, [f"l{i}" for i in range(len(question.by))]
    if question.count == "entries":
        took = f"SELECT {', '.join([*texts(question), 'u'])}, {k} AS j, ended - entered AS d"
        return f"{took} FROM ({counted(question, units)}) WHERE level = {k}"
    spans = [f"t{j} - t1 AS d{j}" for j in range(2, k + 1)]
    rows = f"SELECT {', '.join([*texts(question), 'u', *spans])} FROM ({counted(question, units)}) WHERE level = {k}"
    # Units are found once: a union over steps would find them once a step where subqueries are not kept.
    d = " ".join(f"WHEN {j} THEN d{j}" for j in range(2, k + 1))
    steps = ", ".join(f"({j})" for j in range(2, k + 1))
    shown = ", ".join([*names, "u", "j", f"CASE j {d} END AS d"])
    return f"SELECT {shown} FROM ({rows}) CROSS JOIN (VALUES {steps}) steps(j)"


def ranked(question: Question, units: str, wanted: Sequence[tuple[Text, int, Sequence[int]]]) -> str:
    """Times of converters at some ranks, from 1 on, of each group and step: l0.., j, the rank r and its d.

    Parameters
    ----------
    wanted
        Group, step and ranks, as many for all; rank 0 is none.
    """
    names = [f"l{i}" for i in range(len(question.by))]
    own, size = ", ".join([*names, "j"]), len(wanted[0][2])
    rank = f"row_number() OVER (PARTITION BY {own} ORDER BY d) AS r"
    times = f"SELECT {own}, d, {rank} FROM ({converters(question, units)})"
    asked = [f"r{i}" for i in range(size)]
    shown = ", ".join(f"x.{name} AS {name}" for name in (*names, "j", "r", "d"))
    within = ", ".join(f"w.{name}" for name in asked)
    return f"SELECT {shown} FROM ({times}) x JOIN {_given(question, wanted, asked)} AND x.r IN ({within})"


def sooner(question: Question, units: str, limits: Sequence[tuple[Text, int, Sequence[int]]]) -> str:
    """Sums over users of converters, and of those who took at most some times: one row per group and step.

    Columns: l0.., j, `users`, and with x a user's converters, x and xx; with y those up to limit i, y{i}, xy{i}, yy{i}
    and yy_per_x{i}.

    Parameters
    ----------
    limits
        Group, step and times, as many for all.
    """
    names = [f"l{i}" for i in range(len(question.by))]
    size = len(limits[0][2])
    asked = [f"d{i}" for i in range(size)]
    shown = ", ".join(f"x.{name} AS {name}" for name in (*names, "j", "u"))
    own = ", ".join(f"x.{name}" for name in (*names, "j", "u"))
    counts = ", ".join(f"sum(CASE WHEN x.d <= w.d{i} THEN 1 ELSE 0 END) AS y{i}" for i in range(size))
    per_user = (
        f"SELECT {shown}, count(*) AS n, {counts} FROM ({converters(question, units)}) x "
        f"JOIN {_given(question, limits, asked)} GROUP BY {own}"
    )
    sums = ["count(*) AS users, CAST(sum(n) AS DOUBLE) AS x, CAST(sum(n * n) AS DOUBLE) AS xx"]
    for i in range(size):
        sums.append(f"CAST(sum(y{i}) AS DOUBLE) AS y{i}, CAST(sum(n * y{i}) AS DOUBLE) AS xy{i}")
        sums.append(f"CAST(sum(y{i} * y{i}) AS DOUBLE) AS yy{i}")
        sums.append(f"sum(CAST(y{i} * y{i} AS DOUBLE) / n) AS yy_per_x{i}")
    groups = ", ".join([*names, "j"])
    return f"SELECT {groups}, {', '.join(sums)} FROM ({per_user}) GROUP BY {groups}"


def _given(
    question: Question, rows: Sequence[tuple[Text, int, Sequence[int]]], columns: Sequence[str]
) -> str:
    """Numbers by group and step as a table w to join with x, and how."""
    names = [f"l{i}" for i in range(len(question.by))]
    lines = ", ".join(
        f"({', '.join([*(f'CAST({literal(text)} AS VARCHAR)' for text in texts_), *map(str, (j, *numbers))])})"
        for texts_, j, numbers in rows
    )
    same = [f"x.{name} IS NOT DISTINCT FROM w.{name}" for name in names]
    return f"(VALUES {lines}) w({', '.join([*names, 'j', *columns])}) ON {' AND '.join([*same, 'x.j = w.j'])}"


def products(question: Question, units: str, reference: Text) -> str:
    """Sums over users of products of their counts: in each group, and with the same user's in a reference group.

    Columns: `shared` (0 in the group, 1 with the reference), l0.., and `x{i}_{j}` = sum of n_i here times n_j there.
    """
    k, groups = question.size, grouped(question)
    pairs = [(i, j) for i in range(1, k + 1) for j in range(1, k + 1)]
    own, with_other = (
        ", ".join(f"sum({here}y{i} * {there}y{j}) AS x{i}_{j}" for i, j in pairs)
        for here, there in (("", ""), ("p.", "q."))
    )
    named = [text.replace("CAST(", "CAST(p.") for text in texts(question)]
    there = " AND ".join(
        f"CAST({name} AS VARCHAR) IS NOT DISTINCT FROM {literal(text)}"
        for name, text in zip(groups, reference, strict=True)
    )
    return (
        f"WITH mine AS ({_by_user(question, units)}), "
        f"other AS (SELECT * FROM mine WHERE {there}) "
        f"SELECT 0 AS shared, {', '.join([*texts(question), own])} FROM mine GROUP BY {', '.join(groups)} "
        f"UNION ALL SELECT 1 AS shared, {', '.join([*named, with_other])} "
        f"FROM mine p JOIN other q ON p.u = q.u GROUP BY {', '.join(f'p.{name}' for name in groups)}"
    )


def own_counts(
    question: Question, units: str, places: Mapping[Text, int], levels: Sequence[int], *, extra: str = ""
) -> str:
    """One row per user and place: columns place, u, and v0.. = the user's units that reached each level.

    Parameters
    ----------
    places
        Where a group's users count; groups that share a place are one, others are left out.
    levels
        Steps, from 1 on.
    extra
        SQL of one more value per unit to add up, such as an amount.
    """
    names = [f"l{i}" for i in range(len(question.by))]
    rows = ", ".join(
        f"({', '.join([*(f'CAST({literal(text)} AS VARCHAR)' for text in texts_), str(place)])})"
        for texts_, place in places.items()
    )
    same = " AND ".join(
        f"CAST({name} AS VARCHAR) IS NOT DISTINCT FROM {text}"
        for name, text in zip(grouped(question), names, strict=True)
    )
    values = [f"sum({_reached(level)}) AS v{i}" for i, level in enumerate(levels)]
    values += [f"sum({extra}) AS v{len(levels)}"] * bool(extra)
    lowest = max(levels[0], least(question))
    return (
        f"SELECT place, u, {', '.join(values)} FROM ({counted(question, units)}) "
        f"JOIN (VALUES {rows}) places({', '.join([*names, 'place'])}) ON {same} "
        f"WHERE level >= {lowest} GROUP BY place, u"
    )


def products_by_place(own: str, size: int) -> str:
    """Sums over users of products of any two of their values, by two places: here, there, p0_0.. ."""
    pairs = [(i, j) for i in range(size) for j in range(size)]
    sums = ", ".join(f"CAST(sum(a.v{i} * b.v{j}) AS DOUBLE) AS p{i}_{j}" for i, j in pairs)
    return (
        f"WITH own AS ({own}) SELECT a.place AS here, b.place AS there, {sums} "
        "FROM own a JOIN own b ON a.u = b.u GROUP BY a.place, b.place"
    )


def alone(own: str, size: int) -> str:
    """By place, of each value: c0.. users who have some, s0.. sums of its square over the one before, t0.. totals."""
    values = range(size)
    columns = [f"sum(CASE WHEN v{i} > 0 THEN 1 ELSE 0 END) AS c{i}" for i in values]
    # A zero share comes first, so that every sum has a column per value.
    columns.append("0.0 AS s0")
    columns += [
        f"sum(CASE WHEN v{i} > 0 THEN CAST(v{i + 1} * v{i + 1} AS DOUBLE) / v{i} END) AS s{i + 1}"
        for i in values[:-1]
    ]
    columns += [f"CAST(sum(v{i}) AS DOUBLE) AS t{i}" for i in values]
    return f"SELECT place, {', '.join(columns)} FROM ({own}) GROUP BY place"


def _by_user(question: Question, units: str) -> str:
    """One row per user and group: how many of the user's units reached each step, as y1.. ."""
    keys = ", ".join([*grouped(question), "u"])
    own = ", ".join(f"sum({_reached(j)}) AS y{j}" for j in range(1, question.size + 1))
    rows = f"SELECT * FROM ({counted(question, units)}) WHERE level >= {least(question)}"
    return f"SELECT {keys}, {own} FROM ({rows}) GROUP BY {keys}"


def least(question: Question) -> int:
    """The furthest step from which on a unit has a group: with attribution to a step, that one."""
    return question.attribution if isinstance(question.attribution, int) and question.by else 1


def _reached(level: int) -> str:
    return f"CASE WHEN level >= {level} THEN 1 ELSE 0 END"


def still(question: Question, j: int) -> str:
    """SQL of "a unit's furthest step is j, and its window is not over"."""
    if question.mode != "ordered":
        return "NULL"
    if question.within is None:
        return f"CASE WHEN level = {j} THEN 1 ELSE 0 END"
    return (
        f"CASE WHEN level = {j} AND start + {question.within} > {question.observed_until} THEN 1 ELSE 0 END"
    )
