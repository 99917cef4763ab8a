"""Times to convert: quantiles with intervals from order statistics."""

from __future__ import annotations

import numpy as np
import pandas as pd

from toolkit.funnels import sums
from toolkit.funnels.counting_units import CountingUnits
from toolkit.funnels.step_counts import StepCounts
from toolkit.intervals import UserSums, design_effect, quantile_ranks

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


def quantiles(counts: StepCounts, units: CountingUnits, confidence: float) -> pd.DataFrame:
    """Quantiles of the time from the first step, by group and step. See `Funnel.times`.

    Parameters
    ----------
    units
        With the times of each unit's steps, except for entries, which have the time of their end alone.
    """
    question = units.question
    k, groups = question.size, [f"l{i}" for i in range(len(question.by))]
    entries = question.count == "entries"
    spans = [f"ended - entered AS d{k}"] if entries else [f"t{j} - t1 AS d{j}" for j in range(2, k + 1)]
    shown = ", ".join(["u", *sums.texts(question), *spans])
    converters = units.frame(f"SELECT {shown} FROM ({units.counted}) WHERE level = {k}")
    places = {text: at for at, text in enumerate(counts.texts)}
    keys = converters[groups].itertuples(index=False, name=None) if groups else [()] * len(converters)
    at = np.array([places[tuple(None if pd.isna(v) else str(v) for v in key)] for key in keys], int)
    lines, rows = [], []
    for place in range(len(counts.groups)):
        own = converters[at == place]
        users = own["u"].factorize()[0]
        for j in (k,) if entries else range(2, k + 1):
            took = own[f"d{j}"].to_numpy(dtype=np.int64)
            lines += [[counts.steps[j - 1], *line] for line in _of(took, users, confidence)]
            rows += [place] * len(QUANTILES)
    table = pd.DataFrame(lines, columns=["step", "quantile", "estimate", "low", "high", "n"])
    for name in ("estimate", "low", "high"):
        table[name] = pd.to_timedelta(table[name], unit="us")
    for i, name in enumerate(counts.by):
        table.insert(i, name, counts.groups[name].array.take(rows))
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
