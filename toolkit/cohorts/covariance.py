"""How two sides of a comparison move together: through cohorts that both have, and through users who are on both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from toolkit.cohorts.curves import Pooled, pooled_rates
from toolkit.intervals import Rate

AGES = ["age", "age_to"]


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a comparison of retention.

    Attributes
    ----------
    cells : DataFrame
        Complete cells, one row per period number and cohort; see `curves.complete`.
    """

    cells: pd.DataFrame

    @cached_property
    def pooled(self) -> Pooled:
        """Rates by period number."""
        return pooled_rates(self.cells)

    @cached_property
    def known(self) -> pd.DataFrame:
        """Period numbers with an eligible user."""
        return self.pooled.table[self.pooled.table["n"] > 0]

    def at(self, ages: pd.DataFrame) -> tuple[np.ndarray, Rate]:
        """Eligible users and rates at some period numbers, all of which are in `known`."""
        place = {(row.age, row.age_to): at for at, row in enumerate(self.pooled.table.itertuples())}
        rows = [place[row.age, row.age_to] for row in ages.itertuples()]
        return self.pooled.table["n"].to_numpy(float)[rows], self.pooled.rate.at(rows)

    def grid(self, ages: pd.DataFrame, cohorts: pd.Index) -> tuple[np.ndarray, np.ndarray]:
        """Eligible and retained users by period number and cohort, 0 where a cell is not complete."""
        wide = self.cells.pivot(index=AGES, columns="cohort", values=["eligible", "retained_eligible"])
        wide = wide.reindex(pd.MultiIndex.from_frame(ages))
        x, y = (
            wide[name].reindex(columns=cohorts).fillna(0).to_numpy(float)
            for name in ("eligible", "retained_eligible")
        )
        return x, y


def correlations(
    first: Side, second: Side, ages: pd.DataFrame, alike: bool, shared: pd.DataFrame | None
) -> np.ndarray:
    """By period number, the correlation of two pooled rates.

    Parameters
    ----------
    ages
        `age` and `age_to`, which both sides know.
    alike
        Whether a cohort of one name is of the same time on both sides.
    shared
        Sums over users who are on both sides, by `place` (of the period number in `ages`) and `same` (whether in the
        same cohort): `xx` eligible on both, `yx`, `xy` retained on one, `yy` on both. None where there are none.

    Notes
    -----
    Covariance of two rates at period k = C_k / (n_k m_k) + t sqrt(p_k (1 - p_k) q_k (1 - q_k)) sum of n_kc m_kc /
    (n_k m_k). C_k is the sum of products of residuals over users of both. The second part is that of cohorts that are
    good or bad on both sides alike, as after a festival: t is estimated from the products of the cohorts' residuals
    over all periods together, as r is in `curves.pooled_rates`, less what users of both make of them, and is at most
    the root of r on one side times r on the other.
    """
    n, p = _read(first, ages)
    m, q = _read(second, ages)
    spread = np.sqrt(p * (1 - p) * q * (1 - q))
    users = np.zeros((2, len(ages)))
    if shared is not None and len(shared):
        at, same = shared["place"].to_numpy(int), shared["same"].to_numpy(int)
        xx, yx, xy, yy = (shared[name].to_numpy(float) for name in ("xx", "yx", "xy", "yy"))
        np.add.at(users, (same, at), yy - q[at] * yx - p[at] * xy + p[at] * q[at] * xx)
    covariance = users.sum(0) / (n * m)
    if alike:
        cohorts = pd.Index(first.cells["cohort"]).intersection(pd.Index(second.cells["cohort"]))
        (x, y), (z, w) = first.grid(ages, cohorts), second.grid(ages, cohorts)
        parts, others = x / n[:, None], z / m[:, None]
        overlap = (parts * others).sum(1)
        moves = spread > 0
        products = ((y - x * p[:, None]) * (w - z * q[:, None])).sum(1) - users[1] * (1 - overlap)
        room = (x * z * (1 - parts - others + overlap[:, None])).sum(1)
        found = (products[moves] / spread[moves]).sum()
        most = np.sqrt(first.pooled.r * second.pooled.r)
        total = room[moves].sum()
        t = float(np.clip(found / total, -most, most)) if total > 0 else 0.0
        covariance = covariance + t * spread * overlap
    errors = np.sqrt(_variance(first, ages) * _variance(second, ages))
    r = np.divide(covariance, errors, out=np.zeros_like(errors), where=errors > 0)
    return np.asarray(np.clip(r, -0.999, 0.999))


def _read(side: Side, ages: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    n, rate = side.at(ages)
    return n, np.asarray(rate.estimate, float)


def _variance(side: Side, ages: pd.DataFrame) -> np.ndarray:
    rate = side.at(ages)[1]
    p = np.asarray(rate.estimate, float)
    return np.asarray(p * (1 - p) / rate.size)
