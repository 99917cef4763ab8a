"""Figures of money: bars by party or part, and the way from a price down to what is left."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from toolkit import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def bars(table: pd.DataFrame, name: str, value: str, axis: str, ax: Axes | None = None) -> Axes:
    """A bar for each row, those below 0 in another colour, each with its number."""
    with style.context():
        ax = style.axes(ax, height=max(4.0, 1.2 + 0.3 * len(table)))
        at = np.arange(len(table))
        colours = [_colour(one) for one in table[value]]
        drawn = ax.barh(at, table[value], color=colours)
        ax.bar_label(drawn, _numbers(table[value]), padding=3)
        ax.set_yticks(at, [style.drawn(str(one)) for one in table[name]])
        ax.invert_yaxis()
        ax.margins(x=0.15)
        ax.axvline(0, color=style.INK, linewidth=1)
        ax.set_xlabel(style.drawn(axis))
    return ax


def waterfall(table: pd.DataFrame, name: str, value: str, title: str, ax: Axes | None = None) -> Axes:
    """From the first row down (or up) through the others; the last row is what is left."""
    amounts = table[value].to_numpy(float)
    start = np.append(0, np.cumsum(amounts[:-2]))
    with style.context():
        ax = style.axes(ax, height=max(4.0, 1.2 + 0.3 * len(table)))
        at = np.arange(len(table))
        start = np.append(start, 0)
        ax.barh(at, amounts, left=start, color=[*(_colour(one) for one in amounts[:-1]), style.INK])
        # On the side away from 0, which no number crosses.
        ends = np.sort([start, start + amounts], axis=0)
        for place, number in enumerate(_numbers(amounts)):
            low, high = ends[:, place]
            side = -1 if low < 0 and high <= 0 else 1
            ax.annotate(
                number,
                (low if side < 0 else high, place),
                xytext=(3 * side, 0),
                textcoords="offset points",
                ha="right" if side < 0 else "left",
                va="center",
            )
        ax.use_sticky_edges = False
        ax.margins(x=0.16)
        ax.set_yticks(at, [style.drawn(str(one).replace("_", " ")) for one in table[name]])
        ax.invert_yaxis()
        ax.axvline(0, color=style.INK, linewidth=1)
        ax.set_xlabel("of an average paid order")
        ax.set_title(style.drawn(title))
    return ax


def _numbers(amounts: Iterable[float]) -> list[str]:
    """Amounts beside their bars; nothing beside a bar of nothing."""
    return [f"{one:,.4g}".replace("-", "−") if one else "" for one in amounts]


def _colour(value: float) -> str:
    return style.PLATFORMS["taobao_live" if value < 0 else "xiaohongshu"].colour
