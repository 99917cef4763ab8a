"""Counts by platform and tier: checked, whether they come from a table or from a funnel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from toolkit.counts import counts_table, numbers, row_name
from toolkit.funnels import Funnel
from toolkit.funnels.step_counts import ALONE, MOST_DRAWN
from toolkit.intervals import Rate, welch
from toolkit.propagation import Moments, Precision, correlated
from toolkit.sources.mechanisms import TIERS
from toolkit.tiers import cell_clusters
from toolkit.tiers.cell_clusters import CellClusters
from toolkit.tiers.from_funnel import Movers, counts_by, places_of
from toolkit.wording import count, counted, group_name, some, unknown


@dataclass(frozen=True, eq=False)
class Counts:
    """Trials `n` and successes `y`, platforms x tiers, and how users repeat among them.

    `cells` and `whole` are sums over users by platform and tier, and by platform; `clusters` are the counts by day, or
    by session. Without them every unit counts once.
    """

    platforms: tuple[str, ...]
    tiers: tuple[str, ...]
    n: np.ndarray = field(repr=False)
    y: np.ndarray = field(repr=False)
    of: str
    outcome: str
    cells: Moments | None = field(default=None, repr=False)
    whole: Moments | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()
    clusters: CellClusters | None = field(default=None, repr=False)

    @cached_property
    def rates(self) -> np.ndarray:
        """Successes over trials, platforms x tiers."""
        rates: np.ndarray = self.y / self.n
        return rates

    @cached_property
    def mixes(self) -> np.ndarray:
        """Each platform's shares of tiers."""
        mixes: np.ndarray = self.n / self.n.sum(1, keepdims=True)
        return mixes

    @cached_property
    def cell_rates(self) -> Rate:
        """The rate of each platform and tier, platform by platform."""
        if self.clusters is not None:
            return self.clusters.cells.rate(1, 0)
        n, y = self.n.ravel(), self.y.ravel()
        return Rate.of_counts(y, n) if self.cells is None else Rate.of_users(self.cells.sums(_columns(n, y)))

    @cached_property
    def crude(self) -> Rate:
        """The rate of each platform: sum over sum."""
        if self.clusters is not None:
            return self.clusters.whole.rate(1, 0)
        n, y = self.n.sum(1), self.y.sum(1)
        return Rate.of_counts(y, n) if self.whole is None else Rate.of_users(self.whole.sums(_columns(n, y)))

    @cached_property
    def crude_correlation(self) -> np.ndarray:
        """Of platforms' rates, which share users, or clusters."""
        if self.clusters is not None:
            errors = self.clusters.whole.errors(1, 0)
            return correlated(errors.T @ errors)
        n, y = self.n.sum(1), self.y.sum(1)
        found = Moments.once(_columns(n, y)) if self.whole is None else self.whole
        return correlated(_covariance(_influence(n, y), found))

    def crude_pair(self, pair: tuple[int, int]) -> tuple[Rate, Rate, float]:
        """Two platforms' own rates, as they are compared with each other, and their correlation."""
        one, two = (self.crude.at(at) for at in pair)
        together = float(self.crude_correlation[pair])
        if self.clusters is not None and not together:
            one, two = welch(one, two)
        return one, two, together

    @cached_property
    def effective(self) -> tuple[np.ndarray, np.ndarray]:
        """Trials and successes that would tell as much if each counted once (Rao & Scott 1992)."""
        size = np.asarray(self.cell_rates.size).reshape(self.n.shape)
        return size, size * self.rates

    @cached_property
    def precision(self) -> Precision:
        """Of all rates, platform by platform, and then of all shares of mixes."""
        shape, n, y = self.n.shape, self.n.ravel(), self.y.ravel()
        mix = self._mix()
        mix_error = np.sqrt(mix.estimate * (1 - mix.estimate) / mix.size)
        rates = self.cell_rates
        error = np.sqrt(rates.estimate * (1 - rates.estimate) / rates.size)
        if self.clusters is not None:
            errors = self.clusters.errors
            covariance = errors.T @ errors
        else:
            cells = Moments.once(_columns(n, y)) if self.cells is None else self.cells
            covariance = _covariance(np.concatenate([_influence(n, y), self._mix_influence()]), cells)
        # A platform's shares add up to 1: only changes of mix against its own average count.
        same = np.kron(np.eye(shape[0]), np.ones((shape[1], shape[1])))
        free = np.eye(2 * n.size)
        free[n.size :, n.size :] -= same * mix.estimate[:, None]
        freedom = np.broadcast_to(rates.freedom, n.shape)
        return Precision(
            values=np.concatenate([rates.estimate, mix.estimate]),
            sizes=np.concatenate([rates.size, mix.size]),
            freedom=np.concatenate([freedom, mix.freedom]),
            errors=np.concatenate([error, mix_error]),
            skewed=np.arange(2 * n.size) < n.size,
            correlation=correlated(covariance),
            projection=free,
            blocks=None if self.clusters is None else self.clusters.blocks,
        )

    @cached_property
    def drawn(self) -> tuple[Counts, np.ndarray] | None:
        """The counts as a figure shows them, tiers beyond the largest as one, and where each is; None for few."""
        if len(self.tiers) <= MOST_DRAWN:
            return None
        places = np.full(len(self.tiers), MOST_DRAWN)
        largest = np.sort(np.argsort(-self.n.sum(0), kind="stable")[:MOST_DRAWN])
        places[largest] = np.arange(MOST_DRAWN)
        names = (
            *(self.tiers[at] for at in largest),
            counted(len(self.tiers) - MOST_DRAWN, "other tier"),
        )
        to = np.eye(len(names))[places]
        cells = np.concatenate([at * len(names) + places for at in range(len(self.platforms))])
        clusters = self.clusters
        if clusters is not None:
            clusters = CellClusters(clusters.cells.grouped(cells), len(names))
        found = replace(
            self,
            tiers=names,
            n=self.n @ to,
            y=self.y @ to,
            cells=None if self.cells is None else self.cells.grouped(cells),
            clusters=clusters,
        )
        return found, places

    def place(self, platform: Any) -> int:
        """The position of a platform, or an error that names those there are."""
        if str(platform) not in self.platforms:
            raise ValueError(unknown("platform", platform, self.platforms))
        return self.platforms.index(str(platform))

    def pairs(self, to: Any = None) -> list[tuple[int, int]]:
        """Positions of each platform and the one that it is compared with; every pair without `to`."""
        size = len(self.platforms)
        if to is None:
            return [(i, j) for i in range(size) for j in range(i + 1, size)]
        reference = self.place(to)
        return [(i, reference) for i in range(size) if i != reference]

    def _mix_influence(self) -> np.ndarray:
        """By share: how far it moves per trial and success of each cell, as sums over users see it."""
        size, tiers = self.n.size, self.n.shape[1]
        same = np.kron(np.eye(self.n.shape[0]), np.ones((tiers, tiers)))
        by_trial = (np.eye(size) - same * self.mixes.ravel()[:, None]) / np.repeat(self.n.sum(1), tiers)[
            :, None
        ]
        return np.stack([by_trial, np.zeros((size, size))], axis=-1)

    def _mix(self) -> Rate:
        if self.clusters is not None:
            return self.clusters.mixes.rate(1, 0)
        # A user's visits are nearly all made from one tier, so users and not visits are what a mix is known by.
        n, tiers = self.n.sum(1), self.n.shape[1]
        users, squares = n, n
        if self.whole is not None:
            at = np.arange(len(n))
            users, squares = self.whole.users[:, 0], self.whole.products[at, 0, at, 0]
        freedom = np.where(squares <= n, np.inf, users - 1)
        return Rate(self.mixes.ravel(), np.repeat(n * n / squares, tiers), np.repeat(freedom, tiers))


def _columns(n: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.stack([n, y], axis=-1)


def _influence(n: np.ndarray, y: np.ndarray) -> np.ndarray:
    """By rate: how far it moves per trial and success of each group."""
    return np.stack([np.diag(-y / n**2), np.diag(1 / n)], axis=-1)


def _covariance(influence: np.ndarray, found: Moments) -> np.ndarray:
    flat = influence.reshape(len(influence), -1)
    size = flat.shape[1]
    covariance: np.ndarray = flat @ found.products.reshape(size, size) @ flat.T
    return covariance


def counts_of(
    source: Funnel | pd.DataFrame,
    *,
    platform: str,
    tier: str,
    outcome: str | None,
    of: str | None,
    pool: Mapping[str, str] | None,
    exclude: Sequence[str],
    movers: Movers | None,
    cluster: str | None = None,
) -> Counts:
    """Check a table or a funnel and lay its counts out by platform and tier. See `toolkit.tiers.compare`."""
    if isinstance(source, pd.DataFrame):
        of, outcome = "n" if of is None else of, "converted" if outcome is None else outcome
        frame = of_table(source, [platform, tier], [of, outcome])
        _refuse_more_than_all(frame, of, outcome)
        notes = []
        if cluster is None:
            notes += [
                f"intervals know {ALONE}",
                *cell_clusters.rows_are_days(source, [platform, tier, of, outcome]),
            ]
        frame = frame.rename(columns={platform: "platform", tier: "tier", of: "n", outcome: "y"})
        if cluster is not None:
            frame["cluster"] = cell_clusters.labels(source, cluster, [platform, tier, of, outcome])
        order = {
            name: list(map(str, source[old].cat.categories))
            for name, old in (("platform", platform), ("tier", tier))
            if isinstance(source[old].dtype, pd.CategoricalDtype)
        }
    elif isinstance(source, Funnel):
        if cluster is not None:
            raise ValueError("cluster= belongs to a table; give it to Funnel.from_counts, which hands it on")
        frame, of, outcome, notes = counts_by(source, platform, tier, outcome, of, movers)
        order = {}
    else:
        raise TypeError(f"compare takes a table of counts or a Funnel, not {type(source).__name__}")
    joined = {str(old): str(new) for old, new in (pool or {}).items()}
    left = [str(name) for name in ([exclude] if isinstance(exclude, str) else exclude)]
    known = [*order.get("tier", ()), *frame["tier"]]
    for name in (*joined, *left):
        if name not in known:
            raise ValueError(f"to pool or exclude: {unknown('tier', name, sorted(set(known)))}")
    joined = _chained(joined)
    for name in left:
        if name in (*joined, *joined.values()):
            raise ValueError(f"tier {name!r} is to be pooled and to be excluded; name it in one of the two")
    out = frame["tier"].isin(left)
    if out.any():
        notes.append(f"{count(frame.loc[out, 'n'].sum())} in {some(left)} are left out")
    frame = frame[~out].assign(tier=lambda rows: rows["tier"].replace(joined))
    if joined:
        notes.append("pooled: " + ", ".join(f"{old} with {new}" for old, new in joined.items()))
    platforms, tiers = (
        # City tiers stand in their own order, which is not that of the alphabet.
        tuple(
            name for name in dict.fromkeys([*order.get(key, TIERS), *frame[key]]) if name in set(frame[key])
        )
        for key in ("platform", "tier")
    )
    if len(platforms) < 2:
        raise ValueError(f"there is only one platform, {some(list(platforms))}: nothing to compare it with")
    summed = frame.groupby(["platform", "tier"])[["n", "y"]].sum()
    summed = summed.reindex(pd.MultiIndex.from_product([platforms, tiers]), fill_value=0)
    n, y = (summed[name].to_numpy(float).reshape(len(platforms), len(tiers)) for name in ("n", "y"))
    _refuse_absent(platforms, tiers, n)
    cells = whole = clusters = None
    pairs = [(p, t) for p in platforms for t in tiers]
    if cluster is not None:
        clusters = CellClusters.of_rows(frame, cluster, pairs)
    elif isinstance(source, Funnel) and source.step_counts.clusters is not None:
        counts = source.step_counts
        places = places_of(frame, ["platform", "tier"], pairs, len(counts.groups))
        at = [counts.position(of), counts.position(outcome)]
        clusters = CellClusters(source.step_counts.clusters.grouped(places, at), len(tiers))
    if clusters is not None:
        clusters.cells.refuse_too_few([f"{p} {t}" for p, t in pairs], of)
        notes.append(f"intervals are {clusters.whole.words()}")
    if isinstance(source, Funnel) and source.unit in ("pairs", "entries"):
        counts, groups = source.step_counts, len(source.step_counts.groups)
        cells, _ = counts.moments(places_of(frame, ["platform", "tier"], pairs, groups), [of, outcome])
        whole, _ = counts.moments(places_of(frame, ["platform"], platforms, groups), [of, outcome])
    return Counts(platforms, tiers, n, y, of, outcome, cells, whole, tuple(notes), clusters)


def of_table(source: pd.DataFrame, keys: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """Columns of a table of counts: keys as text, missing ones by the name of a missing group; whole numbers."""
    counts_table(source, [*keys, *columns])
    frame = pd.DataFrame(index=source.index)
    for name in keys:
        frame[name] = [group_name([value]) for value in source[name]]
    for name in columns:
        frame[name] = numbers(source, name, keys)
    return frame


def _chained(pool: dict[str, str]) -> dict[str, str]:
    """Where each tier ends up: one that joins another which joins a third is part of the third."""
    found = {}
    for start in pool:
        way = [start]
        while way[-1] in pool:
            way.append(pool[way[-1]])
            if way[-1] in way[:-1]:
                raise ValueError(
                    f"pool= goes round in a circle, {' to '.join(way)}: name the tier that stays"
                )
        found[start] = way[-1]
    return found


def _refuse_more_than_all(frame: pd.DataFrame, of: str, outcome: str) -> None:
    more = np.flatnonzero(frame[outcome].to_numpy() > frame[of].to_numpy())
    if len(more):
        row = frame.iloc[more[0]]
        raise ValueError(
            f"{row_name(frame, int(more[0]), list(frame.columns[:2]))}: {outcome} = {count(row[outcome])} is more than "
            f"{of} = {count(row[of])}; count the same unit in both (people, not orders)"
        )


def _refuse_absent(platforms: Sequence[str], tiers: Sequence[str], n: np.ndarray) -> None:
    absent = np.argwhere(n == 0)
    if not len(absent):
        return
    where = some([f"{tiers[t]!r} on {platforms[p]}" for p, t in absent], 6)
    first = tiers[absent[0][1]]
    raise ValueError(
        f"no one is in tier {where}, so its rate there is unknown: leave it out with exclude=[{first!r}], or count "
        f"it with another by pool={{{first!r}: 'that tier'}}"
    )
