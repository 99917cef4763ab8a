"""Groups of a funnel against one of them: where do they part, and how sure is that."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toolkit import clusters, intervals, style
from toolkit.funnels.step_counts import ALONE, StepCounts, added_up
from toolkit.funnels.step_shares import step_shares
from toolkit.multiplicity import holm
from toolkit.results import Result
from toolkit.wording import count, counted, group_name, interval_level, percent, points, points_interval, some

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Sums over users of products of their counts, in a group and shared with the reference: groups x steps x steps.
Products = tuple[np.ndarray, np.ndarray]
#: No headline rests on a rate of fewer.
LEAST = 30


@dataclass(frozen=True, repr=False, eq=False)
class Comparison(Result):
    """Differences and ratios of step rates against a reference group. Made by `Funnel.compare`.

    Attributes
    ----------
    table : DataFrame
        `by`, `step`, `rate` ("from_previous", and for the last step also "from_first"), `measure`
        ("difference" of two rates, "ratio", or "contribution" of a step to the end-to-end difference), `estimate`,
        `low`, `high`, `share` (of a contribution, in the end-to-end difference; a group's shares add up to 1), `n`,
        `n_reference` (units at the rate's base), `p` of equal rates, and `p_adjusted`, adjusted by Holm over all
        tests here.
    steps : tuple of str
        Of the funnel, in order.
    reference : str
        The group that all others are compared with.
    method : str
        What the intervals are and what they assume.
    largest : DataFrame or None
        What the figure shows of many groups: the same of the 12 largest, and of all others together.

    Notes
    -----
    A difference in points favours early steps, whose rates are high: it does not say which step matters. A step's
    contribution is its Shapley value in the product of all steps' rates (Das Gupta's decomposition). Of several
    groups and steps the one leads whose interval lies furthest from 0, among those with at least 30 at its base.

    Examples
    --------
    >>> from toolkit import Funnel
    >>> rows = {"platform": list("aaabbb"), "step": ["enter", "cart", "pay"] * 2, "n": [900, 300, 30, 900, 360, 72]}
    >>> compared = Funnel.from_counts(pd.DataFrame(rows)).compare(to="b")
    >>> compared.table.query("measure == 'contribution'")[["step", "estimate", "low", "high", "share"]].round(3)
       step  estimate    low   high  share
    2  cart    -0.010 -0.017 -0.003  0.214
    5   pay    -0.037 -0.056 -0.017  0.786
    """

    table: pd.DataFrame
    by: tuple[str, ...] = field(repr=False)
    steps: tuple[str, ...] = field(repr=False)
    reference: str
    method: str
    confidence: float
    largest: pd.DataFrame | None = field(default=None, repr=False)

    @property
    def tests(self) -> int:
        """How many tests the adjustment is over."""
        return int((self.table["measure"] == "difference").sum())

    def sentence(self) -> str:
        """The widest end-to-end gap and the steps that make it; how many rates differ, and how that was judged."""
        lines = self.table[self.table["measure"] == "difference"]
        found = lines[lines["p_adjusted"] < 1 - self.confidence]
        method = f"Holm over {counted(self.tests, 'test')}; {self.method}"
        if not len(found):
            widest = self._undecided(lines)
            return f"No rate is distinguishable from that of {self.reference}{widest} ({method})."
        closing = f"{len(found)} of {self.tests} rates differ ({method})."
        large = found[found["n"] >= LEAST]
        if not len(large):
            return (
                f"No rate of a group with at least {LEAST} at its base is distinguishable from that of "
                f"{self.reference}; {closing}"
            )
        return f"{self._finding(large)}; {closing}"

    def _undecided(self, lines: pd.DataFrame) -> str:
        """The end-to-end gap whose interval reaches furthest from 0 on one side, where no rate differs."""
        whole = lines[lines["rate"] == ("from_first" if len(self.steps) > 2 else "from_previous")]
        whole = whole[whole["low"].notna() & whole["high"].notna()]
        return f"; the widest gap: {self._gap(_widest(whole)).replace('The', 'the', 1)}" if len(whole) else ""

    def _finding(self, found: pd.DataFrame) -> str:
        """The gap that leads among the differences that are distinguishable from 0, and where it arises."""
        if len(self.steps) == 2:
            return self._gap(_widest(found))
        gaps = found[found["rate"] == "from_first"]
        if not len(gaps):
            why = "no end-to-end gap is distinguishable from 0, so steps are ranked by points"
            return f"{self._gap(_widest(found))}; {why}"
        gap = _widest(gaps)
        of = self._steps_of(gap)
        if (of["ratio"]["estimate"] > 0).all():
            return f"{self._gap(gap)}; {self._arises(of['contribution'], of['difference'])}"
        widest = self._gap(_widest(of["difference"])).replace("The", "the", 1)
        return f"{self._gap(gap)}; {widest}; where a rate is 0, steps are ranked by points"

    def _title(self) -> str:
        """The finding in a line, for the figure."""
        lines = self.table[self.table["measure"] == "difference"]
        found = lines[(lines["p_adjusted"] < 1 - self.confidence) & (lines["n"] >= LEAST)]
        whole = found[found["rate"] == ("from_first" if len(self.steps) > 2 else "from_previous")]
        reference = style.label(self.reference)
        if not len(whole):
            return f"No end-to-end gap to {reference} is distinguishable from 0"
        gap = _widest(whole)
        who = style.label(group_name(gap[name] for name in self.by))
        parts = self._steps_of(gap)
        if len(self.steps) == 2 or not (parts["ratio"]["estimate"] > 0).all():
            side = "above" if gap["estimate"] > 0 else "below"
            return f"{who} lies {points(abs(gap['estimate']), sign=False)} {side} {reference}"
        top = parts["contribution"].sort_values("share").iloc[-1]
        before = self.steps[self.steps.index(top["step"]) - 1]
        return f"{percent(top['share'], 0)} of the gap of {who} to {reference} arises from {before} to {top['step']}"

    def _steps_of(self, row: pd.Series) -> dict[str, pd.DataFrame]:
        """By measure, the rates from the step before of the group of a row."""
        # The rows of a group stand together.
        size = len(self.table[["step", "rate", "measure"]].drop_duplicates())
        own = self.table.iloc[int(str(row.name)) // size * size :][:size]
        own = own[own["rate"] == "from_previous"]
        return {name: own[own["measure"] == name] for name in ("difference", "ratio", "contribution")}

    def _gap(self, row: pd.Series) -> str:
        """A difference of two rates in words, from which step to which."""
        before = self.steps[0 if row["rate"] == "from_first" else self.steps.index(row["step"]) - 1]
        above = row["estimate"] > 0
        low, high = (row["low"], row["high"]) if above else (-row["high"], -row["low"])
        return (
            f"The rate from {before} to {row['step']} of {group_name(row[name] for name in self.by)} lies "
            f"{points(abs(row['estimate']), sign=False)} {'above' if above else 'below'} that of {self.reference} "
            f"({interval_level(self.confidence)} {points_interval(low, high)} points, n = {count(row['n'])} and "
            f"{count(row['n_reference'])})"
        )

    def _arises(self, parts: pd.DataFrame, differences: pd.DataFrame) -> str:
        """The steps by their share of a gap, the first with its interval and its own difference."""
        ranked = parts.sort_values("share", ascending=False, kind="stable")
        top = ranked.iloc[0]
        own = differences.loc[differences["step"] == top["step"], "estimate"].iloc[0]
        before = self.steps[self.steps.index(top["step"]) - 1]
        others = [
            f"{step} {percent(share, 0).replace('-', '−')}"
            for step, share in ranked[["step", "share"]].iloc[1:].itertuples(index=False)
        ]
        return (
            f"{percent(top['share'], 0)} of that gap arises from {before} to {top['step']}, {points(top['estimate'])} "
            f"({points_interval(top['low'], top['high'])}; that step's own rates lie "
            f"{points(abs(own), sign=False)} apart); then {some(others)}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """What each step adds to the end-to-end gap, a mark and an interval for each group, largest 12 and others."""
        from toolkit.funnels import plots

        few = self.largest is None
        return plots.comparison(
            self.table if self.largest is None else self.largest,
            by=self.by if few else ("group",),
            steps=self.steps,
            reference=self.reference,
            level=interval_level(self.confidence),
            title=self._title(),
            others=not few,
            ax=ax,
        )


def _widest(rows: pd.DataFrame) -> pd.Series:
    """The difference whose interval lies furthest from 0: not the one that a few people make."""
    near = np.maximum(rows["low"], -rows["high"]).fillna(-1)
    return rows.loc[near.idxmax()]


def compare(counts: StepCounts, to: Any, confidence: float) -> Comparison:
    """See `Funnel.compare`."""
    largest = to is None and counts.by and len(counts.groups)
    reference = int(counts.reached[:, 0].argmax()) if largest else counts.place(to)
    others = np.delete(np.arange(len(counts.groups)), reference)
    if not len(others):
        raise ValueError(f"there is only one group, {counts.names[0]}: nothing to compare it with")
    if counts.clusters is not None:
        for place in others:
            counts.clusters.refuse_overlap(counts.names, int(place), reference)
    products = counts.products(reference)
    table = _estimates(counts, others, reference, products, confidence)
    # All measures of a rate ask the same question, whether it differs, so they are one test of the family.
    once = table["measure"] == "difference"
    table.loc[once, "p_adjusted"] = holm(table.loc[once, "p"].to_numpy(float))
    table["p_adjusted"] = table["p_adjusted"].ffill()
    return Comparison(
        table=table,
        by=counts.by,
        steps=counts.steps,
        reference=counts.names[reference],
        method=_method(counts, products is not None and bool(products[1].any())),
        confidence=confidence,
        largest=_largest(counts, reference, products, confidence),
    )


def side_by_side(ours: StepCounts, theirs: StepCounts) -> StepCounts:
    """Two funnels of one shape as two groups, "this" and "reference", which share no users."""
    if ours.steps != theirs.steps:
        raise ValueError(f"the steps of one funnel are {some(ours.steps)}, of the other {some(theirs.steps)}")
    for counts in (ours, theirs):
        if counts.by:
            raise ValueError(
                f"a funnel by {some(counts.by)} has several groups; compare two funnels without, or groups of one"
            )
        if counts.clustered:
            raise ValueError(
                "in these funnels users count more than once; to allow for that make them two groups of one funnel: "
                "by=, or a column of the counts"
            )
    if (ours.clusters is None) != (theirs.clusters is None):
        raise ValueError(
            "the counts of one funnel are by cluster, those of the other are not: give both cluster=, or none"
        )
    names = ["this", "reference"]
    return replace(
        ours,
        by=("funnel",),
        unit=ours.unit if ours.unit == theirs.unit else "counts",
        groups=pd.DataFrame({"funnel": names}),
        texts=tuple((name,) for name in names),
        reached=np.vstack([ours.reached, theirs.reached]),
        in_window=np.vstack([ours.in_window, theirs.in_window]),
        sums={},
        units=None,
        clusters=None
        if ours.clusters is None or theirs.clusters is None
        else clusters.side_by_side(ours.clusters, theirs.clusters),
    )


def _largest(
    counts: StepCounts, reference: int, products: Products | None, confidence: float
) -> pd.DataFrame | None:
    """Estimates of the largest groups and of all others as one; None where there are few."""
    places = counts.places_drawn(always=reference)
    if places is None:
        return None
    if products is not None:
        products = added_up(products[0], places), added_up(products[1], places)
    at = int(places[reference])
    others = np.delete(np.arange(places.max() + 1), at)
    return _estimates(counts.drawn(places), others, at, products, confidence)


def _estimates(
    counts: StepCounts, others: np.ndarray, reference: int, products: Products | None, confidence: float
) -> pd.DataFrame:
    """Differences, ratios and contributions by group and rate; groups in order."""
    steps = [
        (step, before, "from_previous") for before, step in zip(counts.steps, counts.steps[1:], strict=False)
    ]
    if len(steps) > 1:
        steps.append((counts.steps[-1], counts.steps[0], "from_first"))
    made = step_shares(counts, others, reference, products, confidence)
    parts = []
    for order, (step, base, kind) in enumerate(steps):
        n = counts.reached[:, counts.position(base)]
        ours, theirs = counts.rate(step, base, at=others), counts.rate(step, base, at=reference)
        together = _correlation(counts, step, base, products, reference)[others]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(theirs.estimate == 0, np.nan, np.divide(ours.estimate, theirs.estimate))
        if counts.clusters is not None and not np.any(together):
            ours, theirs = intervals.welch(ours, theirs)
        difference = np.subtract(ours.estimate, theirs.estimate)
        between = intervals.difference(ours, theirs, correlation=together, confidence=confidence)
        over = intervals.ratio(ours, theirs, correlation=together, confidence=confidence)
        measures: dict[str, tuple[Any, ...]] = {
            "difference": (difference, *between, np.nan),
            "ratio": (ratio, *over, np.nan),
        }
        if kind == "from_previous":
            measures["contribution"] = tuple(part[:, order] for part in made)
        columns = {name: counts.groups[name].array.take(others) for name in counts.by}
        columns |= {"step": step, "rate": kind, "n": n[others], "n_reference": n[reference]}
        columns |= {"p": intervals.score_test(ours, theirs, correlation=together)}
        for measure, values in measures.items():
            own = dict(zip(("estimate", "low", "high", "share"), values, strict=True))
            parts.append(pd.DataFrame(columns | {"measure": measure} | own))
    table = pd.concat(parts, ignore_index=True)
    # Each part has the groups in order: now each group has its parts in order.
    rows = np.arange(len(table)).reshape(len(parts), -1).T.ravel()
    own_columns = ["step", "rate", "measure", "estimate", "low", "high", "share", "n", "n_reference", "p"]
    return table[[*counts.by, *own_columns]].iloc[rows].reset_index(drop=True)


def _method(counts: StepCounts, shared: bool) -> str:
    if counts.clusters is not None:
        together = ", those shared between groups allowed for" if shared else ""
        return f"{counts.clusters.words()}{together}"
    if counts.unit == "counts":
        return f"Newcombe differences and score ratios, which know {ALONE}"
    if counts.clustered or shared:
        return f"clustered by user{', users shared between groups allowed for' if shared else ''}"
    return "Newcombe differences and score ratios"


def _correlation(
    counts: StepCounts, step: str, base: str, products: Products | None, reference: int
) -> np.ndarray:
    """By group, the correlation of its rate with the reference's, through the users whom they share."""
    if products is None or not products[1].any():
        return np.zeros(len(counts.groups))
    shared = products[1]
    together = np.any(shared, axis=(1, 2))
    j, b = counts.position(step), counts.position(base)
    if counts.clusters is not None:
        return counts.clusters.correlation(j, b, reference)
    crossed = intervals.CrossSums(
        yy=shared[:, j, j], yx=shared[:, j, b], xy=shared[:, b, j], xx=shared[:, b, b]
    )
    ours, theirs = counts.user_sums(step, base), counts.user_sums(step, base, at=reference)
    return np.where(together, intervals.correlation(ours, theirs, crossed), 0.0)
