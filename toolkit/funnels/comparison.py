"""Groups of a funnel against one of them: where do they part, and how sure is that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toolkit import intervals
from toolkit.clusters import Clusters
from toolkit.funnels.step_counts import ALONE, StepCounts
from toolkit.multiplicity import holm
from toolkit.results import Result
from toolkit.wording import count, counted, group_name, interval_level, points, points_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False, eq=False)
class Comparison(Result):
    """Differences and ratios of step rates against a reference group. Made by `Funnel.compare`.

    Attributes
    ----------
    table : DataFrame
        `by`, `step`, `rate` ("from_previous", and for the last step also "from_first"), `measure`
        ("difference" of two rates, or "ratio"), `estimate`, `low`, `high`, `n`, `n_reference` (units at the
        rate's base), `p` of equal rates, and `p_adjusted`, adjusted by Holm over all tests here.
    reference : str
        The group that all others are compared with.
    method : str
        What the intervals are and what they assume.

    Examples
    --------
    >>> from toolkit import Funnel
    >>> rows = {"platform": ["a", "a", "b", "b"], "step": ["enter", "pay"] * 2, "n": [70, 56, 80, 48]}
    >>> Funnel.from_counts(pd.DataFrame(rows)).compare(to="b").table[["measure", "estimate", "low", "high"]].round(3)
          measure  estimate    low   high
    0  difference     0.200  0.052  0.334
    1       ratio     1.333  1.080  1.671
    """

    table: pd.DataFrame
    by: tuple[str, ...] = field(repr=False)
    reference: str
    method: str
    confidence: float

    @property
    def tests(self) -> int:
        """How many tests the adjustment is over."""
        return int((self.table["measure"] == "difference").sum())

    def sentence(self) -> str:
        """The widest difference with its interval and n, how many rates differ, and how that was judged."""
        lines = self.table[self.table["measure"] == "difference"]
        found = lines[lines["p_adjusted"] < 1 - self.confidence]
        method = f"Holm over {counted(self.tests, 'test')}; {self.method}"
        if not len(found):
            return f"No rate is distinguishable from that of {self.reference} ({method})."
        steps = found[found["rate"] == "from_previous"]
        steps = steps if len(steps) else found
        widest = steps.loc[steps["estimate"].abs().idxmax()]
        who = group_name(widest[name] for name in self.by)
        above = widest["estimate"] > 0
        low, high = (widest["low"], widest["high"]) if above else (-widest["high"], -widest["low"])
        return (
            f"The rate to {widest['step']} of {who} lies {points(abs(widest['estimate']), sign=False)} "
            f"{'above' if above else 'below'} that of {self.reference} ({interval_level(self.confidence)} "
            f"{points_interval(low, high)} points, n = {count(widest['n'])} and {count(widest['n_reference'])}); "
            f"{len(found)} of {self.tests} rates differ ({method})."
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Differences by step, a mark and an interval for each group."""
        from toolkit.funnels import plots

        return plots.comparison(self.table, by=self.by, reference=self.reference, ax=ax)


def compare(counts: StepCounts, to: Any, confidence: float) -> Comparison:
    """See `Funnel.compare`."""
    largest = to is None and counts.by and len(counts.groups)
    reference = int(counts.reached[:, 0].argmax()) if largest else counts.place(to)
    others = np.delete(np.arange(len(counts.groups)), reference)
    if not len(others):
        raise ValueError(f"there is only one group, {counts.names[0]}: nothing to compare it with")
    if counts.clusters is not None:
        _refuse_overlap(counts, counts.clusters, others, reference)
    shared = counts.shared(reference)
    steps = [
        (step, before, "from_previous") for before, step in zip(counts.steps, counts.steps[1:], strict=False)
    ]
    if len(steps) > 1:
        steps.append((counts.steps[-1], counts.steps[0], "from_first"))
    parts = []
    for order, (step, base, kind) in enumerate(steps):
        n = counts.reached[:, counts.position(base)]
        ours, theirs = counts.rate(step, base, at=others), counts.rate(step, base, at=reference)
        together = _correlation(counts, step, base, shared, reference)[others]
        if counts.clusters is not None and not np.any(together):
            ours, theirs = intervals.welch(ours, theirs)
        p = intervals.score_test(ours, theirs, correlation=together)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(theirs.estimate == 0, np.nan, np.divide(ours.estimate, theirs.estimate))
        for measure, interval, estimate in (
            ("difference", intervals.difference, np.subtract(ours.estimate, theirs.estimate)),
            ("ratio", intervals.ratio, ratio),
        ):
            low, high = interval(ours, theirs, correlation=together, confidence=confidence)
            columns = {name: counts.groups[name].array.take(others) for name in counts.by}
            columns |= {"step": step, "rate": kind, "measure": measure, "estimate": estimate}
            columns |= {"low": low, "high": high, "n": n[others], "n_reference": n[reference], "p": p}
            parts.append(pd.DataFrame(columns | {"group": others, "order": order}))
    table = pd.concat(parts).sort_values(["group", "order"], kind="stable", ignore_index=True)
    table = table.drop(columns=["group", "order"])
    # Difference and ratio ask the same question, so a pair of them is one test of the family.
    once = table["measure"] == "difference"
    table.loc[once, "p_adjusted"] = holm(table.loc[once, "p"].to_numpy(float))
    table["p_adjusted"] = table["p_adjusted"].ffill()
    return Comparison(
        table=table,
        by=counts.by,
        reference=counts.names[reference],
        method=_method(counts, bool(shared.any())),
        confidence=confidence,
    )


def _refuse_overlap(counts: StepCounts, clusters: Clusters, others: np.ndarray, reference: int) -> None:
    """Groups may be seen on the same days throughout, or on different ones; a few in both are a slip."""
    there = clusters.present
    for at in others:
        both = int((there[:, at] & there[:, reference]).sum())
        fewer = int(clusters.number[[at, reference]].min())
        if 0 < both < fewer / 2:
            raise ValueError(
                f"{counted(both, 'cluster')} of {clusters.name!r} lie{'s' * (both == 1)} in {counts.names[at]} and in "
                f"{counts.names[reference]}, the others in one of them: let each lie on one side"
            )


def _method(counts: StepCounts, shared: bool) -> str:
    if counts.clusters is not None:
        together = ", those shared between groups allowed for" if shared else ""
        return f"{counts.clusters.words()}{together}"
    if counts.unit == "counts":
        return f"Newcombe differences and score ratios, which know {ALONE}"
    if counts.clustered or shared:
        return f"clustered by user{', users shared between groups allowed for' if shared else ''}"
    return "Newcombe differences and score ratios"


def _correlation(counts: StepCounts, step: str, base: str, shared: np.ndarray, reference: int) -> np.ndarray:
    """By group, the correlation of its rate with the reference's, through the users whom they share."""
    together = np.any(shared, axis=(1, 2))
    if not np.any(together):
        return np.zeros(len(shared))
    j, b = counts.position(step), counts.position(base)
    if counts.clusters is not None:
        return counts.clusters.correlation(j, b, reference)
    products = intervals.CrossSums(
        yy=shared[:, j, j], yx=shared[:, j, b], xy=shared[:, b, j], xx=shared[:, b, b]
    )
    ours, theirs = counts.user_sums(step, base), counts.user_sums(step, base, at=reference)
    return np.where(together, intervals.correlation(ours, theirs, products), 0.0)
