"""Figures of a change: a rate by day with the level of each side, and what steps and segments add to the change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

import matplotlib.dates as dates
import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, MaxNLocator

from toolkit import style
from toolkit.wording import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Of days on a side; others are quiet.
COLOURS = {"before": "#4F5D75", "after": "#B23A48"}
#: Letters of a name, and of a title, before it goes on in a second line.
LETTERS, TITLE = 24, 70


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
        label = f"{style.drawn(steps[-1])}, share of those at {style.drawn(steps[0])}"
        ax.set_ylabel("\n".join(wrap(label, LETTERS)))
        ax.set_title(style.drawn("\n".join(wrap(title, TITLE))), fontsize=10, y=1.0)
        locator = dates.AutoDateLocator(minticks=3, maxticks=6)  # type: ignore[no-untyped-call]
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
        ax.grid(axis="y")
        return ax


def parts(rows: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """What steps, mix, rate and segments add to the change, each with its interval.

    Parameters
    ----------
    rows : DataFrame
        `said` (a row's name), `estimate`, `low`, `high` (of rates, 0 to 1), and `sure`: whether it is distinguishable
        from 0 after the adjustment.
    """
    with style.context():
        ax = style.axes(ax, height=max(4.0, 1.2 + 0.3 * len(rows)))
        at = np.arange(len(rows))
        estimate, low, high = (100 * rows[name].to_numpy(float) for name in ("estimate", "low", "high"))
        ax.hlines(at, low, high, color=COLOURS["after"], linewidth=1.5)
        sure = rows["sure"].to_numpy(bool)
        for chosen, face in ((sure, COLOURS["after"]), (~sure, "white")):
            ax.plot(estimate[chosen], at[chosen], "o", color=COLOURS["after"], markerfacecolor=face)
        ax.axvline(0, color=style.QUIET, linewidth=1)
        ax.set_yticks(at, [style.drawn("\n".join(wrap(str(name), LETTERS))) for name in rows["said"]])
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.set_xlabel("added to the change, points (filled: not 0 after Holm)")
        ax.xaxis.set_major_locator(MaxNLocator(6))
        ax.grid(axis="x")
    return ax
