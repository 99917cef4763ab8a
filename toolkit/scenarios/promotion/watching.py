"""`watched`: an interval of a difference that may be read after every user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toolkit.results import Result
from toolkit.scenarios.assumptions import amount, column, level_and_ends, share, two_places
from toolkit.scenarios.promotion import sequences
from toolkit.wording import amount as signed
from toolkit.wording import count, counted, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Before so many in each arm the running spread is not to be trusted.
EARLIEST = 100


@dataclass(frozen=True, repr=False, eq=False)
class Watched(Result):
    """The difference of two arms after every pair of users. Made by `watched`.

    Attributes
    ----------
    table : DataFrame
        One row, the last pair: `pair`, `estimate`, `low`, `high`, `n` (users of both arms).
    path : DataFrame
        The same after every pair; no interval before 100, nor as long as no outcome differs from another.
    alone : int
        Users whom one arm has more than the other: they have no pair, and are left out.
    """

    table: pd.DataFrame
    path: pd.DataFrame
    alpha: float
    q: float
    tuned_for: int
    rate: bool
    alone: int

    @property
    def decided_at(self) -> int | None:
        """The first pair after which the interval leaves 0; None if it never does."""
        away = self.path[(self.path["low"] > 0) | (self.path["high"] < 0)]
        return int(away["pair"].iloc[0]) if len(away) else None

    def sentence(self) -> str:
        """Where the difference stands, whether it may be believed, and the price of watching."""
        last = self.table.iloc[0]
        out = (
            f" {counted(self.alone, 'user has', 'users have')} no pair yet and are left out."
            if self.alone
            else ""
        )
        if last["pair"] < EARLIEST:
            return f"Too early: {counted(last['pair'], 'pair')}, and the interval begins at {EARLIEST}.{out}"
        said = points if self.rate else signed
        if np.isnan(last["low"]):
            return (
                f"Difference {said(last['estimate'])} (no interval, for all pairs are alike; n = {count(last['n'])} "
                f"users).{out}"
            )
        at = self.decided_at
        found = f"left 0 after {count(at)} pairs" if at is not None else "has not left 0"
        price = sequences.over_fixed(self.tuned_for, self.alpha)
        ends = level_and_ends(1 - self.alpha, last, said)
        return (
            f"Difference {said(last['estimate'])} ({ends}, valid at every look, n = {count(last['n'])} users); it "
            f"{found}. Narrowest near {counted(self.tuned_for, 'pair')}, where it is ×{two_places(price)} as wide as "
            f"an interval that is read once.{out}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """The difference with its interval as users came."""
        from toolkit.scenarios.promotion import plots

        return plots.band(self.path, "pair", ("pairs of users", "difference"), ax)


def watched(treated: Any, held: Any, *, tuned_for: int, alpha: float = 0.05) -> Watched:
    """Follow a test while it runs, with an interval that stays valid however often it is read.

    Parameters
    ----------
    treated, held : list or Series of float
        Outcomes in order of arrival; the k-th of each makes the k-th pair, and what one arm has more is left out.
    tuned_for : int
        The number of pairs near which the interval shall be narrowest; chosen before the data are seen.
    alpha : float
        How often the interval may ever miss the difference.

    Returns
    -------
    Watched

    Raises
    ------
    ValueError
        For a missing outcome, and for one arm only: an interval of both arms together can never speak of their
        difference.

    Notes
    -----
    Asymptotic confidence sequence of the mean of the pairs' differences, with their running standard deviation; it
    begins at 100 pairs. Looks at a fixed interval raise a false alarm in 14 % of tests after 5 and in 25 % after 20
    (Armitage, McPherson & Rowe 1969). False alarms of this one: benchmarks/scenarios.md.

    References
    ----------
    Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), Annals of Statistics 52, 2613-2640.

    Examples
    --------
    >>> test = watched([1, 0, 1, 1, 0] * 80, [0, 1, 0, 0, 1] * 80, tuned_for=400)
    >>> test.decided_at, test.table[["estimate", "low", "high", "n"]].round(3).to_numpy().tolist()
    (214, [[0.2, 0.051, 0.349, 800.0]])
    """
    if treated is None or held is None:
        raise ValueError(
            "watched takes two arms: an interval of both arms together says nothing of their difference"
        )
    if not 0 < share("alpha", alpha) < 1:
        raise ValueError(f"alpha={alpha!r}: give one between 0 and 1, such as 0.05")
    if amount("tuned_for", tuned_for, positive=True) != int(tuned_for):
        raise ValueError(f"tuned_for={tuned_for!r}: give a whole number of pairs")
    tuned = int(tuned_for)
    one, other = column("treated", treated, negative=True), column("held", held, negative=True)
    pairs = min(len(one), len(other))
    gaps = one[:pairs] - other[:pairs]
    t = np.arange(1, pairs + 1)
    mean = np.cumsum(gaps) / t
    # Centred first: sums of squares of large outcomes lose their small spread.
    centred = gaps - gaps[0]
    spread = np.sqrt(np.maximum(np.cumsum(centred**2) / t - (np.cumsum(centred) / t) ** 2, 0))
    q = sequences.narrowest(tuned, alpha)
    # As long as all pairs are alike their spread is not known to be 0.
    radius = np.where((t >= EARLIEST) & (spread > 0), sequences.asymptotic(t, spread, q, alpha), np.nan)
    path = pd.DataFrame(
        {"pair": t, "estimate": mean, "low": mean - radius, "high": mean + radius, "n": 2 * t}
    )
    rate = bool(np.isin(one, (0.0, 1.0)).all() and np.isin(other, (0.0, 1.0)).all())
    last = path.tail(1).reset_index(drop=True)
    return Watched(last, path, float(alpha), q, tuned, rate, abs(len(one) - len(other)))
