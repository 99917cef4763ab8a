"""Counts by cluster, such as a day or a session: how sure sums are where people of one cluster resemble each other.

Clusters      counts of groups at steps, cluster by cluster, and the sampling variance of functions of their sums
side_by_side  the clusters of two tables as those of one
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from scipy import special

from toolkit.intervals import Rate
from toolkit.wording import counted

#: One-sided level at which the correlation of neighbouring days is taken to be real.
SIGNIFICANT = 0.05
#: An autocorrelation is not taken to be higher: the inflation would have no end.
MOST = 0.9
#: With more days than this the small-sample bias of an autocorrelation is nothing.
MANY_DAYS = 120


@dataclass(frozen=True, eq=False)
class Clusters:
    """Counts of groups at steps by cluster.

    Parameters
    ----------
    name : str
        What a cluster is: the column that says so.
    counts : array of clusters x groups x steps
        0 where a group is not in a cluster; clusters in order.
    days : array of int, optional
        Each cluster's day, where clusters are calendar days.
    labels : tuple, optional
        Each cluster's name, where it is known.
    rounding : array of clusters x groups x steps, optional
        Variance of what each count was rounded by: a third of the squared half width.

    Notes
    -----
    Sums over clusters are ratio estimators. Of any function of a group's sums that does not change when all of them
    double (a rate, a product of rates) the linearised residual of cluster d is a'(y_d - x_d Y / X), with y_d the
    counts, x_d the first of them, Y and X the sums, and a the function's slopes; its variance is the sum of squared
    residuals, each over 1 - x_d / X (CR2), and Student's freedom is Satterthwaite's for residuals whose variance goes
    with x_d: clusters - 1 where all are of one size. Where every weekday there is occurs at least twice in each
    group, Y and X are those of the weekday: a weekly pattern is no chance. Where neighbouring days' residuals are
    correlated significantly (one-sided at 5 %, all groups together) the variance is inflated by (1 + r) / (1 - r), r
    being the correlation that would on average leave what was seen. A count that was rounded to +- h adds h^2 / 3, the
    variance of a uniform error.

    References
    ----------
    Cochran (1977), Sampling Techniques, chapter 6. CR2 and its freedom: Bell & McCaffrey (2002), Survey Methodology
    28, 169-181. Inflation: Bayley & Hammersley (1946), Supplement to the JRSS 8, 184-197.

    Examples
    --------
    >>> entered, paid = [100, 100, 100, 100], [10, 20, 30, 20]
    >>> days = Clusters("date", np.array([entered, paid]).T[:, None, :])
    >>> rate = days.rate(1, 0)
    >>> print(f"{rate.estimate[0]:.2f} is as sure as if {rate.size[0]:.0f} had entered, not 400")
    0.20 is as sure as if 96 had entered, not 400
    """

    name: str
    counts: np.ndarray = field(repr=False)
    days: np.ndarray | None = field(default=None, repr=False)
    labels: tuple[Any, ...] = field(default=(), repr=False)
    rounding: np.ndarray | None = field(default=None, repr=False)

    @cached_property
    def present(self) -> np.ndarray:
        """Clusters x groups: whether the group has anyone in the cluster."""
        there: np.ndarray = self.counts[:, :, 0] > 0
        return there

    @cached_property
    def number(self) -> np.ndarray:
        """Clusters of each group."""
        number: np.ndarray = self.present.sum(0)
        return number

    @cached_property
    def weekdays(self) -> np.ndarray:
        """Each cluster's weekday; all alike where weekly patterns cannot be told from chance."""
        nothing = np.zeros(len(self.counts), int)
        if self.days is None:
            return nothing
        weekdays = (self.days + 3) % 7  # 1970-01-01 was a Thursday
        seen = np.array([self.present[weekdays == day].sum(0) for day in range(7)])
        return weekdays if ((seen.sum(1) == 0) | (seen.min(1) >= 2)).all() else nothing

    @cached_property
    def weekly(self) -> bool:
        """Whether weekday means are taken out."""
        return len(np.unique(self.weekdays)) > 1

    @cached_property
    def share(self) -> np.ndarray:
        """Clusters x groups: each one's share of those who entered on such weekdays."""
        return np.asarray(np.nan_to_num(self.counts[:, :, 0] / self._of_weekday(self.counts[:, :, 0])))

    @cached_property
    def residuals(self) -> np.ndarray:
        """Counts less what the weekday's sums make likely: clusters x groups x steps."""
        return np.asarray(self.counts - self.share[:, :, None] * self._of_weekday(self.counts))

    @cached_property
    def scaled(self) -> np.ndarray:
        """Residuals over the root of 1 - share, of which sums of squares are variances of sums."""
        return np.asarray(self.residuals / np.sqrt(np.maximum(1 - self.share, 1e-9))[:, :, None])

    @cached_property
    def freedom(self) -> np.ndarray:
        """Satterthwaite's degrees of freedom, by group."""
        h, own = self.share, np.zeros(self.share.shape[1])
        for day in np.unique(self.weekdays):
            at = self.weekdays == day
            g = h[at] ** 2 / np.maximum(1 - h[at], 1e-9)
            total = self.counts[at, :, 0].sum(0)
            own += total**2 * ((h[at] ** 2).sum(0) + g.sum(0) ** 2 - (g**2).sum(0))
        return np.asarray(np.nan_to_num(self.counts[:, :, 0].sum(0) ** 2 / np.where(own > 0, own, np.nan)))

    def products(self, second: int | None = None) -> np.ndarray:
        """Sums over clusters of products of scaled residuals at two steps, in one group or two: groups x steps x steps.

        Parameters
        ----------
        second
            Place of one group, whose residuals the others' are multiplied by; each group's own, if not given.
        """
        theirs = (
            self.scaled if second is None else np.broadcast_to(self.scaled[:, [second]], self.scaled.shape)
        )
        found = np.asarray(np.einsum("dgi,dgj->gij", self.scaled, theirs))
        if self.rounding is not None and second is None:
            found += self.rounding.sum(0)[..., None] * np.eye(found.shape[-1])
        return found

    @cached_property
    def joint(self) -> np.ndarray:
        """`products` of every two groups: groups x steps x groups x steps."""
        found = np.asarray(np.einsum("dgi,dhj->gihj", self.scaled, self.scaled))
        at = np.arange(len(found))
        found[at, :, at, :] = self.products()
        return found

    @cached_property
    def blocks(self) -> np.ndarray:
        """By group, a number that it shares with all groups that are seen in the same clusters."""
        together = np.einsum("dg,dh->gh", self.present, self.present)
        # Whoever shares a cluster with one that shares one with a third is of its block too.
        for _ in range(len(together)):
            together = together @ together
        return np.asarray(together.argmax(1))

    def grouped(self, places: Sequence[int] | np.ndarray, steps: Sequence[int] | None = None) -> Clusters:
        """The same clusters with groups added up.

        Parameters
        ----------
        places
            By group, the place where it counts, from 0 on; -1 leaves it out.
        steps
            Those that are kept, by their place; all, if not given.
        """
        at = np.asarray(places)
        chosen = np.arange(self.counts.shape[2]) if steps is None else np.asarray(steps)

        def added(values: np.ndarray) -> np.ndarray:
            found = np.zeros((len(values), at.max() + 1, len(chosen)))
            for group in np.flatnonzero(at >= 0):
                found[:, at[group]] += values[:, group, chosen]
            return found

        rounding = None if self.rounding is None else added(self.rounding)
        return replace(self, counts=added(self.counts), rounding=rounding)

    def refuse_too_few(self, names: Sequence[str], base: str) -> None:
        """Refuse groups that are seen in one cluster, or in none.

        Parameters
        ----------
        names
            Of the groups.
        base
            What the first of the counts are, in words.
        """
        for name, number in zip(names, self.number, strict=True):
            if number < 2:
                raise ValueError(
                    f"the counts{f' of {name}' if name else ''} have {counted(number, 'cluster')} of {self.name!r} "
                    f"with anyone at {base!r}: how far clusters differ cannot be seen; give two or more, or leave "
                    "cluster= out"
                )

    def refuse_overlap(self, names: Sequence[str], one: int, other: int) -> None:
        """Refuse two groups with a few clusters in common: seen on the same days throughout, or on different ones."""
        both = int((self.present[:, one] & self.present[:, other]).sum())
        if 0 < both < self.number[[one, other]].min() / 2:
            raise ValueError(
                f"{counted(both, 'cluster')} of {self.name!r} lie{'s' * (both == 1)} in {names[one]} and in "
                f"{names[other]}, the others in one of them: let each lie on one side"
            )

    def rate(self, step: int, base: int) -> Rate:
        """By group, the share of those at a base who reached a step, steps by their place."""
        sums, slopes = self.counts.sum(0), self._slopes(step, base)
        x = sums[:, base]
        p = np.divide(sums[:, step], x, out=np.full(len(x), np.nan), where=x > 0)
        variance = np.einsum("gi,gij,gj->g", slopes, self.products(), slopes)
        r = self.autocorrelation(slopes)
        variance = variance * (1 + r) / (1 - r)
        known = (variance > 1e-12 * x) & (p > 0) & (p < 1)
        # A rate of 0 or 1 does not vary: then only the number of people is known to limit it.
        size = np.divide(p * (1 - p) * x**2, variance, out=x.astype(float), where=known)
        # One cluster alone shows nothing of how far clusters differ.
        size[self.number < 2] = np.nan
        return Rate(p, size, self.freedom * (1 - r**2) / (1 + r**2))

    def errors(self, step: int, base: int) -> np.ndarray:
        """Each cluster's part of the error of a rate: clusters x groups, of which sums of squares are variances."""
        x = self.counts[:, :, base].sum(0)
        return np.asarray(np.einsum("dgi,gi->dg", self.scaled, self._slopes(step, base)) / np.maximum(x, 1))

    def spread(self, slopes: np.ndarray) -> tuple[float, float]:
        """Variance and degrees of freedom of a function of all groups' sums, groups in clusters of their own.

        Parameters
        ----------
        slopes : array of groups x steps
            Of the function, which must not change when all of a group's sums double.
        """
        r = self.autocorrelation(slopes)
        own = np.einsum("gi,gij,gj->g", slopes, self.products(), slopes) * (1 + r) / (1 - r)
        freedom = np.maximum(self.freedom * (1 - r**2) / (1 + r**2), 1e-9)
        variance = float(own.sum())
        return variance, float(variance**2 / (own**2 / freedom).sum()) if variance > 0 else 0.0

    def correlation(self, step: int, base: int, reference: int) -> np.ndarray:
        """By group, the correlation of its rate with that of a reference, through the clusters that they share."""
        slopes = self._slopes(step, base)
        joint = np.einsum("gi,gij,j->g", slopes, self.products(second=reference), slopes[reference])
        own = np.einsum("gi,gij,gj->g", slopes, self.products(), slopes)
        scale = np.sqrt(own * own[reference])
        return np.asarray(
            np.clip(np.divide(joint, scale, out=np.zeros(len(scale)), where=scale > 0), -0.999, 0.999)
        )

    def words(self) -> str:
        """How the intervals were made, for a sentence."""
        each = f"{self.number.min()} to {self.number.max()}" if np.ptp(self.number) else f"{self.number[0]}"
        week = ", weekday means taken out" if self.weekly else ""
        r = max(self.rate_autocorrelation(step, base) for step, base in self._rates)
        alike = f", inflated for neighbouring days that are alike, r = {r:.2f}" if r else ""
        return f"clustered by {self.name} ({each}{' a group' * (len(self.number) > 1)}{week}{alike})"

    def autocorrelation(self, slopes: np.ndarray) -> float:
        """Of neighbouring days' residuals, all groups together; 0 where it is not significant.

        Parameters
        ----------
        slopes : array of groups x steps
            Of the function whose residuals are meant.
        """
        if self.days is None:
            return 0.0
        own = np.einsum("dgi,gi->dg", self.residuals, slopes)
        x = self.counts[:, :, 0]
        u = np.divide(own, np.sqrt(x), out=np.zeros(own.shape), where=x > 0)
        u /= np.where((u**2).sum(0) > 0, np.sqrt((u**2).sum(0) / np.maximum(self.number, 1)), 1)
        after = np.searchsorted(self.days, self.days + 1)
        follows = np.isin(self.days + 1, self.days)
        first, second = np.flatnonzero(follows), after[follows]
        both = self.present[first] & self.present[second]
        pairs = int(both.any(1).sum())
        if pairs < 5:
            return 0.0
        seen = float((u[first] * u[second])[both].mean())
        likely = _expected(*sorted({self._pattern(g) for g in range(self.counts.shape[1])}))
        if (seen - likely[0]) * np.sqrt(pairs) < special.ndtri(1 - SIGNIFICANT):
            return 0.0
        return float(np.interp(seen, likely, _GRID))

    def rate_autocorrelation(self, step: int, base: int) -> float:
        """`autocorrelation` of the daily rate of a step."""
        return self.autocorrelation(self._slopes(step, base))

    @property
    def _rates(self) -> list[tuple[int, int]]:
        last = self.counts.shape[2] - 1
        return [(step, step - 1) for step in range(1, last + 1)] + [(last, 0)]

    def _slopes(self, step: int, base: int) -> np.ndarray:
        """Of a rate by sums, groups x steps, but for the factor 1 over its base."""
        sums = self.counts.sum(0)
        slopes = np.zeros(sums.shape)
        slopes[:, base] = -np.divide(
            sums[:, step], sums[:, base], out=np.zeros(len(sums)), where=sums[:, base] > 0
        )
        slopes[:, step] += 1
        return slopes

    def _pattern(self, group: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        there = self.present[:, group]
        assert self.days is not None
        return tuple((self.days[there] - self.days.min()).tolist()), tuple(self.weekdays[there].tolist())

    def _of_weekday(self, values: np.ndarray) -> np.ndarray:
        """Sums over all clusters of the same weekday, for each cluster."""
        found = np.empty(values.shape, float)
        for day in np.unique(self.weekdays):
            at = self.weekdays == day
            found[at] = values[at].sum(0)
        return np.where(found == 0, np.nan, found) if values.ndim == 2 else found


def side_by_side(one: Clusters, other: Clusters) -> Clusters:
    """Clusters of the groups of two tables of counts, a group in none of the other's clusters counting 0 there.

    Clusters are the same where they are the same day or, where they are no days, have the same name; without a name
    none is.

    Raises
    ------
    ValueError
        Where clusters are of two columns.
    """
    if one.name != other.name:
        raise ValueError(
            f"one funnel is clustered by {one.name!r}, the other by {other.name!r}: cluster both by the same"
        )
    keys: list[list[Any]] = [
        list(own.labels) or [(side, at) for at in range(len(own.counts))]
        for side, own in enumerate((one, other))
    ]
    dated = one.days is not None and other.days is not None
    if one.days is not None and other.days is not None:
        keys = [one.days.tolist(), other.days.tolist()]
    union = list(dict.fromkeys([*keys[0], *keys[1]]))
    union = sorted(union) if dated else union
    place = {key: at for at, key in enumerate(union)}
    at = [[place[key] for key in own] for own in keys]

    def beside(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        groups = first.shape[1]
        found = np.zeros((len(union), groups + second.shape[1], first.shape[2]))
        found[at[0], :groups], found[at[1], groups:] = first, second
        return found

    rounding = None
    if one.rounding is not None or other.rounding is not None:
        exact = [np.zeros(own.counts.shape) if own.rounding is None else own.rounding for own in (one, other)]
        rounding = beside(*exact)
    days = np.array(union) if dated else None
    return Clusters(one.name, beside(one.counts, other.counts), days, tuple(union), rounding)


_GRID = np.linspace(0, MOST, 19)


@lru_cache(maxsize=64)
def _expected(*patterns: tuple[tuple[int, ...], tuple[int, ...]]) -> np.ndarray:
    """The lag-1 correlation of residuals that days with each autocorrelation of `_GRID` leave, on average.

    Means taken out draw neighbours apart: see Marriott & Pope (1954), Biometrika 41, 390-402.
    """
    joint, pairs = np.zeros((len(patterns), len(_GRID))), np.zeros(len(patterns))
    for g, (days, weekdays) in enumerate(patterns):
        at, kinds = np.array(days), np.array(weekdays)
        if len(at) < 2:
            continue
        pairs[g] = (np.diff(at) == 1).sum()
        if len(at) > MANY_DAYS:
            joint[g] = pairs[g] * _GRID
            continue
        same = kinds[:, None] == kinds
        free = np.eye(len(at)) - same / same.sum(1)
        gaps = np.abs(at[:, None] - at)
        next_to = gaps == 1
        for i, r in enumerate(_GRID):
            left = free @ np.power(r, gaps, where=gaps > 0, out=np.ones(gaps.shape)) @ free
            spread = np.trace(left) / len(at)
            joint[g, i] = left[next_to].sum() / 2 / spread if spread > 1e-9 else 0.0
    total = pairs.sum()
    return np.asarray(joint.sum(0) / total if total else _GRID)
