"""Figures of promotion: an estimate with its band as something grows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from toolkit import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def band(
    table: pd.DataFrame,
    x: str,
    names: tuple[str, str],
    ax: Axes | None = None,
    marks: pd.DataFrame | None = None,
) -> Axes:
    """`estimate` over x with the band from `low` to `high`; `marks` adds the data, in its first two columns."""
    colour = style.PLATFORMS["xiaohongshu"].colour
    with style.context():
        ax = style.axes(ax)
        known = table.dropna(subset=["low", "high"])
        ax.fill_between(known[x], known["low"], known["high"], color=colour, alpha=0.2, linewidth=0)
        ax.plot(known[x], known["estimate"], color=colour)
        if marks is not None:
            ax.plot(marks.iloc[:, 0], marks.iloc[:, 1], "o", color=style.INK, markersize=4)
        elif len(known):
            ax.axhline(0, color=style.INK, linewidth=1)
        ax.set_xlabel(style.drawn(names[0]))
        ax.set_ylabel(style.drawn(names[1]))
        ax.grid()
    return ax


def added(
    lines: pd.DataFrame,
    marks: Sequence[tuple[float, float]],
    largest: float,
    names: tuple[str, str],
    ax: Axes | None = None,
) -> Axes:
    """What is added with its band, and what would be reported, over the spend; hatched where no data are.

    Parameters
    ----------
    lines : DataFrame
        `spend`, `estimate`, `low`, `high`, `reported`.
    marks : list of (spend, value)
        What was asked.
    largest : float
        Where the data end.
    """
    added_colour, reported_colour = (style.PLATFORMS[name].colour for name in ("xiaohongshu", "taobao_live"))
    with style.context():
        ax = style.axes(ax)
        ax.fill_between(
            lines["spend"], lines["low"], lines["high"], color=added_colour, alpha=0.2, linewidth=0
        )
        ax.plot(lines["spend"], lines["estimate"], color=added_colour, label="added")
        ax.plot(lines["spend"], lines["reported"], "--", color=reported_colour, label="reported")
        for (x, y), colour in zip(marks, (added_colour, reported_colour), strict=True):
            ax.plot(x, y, "o", color=colour, markersize=7)
        ax.axvspan(largest, 1.12 * largest, facecolor="none", edgecolor="#C8C8C8", hatch="//", linewidth=0)
        ax.text(1.06 * largest, 0.5, "no data", transform=ax.get_xaxis_transform(), rotation=90, ha="center")
        ax.set_xlim(0, 1.12 * largest)
        ax.set_ylim(bottom=min(0.0, float(lines["low"].min())))
        ax.set_xlabel(style.drawn(names[0]))
        ax.set_ylabel(style.drawn(names[1]))
        ax.legend()
        ax.grid()
    return ax
