"""Factors of GMV per impression: the rate of each step and the basket, by platform, from a table or a funnel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from toolkit.intervals import Rate
from toolkit.logs.engines import identifier
from toolkit.logs.times import INTEGERS
from toolkit.propagation import Moments, Precision, correlated
from toolkit.tiers.counts import of_table, row_name
from toolkit.tiers.users import added_up, label, labels, own
from toolkit.wording import count, some

if TYPE_CHECKING:
    import duckdb

    from toolkit.funnels import Funnel
    from toolkit.funnels.answer import Units

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
            known = (
                Rate.of_users(self.moments.sums(totals, k + 1))
                if self.repeated
                else Rate.of_counts(self.counts[:, k + 1], self.counts[:, k])
            )
            sizes[:, k], freedom[:, k] = known.size, known.freedom
            error[:, k] = np.sqrt(estimate[:, k] * (1 - estimate[:, k]) / known.size)
        if self.amount is not None and self.spread:
            buyers = self.moments.users[:, steps - 1]
            freedom[:, -1] = buyers - 1
            # The sum of squares about a mean that is itself estimated has one degree of freedom less.
            error[:, -1] *= np.sqrt(buyers / np.maximum(buyers - 1, 1))
        skewed = np.tile(np.arange(size) < steps - 1, platforms)
        return Precision(
            estimate.ravel(), sizes.ravel(), freedom.ravel(), error.ravel(), skewed, correlated(covariance)
        )


def factors_of(
    source: Funnel | pd.DataFrame,
    *,
    platform: str,
    steps: Sequence[str] | None,
    amount: str | None,
    squares: str | None,
) -> Factors:
    """Check a table or a funnel and lay its counts out along the steps. See `toolkit.tiers.split_product`."""
    if isinstance(source, pd.DataFrame):
        return _of_table(source, platform, steps, amount, squares)
    if not hasattr(source, "steps") or not hasattr(source, "counts"):
        raise TypeError(f"split_product takes a table of counts or a Funnel, not {type(source).__name__}")
    if squares is not None:
        raise ValueError("squares= belongs to a table; a funnel's log tells how amounts differ by itself")
    return _of_funnel(source, platform, steps, amount)


def _of_table(
    source: pd.DataFrame, platform: str, steps: Sequence[str] | None, amount: str | None, squares: str | None
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
                f"{row_name(frame, more[0], [platform])}: {after} = {count(row[after])} is more than {before} = "
                f"{count(row[before])}; steps must be in order and count the same unit"
            )
    extras = [name for name in (amount, squares) if name is not None]
    for name in extras:
        if name not in source.columns:
            raise ValueError(
                f"no column {name!r} among the counts; they have: {some(list(map(str, source.columns)))}"
            )
        values = pd.to_numeric(source[name], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        bad = ~np.isfinite(values) | (values < 0)
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            fault = "is negative" if values[at] < 0 else "is missing or no number"
            raise ValueError(f"{row_name(frame, at, [platform])}: {name} = {source[name].iloc[at]} {fault}")
        frame[name] = values
    summed = frame.groupby(platform, sort=False)[[*steps, *extras]].sum()
    counts = summed[steps].to_numpy(float)
    notes = ["intervals assume independent units"]
    moments = Moments.once(counts)
    paid = None if amount is None else summed[amount].to_numpy(float)
    if paid is not None and squares is not None:
        moments = with_amount(counts, paid, summed[squares].to_numpy(float), list(summed.index), squares)
    return _checked(Factors(tuple(summed.index), tuple(steps), counts, paid, moments, False, tuple(notes)))


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
    if platform not in funnel.by:
        raise ValueError(f"the funnel is not broken down by {platform!r}; ask it with by={platform!r}")
    chosen = list(funnel.steps if steps is None else steps)
    for name in chosen:
        if name not in funnel.steps:
            raise ValueError(f"no step {name!r} in the funnel; it has: {some(list(funnel.steps))}")
    levels = [funnel.steps.index(name) + 1 for name in chosen]
    if len(levels) < 2 or sorted(set(levels)) != levels:
        raise ValueError(f"steps={chosen!r}; give two steps or more, in the funnel's order")
    names = labels(funnel, platform)
    frame = (
        funnel.counts[[f"n{level}" for level in levels]]
        .astype(float)
        .groupby(np.array(names), sort=False)
        .sum()
    )
    frame = frame[frame.iloc[:, 0] > 0]
    counts, platforms = frame.to_numpy(), tuple(frame.index)
    notes, repeated, paid = list(funnel.notes), funnel.unit in ("pairs", "entries"), None
    notes.append("intervals are clustered by user" if repeated else "each user counts once")
    if funnel.unit == "counts":
        notes[-1] = "intervals assume independent units"
    moments = Moments.once(counts)
    if repeated or amount is not None:
        units = funnel.units if amount is None else _paid(funnel, amount, levels[-1])
        assert units is not None
        extra = "" if amount is None else f"CASE WHEN level >= {levels[-1]} THEN coalesce(paid, 0) ELSE 0 END"
        at = funnel.by.index(platform)
        rows = own(funnel, {"g0": label(at)}, levels, units, extra=extra)
        moments = added_up(units, rows, [(name,) for name in platforms], len(levels) + bool(extra))
        if extra:
            paid = _amounts(units, rows, platforms, len(levels))
            if funnel.unit == "entries":
                notes.append("an amount counts for each entry that leads to it")
    return _checked(Factors(platforms, tuple(chosen), counts, paid, moments, repeated, tuple(notes)))


def _paid(funnel: Funnel, amount: str, level: int) -> Units:
    """The units, each with `paid`: the sum of the amounts of its last step's rows at the moment of that step."""
    question, units = funnel.need_log("amounts"), funnel.units
    assert units is not None
    log = question.log
    log.column(amount, "amount column")
    if level != len(funnel.steps) or question.mode == "any":
        raise ValueError("amount= is of the last step of an ordered funnel")
    if question.hold and question.count == "users":
        raise ValueError("amount= with held columns needs units that are counted: ask with count='pairs'")
    kind = log.columns[amount]
    if kind not in (*INTEGERS, "DOUBLE", "FLOAT") and not kind.startswith("DECIMAL"):
        raise ValueError(f"amount column {amount!r} is {kind}, not a number; convert it in the source")
    held = {f"h{i}": f"pay_h{i}" for i in range(len(question.hold))}
    keys = {"u": "pay_u", "ended": "pay_t", **held}
    columns = [f"{identifier(log.user)} AS pay_u", f"{log.at} AS pay_t"]
    columns += [f"{identifier(name)} AS {h}" for name, h in zip(question.hold, held.values(), strict=True)]
    source = log.engine.table
    if question.dedupe is not None:
        key = identifier(question.dedupe)
        first = f"row_number() OVER (PARTITION BY {key} ORDER BY {log.at})"
        source = f"(SELECT * FROM (SELECT *, {first} AS copy FROM {source}) WHERE {key} IS NULL OR copy = 1)"
    paid = (
        f"SELECT {', '.join(keys.values())}, sum(CAST(amount AS DOUBLE)) AS paid FROM (SELECT {', '.join(columns)}, "
        f"{identifier(amount)} AS amount FROM {source} WHERE {question.predicates[level - 1].sql}) GROUP BY ALL"
    )
    same = " AND ".join(f"{ours} = {theirs}" for ours, theirs in keys.items())
    if units.table is None:
        return replace(units, sql=f"SELECT * FROM ({units.sql}) LEFT JOIN ({paid}) ON {same}")
    # Units in memory and the log's rows may live on two connections.
    table = log.engine.beside(units.table, log.engine.relation(paid).to_arrow_table(), same)

    def over(sql: str) -> duckdb.DuckDBPyRelation:
        return log.engine.over(table, sql)

    return replace(units, table=table, relation=over, frame=lambda sql: over(sql).df())


def _amounts(units: Units, rows: str, platforms: Sequence[str], at: int) -> np.ndarray:
    frame = units.frame(f"SELECT g0, sum(v{at}) AS paid FROM ({rows}) GROUP BY g0").set_index("g0")
    return frame["paid"].reindex(list(platforms)).to_numpy(float)


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
