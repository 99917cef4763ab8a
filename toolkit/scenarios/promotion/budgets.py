"""`budget`: what a budget for promotion adds, beside what would be reported, and which rise its own test would find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from toolkit.results import Result
from toolkit.scenarios.assumptions import NEVER, Never, amount, level_and_ends, plain, share, two_places
from toolkit.scenarios.promotion.holdouts import Holdout
from toolkit.scenarios.promotion.plans import Design
from toolkit.scenarios.promotion.saturations import Saturation
from toolkit.wording import amount as signed
from toolkit.wording import count, interval, percent, points, unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 41
QUANTITIES = ("incremental", "reported", "incremental_total", "roi", "reported_roi", "next_roi")


@dataclass(frozen=True, repr=False, eq=False)
class Budget(Result):
    """What a spend on each of some notes adds, and what would be reported. Made by `budget`.

    Attributes
    ----------
    table : DataFrame
        `quantity`, `estimate`, `low`, `high`, `n` (users or notes of the test behind it): "incremental" and "reported"
        of one promoted, "incremental_total" of all promoted; where something is spent "roi" and "reported_roi"
        (margin over spend), and "next_roi", what the next unit of spend brings back.
    spend, margin, promoted : float
        As asked.
    detectable : float
        The smallest rise of one promoted that the held-out share would show with the power asked; nan without one.
    """

    table: pd.DataFrame
    curve: Saturation
    test: Holdout
    spend: float
    margin: float
    promoted: float
    held: float
    power: float
    detectable: float

    def value(self, quantity: str) -> float:
        """The estimate of one quantity; nan of a return where nothing is spent."""
        if quantity not in QUANTITIES:
            raise ValueError(unknown("quantity", quantity, QUANTITIES))
        return float(self.table.set_index("quantity")["estimate"].get(quantity, np.nan))

    @property
    def best_spend(self) -> float | Never:
        """The spend up to which the next unit brings back more than itself; the largest where it still does there."""
        if not self.margin:
            return NEVER
        most = self.curve.largest
        # A response that at the largest spend still pays has no turning point in the data.
        if float(self.curve.marginal(most)["estimate"]) * self.margin >= 1:
            return most
        return self.curve.spend_for(1 / self.margin)

    def sentence(self) -> str:
        """What is added, its return beside the reported one, where the next unit stops paying, what a test finds."""
        rows = self.table.set_index("quantity")
        added, rate, outcome = rows.loc["incremental"], self.test.held.rate, self.test.outcome
        ends = level_and_ends(self.curve.confidence, added, points if rate else signed)
        more = f"{points(added['estimate'])} of" if rate else signed(added["estimate"])
        told = rows.loc["reported", "estimate"]
        text = (
            f"A spend of {plain(self.spend)} adds {more} {outcome} to each promoted ({ends}, "
            f"n = {count(added['n'])}), where {percent(told) if rate else two_places(told)} would be reported"
        )
        if "roi" in rows.index:
            back = rows.loc["roi"]
            text += (
                f". Each unit of it brings {two_places(back['estimate'])} of margin ({interval(back, two_places)}), "
                f"reported as {two_places(rows.loc['reported_roi', 'estimate'])}"
            )
        best = self.best_spend
        if isinstance(best, str):
            text += "; no spend pays for itself"
        elif best >= self.curve.largest:
            text += f"; the next unit pays for itself up to the largest spend seen, {plain(best)}"
        else:
            text += f"; the next unit pays for itself up to a spend of {plain(best, 4)}"
        if np.isnan(self.detectable):
            text += ". With so few held out or promoted no test would find a rise"
        else:
            rise = points(self.detectable, sign=False) if rate else plain(self.detectable, 3)
            text += (
                f". Holding out {percent(self.held)}, a test would find a rise of {rise} or "
                f"more with a power of {percent(self.power)}"
            )
        chosen = (
            " Spend was chosen, not drawn: part of the curve may be who spends."
            if self.curve.observational
            else ""
        )
        return f"{text}.{chosen} The margin is an assumption."

    def plot(self, ax: Axes | None = None) -> Axes:
        """What each promoted gains and what would be reported over the spend, with the data's end."""
        from toolkit.scenarios.promotion import plots

        grid = np.linspace(0, self.curve.largest, POINTS)
        band = pd.DataFrame(
            [_added(self.curve, self.test, float(x))[:3] for x in grid], columns=["estimate", "low", "high"]
        )
        lines = band.assign(spend=grid, reported=self.test.held.mean + band["estimate"])
        marks = [(self.spend, self.value("incremental")), (self.spend, self.value("reported"))]
        words = ("spend on each promoted", f"{self.test.outcome} of each promoted")
        return plots.added(lines, marks, self.curve.largest, words, ax)


def budget(
    curve: Saturation,
    *,
    test: Holdout,
    spend: float,
    margin: float,
    promoted: float = 1.0,
    held: float = 0.3,
    power: float = 0.8,
) -> Budget:
    """Say what a spend on each promoted note (or user) adds, and what whoever counts all would report.

    Parameters
    ----------
    curve : Saturation
        What the promoted did more than the held arm of `test`, by their spend, made by `saturation`. Nothing is said
        beyond its largest spend.
    test : Holdout
        The test that it is read from, made by `holdout`: its held arm says what comes without promotion.
    spend : float
        On each promoted, from 0 to the largest of the curve.
    margin : float
        What one unit of the outcome is worth. An assumption.
    promoted : float
        How many are promoted.
    held : float
        The share of all candidates that the next test holds out, 0 to below 1.
    power : float
        Of that test, between 0 and 1; two-sided at 5 %.

    Returns
    -------
    Budget

    Raises
    ------
    ValueError
        For a spend beyond the curve's data, a share outside 0 to 1, and less than one promoted.

    Notes
    -----
    reported = what the held did + incremental. Every point of the curve is a difference from the same held arm, whose
    error moves all of them together and so is not in the curve's own interval: that of the incremental adds both (Zou &
    Donner 2008), and that of the reported has the curve's alone, for there the held arm cancels. At no spend nothing is
    added, and reported is what the held did. "next_roi" has the interval of the curve's slope alone. Of 250 intervals
    at 95 %, 94 and 92 in a hundred held the truth (five spends of 200 notes each, 430 held out). The curve begins at 0
    by itself: a point at no spend among its data would count as an observation without error and narrow the intervals.
    roi = margin x incremental / spend. The detectable rise is that of two arms with the held arm's spread (noncentral
    t), or rate (normal approximation).

    References
    ----------
    Zou & Donner (2008), Statistics in Medicine 27, 1693-1702.

    Examples
    --------
    >>> from toolkit.scenarios.promotion import holdout, saturation
    >>> arms = pd.DataFrame({"arm": ["promoted", "held"], "n": [1000, 1000], "orders": [900, 500],
    ...                      "squares": [2600, 1100]})
    >>> test = holdout(arms, arm="arm", outcome="orders", n="n", squares="squares", held="held")
    >>> curve = saturation([0, 20, 50, 100, 150], [0, 0.21, 0.38, 0.52, 0.61], randomised=True)
    >>> answer = budget(curve, test=test, spend=50, margin=100, promoted=1000)
    >>> round(answer.value("roi"), 2), round(answer.value("reported_roi"), 2)
    (0.76, 1.76)
    """
    x, worth = amount("spend", spend), amount("margin", margin)
    many, kept = amount("promoted", promoted), share("held", held)
    if many < 1:
        raise ValueError(f"promoted={promoted!r}: give 1 or more")
    if kept == 1:
        raise ValueError(f"held={held!r} leaves nobody to promote: give less than 1")
    if not 0 < share("power", power) < 1:
        raise ValueError(f"power={power!r}: give one between 0 and 1, such as 0.8")
    estimate, low, high, own = _added(curve, test, x)
    total = test.held.mean + estimate
    ends = total - own, total + own
    n = test.treated.n + test.held.n
    rows: list[tuple[str, float, float, float]] = [
        ("incremental", estimate, low, high),
        ("reported", total, *ends),
        ("incremental_total", estimate * many, low * many, high * many),
    ]
    if x:
        scale, marginal = worth / x, curve.marginal(x)
        rows.append(("roi", estimate * scale, low * scale, high * scale))
        rows.append(("reported_roi", total * scale, ends[0] * scale, ends[1] * scale))
        following, least, most = (worth * float(marginal[name]) for name in ("estimate", "low", "high"))
        rows.append(("next_roi", following, least, most))
    table = pd.DataFrame(rows, columns=["quantity", "estimate", "low", "high"]).assign(n=n)
    found = _detectable(test, many, kept, power)
    return Budget(table, curve, test, x, worth, many, kept, power, found)


def _added(curve: Saturation, test: Holdout, spend: float) -> tuple[float, float, float, float]:
    """What a spend adds with its interval, and half the width of the curve's own, without the held arm's error."""
    if not spend:
        return 0.0, 0.0, 0.0, 0.0
    found = curve.at(spend)
    estimate, low, high = (float(found[name]) for name in ("estimate", "low", "high"))
    base_low, base_high = test.held.interval(test.confidence)
    below = float(np.hypot(estimate - low, base_high - test.held.mean))
    above = float(np.hypot(high - estimate, test.held.mean - base_low))
    return estimate, estimate - below, estimate + above, (high - low) / 2


def _detectable(test: Holdout, promoted: float, held: float, power: float) -> float:
    """The smallest rise that so many promoted and the share held out show; nan where there is none to find."""
    ratio = held / (1 - held)
    if promoted < 2 or promoted * ratio < 2:
        return np.nan
    spread = np.nan if test.held.rate else float(np.sqrt(test.held.variance))
    base = test.held.mean if test.held.rate else 0.0
    if spread == 0 or (test.held.rate and base in (0.0, 1.0)):
        return np.nan
    return Design(base, np.nan, spread, ratio, 0.05, 2, 1.0).detectable(promoted, power)
