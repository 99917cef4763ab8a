"""Counts by platform and tier day by day, or session by session: how sure rates and mixes are over clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from toolkit.clusters import Clusters
from toolkit.counts import counts_table, row_name
from toolkit.dates import day_numbers, in_order


@dataclass(frozen=True, eq=False)
class CellClusters:
    """Trials and successes by cluster.

    Parameters
    ----------
    cells : Clusters
        Groups are platforms x tiers, platform by platform; steps are trials and successes.
    tiers : int
        How many there are.

    Examples
    --------
    >>> by_day = np.array([[[60, 6], [40, 2]], [[50, 7], [50, 3]], [[70, 6], [30, 2]]])  # one platform, two tiers
    >>> found = CellClusters(Clusters("date", by_day), 2)
    >>> found.whole.rate(1, 0).estimate.round(3), found.mixes.rate(1, 0).estimate.round(3)
    (array([0.087]), array([0.6, 0.4]))
    """

    cells: Clusters = field(repr=False)
    tiers: int

    @classmethod
    def of_rows(cls, frame: pd.DataFrame, cluster: str, cells: Sequence[tuple[str, str]]) -> CellClusters:
        """Of rows with `platform`, `tier`, `cluster`, `n`, `y`; `cells` are all platforms with all tiers, in order."""
        codes, known = pd.factorize(frame["cluster"])
        order, days = in_order(list(known))
        place = {cell: at for at, cell in enumerate(cells)}
        at = [place[cell] for cell in zip(frame["platform"], frame["tier"], strict=True)]
        counts = np.zeros((len(known), len(cells), 2))
        np.add.at(counts, (np.argsort(order)[codes], at), frame[["n", "y"]].to_numpy(float))
        found = Clusters(cluster, counts, days, tuple(np.asarray(known)[order]))
        return cls(found, len({tier for _, tier in cells}))

    @cached_property
    def whole(self) -> Clusters:
        """Tiers added up: groups are platforms."""
        return self.cells.grouped(np.arange(self.cells.counts.shape[1]) // self.tiers)

    @cached_property
    def mixes(self) -> Clusters:
        """Groups as in `cells`; steps are the platform's trials and those of its tier."""
        own = self._of_platform(self.cells.counts, self.whole.counts)
        rounding = None
        if self.cells.rounding is not None and self.whole.rounding is not None:
            rounding = self._of_platform(self.cells.rounding, self.whole.rounding)
        return replace(self.cells, counts=own, rounding=rounding)

    @cached_property
    def errors(self) -> np.ndarray:
        """Each cluster's part of the errors of all rates and then of all shares: clusters x pieces."""
        return np.concatenate([self.cells.errors(1, 0), self.mixes.errors(1, 0)], axis=1)

    @cached_property
    def blocks(self) -> np.ndarray:
        """By rate, and then by share: platforms that are seen in the same clusters have one number."""
        return np.tile(np.repeat(self.whole.blocks, self.tiers), 2)

    def _of_platform(self, cells: np.ndarray, whole: np.ndarray) -> np.ndarray:
        return np.stack([np.repeat(whole[..., 0], self.tiers, axis=1), cells[..., 0]], axis=-1)


def labels(source: pd.DataFrame, cluster: str, taken: Sequence[str]) -> np.ndarray:
    """Each row's day or session, checked."""
    counts_table(source, [cluster])
    if cluster in taken:
        raise ValueError(
            f"cluster={cluster!r} is a column of the comparison itself; name that of the day or session"
        )
    missing = np.flatnonzero(source[cluster].isna())
    if len(missing):
        raise ValueError(f"{row_name(source, int(missing[0]), taken[:2])}: {cluster} is missing")
    return np.asarray(source[cluster])


def rows_are_days(source: pd.DataFrame, taken: Sequence[str]) -> list[str]:
    """A hint where rows that are added up are days."""
    if not source.duplicated(list(taken[:2])).any():
        return []
    for name in source.columns.difference(list(taken), sort=False):
        if source[name].nunique() > 1 and day_numbers(list(source[name].dropna().unique())) is not None:
            return [f"the rows are days: for what holds over days, say cluster={name!r}"]
    return []
