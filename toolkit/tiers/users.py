"""Users of a funnel by group: read, checked, and added up where the log lies.

The funnel's units relation (one row per user, pair or entry, with its level) is added up per user and group, and
products of these are added up over users. Only sums leave the engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from toolkit.logs.engines import identifier, literal, literals
from toolkit.propagation import Moments
from toolkit.wording import counted, some

if TYPE_CHECKING:
    from toolkit.funnels import Funnel
    from toolkit.funnels.answer import Units

#: Rows without a tier or a platform count under this name.
MISSING = "missing"
#: What `movers` asks for, as a funnel's attribution says it.
MOVERS = {"first": "entry", "last": "last", "split": "split"}


def counts_by(
    funnel: Funnel, platform: str, tier: str, outcome: str | None, of: str | None, movers: str | None
) -> tuple[pd.DataFrame, str, str, list[str]]:
    """Counts of a funnel by platform and tier, the names of the two steps, and what a reader must know of them."""
    for name in (platform, tier):
        if name not in funnel.by:
            raise ValueError(
                f"the funnel is not broken down by {name!r}; ask it with by=[{platform!r}, {tier!r}]"
            )
    base, last = (_step(funnel, name, at) for name, at in ((of, 1), (outcome, len(funnel.steps))))
    if base >= last:
        raise ValueError(f"step {funnel.steps[last - 1]!r} does not come after {funnel.steps[base - 1]!r}")
    frame = pd.DataFrame({"platform": labels(funnel, platform), "tier": labels(funnel, tier)})
    frame = frame.assign(
        n=funnel.counts[f"n{base}"].to_numpy(float), y=funnel.counts[f"n{last}"].to_numpy(float)
    )
    frame = frame[frame["n"] > 0]
    notes = [] if funnel.unit == "counts" else _movements(funnel, platform, tier, movers)
    notes.append(
        "intervals are clustered by user"
        if funnel.unit in ("pairs", "entries")
        else "intervals assume independent units"
        if funnel.unit == "counts"
        else "each user counts once"
    )
    opened = [f"o{j}" for j in range(base, last) if f"o{j}" in funnel.counts]
    still = int(funnel.counts[opened].fillna(0).to_numpy(float).sum())
    if still:
        notes.append(f"{counted(still, 'unit')} may still go on (window not over)")
    return frame, funnel.steps[base - 1], funnel.steps[last - 1], notes + list(funnel.notes)


def labels(funnel: Funnel, column: str) -> list[str]:
    """A column's values as text, as the engine would write them; missing ones by name."""
    kind = "" if funnel.question is None else funnel.question.log.columns[column]

    def text(value: object) -> str:
        if kind == "BOOLEAN":
            return str(value).lower()
        # Whole numbers become floats in pandas where one is missing.
        return str(int(value) if "INT" in kind else value)  # type: ignore[call-overload]

    return [MISSING if pd.isna(value) else text(value) for value in funnel.counts[column]]


def _step(funnel: Funnel, name: str | None, otherwise: int) -> int:
    if name is None:
        return otherwise
    if name not in funnel.steps:
        raise ValueError(f"no step {name!r} in the funnel; it has: {some(list(funnel.steps))}")
    return funnel.steps.index(name) + 1


def _movements(funnel: Funnel, platform: str, tier: str, movers: str | None) -> list[str]:
    """Where users count who were seen in several tiers; that must have been chosen."""
    question = funnel.need_log("users in several tiers")
    if movers not in (None, *MOVERS):
        raise ValueError(f"movers={movers!r}; use one of {', '.join(map(repr, MOVERS))}")
    split = tier in question.hold or question.count == "entries"
    counted_at = "split" if split else question.attribution
    if movers is not None and MOVERS[movers] != counted_at:
        fix = {
            "first": "attribution='entry'",
            "last": "attribution='last'",
            "split": f"hold=[{platform!r}, {tier!r}], count='pairs'",
        }[movers]
        raise ValueError(f"movers={movers!r} is not how this funnel counts; ask it with {fix}")
    notes = []
    if not split and (moved := wanderers(funnel, tier)):
        said = counted(moved, "user")
        if movers is None and counted_at == "entry":
            raise ValueError(
                f"{said} are seen in several tiers of {tier!r}; the funnel counts each where he entered. Say "
                "movers='first' to keep that, or ask the funnel with attribution='last', or with "
                f"hold=[{platform!r}, {tier!r}] and count='pairs' to count them in each"
            )
        step = (
            "entered" if counted_at == "entry" else "were last" if counted_at == "last" else "were at a step"
        )
        notes.append(f"{said} of several tiers count{'s' * (moved == 1)} where they {step}")
    if platform not in question.hold and question.count == "users":
        shared = wanderers(funnel, platform)
        if shared:
            notes.append(
                f"{counted(shared, 'user')} of several platforms count{'s' * (shared == 1)} on one of them only "
                f"(hold={platform!r}, count='pairs' counts them on each)"
            )
    return notes


def moments_by(
    funnel: Funnel,
    by: tuple[str, str],
    steps: tuple[str, str],
    joined: Mapping[str, str],
    platforms: Sequence[str],
    tiers: Sequence[str],
) -> tuple[Moments, Moments]:
    """Sums over users by platform and tier, and by platform, of counts at two steps."""
    levels = [funnel.steps.index(step) + 1 for step in steps]
    at = [funnel.by.index(name) for name in by]
    labels = {"g0": label(at[0]), "g1": label(at[1], joined)}
    units = funnel.units
    assert units is not None
    cells = own(funnel, labels, levels, units)
    groups = [(p, t) for p in platforms for t in tiers]
    # Without the tiers that are left out, so that platforms and tiers tell of the same users.
    sums = f"SELECT g0, u, sum(v0) AS v0, sum(v1) AS v1 FROM ({cells})"
    kept = f"{sums} WHERE g1 IN ({literals(list(tiers))}) GROUP BY g0, u"
    return (
        added_up(units, cells, groups, 2),
        added_up(units, kept, [(p,) for p in platforms], 2),
    )


def label(position: int, joined: Mapping[str, str] | None = None) -> str:
    """SQL of a group's value as text, missing values by name, values of `joined` under the one they join."""
    text = f"coalesce(CAST(b{position} AS VARCHAR), {literal(MISSING)})"
    if not joined:
        return text
    cases = " ".join(f"WHEN {literal(old)} THEN {literal(new)}" for old, new in joined.items())
    return f"CASE {text} {cases} ELSE {text} END"


def own(
    funnel: Funnel,
    groups: Mapping[str, str],
    levels: Sequence[int],
    units: Units,
    *,
    extra: str = "",
) -> str:
    """SQL of one row per user and group: columns g0.., u, and v0.. = units of the user that reached a level."""
    question = funnel.need_log("sums over users")
    least = max(levels[0], question.attribution if isinstance(question.attribution, int) else 1)
    named = ", ".join(f"{sql} AS {name}" for name, sql in groups.items())
    names = ", ".join(groups)
    values = [f"sum(CASE WHEN level >= {level} THEN 1 ELSE 0 END) AS v{i}" for i, level in enumerate(levels)]
    values += [f"sum({extra}) AS v{len(levels)}"] * bool(extra)
    rows = f"SELECT *, {named} FROM ({units.sql}) WHERE level >= {least}"
    return f"SELECT {names}, u, {', '.join(values)} FROM ({rows}) GROUP BY {names}, u"


def added_up(units: Units, rows: str, groups: Sequence[tuple[str, ...]], size: int) -> Moments:
    """The moments of rows as `own` writes them, groups in the order given; others are left out."""
    place = {group: i for i, group in enumerate(groups)}
    keys = [f"g{i}" for i in range(len(groups[0]))]
    pairs = [f"{side}.{key}" for side in "ab" for key in keys]
    named = ", ".join(f"{pair} AS {pair.replace('.', '')}" for pair in pairs)
    counts = range(size)
    products = ", ".join(f"CAST(sum(a.v{i} * b.v{j}) AS DOUBLE) AS p{i}_{j}" for i in counts for j in counts)
    together = units.frame(
        f"WITH own AS ({rows}) SELECT {named}, {products} FROM own a JOIN own b ON a.u = b.u "
        f"GROUP BY {', '.join(pairs)}"
    )
    users = [f"sum(CASE WHEN v{i} > 0 THEN 1 ELSE 0 END) AS c{i}" for i in counts]
    # A zero share comes first, so that both arrays have a column per count.
    shares = ["0.0 AS s0"]
    shares += [
        f"sum(CASE WHEN v{i} > 0 THEN CAST(v{i + 1} * v{i + 1} AS DOUBLE) / v{i} END) AS s{i + 1}"
        for i in counts[:-1]
    ]
    alone = units.frame(
        f"SELECT {', '.join([*keys, *users, *shares])} FROM ({rows}) GROUP BY {', '.join(keys)}"
    )
    found = Moments(
        np.zeros((len(groups), size)), np.zeros((len(groups), size) * 2), np.zeros((len(groups), size))
    )
    for line in together.itertuples(index=False, name=None):
        first, second = (place.get(line[at : at + len(keys)]) for at in (0, len(keys)))
        if first is not None and second is not None:
            found.products[first, :, second, :] = np.reshape(line[2 * len(keys) :], (size, size))
    for line in alone.itertuples(index=False, name=None):
        at = place.get(line[: len(keys)])
        if at is not None:
            found.users[at], found.shares[at] = np.split(np.array(line[len(keys) :], float), 2)
    if not found.users[:, 0].all():
        lost = groups[int(np.argmin(found.users[:, 0]))]
        raise ValueError(f"the log writes the group {some(list(lost))} in another way; make the column text")
    return found


def wanderers(funnel: Funnel, name: str) -> int:
    """Units of a funnel (users, or users with what they hold) whose rows have several values of a column."""
    question = funnel.need_log("users in several groups")
    log = question.log
    unit = ", ".join(identifier(column) for column in (log.user, *question.hold))
    steps = " OR ".join(f"({predicate.sql})" for predicate in question.predicates)
    return int(
        log.engine.rows(
            f"SELECT count(*) FROM (SELECT 1 FROM {log.engine.table} WHERE ({steps}) AND {identifier(log.user)} "
            f"IS NOT NULL GROUP BY {unit} HAVING count(DISTINCT {identifier(name)}) > 1)"
        )[0][0]
    )
