"""Times to convert: quantiles with intervals from order statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from toolkit.funnels import sql
from toolkit.intervals import UserSums, design_effect, quantile_ranks

if TYPE_CHECKING:
    from toolkit.funnels.result import Funnel
    from toolkit.funnels.steps import Question

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


def quantiles(funnel: Funnel, question: Question) -> pd.DataFrame:
    """Quantiles of the time from the first step, by group and step. See `Funnel.times`."""
    from toolkit.funnels.answer import count_units

    if question.mode == "any":
        raise ValueError("mode='any' has no first step, so no time to convert; use mode='ordered'")
    chained = question.count != "entries"
    units = count_units(question, "index" if funnel.path == "index" else "windows", chain=chained)
    k, groups = question.size, sql.grouped(question)
    spans = [f"t{j} - t1 AS d{j}" for j in range(2, k + 1)] if chained else [f"ended - entered AS d{k}"]
    converters = units.frame(
        f"SELECT {', '.join(['u', *groups, *spans])} FROM ({sql.users(question, units.sql)}) WHERE level = {k}"
    )
    lines = []
    for _, row in funnel.counts.iterrows():
        mine = np.ones(len(converters), dtype=bool)
        for name, column in zip(groups, funnel.by, strict=True):
            values = converters[name]
            same = values.isna() if pd.isna(row[column]) else values.eq(row[column]).fillna(False)
            mine &= same.to_numpy(dtype=bool)
        own = converters[mine]
        users = own["u"].factorize()[0]
        for j in range(2, k + 1) if chained else (k,):
            took = own[f"d{j}"].to_numpy(dtype=np.int64)
            lines += [
                [*(row[name] for name in funnel.by), funnel.steps[j - 1], *line]
                for line in _of(took, users, funnel.confidence)
            ]
    table = pd.DataFrame(lines, columns=[*funnel.by, "step", "quantile", "estimate", "low", "high", "n"])
    for name in ("estimate", "low", "high"):
        table[name] = pd.to_timedelta(table[name], unit="us")
    return table


def _of(took: np.ndarray, users: np.ndarray, confidence: float) -> list[list[float]]:
    """Quantile, estimate, low, high (microseconds) and n, for each of `QUANTILES`."""
    n = len(took)
    if not n:
        return [[q, np.nan, np.nan, np.nan, 0] for q in QUANTILES]
    took_sorted = np.sort(took)
    lines = []
    for q in QUANTILES:
        estimate = took_sorted[int(np.ceil(q * n)) - 1]
        # Woodruff (1952): the share of times up to the quantile varies as any rate of clustered units does.
        effect = design_effect(UserSums.of(np.bincount(users, weights=took <= estimate), np.bincount(users)))
        ranks = quantile_ranks(q, n, design_effect=effect, confidence=confidence)
        limits = [np.nan if np.isnan(rank) else took_sorted[int(rank) - 1] for rank in ranks]
        lines.append([q, estimate, *limits, n])
    return lines
