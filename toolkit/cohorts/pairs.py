"""Two results side by side: whether they ask the same, and which users are in both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import pandas as pd

from toolkit.cohorts import bitmaps
from toolkit.cohorts.comparison import PAIR
from toolkit.cohorts.purchases import Definition, shared_sql
from toolkit.cohorts.question import PurchaseQuestion, Question, RetentionQuestion
from toolkit.intervals import CrossSums, UserSums, correlation
from toolkit.wording import counted, some

OTHER_PEOPLE = "users of the two logs are taken to be different people"
UNKNOWN_PEOPLE = "counts do not tell which users are in both: they are taken to be different people"


class RetentionAnswer(Protocol):
    """What a pair of retention reads of each side."""

    cells: pd.DataFrame
    by: tuple[str, ...]
    period: str
    kind: str
    question: RetentionQuestion | None


class RepurchaseAnswer(Protocol):
    """What a pair of repurchase reads of each side."""

    table: pd.DataFrame
    by: tuple[str, ...]
    definitions: tuple[Definition, ...]
    question: PurchaseQuestion | None
    sums: UserSums


@dataclass(frozen=True, eq=False)
class RetentionPair:
    """Cells of both, named in the column `retention`, and sums over users of both; see `covariance.correlations`."""

    cells: pd.DataFrame
    alike: bool
    shared: pd.DataFrame | None
    notes: tuple[str, ...]


def retention_pair(ours: Any, theirs: Any) -> RetentionPair:
    """Two results of `retention` that ask the same of two sets of users.

    Raises
    ------
    ValueError
        Where they are one and the same, have groups, or differ in period, kind, clock or brackets.
    """
    _refuse_same(ours, theirs)
    if ours.period != theirs.period:
        raise ValueError(
            f"the periods differ: {ours.period!r} here, {theirs.period!r} in the reference; ask both with one period="
        )
    if ours.kind != theirs.kind and "counts" not in (ours.kind, theirs.kind):
        raise ValueError(
            f"the kinds differ: {ours.kind!r} here, {theirs.kind!r} in the reference; ask both with one kind="
        )
    first, second = ours.question, theirs.question
    if first is not None and second is not None:
        if first.clock != second.clock:
            raise ValueError(
                f"the clocks differ: {first.clock!r} here, {second.clock!r} in the reference; ask both with one clock="
            )
        if first.kind == "bracket" and first.cells != second.cells:
            raise ValueError(
                f"the brackets differ: {some(first.cells)} here, {some(second.cells)} in the reference; ask both with "
                "one brackets="
            )
    frames = [side.cells.assign(retention=name) for side, name in zip((ours, theirs), PAIR, strict=True)]
    cells = pd.concat([frame.astype({"cohort": object}) for frame in frames], ignore_index=True)
    notes = [
        f"{name}: {counted(frame.drop_duplicates('cohort')['size'].sum(), 'user')} in "
        f"{counted(frame['cohort'].nunique(), 'cohort')} from {_day(frame['cohort'].min())} on"
        for frame, name in zip(frames, PAIR, strict=True)
        if len(frame)
    ]
    if first is None or second is None:
        return RetentionPair(cells, first is second, None, (*notes, UNKNOWN_PEOPLE))
    if first.log.engine is not second.log.engine:
        return RetentionPair(cells, first.calendar == second.calendar, None, (*notes, OTHER_PEOPLE))
    both = [cell for cell in first.cells if cell in second.cells]
    asked = replace(first, path="sql"), replace(second, path="sql")
    found = first.log.engine.frame(bitmaps.shared(*asked, both)) if both else pd.DataFrame()
    lines = [
        [low, high, int(row["same"]), *(float(row[f"{name}{i}"]) for name in ("xx", "yx", "xy", "yy"))]
        for row in found.to_dict("records")
        for i, (low, high) in enumerate(both)
    ]
    shared = pd.DataFrame(lines, columns=["age", "age_to", "same", "xx", "yx", "xy", "yy"])
    alike = first.calendar == second.calendar
    return RetentionPair(cells, alike, shared if shared["xx"].sum() else None, tuple(notes))


def repurchase_pair(
    ours: Any, theirs: Any
) -> tuple[pd.DataFrame, UserSums, dict[str, float], tuple[str, ...]]:
    """Two results of `repurchase` under the same definitions: table, sums, correlation by definition, notes.

    Raises
    ------
    ValueError
        Where they are one and the same, have groups, or differ in their definitions.
    """
    names, others = (list(dict.fromkeys(side.table["definition"])) for side in (ours, theirs))
    if apart := [name for name in (*names, *others) if name not in names or name not in others]:
        where = "here" if apart[0] in names else "in the reference"
        raise ValueError(
            f"the definitions differ: {apart[0]!r} is only {where}; ask both with the same definition=, of which there "
            f"are {some(names)} here and {some(others)} in the reference"
        )
    for one in ours.definitions:
        for other in theirs.definitions:
            if one.name == other.name and one != other:
                raise ValueError(
                    f"definition {one.name!r} is not the same in both: {one} here, {other} there"
                )
    _refuse_same(ours, theirs)
    table = pd.concat(
        [side.table.assign(repurchase=name) for side, name in zip((ours, theirs), PAIR, strict=True)]
    )
    sums = UserSums(*(pd.concat([pd.Series(a), pd.Series(b)]).to_numpy(float)
                      for a, b in zip(ours.sums, theirs.sums, strict=True)))  # fmt: skip
    first, second = ours.question, theirs.question
    if first is None or second is None:
        return table, sums, {}, (UNKNOWN_PEOPLE,)
    if first.log.engine is not second.log.engine:
        return table, sums, {}, (OTHER_PEOPLE,)
    together = {}
    asked = replace(first, path="sql"), replace(second, path="sql")
    for definition in ours.definitions:
        row = first.log.engine.frame(shared_sql(*asked, definition)).iloc[0]
        if row["xx"]:
            cross = CrossSums(*(float(row[name]) for name in CrossSums._fields))
            own, other = (_sums_of(side, definition.name) for side in (ours, theirs))
            together[definition.name] = float(correlation(own, other, cross))
    return table, sums, together, ()


def _sums_of(side: RepurchaseAnswer, definition: str) -> UserSums:
    at = int((side.table["definition"] == definition).to_numpy().argmax())
    return UserSums(*(pd.Series(values).to_numpy(float)[at] for values in side.sums))


def _refuse_same(ours: Any, theirs: Any) -> None:
    """An error where the two are one, or have groups of their own."""
    if ours is theirs or (ours.question is not None and _asked(ours.question) == _asked(theirs.question)):
        raise ValueError("the result is compared with itself; give another group of by= or another result")
    for side, where in ((ours, "here"), (theirs, "in the reference")):
        if side.by:
            raise ValueError(
                f"{where} there are groups by {some(side.by)}; compare two results without, or the groups of one: "
                "compare(to=GROUP)"
            )


def _asked(question: Question | None) -> Question | None:
    """A question without the way that answered it."""
    return None if question is None else replace(question, path="sql", notes=())


def _day(cohort: Any) -> str:
    return str(cohort.date()) if hasattr(cohort, "date") else str(cohort)
