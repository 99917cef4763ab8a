"""`plan`: how many users a test needs, or what effect it would find."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from toolkit.results import Result
from toolkit.scenarios.assumptions import ARITHMETIC, amount, finite, plain, share
from toolkit.wording import count, percent, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Below so many expected conversions in an arm the normal approximation fails.
FEW = 10
SIMULATED = 20_000
Answer = Literal["n", "detectable", "power"]


@dataclass(frozen=True)
class Design:
    """A test of two arms, checked.

    Parameters
    ----------
    base : float
        Rate of the held, or 0 for amounts.
    delta : float
        Effect: a difference of rates, or of amounts.
    sd : float
        Of an amount; nan for rates.
    ratio : float
        Held users per treated one.
    inflation : float
        Design effect of clusters.
    """

    base: float
    delta: float
    sd: float
    ratio: float
    alpha: float
    sided: int
    inflation: float

    @property
    def rates(self) -> bool:
        """Whether the outcome is yes or no."""
        return bool(np.isnan(self.sd))

    def power(self, n: float) -> float:
        """With so many treated users."""
        n = n / self.inflation
        if not self.rates:
            freedom = n * (1 + self.ratio) - 2
            shift = abs(self.delta) / self.sd * np.sqrt(n * self.ratio / (1 + self.ratio))
            at = stats.t.ppf(1 - self.alpha / self.sided, freedom)
            return float(stats.nct.sf(at, freedom, shift))
        pooled, apart = self._variances()
        z = special.ndtri(1 - self.alpha / self.sided)
        return float(special.ndtr((np.sqrt(n) * abs(self.delta) - z * np.sqrt(pooled)) / np.sqrt(apart)))

    def n(self, power: float) -> float:
        """Treated users for that power, not rounded."""
        if self.rates:
            pooled, apart = self._variances()
            ends = special.ndtri(1 - self.alpha / self.sided) * np.sqrt(pooled) + special.ndtri(
                power
            ) * np.sqrt(apart)
            return float((ends / self.delta) ** 2 * self.inflation)
        low, high = 1.0001 + 1 / self.ratio, 4.0 + 4 / self.ratio
        if self.power(low * self.inflation) >= power:
            # The smallest test that has an error at all finds it.
            return low * self.inflation
        while self.power(high * self.inflation) < power:
            high *= 2
        found = optimize.brentq(lambda n: self.power(n * self.inflation) - power, low, high)
        return float(found) * self.inflation

    def detectable(self, n: float, power: float) -> float:
        """The smallest rise that so many treated users show with that power; nan where there is none."""
        most = 1 - self.base - 1e-12 if self.rates else 1e3 * self.sd
        least = 1e-9 * (1.0 if self.rates else self.sd)

        def short(delta: float) -> float:
            return replace(self, delta=delta).power(n) - power

        return float(optimize.brentq(short, least, most, xtol=1e-14)) if short(most) > 0 else np.nan

    def simulated(self, n: float) -> float:
        """Power of the pooled z test on drawn counts, where the normal approximation of it fails."""
        rng = np.random.default_rng(0)
        sizes = np.array([round(n), round(n * self.ratio)])
        if sizes.min() < 1:
            return np.nan
        drawn = [
            rng.binomial(size, p, SIMULATED)
            for size, p in zip(sizes, (self.base + self.delta, self.base), strict=True)
        ]
        pooled = (drawn[0] + drawn[1]) / sizes.sum()
        error = np.sqrt(pooled * (1 - pooled) * (1 / sizes).sum())
        gap = (drawn[0] / sizes[0] - drawn[1] / sizes[1]) * np.sign(self.delta)
        z = np.divide(gap, error, out=np.zeros(SIMULATED), where=error > 0)
        return float((z > special.ndtri(1 - self.alpha / self.sided)).mean())

    def _variances(self) -> tuple[float, float]:
        """Of sqrt(n) times the difference, under no effect (pooled) and under the effect."""
        p, q, r = self.base + self.delta, self.base, self.ratio
        pooled = (p + r * q) / (1 + r)
        return (1 + 1 / r) * pooled * (1 - pooled), p * (1 - p) + q * (1 - q) / r


@dataclass(frozen=True, repr=False, eq=False)
class Plan(Result):
    """What a test needs, or would find. Made by `plan`.

    Attributes
    ----------
    table : DataFrame
        One row, the answer: `lift` (difference), `n` (treated users), `n_held`, `power`.
    grid : DataFrame
        The same for other effects and numbers of users.
    n, power, delta : float
        The answer with what was given; n is not rounded and counts the treated.
    """

    table: pd.DataFrame
    grid: pd.DataFrame
    design: Design
    answer: Answer
    n: float
    power: float
    delta: float
    few: float
    simulated: float

    @property
    def detectable(self) -> float:
        """The treated arm's rate at the effect, or the effect on an amount."""
        return self.design.base + self.delta if self.design.rates else self.delta

    def sentence(self) -> str:
        """The missing one of users, effect and power."""
        effect = points(self.delta) if self.design.rates else f"a difference of {plain(self.delta, 4)}"
        base = f" on a rate of {percent(self.design.base)}" if self.design.rates else ""
        n, others = np.ceil(round(self.n, 6)), np.ceil(round(self.n * self.design.ratio, 6))
        said = f"{count(n)} treated and {count(others)} held find {effect}{base} with a power of {percent(self.power)}"
        how = "normal approximation, pooled variance under no effect" if self.design.rates else "noncentral t"
        sides = "two-sided" if self.design.sided == 2 else "one-sided"
        warn = ""
        if self.few < FEW:
            warn = (
                f" Only {self.few:.1f} conversions are expected in an arm: the approximation fails there; "
                f"simulated, the "
                f"power is {percent(self.simulated)}."
            )
        return f"{said} ({sides} {percent(self.design.alpha)}; {how}).{warn} {ARITHMETIC}"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Power over the number of treated users, a line for each effect."""
        from toolkit.scenarios import axes

        wide = self.grid.pivot(index="n", columns="lift", values="power")
        wide.columns = [points(one) if self.design.rates else plain(one, 3) for one in wide.columns]
        marks = [(self.n, self.power, "answer")]
        return axes.curves(
            wide.reset_index(),
            "n",
            list(wide.columns),
            ("treated users", "power"),
            marks=marks,
            log="x",
            ax=ax,
        )


def plan(
    *,
    rate: float | None = None,
    lift: float | None = None,
    p1: float | None = None,
    p2: float | None = None,
    sd: float | None = None,
    delta: float | None = None,
    n: float | None = None,
    power: float | None = None,
    ratio: float = 1.0,
    alpha: float = 0.05,
    sided: Literal[1, 2] = 2,
    cluster: tuple[float, float] | None = None,
) -> Plan:
    """Work out what is missing of users, effect and power.

    Parameters
    ----------
    rate, lift : float, optional
        Rate of the held, and the relative change to find (0.1 for a tenth more).
    p1, p2 : float, optional
        Instead: rates of the treated and of the held. With `p1` alone and `n`, it is the base, and the rise is sought.
    sd, delta : float, optional
        For amounts: standard deviation of one user, and the difference to find.
    n : float, optional
        Treated users.
    power : float, optional
        0.8 if neither it nor an effect with n is given.
    ratio : float
        Held users per treated one.
    alpha, sided : float, {1, 2}
        Of the test.
    cluster : tuple of (mean size, correlation), optional
        Users who come in groups: n grows by 1 + (size - 1) x correlation.

    Returns
    -------
    Plan

    Raises
    ------
    ValueError
        For rates outside 0 to 1, no effect, a power of 0 or 1, and where too much or too little is given.

    Notes
    -----
    Rates: normal approximation, pooled variance under no effect with the ratio in it (Fleiss, Tytun & Ury 1980),
    unpooled under the effect. Amounts: noncentral t. Below ten expected conversions in an arm the power is simulated
    beside it.

    Examples
    --------
    >>> round(plan(p1=0.5, p2=0.75, power=0.9).n, 2)
    76.71
    """
    design, known = _design(rate, lift, p1, p2, sd, delta, ratio, alpha, sided, cluster)
    if n is not None:
        amount("n", n, positive=True)
    if power is not None and not 0 < share("power", power) < 1:
        raise ValueError(
            f"power={power!r}: no number of users makes it certain; give one between 0 and 1, such as 0.8"
        )
    if known and n is not None and power is not None:
        raise ValueError("n, power and the effect are all given: leave one out")
    if not known:
        if n is None:
            raise ValueError("the effect is open: give n= to learn what it would find")
        answer: Answer = "detectable"
        wanted = 0.8 if power is None else power
        effect = design.detectable(n, wanted)
        if np.isnan(effect):
            raise ValueError(
                f"n={n:g} treated users find no effect with a power of {wanted:g}: there are too few"
            )
        design, size = replace(design, delta=effect), float(n)
    elif n is not None:
        answer, size, wanted = "power", float(n), design.power(n)
    else:
        wanted = 0.8 if power is None else power
        answer, size = "n", design.n(wanted)
    few = np.inf
    if design.rates:
        few = min(size * (design.base + design.delta), size * design.ratio * design.base)
    simulated = design.simulated(size) if few < FEW else np.nan
    answered = [(design.delta, size, size * design.ratio, wanted)]
    rows = []
    for by in (0.5, 0.75, 1.0, 1.5, 2.0):
        other = replace(design, delta=design.delta * by)
        if not design.rates or 0 <= design.base + other.delta <= 1:
            sizes = size * np.geomspace(0.1, 10, 25)
            rows += [
                (other.delta, users, users * design.ratio, other.power(users)) for users in sizes if users > 2
            ]
    table, grid = (pd.DataFrame(one, columns=["lift", "n", "n_held", "power"]) for one in (answered, rows))
    return Plan(table, grid, design, answer, size, wanted, design.delta, float(few), simulated)


def _design(
    rate: float | None,
    lift: float | None,
    p1: float | None,
    p2: float | None,
    sd: float | None,
    delta: float | None,
    ratio: float,
    alpha: float,
    sided: int,
    cluster: tuple[float, float] | None,
) -> tuple[Design, bool]:
    if isinstance(sided, bool) or sided not in (1, 2):
        raise ValueError(f"sided={sided!r}; use 1 or 2")
    if not 0 < share("alpha", alpha) < 1:
        raise ValueError(f"alpha={alpha!r}: give one between 0 and 1, such as 0.05")
    if cluster is not None and not (isinstance(cluster, tuple | list) and len(cluster) == 2):
        raise ValueError(f"cluster={cluster!r}: give the mean size of a group, and the correlation within")
    size, icc = (1.0, 0.0) if cluster is None else cluster
    if amount("cluster[0]", size) < 1:
        raise ValueError(f"cluster[0]={size!r}: a group has one user or more")
    inflation = 1 + (size - 1) * share("cluster[1]", icc)
    ratio = amount("ratio", ratio, positive=True)
    given = [name for name, one in (("rate", rate), ("p1", p1), ("sd", sd)) if one is not None]
    if len(given) != 1:
        raise ValueError(
            "give one of rate=, p1= and sd=: the base rate, both rates, or the spread of an amount"
        )
    strange = [
        name
        for name, one, beside in (("lift", lift, "rate"), ("p2", p2, "p1"), ("delta", delta, "sd"))
        if one is not None and beside not in given
    ]
    if strange:
        raise ValueError(
            f"{strange[0]}= does not go with {given[0]}=: give rate= and lift=, p1= and p2=, or sd= and delta="
        )
    if sd is not None:
        effect = np.nan if delta is None else finite("delta", delta)
        if effect == 0:
            raise ValueError("delta=0: no effect needs no users")
        return Design(
            0.0, effect, amount("sd", sd, positive=True), ratio, alpha, sided, inflation
        ), delta is not None
    if rate is not None:
        base = share("rate", rate)
        top = np.nan if lift is None else base * (1 + finite("lift", lift))
        if not np.isnan(top) and not 0 <= top <= 1:
            raise ValueError(
                f"lift={lift!r} takes a rate of {base:g} to {top:g}: a rate lies between 0 and 1"
            )
    elif p2 is None:
        base, top = share("p1", p1), np.nan
    else:
        top, base = share("p1", p1), share("p2", p2)
    if top == base:
        raise ValueError(f"both rates are {base:g}: no effect needs no users")
    if base in (0.0, 1.0) and np.isnan(top):
        raise ValueError(f"a base rate of {base:g} leaves no room for this plan")
    return Design(base, top - base, np.nan, ratio, alpha, sided, inflation), not np.isnan(top)
