"""`what_changed`: when a rate is another one since a date, which step, which segments, and is it mix or rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from toolkit.changes import daily
from toolkit.changes.parts import parts, placebo
from toolkit.changes.result import WhatChanged
from toolkit.changes.spans import spans_of
from toolkit.counts import confidence_level
from toolkit.funnels import Step
from toolkit.logs.events import EventLog


def what_changed(
    log_or_counts: EventLog | pd.DataFrame | daily.HoldsSteps,
    steps: Sequence[str | Step] | None = None,
    *,
    at: Any = None,
    before: tuple[Any, Any] | None = None,
    after: tuple[Any, Any] | None = None,
    by: str | Sequence[str] = (),
    within: str | pd.Timedelta | None = None,
    cluster: str = "day",
    confidence: float = 0.95,
) -> WhatChanged:
    """Say which step and which segments a change of a funnel's rate comes from, and whether it is one at all.

    Parameters
    ----------
    log_or_counts : EventLog, DataFrame or Export
        A log; a tidy table with a day, `step`, `n`, and properties; or a dashboard's export.
    steps : list of str or Step
        In order. Of a table or an export, all steps if not given.
    at : date, optional
        First day of the change: all days before it against all from it on.
    before, after : (from, to), optional
        Two spans of days instead, each without its end.
    by : str or list of str
        Properties to look for mix or rate in; each alone.
    within : str or Timedelta
        Of a log: longest time from the first step to the last. Days whose window is not over are left out.
    cluster : str
        Of a table: the column of the day, found by itself where only one holds days. Else "day".
    confidence : float

    Returns
    -------
    WhatChanged

    Raises
    ------
    ValueError
        For spans that overlap, are empty, outside the data or shorter than the window; the message names them.

    Notes
    -----
    Intervals stand on how much days differ (`toolkit.clusters`), p values are adjusted by Holm over the change, its
    steps and all segments. What a step adds is Das Gupta's decomposition of a product, what mix and rate of segments
    add is Kitagawa's (`toolkit.decompositions`). The placebo says how often two neighbouring earlier spans, as long as
    the shorter side, differ as much. It says when and where, not why: what else happened that day changes it too.

    References
    ----------
    Das Gupta (1993), Standardization and Decomposition of Rates, US Census Bureau P23-186, chapter 2. Kitagawa (1955),
    JASA 50, 1168-1194.

    Examples
    --------
    >>> days = pd.date_range("2024-06-01", periods=8).astype(str)
    >>> rows = [(day, step, n) for at, day in enumerate(days)
    ...         for step, n in (("enter", 1000), ("click", 300 + at % 2), ("pay", (90 if at < 4 else 60) + at % 3))]
    >>> found = what_changed(pd.DataFrame(rows, columns=["date", "step", "n"]), at="2024-06-05")
    >>> found.table.loc[found.table["part"] == "step", ["name", "estimate", "share"]].round(3)
        name  estimate  share
    1  click      0.00   -0.0
    2    pay     -0.03    1.0
    """
    confidence = confidence_level(confidence)
    found = daily.counted(log_or_counts, steps, by=by, within=within, cluster=cluster)
    return compared(found, at=at, before=before, after=after, by=by, confidence=confidence)


def compared(
    found: daily.Daily,
    *,
    at: Any = None,
    before: tuple[Any, Any] | None = None,
    after: tuple[Any, Any] | None = None,
    by: str | Sequence[str] = (),
    confidence: float = 0.95,
) -> WhatChanged:
    """The answer of `what_changed` from counts by day that are there already; `by` is among their properties."""
    spans = spans_of(found.days, at, before, after, found.window)
    for side, span in zip(("before", "after"), spans, strict=True):
        lost = found.whole[span].sum(0) == 0
        if lost.any():
            raise ValueError(
                f"nobody reached {found.steps[int(lost.argmax())]!r} {side} the change: no rate to compare"
            )
    segments = {column: found.by(column) for column in daily.properties(by)}
    table = parts(found.days, found.whole, segments, found.steps, spans, confidence)
    earlier, _ = placebo(found.whole, spans)
    return WhatChanged(
        table=table,
        steps=found.steps,
        confidence=confidence,
        placebo=earlier,
        days=tuple(len(span) for span in spans),
        curve=_curve(found, spans),
        left_out=found.left_out,
        notes=found.notes,
    )


def _curve(found: daily.Daily, spans: Any) -> pd.DataFrame:
    """The rate by day, and on which side each day lies."""
    whole = found.whole
    side = pd.Series("", index=range(len(found.days)))
    side.iloc[spans.before], side.iloc[spans.after] = "before", "after"
    rate = pd.Series(whole[:, -1]) / pd.Series(whole[:, 0]).where(whole[:, 0] > 0)
    days = pd.to_datetime(pd.Series(found.days), unit="D")
    return pd.DataFrame({"day": days, "rate": rate, "n": whole[:, 0].astype(int), "side": side})
