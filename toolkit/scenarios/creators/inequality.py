"""How unequal amounts are: Gini, Herfindahl, Theil and top shares in closed form, and what two families imply."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special


def gini(values: np.ndarray, weights: np.ndarray | None = None) -> Any:
    """The Gini coefficient, along the last axis.

    Notes
    -----
    sum (2 i - n - 1) x_(i) / (n sum x), i the rank from below. With weights: one less twice the area under
    the Lorenz curve, by trapezoids; equal weights of any size give the same.
    """
    if weights is not None:
        people, held = lorenz(values, weights)
        return float(1 - np.sum(np.diff(people) * (held[1:] + held[:-1])))
    return gini_of_sorted(np.sort(values, axis=-1))


def gini_of_sorted(values: np.ndarray) -> Any:
    """The Gini coefficient of values that rise along the last axis."""
    n = values.shape[-1]
    return values @ (2 * np.arange(1, n + 1) - n - 1.0) / (n * values.sum(-1))


def hhi(values: np.ndarray) -> Any:
    """The Herfindahl-Hirschman index: the sum of squared shares, 1/n to 1."""
    return (values**2).sum(-1) / values.sum(-1) ** 2


def hhi_of_orders(orders: np.ndarray) -> float:
    """The Herfindahl index without the noise of few orders: how likely two orders are one creator's.

    References
    ----------
    Simpson (1949), Nature 163, 688.
    """
    total = orders.sum()
    if total < 2:
        return np.nan
    return float((orders * (orders - 1)).sum() / (total * (total - 1)))


def theil(values: np.ndarray) -> Any:
    """Theil's T: sum of s ln(n s), where 0 ln 0 is 0; 0 to ln n."""
    shares = values / values.sum(-1, keepdims=True)
    return special.xlogy(shares, shares * values.shape[-1]).sum(-1)


def entropy(values: np.ndarray) -> Any:
    """Shannon's entropy of the shares, in nats; ln n where all are equal."""
    return np.log(values.shape[-1]) - theil(values)


def top(values: np.ndarray, who: float) -> Any:
    """The share of the `who` largest, or of the top `who` where that is below 1."""
    return top_of_sorted(np.sort(values, axis=-1), who)


def top_of_sorted(values: np.ndarray, who: float) -> Any:
    """As `top`, of values that rise along the last axis; a part of a creator counts in proportion."""
    n = values.shape[-1]
    many = min(who if who >= 1 else who * n, n)
    whole = int(many)
    held = values[..., n - whole :].sum(-1)
    if many > whole:
        held = held + (many - whole) * values[..., n - whole - 1]
    return held / values.sum(-1)


def lorenz(values: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The Lorenz curve: shares of the creators, from the lowest, and what they hold."""
    many = np.ones(len(values)) if weights is None else weights
    order = np.argsort(values, kind="stable")
    people, held = (np.append(0, np.cumsum(one[order])) for one in (many, many * values))
    return people / people[-1], held / held[-1]


def lognormal_gini(sigma: float) -> float:
    """The Gini of a log-normal: 2 Phi(sigma / sqrt 2) - 1 (Aitchison & Brown 1957)."""
    return float(2 * special.ndtr(sigma / np.sqrt(2)) - 1)


def lognormal_top(sigma: float, who: float) -> float:
    """The share of the top `who` of a log-normal: 1 - Phi(Phi^-1(1 - who) - sigma)."""
    return float(1 - special.ndtr(special.ndtri(1 - who) - sigma))


def pareto_gini(exponent: float) -> float:
    """The Gini of P(X > x) = x^-a: 1 / (2 a - 1), for a above 1."""
    return 1 / (2 * exponent - 1)


def pareto_top(exponent: float, who: float) -> float:
    """The share of the top `who` of P(X > x) = x^-a: who^(1 - 1/a), for a above 1."""
    return float(who ** (1 - 1 / exponent))
