"""ASOF joins, one per step: DuckDB's short way to an ordered funnel, on rows that shrink with every step."""

from __future__ import annotations

from toolkit.funnels.question import Question
from toolkit.funnels.sql import base, entered, grouped, held


def refusal(question: Question) -> str | None:
    """Why ASOF joins do not offer a question, or None."""
    if question.mode != "ordered" or question.count == "entries" or question.dedupe is not None:
        return "it offers ordered funnels of users or pairs, without dedupe"
    if question.by and not question.held_by and isinstance(question.attribution, int):
        return "it attributes to the entry or to the last step"
    if question.overlapping_rows():
        return "some rows match two steps"
    return None


def joins(question: Question) -> str:
    """Units of an ordered funnel of disjoint steps by one ASOF join per step; the rows shrink with every step.

    A user and the held values are one whole number in the joins where they can be: these take a third less time then.
    """
    k, n = question.size, question.numbers
    attributed = bool(question.by) and not question.held_by
    keys = ["u"] if n else ["u", *held(question)]
    unit, ours = ", ".join(keys), ", ".join(f"a.{name}" for name in keys)
    same = " AND ".join(f"a.{name} = b.{name}" for name in keys)
    # Each level is read twice, by the next one and by the sums; computed twice it would double the time.
    # `v` are a row's values of `by`, `e` those of its sequence's entry; packed, for max_by would pass over nulls.
    own, entry = (", a.v, a.seq", ", b.e") if attributed else ("", "")
    packed = ", ".join(f"b{i} := b{i}" for i in range(len(question.by)))
    columns = f"{unit}, t" + (f", struct_pack({packed}) AS v, seq" if attributed else "")
    # The file is read once: a scan per step would take as long as the joins.
    ctes, source = [f"base AS MATERIALIZED ({base(question, arrival=attributed)})"], "base"
    if n:
        values, source = ", ".join(held(question)), "numbered"
        read = ["t", "m", *(f"x{i}" for i in range(len(question.exclude)))]
        read += [*grouped(question), "seq"] if attributed else []
        ctes += [
            f"v AS MATERIALIZED (SELECT {values}, row_number() OVER () - 1 AS c "
            f"FROM (SELECT DISTINCT {values} FROM base))",
            f"numbered AS MATERIALIZED (SELECT CAST(u AS BIGINT) * {n} + c AS u, {', '.join(read)} "
            f"FROM base JOIN v USING ({values}))",
        ]
    ctes.append(f"r1 AS (SELECT {columns} FROM {source} WHERE {entered(question)})")
    if attributed:
        # Of entries of one moment the last one is the latest: the sequence's.
        ctes.append(
            f"c1 AS MATERIALIZED (SELECT {unit}, t, t AS s, max_by(v, seq) AS e FROM r1 GROUP BY {unit}, t)"
        )
    else:
        ctes.append("c1 AS MATERIALIZED (SELECT *, t AS s FROM r1)")
    for j in range(2, k + 1):
        limits = [] if question.within is None else [f"a.t - b.s <= {question.within}"]
        if j in question.gaps:
            limits.append(f"a.t - b.t <= {question.gaps[j]}")
        voids = ""
        for i, rule in enumerate(question.exclude):
            if rule.first < j <= rule.last:
                nearest = same.replace("b.", f"x{i}.")
                rows = f"(SELECT {unit}, t FROM {source} WHERE x{i} = 1)"
                voids += f" ASOF LEFT JOIN {rows} x{i} ON {nearest} AND a.t > x{i}.t"
                limits.append(f"(x{i}.t IS NULL OR x{i}.t <= b.t)")
        ctes.append(
            f"c{j} AS MATERIALIZED (SELECT {ours}, a.t, b.s{own}{entry} "
            f"FROM (SELECT {columns} FROM {source} WHERE m = {1 << (j - 1)}) a "
            f"ASOF JOIN c{j - 1} b ON {same} AND a.t >= b.t{voids} WHERE {' AND '.join(limits) or 'TRUE'})"
        )
    levels = []
    for j in range(1, k + 1):
        rows, value = f"c{j}", ""
        if attributed:
            rows = "r1" if j == 1 else rows
            value = f", min_by({'v' if j == 1 or question.attribution == 'last' else 'e'}, (t, seq)) AS e"
        start = "t" if rows == "r1" else "s"
        levels.append(
            f"SELECT {unit}, {j} AS level, max({start}) AS start, min(t) AS ended{value} FROM {rows} GROUP BY {unit}"
        )
    entries = "".join(
        f", max_by(e, level).b{i} AS b{i}" for i in range(len(question.by) if attributed else 0)
    )
    ctes.append(f"levels AS ({' UNION ALL '.join(levels)})")
    ctes.append(
        f"deep AS (SELECT {unit}{entries}, max(level) AS level, max_by(start, level) AS start, "
        f"max_by(ended, level) AS ended FROM levels GROUP BY {unit})"
    )
    kind = question.log.columns[question.log.user]
    shown = [f"CAST((u - c) // {n} AS {kind}) AS u" if n else "u", *held(question)]
    shown += [
        f"b{i}" if attributed else f"h{question.hold.index(name)} AS b{i}"
        for i, name in enumerate(question.by)
    ]
    back = f" JOIN v ON (u % {n} + {n}) % {n} = c" if n else ""
    return f"WITH {', '.join(ctes)} SELECT {', '.join(shown)}, level, start, ended FROM deep{back}"
