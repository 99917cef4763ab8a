"""Figures of what was read and made from it: a frame and words, no result."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from toolkit import style

#: Names from which on colours no longer tell them apart.
MANY_NAMES = 8


def values(frame: pd.DataFrame, measure: str, time: str | None, title: str, ax: Axes | None = None) -> Axes:
    """A measure by time, or by row where there is no time; what is missing is a gap."""
    with style.context():
        ax = style.axes(ax)
        if time is not None:
            shown = frame.dropna(subset=[time]).sort_values(time)
            ax.plot(
                shown[time].dt.tz_localize(None), shown[measure].astype(float), marker="o", linestyle="none"
            )
            ax.tick_params(axis="x", rotation=30)
        else:
            ax.bar(range(1, len(frame) + 1), frame[measure].astype(float))
        ax.set_xlabel("row" if time is None else style.drawn(time))
        ax.set_ylabel(style.drawn(measure))
        ax.set_title(style.drawn(title), wrap=True, fontsize="medium")
        ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]))
    return ax


def estimates(frame: pd.DataFrame, measure: str, shares: bool, ax: Axes | None = None) -> Axes:
    """A mark and an interval for each name of a frame with name, estimate, low, high."""
    with style.context():
        # Many names, such as the hours of a day, are told apart by their place alone.
        many = len(frame) > MANY_NAMES
        ax = style.axes(ax, height=max(1.8, (0.22 if many else 0.5) * len(frame) + 1))
        looks = style.looks(["all"] if many else frame["name"])
        for at, row in enumerate(frame.itertuples(index=False)):
            look = looks["all" if many else row.name]
            ax.plot([row.low, row.high], [at, at], color=look.colour)
            ax.plot([row.estimate], [at], look.marker, color=look.colour)
        ax.set_yticks(range(len(frame)), [style.drawn(name) for name in frame["name"]])
        ax.set_ylim(len(frame) - 0.5, -0.5)
        ax.set_xlabel(style.drawn(measure))
        if shares:
            ax.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    return ax


def predicted(frame: pd.DataFrame, title: str, axis: str, ax: Axes | None = None) -> Axes:
    """What was to be expected as a bar from low to high, and what was observed as a mark on it."""
    with style.context():
        ax = style.axes(ax, height=max(1.8, 0.5 * len(frame) + 1))
        for at, row in enumerate(frame.itertuples(index=False)):
            out = row.observed < row.low or row.observed > row.high
            ax.plot([row.low, row.high], [at, at], color="0.75", linewidth=8, solid_capstyle="butt")
            ax.plot([row.observed], [at], "D" if out else "o", color="C1" if out else "C0")
        ax.set_yticks(range(len(frame)), [style.drawn(name) for name in frame["name"]])
        ax.set_ylim(len(frame) - 0.5, -0.5)
        ax.set_xlabel(f"{axis} (bar: expected)")
        ax.set_title(style.drawn(title), fontsize="medium")
        ax.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    return ax
