"""Figures of creators that no other room draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from toolkit import style
from toolkit.wording import group_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

#: Bins on each side of a threshold.
BINS = 12
_KEPT = style.PLATFORMS["xiaohongshu"].colour


def lorenz(table: pd.DataFrame, by: list[str], ax: Axes | None = None) -> Axes:
    """The share held over the share of creators, a line for each group, and the line of equality."""
    groups: list[tuple[tuple[Any, ...], pd.DataFrame]] = [((), table)]
    if by:
        groups = list(table.groupby(by, sort=False, dropna=False))
    with style.context():
        ax = style.axes(ax)
        ax.plot([0, 100], [0, 100], color=style.QUIET, linewidth=1)
        for keys, rows in groups:
            look = style.look(keys[0] if by else "xiaohongshu")
            name = " ".join(style.drawn(key) for key in keys) if by else None
            ax.plot(rows["creators"] * 100, rows["held"] * 100, color=look.colour, label=style.drawn(name))
        if by:
            ax.legend(title=group_name(by))
        ax.set_xlabel("creators from the lowest, %")
        ax.set_ylabel("share held, %")
    return ax


def cutoff(
    rows: pd.DataFrame, h: float, at: float, names: tuple[str, str], title: str, ax: Axes | None = None
) -> Axes:
    """Means of equal bins within twice the bandwidth, and a weighted line on each side of the threshold."""
    near = rows[rows["x"].abs() <= 2 * h]
    with style.context():
        ax = style.axes(ax)
        colour = style.PLATFORMS["xiaohongshu"].colour
        for side in (near[near["x"] < 0], near[near["x"] >= 0]):
            bins = np.floor(side["x"] / (2 * h / BINS))
            means = side.groupby(bins)[["x", "y"]].mean()
            ax.plot(means["x"] + at, means["y"], "o", color=colour, markersize=5)
            own = side[side["x"].abs() <= h]
            weight = np.sqrt(1 - own["x"].abs() / h)
            line = np.polyfit(own["x"], own["y"], 1, w=weight)
            ends = np.array([own["x"].min(), own["x"].max()])
            ax.plot(ends + at, np.polyval(line, ends), color=style.INK, linewidth=1.5)
        ax.axvline(at, color=style.QUIET, linewidth=1)
        ax.set_xlabel(style.drawn(names[0]))
        ax.set_ylabel(f"{style.drawn(names[1])}, means of bins")
        ax.set_title(style.drawn(title))
    return ax


def pairs(frame: pd.DataFrame, names: tuple[str, str], ax: Axes | None = None) -> Axes:
    """One mark for each pair of scores."""
    with style.context():
        ax = style.axes(ax)
        ax.plot(frame["first"], frame["later"], "o", color=style.PLATFORMS["xiaohongshu"].colour, alpha=0.6)
        ax.set_xlabel(style.drawn(names[0]))
        ax.set_ylabel(style.drawn(names[1]))
    return ax


def mixes(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Shares of two mixes by category, side by side."""
    with style.context():
        ax = style.axes(ax, height=max(4.0, 1.2 + 0.3 * len(frame)))
        at = np.arange(len(frame))
        for shift, name in ((-0.2, "label"), (0.2, "goods")):
            ax.barh(at + shift, frame[name] * 100, 0.38, color=style.look(name).colour, label=name)
        ax.set_yticks(at, [style.drawn(str(one)) for one in frame.index])
        ax.invert_yaxis()
        ax.set_xlabel("share, %")
        ax.legend()
    return ax


def rule(
    curves: pd.DataFrame,
    bands: pd.DataFrame,
    cut: float,
    title: str,
    axes: tuple[Axes, Axes],
) -> Axes:
    """Above, creators at or above each number of fans and the rule's cut; below, which share of each band is kept.

    Parameters
    ----------
    curves : DataFrame
        `at`, and a column for each line.
    bands : DataFrame
        `band`, `n`, `eligible`.
    cut : float
        The rule's least number of fans; 0 where it asks none.
    """
    above, below = axes
    with style.context():
        for name, colour in zip(curves.columns[1:], (style.INK, _KEPT), strict=False):
            seen = curves[curves[name] > 0]
            above.plot(seen["at"], seen[name], color=colour, label=name)
        above.set_xscale("log")
        above.set_yscale("log")
        for axis, most in ((above.xaxis, curves["at"].max()), (above.yaxis, curves.iloc[:, 1].max())):
            _decades(axis, float(most))
        if cut:
            above.axvline(cut, color=style.PLATFORMS["taobao_live"].colour, linewidth=1.5)
            above.annotate(
                f"{cut:,g} fans",
                (cut, 0.03),
                xycoords=("data", "axes fraction"),
                xytext=(5, 0),
                textcoords="offset points",
                color=style.PLATFORMS["taobao_live"].colour,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
            )
        above.set_xlabel("fans")
        above.set_ylabel("creators at or above")
        # The curves fall; a search for the best corner would weigh each of their points.
        above.legend(loc="upper right")
        above.grid()
        above.set_title(style.drawn(title), y=1.0)
        at = np.arange(len(bands))
        kept = (100 * bands["eligible"] / bands["n"]).fillna(0).to_numpy()
        below.barh(at, 100, color=style.SETTINGS["grid.color"])
        below.barh(at, kept, color=_KEPT)
        for place, row in enumerate(bands.itertuples()):
            below.text(101.5, place, f"{row.eligible:,} of {row.n:,}", va="center", color=style.INK)
        below.set_yticks(at, [style.drawn(str(one)) for one in bands["band"]])
        below.set_xlim(0, 130)
        below.set_xticks(range(0, 101, 20))
        below.invert_yaxis()
        below.set_xlabel("kept, % of the creators of each band")
    return above


def _decades(axis: Axis, most: float) -> None:
    """Powers of ten in plain digits: a tenth of the time that formulas and ticks between them take."""
    decades = 10 ** np.arange(np.floor(np.log10(max(most, 1.0))) + 1)
    axis.set_major_locator(FixedLocator(decades.tolist()))
    axis.set_major_formatter(FuncFormatter(lambda at, _: f"{at:,.0f}"))
    axis.set_minor_locator(NullLocator())
