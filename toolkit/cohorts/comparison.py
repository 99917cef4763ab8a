"""Retention and repurchase of several groups against one of them: differences and ratios, period by period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from toolkit import intervals, style
from toolkit.cohorts.covariance import AGES, Side, correlations
from toolkit.cohorts.curves import aged, complete
from toolkit.cohorts.groups import each_group
from toolkit.counts import refuse_taken
from toolkit.intervals import Rate
from toolkit.multiplicity import adjusted
from toolkit.results import Result
from toolkit.wording import (
    count,
    counted,
    group_name,
    interval_level,
    percent,
    points,
    points_interval,
    some,
    unknown,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Users at the base of each rate, and the rates.
Known = tuple[np.ndarray, Rate]
ESTIMATES = ["estimate", "low", "high", "rate", "rate_reference", "n", "n_reference", "p", "p_adjusted"]
#: No headline rests on a rate of fewer users.
LEAST = 30
#: With so few cohorts the correlation within cohorts, and with it the interval, is hardly known.
FEW = 5
#: Names of two results that stand side by side.
PAIR = ("this result", "the reference")


@dataclass(frozen=True, repr=False, eq=False)
class CohortComparison(Result):
    """Differences and ratios of rates between groups and one of them, or between two results.

    Made by `Retention.compare` and `Repurchase.compare`.

    Attributes
    ----------
    table : DataFrame
        `by`, the period numbers `age` and `age_to` or the `definition`, `measure` ("difference" of the two rates, or
        "ratio"), `estimate`, `low`, `high`, `rate` and `rate_reference`, `n` and `n_reference` (users whose period or
        window is complete), `p` of equal rates, and `p_adjusted`, adjusted by Holm over all tests here. A period in
        which every user of both came back, as in period 0 where the first event counts as a return, is no test.
    by : tuple of str
    reference : str
        The group that all others are compared with.
    period : str
        What a period is called; empty for repurchase.
    method : str
        What the intervals are and what they allow for.
    confidence : float
    notes : tuple of str

    Notes
    -----
    Rates are the pooled ones of `Retention.curve`, and those of `Repurchase`. Differences: Newcombe's interval, ratios:
    Koopman's score interval, each at the effective sizes of the two rates and with their correlation, through users
    who are in both and through cohorts that are good or bad in both (see `toolkit.cohorts.covariance`).

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17, 873-890. Zou & Donner (2008), Statistics in Medicine 27, 1693-1702.
    Koopman (1984), Biometrics 40, 513-517.

    Examples
    --------
    >>> from toolkit import Repurchase
    >>> counts = pd.DataFrame({"platform": ["a", "b"], "definition": "30d", "n": 500, "repurchased": [150, 100]})
    >>> compared = Repurchase.from_counts(counts).compare(to="b")
    >>> compared.table[["measure", "estimate", "low", "high"]].round(3)
          measure  estimate    low   high
    0  difference       0.1  0.046  0.153
    1       ratio       1.5  1.205  1.871
    """

    table: pd.DataFrame
    by: tuple[str, ...]
    reference: str
    period: str
    method: str
    confidence: float
    notes: tuple[str, ...] = field(default=(), repr=False)

    rates: ClassVar = frozenset({"rate", "rate_reference"})

    @property
    def differences_found(self) -> pd.DataFrame:
        """The rows of differences, one per test."""
        return self.table[self.table["measure"] == "difference"]

    def sentence(self) -> str:
        """The widest gap that is told apart from 0, or the widest of all; how many rates differ, and what to know."""
        lines = self.differences_found
        known = lines[lines["low"].notna()]
        closing = "".join(f"; {note}" for note in (self.method, *self.notes))
        if not len(known):
            return f"No rate of {self.reference} and of another group is known{closing}."
        found = known[known["p_adjusted"] < 1 - self.confidence]
        large = found[found[["n", "n_reference"]].min(axis=1) >= LEAST]
        tests = int(lines["p"].notna().sum())
        differ = (
            f"; {len(found)} of {tests} rate{'s' * (tests > 1)} differ{'s' * (tests == 1)}"
            if len(found)
            else ""
        )
        if len(large):
            return f"{self._gap(_widest(large))}{differ}{closing}."
        top = self._gap(_widest(known))
        rate = f"rate of at least {LEAST} users" if len(found) else "rate"
        told = f"No {rate} is distinguishable from that of {self.reference} after adjustment"
        return f"{told}; the widest gap: {top[0].lower()}{top[1:]}{differ}{closing}."

    def _where(self, row: pd.Series) -> str:
        return f"In {aged(self.period, row)}" if self.period else f"Under {row['definition']}"

    def _gap(self, row: pd.Series) -> str:
        """A difference of two rates in words."""
        above = row["estimate"] >= 0
        low, high = (row["low"], row["high"]) if above else (-row["high"], -row["low"])
        who = group_name(row[name] for name in self.by)
        what = f"{self._where(row)} the share of {who} that {'came back' if self.period else 'bought again'}"
        size = points(abs(row["estimate"]), sign=False)
        return (
            f"{what} lies {size} {'above' if above else 'below'} that of {self.reference} "
            f"({interval_level(self.confidence)} {points_interval(low, high)} points; {percent(row['rate'])} and "
            f"{percent(row['rate_reference'])}, n = {count(row['n'])} and {count(row['n_reference'])})"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Differences in points with their intervals, by period, or by definition."""
        from toolkit.cohorts import plots

        lines, title = self.differences_found, self._title()
        if self.period:
            reference = style.label(self.reference)
            return plots.differences(lines, self.by, self.period, reference, title, ax)
        axis = f"bought again: points above (+) or below (−) {style.drawn(self.reference)}"
        return plots.estimates(lines, [*self.by, "definition"], axis, ax, points=True, title=title)

    def _title(self) -> str:
        """The finding in a line, for the figure."""
        lines = self.differences_found
        found = lines[
            (lines["p_adjusted"] < 1 - self.confidence) & (lines[["n", "n_reference"]].min(axis=1) >= LEAST)
        ]
        reference = style.label(self.reference)
        if not len(found):
            return f"No rate is distinguishable from that of {reference}"
        row = _widest(found)
        who, side = (
            style.label(group_name(row[name] for name in self.by)),
            "above" if row["estimate"] > 0 else "below",
        )
        return f"{self._where(row)} {who} lies {points(abs(row['estimate']), sign=False)} {side} {reference}"


def _widest(rows: pd.DataFrame) -> pd.Series:
    """The difference whose interval lies furthest from 0: not the one that a few people make."""
    return rows.loc[np.maximum(rows["low"], -rows["high"]).idxmax()]


def place(groups: pd.DataFrame, by: Sequence[str], to: Any, sizes: Sequence[float]) -> int:
    """The place of the reference among the groups; of the largest if `to` is None."""
    if not by:
        raise ValueError("the result has no groups: ask it with by=, or compare it with another result, to=")
    names = [group_name(row) for row in groups.itertuples(index=False, name=None)]
    if len(groups) < 2:
        raise ValueError(f"there is only one group, {names[0]}: it cannot be compared with itself")
    if to is None:
        return int(np.argmax(sizes))
    values = to if isinstance(to, tuple) else (to,)
    if len(values) != len(by):
        raise ValueError(f"a group here is {' and '.join(by)}: give {counted(len(by), 'value')}, not {to!r}")
    same = np.ones(len(groups), dtype=bool)
    for name, wanted in zip(by, values, strict=True):
        column = groups[name]
        same &= (column.isna() if pd.isna(wanted) else column.eq(wanted).fillna(False)).to_numpy(bool)
    if not same.any():
        raise ValueError(unknown("group", group_name(values), names))
    return int(np.flatnonzero(same)[0])


def compare_retention(
    cells: pd.DataFrame,
    by: Sequence[str],
    to: Any,
    *,
    period: str,
    confidence: float,
    alike: bool = True,
    shared: pd.DataFrame | None = None,
    notes: tuple[str, ...] = (),
) -> CohortComparison:
    """See `Retention.compare`.

    Parameters
    ----------
    cells
        Of all groups, as `Retention.cells`.
    alike
        Whether a cohort of one name is of the same time in every group.
    shared
        Sums over users who are in both of two groups, by `age` and `age_to`; see `covariance.correlations`.
    """
    refuse_taken(by, {*ESTIMATES, "measure"})
    parts = [rows for _, rows in each_group(cells, by)]
    groups = _keys(parts, by)
    reference = place(groups, by, to, [rows.drop_duplicates("cohort")["size"].sum() for rows in parts])
    sides = [Side(complete(rows)) for rows in parts]
    theirs, blocks = sides[reference], []
    for at, ours in enumerate(sides):
        if at == reference:
            continue
        ages = ours.known[AGES].merge(theirs.known[AGES])
        if not len(ages):
            continue
        places = ages.assign(place=range(len(ages)))
        together = correlations(ours, theirs, ages, alike, None if shared is None else shared.merge(places))
        block = _contrasts(ours.at(ages), theirs.at(ages), together, confidence)
        blocks.append(_labelled(block, groups.iloc[at], ages))
    if not blocks:
        raise ValueError(f"no {period} is complete in two groups: there is nothing to compare yet")
    table, tests = _tested(blocks, groups, by, AGES, period)
    name = group_name(groups.iloc[reference])
    words = f"intervals allow for cohorts that differ{', in one group or in both alike' if alike else ''}"
    words += ", and for users who are in both" if shared is not None else ""
    few = min(int(side.pooled.table["cohorts"].max()) for side in sides if len(side.pooled.table))
    if few <= FEW:
        notes = (*notes, f"{counted(few, 'cohort')} can hardly tell how much cohorts differ")
    found = CohortComparison(table, tuple(by), name, period, f"{tests}; {words}", confidence, notes)
    mixed = _mix_of_cohorts(found, sides, groups, reference) if alike else ()
    return CohortComparison(table, tuple(by), name, period, found.method, confidence, (*mixed, *notes))


def compare_repurchase(
    table: pd.DataFrame,
    rate: Rate,
    by: Sequence[str],
    to: Any,
    *,
    confidence: float,
    together: dict[str, float] | None = None,
    notes: tuple[str, ...] = (),
) -> CohortComparison:
    """See `Repurchase.compare`.

    Parameters
    ----------
    table
        `by`, `definition`, `n`, `buyers`, of all groups, as `Repurchase.table`.
    rate
        Of each row of the table; without an estimate where there is none.
    together
        By definition, the correlation of a group's rate with the reference's through users who are in both.
    """
    refuse_taken(by, {*ESTIMATES, "measure"})
    numbered = table.reset_index(drop=True)
    parts = [rows for _, rows in each_group(numbered, by)]
    groups = _keys(parts, by)
    reference = place(groups, by, to, [rows["buyers"].max() for rows in parts])
    theirs, blocks = parts[reference].set_index("definition"), []
    for at, ours in enumerate(parts):
        if at == reference:
            continue
        ours = ours[ours["definition"].isin(theirs.index)]
        first, second = ours.index.to_numpy(), _rows(numbered, parts[reference], ours["definition"])
        r = np.array([(together or {}).get(name, 0.0) for name in ours["definition"]])
        own, other = ((numbered["n"].to_numpy(float)[rows], rate.at(rows)) for rows in (first, second))
        block = _contrasts(own, other, r, confidence)
        blocks.append(_labelled(block, groups.iloc[at], ours[["definition"]].reset_index(drop=True)))
    found, tests = _tested(blocks, groups, by, ["definition"], "")
    words = f"{tests}; clustered by buyer{', buyers who are in both allowed for' if together else ''}"
    name = group_name(groups.iloc[reference])
    return CohortComparison(found, tuple(by), name, "", words, confidence, notes)


def _rows(numbered: pd.DataFrame, reference: pd.DataFrame, definitions: pd.Series) -> np.ndarray:
    """Rows of the reference in the order of some definitions."""
    at = pd.Series(reference.index, index=reference["definition"])
    rows: np.ndarray = at.reindex(definitions).to_numpy(int)
    return rows


def _keys(parts: Sequence[pd.DataFrame], by: Sequence[str]) -> pd.DataFrame:
    """The values of `by` of each group."""
    return pd.concat([rows[list(by)].head(1) for rows in parts], ignore_index=True)


def _contrasts(first: Known, second: Known, together: np.ndarray, confidence: float) -> pd.DataFrame:
    """Difference and ratio of two rates, a row each, difference first; `measure` and `row` tell them apart."""
    (n, ours), (m, theirs) = first, second
    if not np.any(together):
        ours, theirs = intervals.welch(ours, theirs)
    p, q = (np.asarray(rate.estimate, float) for rate in (ours, theirs))
    between = intervals.difference(ours, theirs, correlation=together, confidence=confidence)
    over = intervals.ratio(ours, theirs, correlation=together, confidence=confidence)
    ratio = np.divide(p, q, out=np.full_like(p, np.nan), where=q > 0)
    known = ~np.isnan(p - q)
    tests = np.asarray(intervals.score_test(ours, theirs, correlation=together), float)
    # Where every user of both is one, as in period 0, there is nothing to test.
    tests = np.where(known & ~((p == 1) & (q == 1)), tests, np.nan)
    shown = {"rate": p, "rate_reference": q, "n": n, "n_reference": m, "p": tests, "row": np.arange(len(p))}
    frames = [
        pd.DataFrame(
            {"measure": measure, "estimate": estimate, "low": limits.low, "high": limits.high} | shown
        )
        for measure, estimate, limits in (("difference", p - q, between), ("ratio", ratio, over))
    ]
    both = pd.concat(frames)
    both.loc[~known[both["row"]], ["low", "high"]] = np.nan
    return both


def _labelled(block: pd.DataFrame, group: pd.Series, named: pd.DataFrame) -> pd.DataFrame:
    """A block with its group's values and what each of its rows is of; the two measures of a rate stand together."""
    block = block.sort_values("row", kind="stable")
    own = named.iloc[block["row"].to_numpy()].reset_index(drop=True)
    block = block.drop(columns="row").reset_index(drop=True)
    keys = pd.DataFrame(
        {name: pd.Series([value] * len(block), dtype=object) for name, value in group.items()}
    )
    return pd.concat([keys, own, block], axis=1)


def _tested(
    blocks: Sequence[pd.DataFrame], groups: pd.DataFrame, by: Sequence[str], named: Sequence[str], period: str
) -> tuple[pd.DataFrame, str]:
    """All blocks with adjusted p values, and the adjustment in words: both measures of a rate are one test."""
    table = pd.concat(blocks, ignore_index=True).astype({name: groups[name].dtype for name in by})
    once = table["measure"] == "difference"
    tests, words = adjusted(table.loc[once, ["p"]], "holm", period and f"{period}s and groups")
    table["p_adjusted"] = tests["p_adjusted"].reindex(table.index).ffill()
    table.loc[table["p"].isna(), "p_adjusted"] = np.nan
    table = table.astype({"n": "int64", "n_reference": "int64"})
    return table[[*by, *named, "measure", *ESTIMATES]], words


def _mix_of_cohorts(
    found: CohortComparison, sides: Sequence[Side], groups: pd.DataFrame, reference: int
) -> tuple[str, ...]:
    """A warning where the gap that leads is that of other cohorts, not of the same ones.

    Cohorts weigh as Mantel and Haenszel's strata do, n m / (n + m), so that one that a group has few users of says
    little.

    References
    ----------
    Greenland & Robins (1985), Biometrics 41, 55-68, for the variance of the gap.
    """
    lines = found.differences_found
    lines = lines[lines["low"].notna() & lines["p"].notna()]
    if not len(lines):
        return ()
    row = _widest(lines)
    names = [group_name(key) for key in groups.itertuples(index=False, name=None)]
    at = names.index(group_name(row[name] for name in found.by))
    cells = [sides[i].cells for i in (at, reference)]
    ours, theirs = (own[own["age"] == row["age"]].set_index("cohort") for own in cells)
    both = ours.join(theirs.add_suffix("_reference"), how="inner")
    both = both[(both["eligible"] > 0) & (both["eligible_reference"] > 0)]
    if not len(both):
        return ()
    n, m = both["eligible"].to_numpy(float), both["eligible_reference"].to_numpy(float)
    p, q = (
        both["retained_eligible"].to_numpy(float) / n,
        both["retained_eligible_reference"].to_numpy(float) / m,
    )
    weights = n * m / (n + m) / (n * m / (n + m)).sum()
    same = float(weights @ (p - q))
    error = float(np.sqrt(weights**2 @ (p * (1 - p) / n + q * (1 - q) / m)))
    reach = float(intervals.student(np.inf, found.confidence)) * error
    # Worth a word where it is more than half of the gap, and more than its standard error.
    if abs(row["estimate"] - same) < max(abs(row["estimate"]) / 2, (row["high"] - row["low"]) / 4):
        return ()
    few = some([str(getattr(name, "date", lambda name=name: name)()) for name in both.index], 3)
    return (
        f"warning: cohorts weigh differently in the two groups: over the same cohorts ({few}) {names[at]} less "
        f"{names[reference]} is {points(same)} ({points_interval(same - reach, same + reach)}, Mantel-Haenszel "
        "weights): composition of cohorts",
    )
