"""Figures of platforms and tiers: a mark and an interval for each estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import FuncFormatter

from toolkit import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.tiers.answers import Answer
    from toolkit.tiers.logits import GapTests

#: Ticks are drawn late, so their names need the font by name.
FAMILY = style.SETTINGS["font.family"]
#: More rows than this cannot be read.
MOST_ROWS = 60


def estimates(result: Answer, ax: Axes | None = None) -> Axes:
    """Draw the table's estimates from top to bottom, platforms in their colours."""
    with style.context():
        return _marks(result, _axes(len(result.table), ax))


def _marks(result: Answer, ax: Axes) -> Axes:
    table = result.table
    places = _rows(result, ax)
    scale = 100 if "estimate" in result.rates else 1
    names = table["platform"] if "platform" in table else table[result.named[0]]
    looks = style.looks(names)
    for place, name, row in zip(places, names, table.itertuples(), strict=True):
        look = looks[name]
        if np.isfinite(row.low) and np.isfinite(row.high):
            ax.hlines(place, row.low * scale, row.high * scale, color=look.colour, linewidth=3.5, alpha=0.35)
        ax.plot(row.estimate * scale, place, look.marker, color=look.colour, markersize=6)
    if result.null is not None:
        ax.axvline(result.null, color=style.INK, linewidth=1)
    against = ""
    if "reference" in table and len(table[["platform", "reference"]].drop_duplicates()) == 1:
        against = f", {style.drawn(names.iloc[0])} against {style.drawn(table['reference'].iloc[0])}"
    ax.set_xlabel(f"{result.axis}{against} ({result.level}s)")
    return ax


def p_values(result: GapTests, ax: Axes | None = None) -> Axes:
    """Draw p values on a log scale, with the line below which one is called sure."""
    with style.context():
        ax = _axes(len(result.table), ax)
        column = "p_adjusted" if "p_adjusted" in result.table else "p"
        p = np.maximum(result.table[column].to_numpy(float), 1e-6)
        for place, name, value in zip(_rows(result, ax), result.table["platform"], p, strict=True):
            look = style.look(name)
            ax.plot(value, place, look.marker, color=look.colour, markersize=6)
        ax.axvline(1 - result.confidence, color=style.INK, linewidth=1)
        ax.set_xscale("log")
        ax.set_xlim(5e-7, 1.5)
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.set_xlabel("p value, adjusted" if column == "p_adjusted" else "p value")
        return ax


def _axes(rows: int, ax: Axes | None) -> Axes:
    if rows > MOST_ROWS:
        raise ValueError(f"{rows} rows are too many for one figure; keep {MOST_ROWS} at most, or draw .table")
    return plt.gca() if ax is None else ax


def _rows(result: Answer, ax: Axes) -> np.ndarray:
    """Places of the rows, named at the left; a name that all rows share is left out."""
    table = result.table
    named = [name for name in result.named if table[name].nunique() > 1] or [result.named[-1]]
    places = np.arange(len(table))[::-1]
    texts = [
        " · ".join(style.drawn(value) for value in row)
        for row in table[named].itertuples(index=False, name=None)
    ]
    ax.set_yticks(places, texts, fontfamily=FAMILY, fontsize=9 if len(table) <= 20 else 6)
    ax.set_ylim(-0.6, len(table) - 0.4)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
    return places
