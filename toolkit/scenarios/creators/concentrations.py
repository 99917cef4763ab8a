"""`concentration`: how much of the sales a few creators make, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd

from toolkit.counts import confidence_level, one_of
from toolkit.intervals import Interval
from toolkit.results import Result
from toolkit.scenarios.assumptions import amount, as_series, column, known_names, names_of, side_by_side
from toolkit.scenarios.creators import inequality
from toolkit.scenarios.creators import tail_resampling as resampling
from toolkit.scenarios.creators.tail_resampling import QUESTIONS, Question
from toolkit.wording import count, counted, group_name, interval, interval_level, percent, unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: What an answer speaks of, in words.
SPEAKS_OF = {
    "this set": "this set of creators in this period, with no sampling interval",
    "another period": "what the same creators might show in another such period",
    "another draw": "what another draw of such creators might show",
}


@dataclass(frozen=True, repr=False, eq=False)
class Lorenz(Result):
    """The Lorenz curve. Made by `Concentration.lorenz`.

    Attributes
    ----------
    table : DataFrame
        By group: `creators`, the share of them counted from the lowest, and `held`, the share of the total they hold.
    """

    table: pd.DataFrame
    by: list[str]

    rates: ClassVar = frozenset({"creators", "held"})

    def sentence(self) -> str:
        """What the lower half holds."""
        parts = []
        for names, rows in _grouped(self.table, self.by):
            half = np.interp(0.5, rows["creators"], rows["held"])
            parts.append(
                f"{names + ': ' if names else ''}the lower half of the creators hold {percent(half)}"
            )
        return f"{'; '.join(parts)}. Counted: this set of creators in this period."

    def plot(self, ax: Axes | None = None) -> Axes:
        """The curve under the line of equality."""
        from toolkit.scenarios.creators import plots

        return plots.lorenz(self.table, self.by, ax)


@dataclass(frozen=True, repr=False, eq=False)
class Concentration(Result):
    """Concentration of an amount over creators. Made by `concentration`.

    Attributes
    ----------
    table : DataFrame
        By group: `measure`, `estimate`, `low`, `high`, `n` (creators) and `zeros` (creators with nothing).
    question : str
        Which question the intervals answer.
    """

    table: pd.DataFrame
    by: list[str]
    question: Question
    tail: str
    confidence: float
    notes: tuple[str, ...]
    curves: pd.DataFrame

    def value(self, measure: str) -> float:
        """The estimate of one measure, where there are no groups."""
        found = self.table.loc[self.table["measure"] == measure, "estimate"]
        if not len(found):
            raise ValueError(unknown("measure", measure, dict.fromkeys(self.table["measure"])))
        if len(found) > 1:
            raise ValueError(
                f"{measure!r} stands in {len(found)} rows of the table, one a group; choose there"
            )
        return float(found.iloc[0])

    def lorenz(self) -> Lorenz:
        """The share that the lowest hold, for every number of them.

        Examples
        --------
        >>> concentration([1, 1, 2, 6], question="this set").lorenz().sentence()
        'the lower half of the creators hold 20.0 %. Counted: this set of creators in this period.'
        """
        return Lorenz(self.curves, self.by)

    def sentence(self) -> str:
        """Gini, index and largest share by group, which question they answer, and how many sold nothing."""
        parts = []
        for names, rows in _grouped(self.table, self.by):
            named = rows.set_index("measure")
            n, zeros = int(named["n"].iloc[0]), int(named["zeros"].iloc[0])
            said = f"Gini {_with_interval(named.loc['gini'], lambda x: f'{x:.2f}')}"
            if "hhi" in named.index:
                points = _with_interval(named.loc["hhi"], lambda x: f"{x * 10_000:,.0f}")
                said += f", HHI {points} points"
            tops = [one for one in named.index if one.startswith("top")]
            if tops:
                share = _with_interval(named.loc[tops[0]], percent)
                said += f", {_largest(tops[0])} {share}"
            parts.append(
                f"{names + ': ' if names else ''}{said} (n = {counted(n, 'creator')}, {count(zeros)} with nothing)"
            )
        notes = "".join(f" {note}" for note in self.notes)
        if self.question != "this set" and self.table["low"].isna().all():
            return f"{'; '.join(parts)}.{notes}"
        level = f"{interval_level(self.confidence)}s" if self.question != "this set" else "Counted"
        return f"{'; '.join(parts)}. {level}: {SPEAKS_OF[self.question]}.{notes}"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Gini and shares of the largest, with intervals."""
        from toolkit.scenarios import axes

        shown = self.table[self.table["measure"].str.match("gini$|top")]
        names = [*self.by, "measure"]
        return axes.estimates(
            shown, names, "Gini and shares, 0 to 1", title="How much a few creators hold", ax=ax
        )


def concentration(
    values: Any,
    *,
    by: Any = None,
    creator: Any = None,
    top: float | Sequence[float] = (1, 2, 3, 10),
    orders: Any = None,
    weights: Any = None,
    negatives: Literal["refuse", "zero"] = "refuse",
    question: Question = "another draw",
    tail: Literal["auto", "log-normal"] = "auto",
    confidence: float = 0.95,
) -> Concentration:
    """Say how much of an amount a few creators hold: Gini, Herfindahl, Theil, entropy and top shares.

    Parameters
    ----------
    values : list or Series of float
        Sales (or reach, or income) by creator, 0 or more. With `creator`, by session: sessions of one are added
        up, refunds included.
    by : list or Series, optional
        The group of each value, such as its platform.
    creator : list or Series, optional
        Whose each value is; needed for "another period".
    top : float or list of float
        How many of the largest (1 or more), or which top share of the creators (below 1).
    orders : list or Series of int, optional
        Orders of each value: adds the Herfindahl index without the noise of few orders (Simpson 1949).
    weights : list or Series of float, optional
        How many creators each row stands for; the Gini alone, of this set.
    negatives : {"refuse", "zero"}
        What becomes of a creator with more refunds than sales.
    question : {"another draw", "another period", "this set"}
        What the intervals speak of: other such creators (to compare platforms or years as samples), the same creators
        with another period's luck, or nothing but this set, which is counted.
    tail : {"auto", "log-normal"}
        "auto": the sample below its largest values, a Pareto tail above, the exponent drawn. "log-normal": exact if the
        amounts are log-normal, three times as narrow, and never right where they are not.
    confidence : float
        Of every interval, between 0 and 1.

    Returns
    -------
    Concentration

    Raises
    ------
    ValueError
        For a missing or negative amount (it names the row), nothing sold, or a log-normal that the amounts reject.

    Notes
    -----
    Of n creators with amounts x sorted upward and shares s: gini = sum (2 i - n - 1) x_i / (n sum x), corrected
    n / (n - 1) times that; hhi = sum s^2; effective = 1 / hhi; normalised_hhi = (hhi - 1/n) / (1 - 1/n); theil =
    sum s ln(n s). A creator who sold nothing counts in n. Fewer than 30 creators get no interval, and Theil's index
    none where the tail is heavier than x^-1.5. Another period is foretold from three sessions a
    creator on. Coverage: benchmarks/scenarios.md.

    Examples
    --------
    >>> incomes = [541, 1463, 2445, 3438, 4437, 5401, 6392, 8304, 11904, 22261]  # R package ineq
    >>> round(concentration(incomes, question="this set").value("gini"), 7)
    0.4620911
    """
    confidence = confidence_level(confidence)
    one_of("question", question, QUESTIONS)
    one_of("tail", tail, ("auto", "log-normal"))
    one_of("negatives", negatives, ("refuse", "zero"))
    given = as_series("values", values)
    amounts = column("values", given, negative=True)
    side_by_side(values=given, by=by, creator=creator, orders=orders, weights=weights)
    largest = [_largest_of(one) for one in names_of(top)]
    if question == "another period" and creator is None:
        raise ValueError(
            "question='another period' resamples sessions within creators: give creator=, one a session"
        )
    if weights is not None and (question != "this set" or creator is not None):
        raise ValueError(
            "weights= describes this set of creators only: give question='this set' and no creator="
        )
    if tail != "auto" and question != "another draw":
        raise ValueError(
            f"tail={tail!r} shapes another draw of creators; question={question!r} has no use for it"
        )
    frame = pd.DataFrame({"value": amounts}, index=given.index)
    if creator is not None:
        frame["creator"] = known_names("creator", creator)
    names = _group_columns(frame, by)
    if negatives == "refuse":
        _refuse_negatives(frame, names)
    frame = frame.reset_index(drop=True)
    rows: list[dict[str, Any]] = []
    curves: list[pd.DataFrame] = []
    notes: dict[str, None] = {}
    sold = None if orders is None else column("orders", orders, whole=True)
    people = None if weights is None else column("weights", weights)
    if people is not None and not people.sum():
        raise ValueError("weights= are all 0: they stand for nobody")
    for keys, part in frame.groupby(names, dropna=False, observed=True) if names else [((), frame)]:
        label = dict(zip(names, keys, strict=True))
        picked = part.index.to_numpy()
        counts = None if sold is None else _added_up(part, sold[picked])
        heavy = None if people is None else people[picked]
        if not _totals(part).any():
            raise ValueError(
                f"none of {counted(len(_totals(part)), 'creator')}{' of ' + group_name(keys) if names else ''} sold "
                "anything: without sales there is no concentration"
            )
        # Only shares count; amounts near the ends of what a number can hold would lose their squares.
        part = part.assign(value=part["value"] / _totals(part).max())
        measured, said = _measured(part, largest, counts, heavy, question, tail, confidence)
        rows += [{**label, **row} for row in measured]
        notes |= dict.fromkeys(said)
        share, held = inequality.lorenz(_totals(part), heavy)
        curves.append(pd.DataFrame({**label, "creators": share, "held": held}))
    table = pd.DataFrame(rows)
    return Concentration(
        table, names, question, tail, confidence, tuple(notes), pd.concat(curves, ignore_index=True)
    )


def _measured(
    part: pd.DataFrame,
    top: list[float],
    orders: np.ndarray | None,
    weights: np.ndarray | None,
    question: Question,
    tail: str,
    confidence: float,
) -> tuple[list[dict[str, Any]], list[str]]:
    totals = _totals(part)
    n, zeros = len(totals), int((totals == 0).sum())
    base = {"n": n, "zeros": zeros}
    if weights is not None:
        estimate = inequality.gini(totals, weights)
        return [{"measure": "gini", "estimate": estimate, "low": np.nan, "high": np.nan, **base}], []
    found = {
        "gini": inequality.gini(totals),
        "hhi": inequality.hhi(totals),
        "theil": inequality.theil(totals),
        **{resampling.top_name(who): inequality.top(totals, who) for who in top},
    }
    ends, notes = resampling.answered(part, totals, top, question, tail, confidence)
    if tail == "log-normal" and question == "another draw":
        found |= {
            name: estimate for name, (estimate, _) in resampling.if_lognormal(totals, top, confidence).items()
        }
    nothing = Interval(np.nan, np.nan)
    lines = {name: (value, ends.get(name, nothing)) for name, value in found.items()}
    lines |= _derived(lines, n)
    if orders is not None:
        lines["hhi_of_orders"] = inequality.hhi_of_orders(orders), nothing
    first = ["gini", "gini_corrected", "hhi", "effective", "normalised_hhi", "theil", "entropy"]
    order = [*first, *(name for name in lines if name not in first)]
    return [
        {
            "measure": name,
            "estimate": lines[name][0],
            "low": lines[name][1].low,
            "high": lines[name][1].high,
            **base,
        }
        for name in order
    ], notes


def _derived(lines: dict[str, tuple[Any, Interval]], n: int) -> dict[str, tuple[Any, Interval]]:
    """Measures that follow from one other measure, with its interval carried over."""
    (gini, of_gini), (hhi, of_hhi), (theil, of_theil) = (lines[name] for name in ("gini", "hhi", "theil"))
    more = n / (n - 1) if n > 1 else np.nan
    least = 1 / n
    return {
        "gini_corrected": (gini * more, Interval(of_gini.low * more, min(of_gini.high * more, 1.0))),
        "effective": (1 / hhi, Interval(1 / of_hhi.high, 1 / of_hhi.low)),
        "normalised_hhi": (
            (hhi - least) * more,
            Interval((of_hhi.low - least) * more, (of_hhi.high - least) * more),
        ),
        "entropy": (np.log(n) - theil, Interval(np.log(n) - of_theil.high, np.log(n) - of_theil.low)),
    }


def _totals(part: pd.DataFrame) -> np.ndarray:
    """By creator; one with more refunds than sales has nothing."""
    net = part["value"] if "creator" not in part else part.groupby("creator", observed=True)["value"].sum()
    return np.asarray(np.maximum(net.to_numpy(float), 0))


def _refuse_negatives(frame: pd.DataFrame, names: list[str]) -> None:
    keys = [*names, "creator"]
    net = (
        frame.groupby(keys, dropna=False, observed=True)["value"].sum()
        if "creator" in frame
        else frame["value"]
    )
    below = net[net < 0]
    if len(below):
        who = [one[-1] if isinstance(one, tuple) and len(keys) > 1 else one for one in below.index[:3]]
        raise ValueError(
            f"amounts below 0 at {who}: refunds exceed sales, and a Gini would leave 0 to 1; "
            "give negatives='zero' or sales before refunds"
        )


def _added_up(part: pd.DataFrame, orders: np.ndarray) -> np.ndarray:
    """Orders by creator, where the values are sessions."""
    if "creator" not in part:
        return orders
    return np.bincount(pd.factorize(part["creator"])[0], orders)


def _largest_of(top: Any) -> float:
    who = amount("top", top, positive=True)
    if who > 1 and who != int(who):
        raise ValueError(f"top={top!r}: give a whole number of creators, or a share of them below 1")
    return who


def _group_columns(frame: pd.DataFrame, by: Any) -> list[str]:
    if by is None:
        return []
    name = str(by.name) if isinstance(by, pd.Series) and by.name is not None else "group"
    if name in ("value", "creator", "measure", "estimate", "low", "high", "n", "zeros"):
        raise ValueError(
            f"{name!r} cannot name groups, for the result has a column of that name itself; rename it"
        )
    frame[name] = np.asarray(by, object)
    return [name]


def _grouped(table: pd.DataFrame, by: list[str]) -> list[tuple[str, pd.DataFrame]]:
    if not by:
        return [("", table)]
    return [(group_name(keys), rows) for keys, rows in table.groupby(by, dropna=False, sort=False)]


def _largest(name: str) -> str:
    who = name.removeprefix("top")
    return "the largest holds" if who == "1" else f"the top {who} hold"


def _with_interval(row: pd.Series, said: Any) -> str:
    ends = "" if np.isnan(row["low"]) else f" ({interval(row, said)})"
    return f"{said(row['estimate'])}{ends}"
