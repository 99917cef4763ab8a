"""Figures that the rooms of scenarios share: estimates with intervals, and curves of an assumption.

A figure takes a frame and words; it knows no result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from toolkit import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: More rows than this cannot be read.
MOST_ROWS = 40
#: Lines beyond the colours there are.
DASHES = ("-", "--", ":", "-.")


def estimates(
    table: pd.DataFrame,
    names: Sequence[str],
    axis: str,
    *,
    title: str = "",
    null: float | None = None,
    rate: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """A mark for each estimate and a bar for its interval, from top to bottom.

    Parameters
    ----------
    table : DataFrame
        With `estimate`, and `low` and `high` where there are intervals.
    names : list of str
        Columns that name a row.
    axis, title : str
        What is drawn, and the finding.
    null : float, optional
        Where no effect lies.
    rate : bool
        Whether estimates are shares, drawn as per cent.
    """
    shown = table.head(MOST_ROWS)
    with style.context():
        ax = style.axes(ax, height=max(4.0, 1.2 + 0.3 * len(shown)))
        scale = 100 if rate else 1
        labels = [" · ".join(style.drawn(value) for value in row) for row in shown[list(names)].to_numpy()]
        for place, row in enumerate(shown.to_dict("records")):
            low, high = row.get("low", np.nan), row.get("high", np.nan)
            colour = (
                style.look(row[names[0]]).colour
                if "platform" in names
                else style.PLATFORMS["xiaohongshu"].colour
            )
            if np.isfinite(low) and np.isfinite(high):
                ax.hlines(place, low * scale, high * scale, color=colour, linewidth=3.5, alpha=0.35)
            ax.plot(row["estimate"] * scale, place, "o", color=colour, markersize=6)
        ax.set_yticks(range(len(shown)), labels)
        ax.set_ylim(len(shown) - 0.5, -0.5)
        if null is not None:
            ax.axvline(null * scale, color=style.INK, linewidth=1)
        ax.set_xlabel(style.drawn(f"{axis}, %" if rate else axis))
        ax.set_title(style.drawn(title))
        ax.grid(axis="x")
    return ax


def curves(
    frame: pd.DataFrame,
    x: str,
    lines: Sequence[str],
    axes: tuple[str, str],
    *,
    title: str = "",
    marks: Sequence[tuple[float, float, str]] = (),
    log: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Columns of a frame as lines over another column, each with a colour of its own, then a dash.

    Parameters
    ----------
    axes : tuple of two str
        What x and y are, with units.
    marks : list of (x, y, name)
        Points to show on top.
    log : str
        The axes that are logarithmic: "", "x", "y" or "xy".
    """
    with style.context():
        ax = style.axes(ax)
        colours = list(dict.fromkeys(colour for colour, _ in style.OTHERS))
        for at_line, name in enumerate(lines):
            known = frame[[x, name]].dropna()
            colour = colours[at_line % len(colours)]
            dash = DASHES[at_line // len(colours) % len(DASHES)]
            ax.plot(known[x], known[name], color=colour, linestyle=dash, label=style.drawn(name))
        for at, height, name in marks:
            ax.plot(at, height, "o", color=style.INK, markersize=7)
            ax.annotate(
                name,
                (at, height),
                xytext=(6, 6),
                textcoords="offset points",
                color=style.INK,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
            )
        if "x" in log:
            ax.set_xscale("log")
        if "y" in log and (frame[list(lines)] > 0).to_numpy().any():
            ax.set_yscale("log")
        ax.set_xlabel(style.drawn(axes[0]))
        ax.set_ylabel(style.drawn(axes[1]))
        ax.set_title(style.drawn(title))
        if len(lines) > 1:
            ax.legend()
        ax.grid()
    return ax
