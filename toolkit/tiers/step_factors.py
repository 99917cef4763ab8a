"""Factors of GMV per impression: the rate of each step and the basket, by platform, from a table or a funnel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd

from toolkit.clusters import Clusters
from toolkit.counts import counts_table, numbers, row_name
from toolkit.funnels import Funnel, StepCounts
from toolkit.funnels.step_counts import ALONE
from toolkit.intervals import Rate
from toolkit.propagation import Moments, Precision, correlated
from toolkit.tiers.counts import of_table
from toolkit.tiers.from_funnel import repeats
from toolkit.wording import count, some

#: The last factor: amount per buyer.
BASKET = "basket"


@dataclass(frozen=True, eq=False)
class Factors:
    """Counts along the steps, platforms x steps, and the amount of those at the last one.

    `moments` are sums over users of all counts and, where its spread is known, of the amount.
    """

    platforms: tuple[str, ...]
    steps: tuple[str, ...]
    counts: np.ndarray = field(repr=False)
    amount: np.ndarray | None = field(repr=False)
    moments: Moments = field(repr=False)
    repeated: bool
    notes: tuple[str, ...]
    clusters: Clusters | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Of the factors: steps after the first, and the basket."""
        return (*self.steps[1:], *([BASKET] if self.amount is not None else []))

    @property
    def spread(self) -> bool:
        """Whether it is known how much buyers' amounts differ, or there are none."""
        return self.amount is None or self.moments.users.shape[1] > len(self.steps)

    @cached_property
    def bases(self) -> np.ndarray:
        """What each factor is a share of, or a mean over: platforms x factors."""
        return self.counts[:, : len(self.names)]

    @cached_property
    def values(self) -> np.ndarray:
        """Factors, platforms x factors."""
        rates = self.counts[:, 1:] / self.counts[:, :-1]
        return rates if self.amount is None else np.column_stack([rates, self.amount / self.counts[:, -1]])

    @cached_property
    def precision(self) -> Precision:
        """Of all factors, platform by platform."""
        platforms, size = self.values.shape
        steps = len(self.steps)
        totals = (
            self.counts
            if self.amount is None or not self.spread
            else np.column_stack([self.counts, self.amount])
        )
        width = totals.shape[1]
        influence = np.zeros((platforms, size, platforms, width))
        at = np.arange(platforms)
        for k in range(min(size, width - 1)):
            influence[at, k, at, k] = -self.values[:, k] / self.counts[:, k]
            influence[at, k, at, k + 1] = 1 / self.counts[:, k]
        flat = influence.reshape(platforms * size, -1)
        covariance = flat @ self.moments.products.reshape(flat.shape[1], -1) @ flat.T
        estimate, freedom = self.values.copy(), np.full(self.values.shape, np.inf)
        sizes, error = self.bases.astype(float), np.sqrt(np.diagonal(covariance)).reshape(self.values.shape)
        for k in range(steps - 1):
            if self.clusters is not None:
                known = self.clusters.rate(k + 1, k)
            elif self.repeated:
                known = Rate.of_users(self.moments.sums(totals, k + 1))
            else:
                known = Rate.of_counts(self.counts[:, k + 1], self.counts[:, k])
            sizes[:, k], freedom[:, k] = known.size, known.freedom
            error[:, k] = np.sqrt(estimate[:, k] * (1 - estimate[:, k]) / known.size)
        if self.amount is not None and self.spread:
            buyers = self.moments.users[:, steps - 1]
            freedom[:, -1] = buyers - 1
            # The sum of squares about a mean that is itself estimated has one degree of freedom less.
            error[:, -1] *= np.sqrt(buyers / np.maximum(buyers - 1, 1))
        skewed = np.tile(np.arange(size) < steps - 1, platforms)
        return Precision(
            values=estimate.ravel(),
            sizes=sizes.ravel(),
            freedom=freedom.ravel(),
            errors=error.ravel(),
            skewed=skewed,
            correlation=correlated(covariance),
            blocks=None if self.clusters is None else np.repeat(self.clusters.blocks, size),
        )


def factors_of(
    source: Funnel | pd.DataFrame,
    *,
    platform: str,
    steps: Sequence[str] | None,
    amount: str | None,
    squares: str | None,
    cluster: str | None = None,
) -> Factors:
    """Check a table or a funnel and lay its counts out along the steps. See `toolkit.tiers.split_product`."""
    if isinstance(source, pd.DataFrame):
        return _of_table(source, platform, steps, amount, squares, cluster)
    if not isinstance(source, Funnel):
        raise TypeError(f"split_product takes a table of counts or a Funnel, not {type(source).__name__}")
    if cluster is not None:
        raise ValueError("cluster= belongs to a table; give it to Funnel.from_counts, which hands it on")
    if squares is not None:
        raise ValueError("squares= belongs to a table; a funnel's log tells how amounts differ by itself")
    return _of_funnel(source, platform, steps, amount)


def _of_table(
    source: pd.DataFrame,
    platform: str,
    steps: Sequence[str] | None,
    amount: str | None,
    squares: str | None,
    cluster: str | None,
) -> Factors:
    if steps is None or isinstance(steps, str) or len(steps) < 2:
        raise ValueError(
            f"name the columns of counts in order: steps=['impressions', 'enter', ...], two or more, not {steps!r}"
        )
    if squares is not None and amount is None:
        raise ValueError("squares= are of the amounts; name their column too: amount=")
    steps = list(steps)
    frame = of_table(source, [platform], steps)
    for before, after in pairwise(steps):
        more = np.flatnonzero(frame[after].to_numpy() > frame[before].to_numpy())
        if len(more):
            row = frame.iloc[more[0]]
            raise ValueError(
                f"{row_name(frame, int(more[0]), [platform])}: {after} = {count(row[after])} is more than {before} = "
                f"{count(row[before])}; steps must be in order and count the same unit"
            )
    if cluster is not None:
        return _of_days(source, frame, platform, steps, amount, cluster)
    extras = [name for name in (amount, squares) if name is not None]
    counts_table(source, extras)
    for name in extras:
        frame[name] = numbers(source, name, [platform], whole=False)
    summed = frame.groupby(platform, sort=False)[[*steps, *extras]].sum()
    counts = summed[steps].to_numpy(float)
    notes = [f"intervals know {ALONE}"]
    moments = Moments.once(counts)
    paid = None if amount is None else summed[amount].to_numpy(float)
    if paid is not None and squares is not None:
        moments = with_amount(counts, paid, summed[squares].to_numpy(float), list(summed.index), squares)
    return _checked(Factors(tuple(summed.index), tuple(steps), counts, paid, moments, False, tuple(notes)))


def _of_days(
    source: pd.DataFrame,
    frame: pd.DataFrame,
    platform: str,
    steps: Sequence[str],
    amount: str | None,
    cluster: str,
) -> Factors:
    """Factors of a table with a row for each platform and day (or session)."""
    if amount is not None:
        raise ValueError("cluster= with an amount is not offered: leave amount= out, or cluster=")
    counts_table(source, [cluster])
    tidy = frame[[platform]].assign(**{cluster: source[cluster]})
    tidy = pd.concat([tidy.assign(step=step, n=frame[step]) for step in steps], ignore_index=True)
    tidy = tidy.groupby([platform, cluster, "step"], sort=False, dropna=False)["n"].sum().reset_index()
    tidy["step"] = pd.Categorical(tidy["step"], list(steps), ordered=True)
    tidy = tidy.sort_values([platform, cluster, "step"], kind="stable").astype({"step": str})
    return _of_funnel(Funnel.from_counts(tidy, cluster=cluster), platform, steps, None)


def with_amount(
    counts: np.ndarray, paid: np.ndarray, squares: np.ndarray, names: list[str], column: str
) -> Moments:
    """Sums over buyers who count once, from sums of their amounts and of the squares of these."""
    least = np.divide(paid**2, counts[:, -1], out=np.zeros(len(paid)), where=counts[:, -1] > 0)
    wrong = np.flatnonzero(squares < least * (1 - 1e-9))
    if len(wrong):
        raise ValueError(
            f"{names[wrong[0]]}: {column} = {squares[wrong[0]]:g} is less than amount squared over buyers, "
            f"{least[wrong[0]]:g}; it is the sum of each buyer's squared amount"
        )
    plain = Moments.once(counts)
    groups, size = counts.shape
    at = np.arange(groups)
    products = np.zeros((groups, size + 1) * 2)
    products[:, :size, :, :size] = plain.products
    # Only buyers pay, and a buyer has passed every step.
    products[at, size, at, :size] = products[at, :size, at, size] = paid[:, None]
    products[at, size, at, size] = squares
    return Moments(
        np.column_stack([plain.users, counts[:, -1]]), products, np.column_stack([plain.shares, squares])
    )


def _of_funnel(funnel: Funnel, platform: str, steps: Sequence[str] | None, amount: str | None) -> Factors:
    counts = funnel.step_counts
    if platform not in counts.by:
        raise ValueError(f"the funnel is not broken down by {platform!r}; ask it with by={platform!r}")
    chosen = list(counts.steps if steps is None else steps)
    at = [counts.position(name) for name in chosen]
    if len(at) < 2 or sorted(set(at)) != at:
        raise ValueError(f"steps={chosen!r}; give two steps or more, in the funnel's order")
    names = counts.labels(platform)
    platforms = tuple(
        name for name in dict.fromkeys(names) if counts.reached[_are(names, name), at[0]].sum() > 0
    )
    reached = np.array([counts.reached[_are(names, name)][:, at].sum(0) for name in platforms], float)
    notes, repeated, paid = list(counts.notes), counts.unit in ("pairs", "entries"), None
    if counts.clusters is not None:
        return _of_clusters(counts, counts.clusters, names, platforms, chosen, at)
    notes.append(repeats(counts))
    moments = Moments.once(reached)
    if repeated or amount is not None:
        places = [platforms.index(name) if name in platforms else -1 for name in names]
        moments, totals = counts.moments(places, chosen, amount)
        if amount is not None:
            paid = totals[:, -1]
            if counts.unit == "entries":
                notes.append("an amount counts for each entry that leads to it")
    return _checked(Factors(platforms, tuple(chosen), reached, paid, moments, repeated, tuple(notes)))


def _of_clusters(
    counts: StepCounts,
    clusters: Clusters,
    names: Sequence[str],
    platforms: tuple[str, ...],
    steps: Sequence[str],
    at: Sequence[int],
) -> Factors:
    """Factors whose intervals stand on how much days (or sessions) differ."""
    found = clusters.grouped([platforms.index(name) if name in platforms else -1 for name in names], at)
    reached = found.counts.sum(0)
    moments = Moments(
        np.broadcast_to(found.number[:, None], reached.shape), found.joint, np.zeros(reached.shape)
    )
    notes = (*counts.notes, f"intervals are {found.words()}")
    return _checked(Factors(platforms, tuple(steps), reached, None, moments, True, notes, found))


def _are(names: Sequence[str], name: str) -> np.ndarray:
    return np.array([one == name for one in names])


def _checked(found: Factors) -> Factors:
    if len(found.platforms) < 2:
        raise ValueError(
            f"there is only one platform, {some(list(found.platforms))}: nothing to compare it with"
        )
    empty = np.argwhere(found.bases == 0)
    if len(empty):
        platform, at = empty[0]
        raise ValueError(
            f"no one on {found.platforms[platform]} reached {found.steps[at]!r}, so {found.names[at]!r} has no rate "
            "there: leave the later steps out with steps=, or the platform"
        )
    return found
