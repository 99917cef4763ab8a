"""The figure of a change: a rate by day, and the level of each side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.ticker import FuncFormatter

from toolkit import style
from toolkit.wording import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Of days on a side; others are quiet.
COLOURS = {"before": "#4F5D75", "after": "#B23A48"}


def course(
    curve: pd.DataFrame,
    *,
    levels: Mapping[str, float],
    title: str,
    steps: Sequence[str],
    ax: Axes | None = None,
) -> Axes:
    """The rate by day as points, each side's level as a line.

    Parameters
    ----------
    curve : DataFrame
        `day`, `rate`, `side` ("before", "after" or "").
    levels
        Rate by side.
    """
    with style.context():
        ax = style.axes(ax)
        others = curve[curve["side"] == ""]
        ax.plot(others["day"], others["rate"], "o", color=style.QUIET, markersize=3)
        for side, level in levels.items():
            own = curve[curve["side"] == side]
            ax.plot(
                own["day"], own["rate"], "o-", color=COLOURS[side], markersize=4, linewidth=0.8, alpha=0.8
            )
            ax.hlines(level, own["day"].min(), own["day"].max(), color=COLOURS[side], linewidth=2)
            # At the foot, where the axis begins at 0 and days rarely are.
            ax.annotate(
                f"{side} {percent(level)}",
                (own["day"].iloc[0], 0),
                xytext=(0, 6),
                textcoords="offset points",
                color=COLOURS[side],
                fontsize=9.5,
            )
        ax.set_ylim(bottom=0)
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:.3g} %"))
        ax.set_ylabel(
            f"share of those at {style.drawn(steps[0])} that reached {style.drawn(steps[-1])}", wrap=True
        )
        ax.set_title(style.drawn(title), wrap=True, fontsize=10)
        ax.figure.autofmt_xdate()
        ax.grid(axis="y")
        return ax
