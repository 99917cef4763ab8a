"""Axes of figures of series: names beside lines and at interruptions, intervals in rows, short numbers, dates.

drawn             axes to draw on: those given, or a new figure's
beside, apart     names at the right end of lines, none on another
Mark, marked      interruptions by name, at the top
timed             dates below, short numbers at the left
shorten, percent  numbers in millions, shares in per cent
ranked, effects   estimates with their intervals, one row each, and the axis below them
is_dated, when    periods as tables say them, as times or numbers
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib.dates as dates
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.text import Annotation
from matplotlib.ticker import FuncFormatter

from toolkit import style
from toolkit.wording import NOTHING, change

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

#: Ticks are drawn late, so their names need the font by name.
FAMILY = style.SETTINGS["font.family"]
WAS, WOULD = "#222222", "#B45309"
#: Names of interruptions closer than this share of the width are written one above the other.
NEAR = 0.14
#: Labels beside lines, and the points from one to the next where they stand one on another.
BESIDE, LINE = "beside", 12.0


def drawn(ax: Axes | None) -> Axes:
    """Axes to draw on: those that are given, or those of a new figure."""
    return plt.figure().add_subplot() if ax is None else ax


def beside(ax: Axes, x: Any, y: float, text: str, colour: str) -> None:
    """A name at the right of a point."""
    ax.annotate(
        text,
        (x, y),
        xytext=(5, 0),
        textcoords="offset points",
        color=colour,
        va="center",
        fontsize=9,
        annotation_clip=False,
        gid=BESIDE,
    )


def apart(ax: Axes) -> None:
    """Move labels at the right end up or down, as little as it takes that none lies on another.

    Called last: the limits of the axes must stand.
    """
    named = [text for text in ax.texts if isinstance(text, Annotation) and text.get_gid() == BESIDE]
    labels = sorted(named, key=lambda text: text.xy[1])
    low, high = ax.get_ylim()
    points = ax.bbox.height * 72 / ax.figure.dpi
    wanted = [points * (text.xy[1] - low) / (high - low) for text in labels]
    # Labels that meet form a block, whose middle stands where its labels want to be on average.
    blocks: list[list[float]] = []
    for place in wanted:
        blocks.append([place])
        while len(blocks) > 1 and _foot(blocks[-1]) < _foot(blocks[-2]) + LINE * len(blocks[-2]):
            last = blocks.pop()
            blocks[-1] += last
    given = [_foot(block) + LINE * at for block in blocks for at in range(len(block))]
    for text, own, place in zip(labels, wanted, given, strict=True):
        text.set_position((5, place - own))


def _foot(block: list[float]) -> float:
    """Where the lowest of labels that stand one on another is, in points."""
    return sum(block) / len(block) - LINE * (len(block) - 1) / 2


class Mark(NamedTuple):
    """A term of an interruption: its name, first and last time, and how far along the axis it begins, from 0 to 1."""

    name: str
    at: Any
    end: Any
    share: float


def marked(marks: Sequence[Mark], ax: Axes) -> None:
    """A line at each interruption, its name at the top, one above the other where they are near."""
    taken: list[float] = []
    places: dict[float, tuple[Any, list[str]]] = {}
    for mark in marks:
        if mark.end is not None:
            ax.axvspan(mark.at, mark.end, color=style.QUIET, alpha=0.12, linewidth=0)
        _, names = places.setdefault(mark.share, (mark.at, []))
        if mark.name not in names:
            names.append(mark.name)
    for share in sorted(places):
        at, names = places[share]
        ax.axvline(at, color=style.QUIET, linewidth=0.9, linestyle=":")
        # The lowest row whose last name ended far enough to the left.
        row = next((i for i, end in enumerate(taken) if share - end > NEAR), len(taken))
        taken[row:] = [share, *taken[row + 1 :]]
        ax.annotate(
            style.drawn(", ".join(names)),
            (at, 1),
            xycoords=("data", "axes fraction"),
            xytext=(3 if share < 0.8 else -3, -3 - 12 * row),
            textcoords="offset points",
            ha="left" if share < 0.8 else "right",
            va="top",
            fontsize=8.5,
            color=style.INK,
        )


def timed(ax: Axes, dated: bool) -> None:
    """Dates below, if they are dates, and short numbers at the left."""
    if dated:
        locator = dates.AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    shorten(ax.yaxis)
    ax.grid(axis="y")
    ax.tick_params(labelfontfamily=FAMILY)
    ax.yaxis.label.set_fontfamily(FAMILY)


def _short(value: float, _: Any = None) -> str:
    """Large numbers in millions, as axes have little room."""
    size = abs(value)
    text = f"{value:g}"
    if size >= 1e6:
        text = f"{value / 1e6:,.12g} M"
    elif size >= 1e4:
        text = f"{value / 1e3:,.12g} k"
    return text.replace("-", "−")


def shorten(axis: Axis) -> None:
    """Large numbers in millions."""
    axis.set_major_formatter(FuncFormatter(_short))


def percent(axis: Axis) -> None:
    """Shares as changes in per cent."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: _change(value)))


def _change(value: float) -> str:
    """A change on an axis, where nothing is 0 % and whole numbers stand without decimals."""
    return "0 %" if abs(value) < NOTHING else change(value).replace(".0 %", " %")


def ranked(
    ax: Axes, names: Sequence[str], rows: pd.DataFrame, colours: Sequence[str] | str = WAS, size: float = 5
) -> None:
    """Estimates with their intervals, one below the other."""
    places = np.arange(len(rows))[::-1]
    ax.axvline(0, color=style.QUIET, linewidth=0.9)
    ax.hlines(places, rows["low"], rows["high"], color=colours, linewidth=1.6)
    ax.scatter(rows["estimate"], places, c=colours, s=size**2, zorder=3)
    ax.set_yticks(places, names, fontfamily=FAMILY)
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")


def effects(ax: Axes, share: bool) -> None:
    """An axis below of relative effects, or of average ones."""
    ax.set_xlabel("effect, share of the counterfactual" if share else "average effect per period")
    if share:
        percent(ax.xaxis)


def is_dated(said: pd.Series) -> bool:
    """Whether a table's words for periods are dates."""
    return bool(said.astype(str).str.match(r"\d{4}-\d\d-\d\d$").all())


def when(said: pd.Series, dated: bool) -> Any:
    """A table's words for periods, as what can be drawn."""
    return pd.to_datetime(said).to_list() if dated else said.astype(int).to_list()
