"""Figures of what was read and made from it: a frame and words, no result."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, PercentFormatter

from toolkit import style
from toolkit.wording import count, percent

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
            ax.xaxis.set_major_formatter(PercentFormatter(1.0))
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
        ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    return ax


def steps(frame: pd.DataFrame, what: str, ax: Axes | None = None) -> Axes:
    """How many reached each step, by name, on a log scale; nobody stands at the left edge.

    One name has its numbers beside the marks; of several the key says the rate from the first step to the last.
    """
    with style.context():
        ax = style.axes(ax)
        order = list(dict.fromkeys(frame["step"]))
        looks = style.looks(frame["name"])
        several = frame["name"].nunique() > 1
        reached = frame.loc[frame["reached"] > 0, "reached"]
        floor = float(reached.min()) / 2 if len(reached) else 0.5
        ax.set_xscale("log")
        for name, part in frame.groupby("name", sort=False):
            at = [order.index(step) for step in part["step"]]
            look = looks[name]
            label = f"{style.drawn(name)}: {percent(part['from_first'].iloc[-1])}"
            ax.plot(part["reached"].clip(lower=floor), at, marker=look.marker, color=look.colour, label=label)
            for place, number, rate in zip(at, part["reached"], part["from_first"], strict=True):
                share = "" if pd.isna(rate) else f" ({percent(rate)})"
                if not several:
                    ax.annotate(
                        f"{count(number)}{share}",
                        (max(number, floor), place),
                        (8, 0),
                        textcoords="offset points",
                        va="center",
                    )
        ax.set_yticks(range(len(order)), [style.drawn(step) for step in order])
        ax.set_ylim(len(order) - 0.5, -0.5)
        ax.set_xlim(right=ax.get_xlim()[1] * (1 if several else 6))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,g}"))
        ax.set_xlabel(f"{what}, log scale (%: of the first step)")
        if several:
            ax.legend(loc="lower right", title=f"{style.drawn(order[0])} to {style.drawn(order[-1])}")
    return ax
