"""A ratio of several groups of one export beside that of one of them: differences and ratios, sessions as units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd

from toolkit import wording
from toolkit.results import Result, html_table
from toolkit.wording import counted, unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False, eq=False)
class MeasureGaps(Result):
    """Gaps of a ratio between each group of sessions or days and one of them. Made by `Measures.compare`.

    `table`: group, reference, metric, estimate, low, high, ratio and its limits, n, n_reference. All intervals hold
    together at `confidence`: each is as wide as Bonferroni asks for.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from toolkit import read_export
    >>> rows = {"主播抖音号": list("甲甲乙乙"), "直播开始时间": [f"2026/3/{day} 19:30" for day in (1, 2, 1, 3)],
    ...         "直播间观看人数": [1000, 1200, 900, 1100], "直播间成交人数": [40, 60, 27, 50]}
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "直播明细.csv"
    >>> pd.DataFrame(rows).to_csv(file, index=False)
    >>> gaps = read_export(file).measure("buyers_per_viewer", by="account_id").compare(to="乙")
    >>> gaps.table[["group", "reference", "estimate", "n", "n_reference"]].round(3)
      group reference  estimate  n  n_reference
    0     甲         乙     0.007  2            2
    """

    table: pd.DataFrame
    shares: bool
    row: str
    confidence: float
    caveats: tuple[str, ...] = ()

    @property
    def differences(self) -> frozenset[str]:  # type: ignore[override]
        """Columns of differences of shares."""
        return frozenset({"estimate", "low", "high"}) if self.shares else frozenset()

    def sentence(self) -> str:
        """How many groups differ for sure, and the widest gap with its interval and n."""
        top = self.table.loc[self.table["estimate"].abs().idxmax()]
        apart = wording.points if self.shares else wording.amount
        reach = wording.interval(top, apart)
        sizes = f"n = {int(top['n'])} and {counted(int(top['n_reference']), self.row)}"
        level = wording.interval_level(self.confidence)
        closing = "".join(f"; {one}" for one in self.caveats)
        together = " that hold together (Bonferroni)" if len(self.table) > 1 else ""
        return (
            f"{top['metric']}: {self._found()}; widest {top['group']}, {apart(top['estimate'])} ({reach}; {sizes}), × "
            f"{top['ratio']:.2f}; {level}s{together}, each {self.row} taken to vary on "
            f"its own; who comes to which is not randomised{closing}."
        )

    def _repr_html_(self) -> str:
        # Ten columns would not fit; the sentence names the metric and the reference.
        shown = self.table.drop(columns=["reference", "metric", "n_reference"])
        return f"<p>{escape(self.sentence())}</p>\n{html_table(shown, differences=self.differences)}"

    def _found(self) -> str:
        sure = (self.table["low"] > 0) | (self.table["high"] < 0)
        exclude = "excludes" if len(self.table) == 1 else "exclude"
        reference = self.table["reference"].iloc[0]
        return f"{int(sure.sum())} of {counted(len(self.table), 'difference')} from {reference} {exclude} 0"

    def plot(self, ax: Axes | None = None) -> Axes:
        """A mark and an interval for each difference."""
        from toolkit.inputs import plots

        shown = self.table[["estimate", "low", "high"]].assign(name=self.table["group"])
        axis = f"{self.table['metric'].iloc[0]}, less that of {self.table['reference'].iloc[0]}"
        ax = plots.estimates(shown, axis, self.shares, ax)
        ax.axvline(0, color="grey", linewidth=0.8)
        ax.set_title(self._found(), fontsize="medium", loc="left")
        return ax


def gaps(
    table: pd.DataFrame,
    to: Any,
    groups: list[str],
    *,
    shares: bool,
    row: str,
    confidence: float,
    caveats: tuple[str, ...],
) -> MeasureGaps:
    """Differences from one group, from each group's own estimate with its interval; groups share no rows.

    Notes
    -----
    Square and add (Newcombe 1998, method 10), of the estimates for differences and of their logarithms for ratios.
    """
    names = [wording.group_name(key) for key in table[groups].itertuples(index=False, name=None)]
    chosen = str(to) if to is not None else names[int(table["n"].to_numpy().argmax())]
    if chosen not in names:
        raise ValueError(unknown("group", chosen, names))
    base = table.iloc[names.index(chosen)]
    rows = [
        {"group": name, "reference": chosen, "metric": base["metric"], **_apart(one, base)}
        for name, one in zip(names, table.to_dict("records"), strict=True)
        if name != chosen
    ]
    return MeasureGaps(pd.DataFrame(rows), shares, row, confidence, caveats)


def _apart(one: Mapping[Any, Any], base: pd.Series) -> dict[str, float]:
    gap = one["estimate"] - base["estimate"]
    found = {
        "estimate": gap,
        "low": gap - math.hypot(one["estimate"] - one["low"], base["high"] - base["estimate"]),
        "high": gap + math.hypot(one["high"] - one["estimate"], base["estimate"] - base["low"]),
    }
    ratio, low, high = math.nan, math.nan, math.nan
    if base["estimate"] > 0:
        ratio = one["estimate"] / base["estimate"]
    if min(one["low"], base["low"]) > 0:
        up = math.hypot(math.log(one["high"] / one["estimate"]), math.log(base["estimate"] / base["low"]))
        down = math.hypot(math.log(one["estimate"] / one["low"]), math.log(base["high"] / base["estimate"]))
        low, high = ratio * math.exp(-down), ratio * math.exp(up)
    ends = {"ratio": ratio, "ratio_low": low, "ratio_high": high}
    return found | ends | {"n": one["n"], "n_reference": base["n"]}
