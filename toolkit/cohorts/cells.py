"""The cells of a cohort table: counted by the path of the question, each marked complete, partial or future."""

from __future__ import annotations

from functools import cache

import pandas as pd

from toolkit.cohorts import bitmaps
from toolkit.cohorts.question import RetentionQuestion
from toolkit.counts import COMPLETE, FUTURE, PARTIAL

NUMBERS = ["age", "age_to", "size", "eligible", "retained_eligible"]


def cells(question: RetentionQuestion) -> pd.DataFrame:
    """One row per group, cohort and cell: counts and status."""
    return marked(question, counted(question))


def counted(question: RetentionQuestion) -> pd.DataFrame:
    """Counts of each cohort, one row per cohort and group (see `bitmaps.cells`), by the path of the question."""
    if question.path == "sql":
        return question.log.engine.frame(bitmaps.cells(question))
    # Loading numba takes a second, which SQL need not wait for.
    if question.path == "stream":
        from toolkit.cohorts.kernels import stream

        return stream.cells(question)
    from toolkit.cohorts.kernels import indexed

    return indexed.cells(question)


def marked(question: RetentionQuestion, counts: pd.DataFrame) -> pd.DataFrame:
    """One row per cohort and cell, with its status."""
    days, elapsed = question.calendar, question.clock == "elapsed"
    begins = cache(days.start)
    lines = []
    for row in counts.to_dict("records"):
        cohort, size = int(row["c"]), int(row["size"])
        for i, (low, high) in enumerate(question.cells):
            if elapsed:
                eligible, begun, kept = int(row[f"e{i}"]), int(row[f"g{i}"]), int(row[f"a{i}"])
            else:
                whole = begins(cohort + high + 1) <= question.until
                begun = size if begins(cohort + low) < question.until else 0
                eligible, kept = (size, int(row[f"r{i}"])) if whole else (0, 0)
            status = COMPLETE if eligible == size else PARTIAL if begun else FUTURE
            retained = pd.NA if status == FUTURE else int(row[f"r{i}"])
            groups = [row[name] for name in question.groups]
            lines.append([*groups, days.first_day(cohort), low, high, size, eligible, retained, kept, status])
    names = ["cohort", "age", "age_to", "size", "eligible", "retained", "retained_eligible", "status"]
    table = pd.DataFrame(lines, columns=[*question.groups, *names])
    types = dict.fromkeys(NUMBERS, "int64") | {"retained": "Int64", "cohort": "datetime64[us]"}
    return question.named(table.astype(types | {name: counts[name].dtype for name in question.groups}))
