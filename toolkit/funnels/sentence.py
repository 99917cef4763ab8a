"""A funnel's answer in words: who got through, where most are lost, and what a reader must know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from toolkit.funnels.question import Question
from toolkit.funnels.step_counts import ALONE, StepCounts
from toolkit.wording import count, duration, interval_level, percent, percent_interval

#: Groups that a sentence names one by one; of more it names the highest and the lowest.
NAMED_GROUPS = 5
#: From these shares on a sentence speaks of users still in window, and of losses that are only order.
MANY_IN_WINDOW, MUCH_OUT_OF_ORDER = 0.01, 0.1
#: From this share of one user on a sentence says so, though not who.
MUCH_OF_ONE_USER = 0.05


@dataclass(frozen=True)
class Sentence:
    """What a funnel found, laid out for its sentence.

    Attributes
    ----------
    counts : StepCounts
    question : Question or None
        What was asked of a log.
    confidence : float
        Of every interval.
    excluded : int or None
        Counting units that reached less because of exclusions.
    complete : StepCounts or None
        Of complete windows alone, where many are still in window.
    out_of_order : DataFrame or None
        As `Funnel.out_of_order`, where it is known.
    """

    counts: StepCounts
    question: Question | None
    confidence: float
    excluded: int | None = None
    complete: StepCounts | None = None
    out_of_order: pd.DataFrame | None = None

    def __str__(self) -> str:
        counts, (first, last) = self.counts, (self.counts.steps[0], self.counts.steps[-1])
        entered = counts.reached[:, 0]
        if not entered.sum():
            return f"No rate: nobody is counted at {first}{self._caveats([])}."
        named = self._named()
        ways = [self._way(counts, at, level=at == named[0]) for at in named]
        if not counts.by:
            text = f"{ways[0]} of {count(entered[0])} {self._units(entered[0])} at {first} reached {last}"
            text += self._within() + self._loss()
        else:
            text = (
                f"Share of {self._units()} at {first} that reached {last}{self._within()}: {'; '.join(ways)}"
            )
            if len(counts.groups) > len(ways):
                text += f" (the highest and the lowest of {len(counts.groups)} groups, by the interval's nearer end)"
        return f"{text}{self._caveats(named)}."

    def _units(self, number: float = 2) -> str:
        held = " and ".join(self.counts.hold)
        one, many = {
            "users": ("user", "users"),
            "pairs": (f"pair of user and {held}", f"pairs of user and {held}"),
            "entries": ("entry", "entries"),
            "counts": ("counted", "those counted"),
        }[self.counts.unit]
        return one if number == 1 or (self.counts.unit == "counts" and not self.counts.by) else many

    def _named(self) -> list[int]:
        """Places of the groups that a sentence names."""
        reached = self.counts.reached
        if len(reached) <= NAMED_GROUPS:
            return list(range(len(reached)))
        entered = np.flatnonzero(reached[:, 0] > 0)
        # By the nearer end of the interval, so that neither end of a list is a group of one.
        rate = self.counts.rate(self.counts.steps[-1], self.counts.steps[0], at=entered)
        low, high = rate.interval(self.confidence)
        return list(dict.fromkeys([int(entered[np.argmax(low)]), int(entered[np.argmin(high)])]))

    def _way(self, counts: StepCounts, at: int, *, level: bool) -> str:
        rate = counts.rate(counts.steps[-1], counts.steps[0], at=at)
        said = f"{interval_level(self.confidence)} " if level else ""
        interval = f"({said}{percent_interval(*rate.interval(self.confidence))}"
        if not counts.by:
            return f"{percent(rate.estimate)} {interval})"
        n = count(counts.reached[at, 0])
        return f"{counts.names[at]} {percent(rate.estimate)} {interval}, n = {n})"

    def _within(self) -> str:
        if self.question is None:
            return ""
        how = {"any": ", steps in any order", "strict": ", no other row between two steps"}
        return f"{_length(self.question.within)}{how.get(self.question.mode, '')}"

    def _loss(self) -> str:
        steps = self.counts.steps
        if len(steps) < 3:
            return ""
        reached = self.counts.reached[0].astype(float)
        before = reached[:-1]
        shares = np.divide(reached[1:], before, out=np.ones(len(before)), where=before > 0)
        worst = int(shares.argmin())
        rate = self.counts.rate(steps[worst + 1], steps[worst], at=0)
        said = f"{percent(float(shares[worst]))}, {percent_interval(*rate.interval(self.confidence))}"
        return f"; fewest go on from {steps[worst]} to {steps[worst + 1]} ({said})"

    def _caveats(self, named: Sequence[int]) -> str:
        parts = [*self._in_window(named), *self._order()]
        if self.excluded is not None:
            parts.append(
                f"{count(self.excluded)} {self._units(self.excluded)} would have got further without the excluded "
                "events"
            )
        if self.counts.clusters is not None:
            parts.append(f"intervals are {self.counts.clusters.words()}")
        elif self.counts.unit == "counts":
            parts.append(f"intervals know {ALONE}")
        elif self.counts.clustered:
            parts.append(f"intervals are clustered by user{self._largest(named)}")
        parts += self.counts.notes
        return f"; {'; '.join(parts)}" if parts else ""

    def _in_window(self, named: Sequence[int]) -> list[str]:
        """Who is still in window, and the rates without them where they are many."""
        still = int(np.nansum(self.counts.in_window))
        if not still or (self.question is not None and self.question.within is None):
            return []
        of = self.counts.reached[:, 0].sum()
        are = "is" if still == 1 else "are"
        these = f"{count(still)} of these {count(of)}" if of > 1 else "this one"
        said = f"{these} {are} still in window (right-censored) and may go on"
        if self.complete is None:
            return [said]
        texts = {text: at for at, text in enumerate(self.complete.texts)}
        found = [texts[self.counts.texts[at]] for at in named if self.counts.texts[at] in texts]
        found = [at for at in found if self.complete.reached[at, 0]]
        if not found:
            return [said, "no window is complete yet"]
        ways = [self._way(self.complete, at, level=False) for at in found]
        of = "" if self.counts.by else f" of {count(self.complete.reached[0, 0])}"
        return [said, f"over complete windows alone {'; '.join(ways)}{of}"]

    def _largest(self, named: Sequence[int]) -> str:
        """What the most frequent user makes of a group that is named, where that is much."""
        shares = self.counts.largest_shares
        at = max(named, key=lambda place: shares[place], default=0)
        if not named or shares[at] <= MUCH_OF_ONE_USER:
            return ""
        of = f" of {self.counts.names[at]}" if self.counts.by else ""
        return (
            f" (one user makes {percent(float(shares[at]))} of the {self._units()}{of}: where frequent users convert "
            "otherwise, such intervals can be too short)"
        )

    def _order(self) -> list[str]:
        """The step to which most of the loss is only order, where that is much."""
        if self.out_of_order is None:
            return []
        table = self.out_of_order[self.out_of_order["lost"] > 0]
        share = table["out_of_order"] / table["lost"]
        if not len(table) or not share.max() > MUCH_OUT_OF_ORDER:
            return []
        row = table.loc[share.idxmax()]
        steps = self.counts.steps[: self.counts.position(row["step"]) + 1]
        return [
            f"of {count(row['lost'])} at {steps[0]} who did not reach {steps[-1]} in order, "
            f"{count(row['out_of_order'])} ({percent(share.max())}) did {' and '.join(steps)} in another order, "
            "so that much of the loss is only order"
        ]


def _length(within: int | None) -> str:
    return " with no limit of time" if within is None else f" within {duration(pd.Timedelta(within, 'us'))}"
