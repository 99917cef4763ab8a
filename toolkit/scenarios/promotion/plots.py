"""Figures of promotion: an estimate with its band as something grows."""

from __future__ import annotations

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
        ax.set_xlabel(names[0])
        ax.set_ylabel(names[1])
        ax.grid()
    return ax
