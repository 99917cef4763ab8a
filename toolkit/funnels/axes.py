"""Figures with a time axis: a rate by period, and the share converted by time since the entry."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import FuncFormatter

from toolkit import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: More lines than this cannot be told apart.
MOST_GROUPS = 12
#: Characters of a line beside the axis.
LONGEST = 40
#: A unit of the time axis is used from three of it on.
UNITS = (("days", 86_400e6), ("hours", 3_600e6), ("minutes", 60e6), ("seconds", 1e6))


def course(frame: pd.DataFrame, *, step: str, first: str, ax: Axes | None = None) -> Axes:
    """A line with a band for each group.

    Parameters
    ----------
    frame : DataFrame
        `group`, `period`, `from_first`, `first_low`, `first_high`, and `complete`; other periods are hollow.
    """
    with style.context():
        ax = style.axes(ax)
        for name, look in style.looks(_groups(frame)).items():
            own = frame[frame["group"] == name]
            over = own["complete"].to_numpy(bool)
            at, rate = own["period"].to_numpy(), own["from_first"].to_numpy(float)
            ax.plot(
                at,
                np.where(over, rate, np.nan),
                color=look.colour,
                marker=look.marker,
                markersize=4,
                label=style.drawn(name),
            )
            ax.plot(
                at[~over], rate[~over], look.marker, color=look.colour, markersize=5, markerfacecolor="none"
            )
            ax.fill_between(
                at,
                np.where(over, own["first_low"], np.nan),
                np.where(over, own["first_high"], np.nan),
                color=look.colour,
                alpha=0.18,
                linewidth=0,
            )
        ax.set_ylim(bottom=0)
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:.3g} %"))
        hollow = "" if frame["complete"].all() else " (hollow: window not over)"
        said = f"share of those at {style.drawn(first)} that reached {style.drawn(step)}{hollow}"
        ax.set_ylabel(textwrap.fill(said, LONGEST))
        if pd.api.types.is_datetime64_any_dtype(frame["period"]):
            locator = AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
            ax.xaxis.set_major_locator(locator)
            ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
        return _named(ax, frame)


def converted(frame: pd.DataFrame, *, step: str, first: str, ax: Axes | None = None) -> Axes:
    """Steps of the share converted by time since the entry, with bands.

    Parameters
    ----------
    frame : DataFrame
        `group`, `time` (Timedelta), `estimate`, `low`, `high`.
    """
    longest = max(float(frame["time"].max() / pd.Timedelta("1us")), 1.0)
    unit, length = next((own for own in UNITS if longest >= 3 * own[1]), UNITS[-1])
    with style.context():
        ax = style.axes(ax)
        for name, look in style.looks(_groups(frame)).items():
            own = frame[frame["group"] == name]
            at = (own["time"] / pd.Timedelta("1us")).to_numpy(float) / length
            ax.step(at, own["estimate"], where="post", color=look.colour, label=style.drawn(name))
            ax.fill_between(
                at, own["low"], own["high"], step="post", color=look.colour, alpha=0.18, linewidth=0
            )
        ax.set_ylim(bottom=0)
        ax.set_xlim(left=0)
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:.3g} %"))
        ax.set_xlabel(f"{unit} since {style.drawn(first)}")
        ax.set_ylabel(f"share that reached {style.drawn(step)}")
        return _named(ax, frame)


def _groups(frame: pd.DataFrame) -> list[str]:
    names = list(dict.fromkeys(frame["group"]))
    if len(names) > MOST_GROUPS:
        raise ValueError(
            f"{len(names)} groups are too many for one figure; keep {MOST_GROUPS} at most, or draw .table"
        )
    return names


def _named(ax: Axes, frame: pd.DataFrame) -> Axes:
    ax.grid(axis="y")
    if frame["group"].nunique() > 1:
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, fontsize=9)
    return ax
