"""Sums over users of products of what each did in several groups: what intervals need where users repeat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toolkit.intervals import UserSums


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over users of what they did in G groups, V counts each; a later count is part of the one before.

    Parameters
    ----------
    users : array of G x V
        With each count above 0.
    products : array of G x V x G x V
        Of two counts of one user.
    shares : array of G x V
        Of a count squared over the count before it, in one group; 0 for the first.
    """

    users: np.ndarray
    products: np.ndarray
    shares: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Moments:
        """Add up an array of users x G x V."""
        before, after = values[..., :-1], values[..., 1:]
        squares = np.divide(after**2, before, out=np.zeros(after.shape), where=before > 0).sum(0)
        flat = values.reshape(len(values), -1)
        shape = values.shape[1:] * 2
        return cls((values > 0).sum(0), (flat.T @ flat).reshape(shape), np.pad(squares, ((0, 0), (1, 0))))

    @classmethod
    def once(cls, counts: np.ndarray) -> Moments:
        """Of units that count once, in one group: G x V counts that fall from left to right."""
        groups, size = counts.shape
        products = np.zeros((groups, size, groups, size))
        at = np.arange(groups)
        products[at, :, at, :] = np.minimum(counts[:, :, None], counts[:, None, :])
        return cls(counts, products, np.where(np.arange(size) > 0, counts, 0.0))

    def sums(self, totals: np.ndarray, count: int = 1) -> UserSums:
        """Sums for the rates of a count over the one before; `totals` is G x V."""
        at = np.arange(len(totals))
        own = self.products[at, :, at, :]
        return UserSums(
            users=self.users[:, count - 1],
            x=totals[:, count - 1],
            y=totals[:, count],
            xx=own[:, count - 1, count - 1],
            xy=own[:, count - 1, count],
            yy=own[:, count, count],
            yy_per_x=self.shares[:, count],
        )
