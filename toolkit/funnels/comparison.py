"""Groups of a funnel against one of them: where do they part, and how sure is that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from toolkit import intervals
from toolkit.funnels import sql
from toolkit.logs.engines import literal
from toolkit.multiplicity import holm
from toolkit.results import Result
from toolkit.wording import interval_level

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.funnels.result import Funnel


@dataclass(frozen=True, repr=False, eq=False)
class Comparison(Result):
    """Differences and ratios of step rates against a reference group. Made by `Funnel.compare`.

    Attributes
    ----------
    table : DataFrame
        `by`, `step`, `rate` ("from_previous", and for the last step also "from_first"), `measure`
        ("difference", in points of the rate, or "ratio"), `estimate`, `low`, `high`, `n`, `n_reference`
        (units at the rate's base), `p` of equal rates, and `p_adjusted`, adjusted over all tests here.
    reference : str
    method : str
        What the intervals are and what they assume.
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
        """The group and step with the surest difference, and how many are left after adjustment."""
        lines = self.table[self.table["measure"] == "difference"]
        found = lines[lines["p_adjusted"] < 1 - self.confidence]
        method = f"Holm over {self.tests} tests; {self.method}"
        if not len(found):
            return f"No step's rate differs surely from that of {self.reference} ({method})."
        steps = found[found["rate"] == "from_previous"]
        steps = steps if len(steps) else found
        widest = steps.loc[steps["estimate"].abs().idxmax()]
        who = " ".join(str(widest[name]) for name in self.by)
        side = "above" if widest["estimate"] > 0 else "below"
        points = sorted((abs(widest["low"]) * 100, abs(widest["high"]) * 100))
        return (
            f"Against {self.reference}, {len(found)} of {self.tests} rates differ; most of all {who} at "
            f"{widest['step']}: {abs(widest['estimate']) * 100:.1f} points {side} "
            f"({interval_level(self.confidence)} {points[0]:.1f} to {points[1]:.1f}; {method})."
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Differences by step, a mark and an interval for each group."""
        from toolkit.funnels import plots

        return plots.comparison(self, ax)


def compare(funnel: Funnel, to: Any) -> Comparison:
    """See `Funnel.compare`."""
    if to is None and funnel.by and len(funnel.counts):
        reference = funnel.counts.loc[funnel.counts["n1"].astype(float).idxmax()]
    else:
        reference = funnel.group(to)
    others = funnel.counts.drop(index=reference.name)
    if others.empty:
        raise ValueError(f"there is only one group, {funnel.group_names()[0]}: nothing to compare it with")
    cross = _shared_users(funnel, reference)
    steps = [(j, j - 1) for j in range(2, len(funnel.steps) + 1)]
    lines = []
    for place, row in others.iterrows():
        for j, base in [*steps, (len(funnel.steps), 1)] if len(steps) > 1 else steps:
            ours, theirs = funnel.rate(row, j, base), funnel.rate(reference, j, base)
            together = _correlation(funnel, row, reference, cross.get(place), j, base)
            common = [
                *(row[name] for name in funnel.by),
                funnel.steps[j - 1],
                "from_previous" if base == j - 1 else "from_first",
            ]
            counts = [row[f"n{base}"], reference[f"n{base}"]]
            p = intervals.score_test(ours, theirs, correlation=together)
            for measure, interval, estimate in (
                ("difference", intervals.difference, ours.estimate - theirs.estimate),
                ("ratio", intervals.ratio, _ratio(ours.estimate, theirs.estimate)),
            ):
                limits = interval(ours, theirs, correlation=together, confidence=funnel.confidence)
                lines.append([*common, measure, estimate, *limits, *counts, p])
    names = [*funnel.by, "step", "rate", "measure", "estimate", "low", "high", "n", "n_reference", "p"]
    table = pd.DataFrame(lines, columns=names)
    # Difference and ratio ask the same question, so a pair of them is one test of the family.
    once = table["measure"] == "difference"
    table.loc[once, "p_adjusted"] = holm(table.loc[once, "p"].to_numpy(float))
    table["p_adjusted"] = table["p_adjusted"].ffill()
    return Comparison(
        table=table,
        by=funnel.by,
        reference=funnel.group_names()[funnel.counts.index.get_loc(reference.name)],
        method=_method(funnel, bool(cross)),
        confidence=funnel.confidence,
    )


def _method(funnel: Funnel, shared: bool) -> str:
    if funnel.unit == "counts":
        return "Newcombe differences and score ratios, which assume independent entries"
    if funnel.clustered or shared:
        return f"clustered by user{', users shared between groups allowed for' if shared else ''}"
    return "Newcombe differences and score ratios"


def _ratio(ours: Any, theirs: Any) -> float:
    return float(ours) / float(theirs) if theirs else float("nan")


def _shared_users(funnel: Funnel, reference: pd.Series) -> dict[Any, pd.Series]:
    """By place in `counts`: products of counts summed over users who are in that group and in the reference."""
    if funnel.unit in ("users", "counts"):
        return {}  # a user has one group
    question = funnel.need_log("shared users")
    assert funnel.units is not None
    conditions = []
    for name, column in zip(sql.grouped(question), funnel.by, strict=True):
        if pd.isna(reference[column]):
            conditions.append(f"{name} IS NULL")
        else:
            value = literal(str(reference[column]))
            conditions.append(f"{name} = CAST({value} AS {question.log.columns[column]})")
    frame = funnel.units.frame(sql.shared(question, funnel.units.sql, " AND ".join(conditions)))
    frame = frame.rename(columns=dict(zip(sql.grouped(question), funnel.by, strict=True)))
    found = {}
    for _, row in frame.iterrows():
        place = funnel.group(tuple(row[name] for name in funnel.by)).name
        if place != reference.name:
            found[place] = row
    return found


def _correlation(
    funnel: Funnel, row: pd.Series, reference: pd.Series, cross: pd.Series | None, j: int, base: int
) -> float:
    if cross is None:
        return 0.0
    products = intervals.CrossSums(
        yy=cross[f"x{j}_{j}"], yx=cross[f"x{j}_{base}"], xy=cross[f"x{base}_{j}"], xx=cross[f"x{base}_{base}"]
    )
    return float(intervals.correlation(funnel.sums(row, j, base), funnel.sums(reference, j, base), products))
