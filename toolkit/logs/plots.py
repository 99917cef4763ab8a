"""Figure of a log's summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.dates import ConciseDateFormatter
from matplotlib.ticker import FuncFormatter

from toolkit import style
from toolkit.wording import count, counted

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def days(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw `rows` per `day`; those outside the `main` span are grey crosses."""
    with style.context():
        ax = style.axes(ax)
        main, thin = table[table["main"]], table[~table["main"]]
        ax.bar(main["day"], main["rows"], color=style.PLATFORMS["xiaohongshu"].colour, width=0.85)
        if len(thin):
            label = f"{counted(len(thin), 'day')} outside the main span"
            ax.plot(thin["day"], thin["rows"], "x", color=style.QUIET, label=label)
            ax.legend()
        ax.set_ylabel("rows a day")
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
        concise = ConciseDateFormatter(ax.xaxis.get_major_locator())  # type: ignore[no-untyped-call]
        ax.xaxis.set_major_formatter(concise)
    return ax
