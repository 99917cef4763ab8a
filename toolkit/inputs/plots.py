"""Figures of what was read: a frame and words, no result."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from toolkit import style
from toolkit.wording import count, percent


def values(frame: pd.DataFrame, measure: str, time: str | None, title: str, ax: Axes | None = None) -> Axes:
    """A measure by time, or by row where there is no time; what is missing is a gap."""
    if ax is None:
        _, ax = plt.subplots(figsize=(6.4, 4), dpi=100)
    if time is not None:
        shown = frame.dropna(subset=[time]).sort_values(time)
        ax.plot(shown[time].dt.tz_localize(None), shown[measure].astype(float), marker="o", linestyle="none")
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
    if ax is None:
        _, ax = plt.subplots(figsize=(6.4, max(1.6, 0.5 * len(frame) + 1)), dpi=100)
    looks = style.looks(frame["name"])
    for at, row in enumerate(frame.itertuples(index=False)):
        look = looks[row.name]
        ax.plot([row.low, row.high], [at, at], color=look.colour)
        ax.plot([row.estimate], [at], look.marker, color=look.colour)
    ax.set_yticks(range(len(frame)), [style.drawn(name) for name in frame["name"]])
    ax.set_ylim(len(frame) - 0.5, -0.5)
    ax.set_xlabel(style.drawn(measure))
    if shares:
        ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    return ax


def steps(frame: pd.DataFrame, what: str, ax: Axes | None = None) -> Axes:
    """How many reached each step, by name, on a log scale; zero stands at the left edge."""
    if ax is None:
        _, ax = plt.subplots(figsize=(6.4, 4), dpi=100)
    order = list(dict.fromkeys(frame["step"]))
    looks = style.looks(frame["name"])
    floor = max(0.5, float(frame.loc[frame["reached"] > 0, "reached"].min()) / 2) if len(frame) else 0.5
    ax.set_xscale("log")
    for name, part in frame.groupby("name", sort=False):
        at = [order.index(step) for step in part["step"]]
        look = looks[name]
        ax.plot(
            part["reached"].clip(lower=floor),
            at,
            marker=look.marker,
            color=look.colour,
            label=style.drawn(name),
        )
        for place, reached, rate in zip(at, part["reached"], part["from_first"], strict=True):
            share = "" if pd.isna(rate) else f" ({percent(rate)})"
            ax.annotate(
                f"{count(reached)}{share}", (max(reached, floor), place), (6, 6), textcoords="offset points"
            )
    ax.set_yticks(range(len(order)), [style.drawn(step) for step in order])
    ax.set_ylim(len(order) - 0.5, -0.5)
    ax.set_xlim(right=ax.get_xlim()[1] * 4)
    ax.set_xlabel(f"{what}, log scale (%: of the first step)")
    if frame["name"].nunique() > 1:
        ax.legend()
    return ax
