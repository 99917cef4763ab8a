"""Figure of a log's summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.dates import ConciseDateFormatter
from matplotlib.ticker import FuncFormatter

from toolkit.wording import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.logs.summary import Summary


def days(summary: Summary, ax: Axes | None = None) -> Axes:
    """Draw rows per day; days outside the main span are grey and named."""
    ax = plt.gca() if ax is None else ax
    main, thin = summary.days[summary.days["main"]], summary.days[~summary.days["main"]]
    ax.bar(main["day"], main["rows"], color="#0072B2", width=0.85)
    if len(thin):
        ax.plot(
            thin["day"], thin["rows"], "x", color="#6B6B6B", label=f"{len(thin)} days outside the main span"
        )
        ax.legend()
    ax.set_ylabel("rows a day")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
    ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator()))
    return ax
