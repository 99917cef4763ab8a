"""Figures of what was read: a frame and words, no result."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from toolkit import style


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
