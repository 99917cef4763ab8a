"""Figures of a funnel and of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter

from toolkit import style
from toolkit.wording import count, group_name, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Ticks are drawn late, so their names need the font by name.
FAMILY = style.SETTINGS["font.family"]
#: Bars of a funnel without groups; no platform's colour.
PLAIN = "#4F5D75"
#: More lines than this cannot be told apart.
MOST_GROUPS = 8


def funnel(
    table: pd.DataFrame, *, names: Sequence[str] = (), unit: str = "users", ax: Axes | None = None
) -> Axes:
    """Draw a funnel: bars of one group, or a line for each of several.

    Parameters
    ----------
    table
        As `Funnel.table`: the rows of each group together, steps in order.
    names
        Of the groups, in order; none for a funnel without groups.
    unit
        What was counted, in words.
    """
    if len(names) > MOST_GROUPS:
        raise ValueError(
            f"{len(names)} groups are too many for one figure; keep {MOST_GROUPS} at most, or draw .table"
        )
    with style.context():
        ax = style.axes(ax)
        return _lines(table, names, ax) if len(names) > 1 else _bars(table, names, unit, ax)


def _bars(table: pd.DataFrame, names: Sequence[str], unit: str, ax: Axes) -> Axes:
    places = np.arange(len(table))[::-1]
    reached = table["reached"].to_numpy(float)
    opened = table["open"].fillna(0).to_numpy(float)
    ax.barh(places, reached, height=0.62, color=style.look(names[0]).colour if names else PLAIN)
    # Those still in window have reached this step and may reach the next: part of the bar, not an addition.
    ax.barh(places, opened, left=reached - opened, height=0.62, color="none", edgecolor="white", hatch="////")
    for place, share, n, still in zip(places, table["from_previous"], reached, opened, strict=True):
        text = f" {count(n)}"
        if share == share and place < len(table) - 1:
            text += f"  ({percent(share)} of the step before)"
        if still:
            text += f"\n {count(still)} still in window (hatched)"
        ax.annotate(text, (n, place), va="center", fontsize=9)
    ax.set_yticks(places, [style.drawn(step) for step in table["step"]], fontfamily=FAMILY)
    ax.set_xlim(0, max(1.0, float(reached.max())) * 1.45)
    ax.set_xlabel(unit)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
    ax.tick_params(axis="y", length=0)
    return ax


def _lines(table: pd.DataFrame, names: Sequence[str], ax: Axes) -> Axes:
    steps = list(dict.fromkeys(table["step"]))
    places = np.arange(len(steps))
    ends = []
    for at, (name, look) in enumerate(style.looks(names).items()):
        own = table.iloc[at * len(steps) : (at + 1) * len(steps)]
        share = own["from_first"].to_numpy(float)
        # On a logarithmic axis equal slopes are equal rates; a share of nought has no place on it.
        share = np.where(share > 0, share, np.nan)
        low, high = own["first_low"].to_numpy(float), own["first_high"].to_numpy(float)
        ax.plot(places, share, color=look.colour, marker=look.marker, markersize=6, linewidth=1.8)
        ax.vlines(
            places[1:], np.maximum(low[1:], 1e-9), high[1:], color=look.colour, linewidth=3.5, alpha=0.35
        )
        last = np.flatnonzero(~np.isnan(share))
        if len(last) and own["reached"].iloc[0]:
            text = f"{style.drawn(name, english=True)} {percent(share[last[-1]])}"
            ends.append((share[last[-1]], places[last[-1]], text, look.colour))
    ax.set_yscale("log")
    ax.set_xlim(-0.2, len(places) - 1 + 0.52 * len(places))
    smallest = min((share for share, *_ in ends), default=0.01)
    ax.set_ylim(10 ** (np.floor(np.log10(smallest) * 2) / 2), 1.15)
    _label_ends(ax, ends)
    ax.set_xticks(places, [style.drawn(step) for step in steps], fontfamily=FAMILY)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value, 0 if value >= 0.01 else None)))
    ax.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
    ax.set_ylabel(f"share of those at {style.drawn(steps[0])} (log scale)")
    ax.grid(axis="y")
    return ax


def _label_ends(ax: Axes, ends: list[tuple[float, float, str, str]]) -> None:
    """Name each line at its end, pushed apart where ends lie close."""
    bottom, top = np.log10(ax.get_ylim())
    least = (top - bottom) * 0.062
    previous = -np.inf
    for share, place, text, colour in sorted(ends):
        height = max(np.log10(share), previous + least)
        previous = height
        ax.annotate(
            text,
            (place, 10**height),
            xytext=(9, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=9.5,
        )


def comparison(table: pd.DataFrame, *, by: Sequence[str], reference: str, ax: Axes | None = None) -> Axes:
    """Draw differences from the reference, in points, by step; a table as `Comparison.table`."""
    with style.context():
        return _differences(table, by, reference, style.axes(ax))


def _differences(table: pd.DataFrame, by: Sequence[str], reference: str, ax: Axes) -> Axes:
    lines = table[(table["measure"] == "difference") & (table["rate"] == "from_previous")]
    names = [group_name(row) for row in lines[[*by]].itertuples(index=False, name=None)]
    steps = list(dict.fromkeys(lines["step"]))
    looks = style.looks(names)
    offsets = (np.arange(len(looks)) - (len(looks) - 1) / 2) * 0.8 / max(len(looks), 1)
    for offset, (name, look) in zip(offsets, looks.items(), strict=True):
        own = lines[[other == name for other in names]]
        places = [len(steps) - 1 - steps.index(step) - offset for step in own["step"]]
        centre, low, high = (own[column].to_numpy(float) * 100 for column in ("estimate", "low", "high"))
        ax.hlines(places, low, high, color=look.colour, linewidth=3.5, alpha=0.35)
        ax.plot(centre, places, look.marker, color=look.colour, markersize=6, label=style.drawn(name, english=True))
    ax.axvline(0, color=style.INK, linewidth=1)
    for edge in range(len(steps) - 1):
        ax.axhline(edge + 0.5, color=style.QUIET, linewidth=0.5, linestyle=":")
    ax.set_ylim(-0.5, len(steps) - 0.5)
    ax.tick_params(axis="y", length=0)
    ax.set_yticks(range(len(steps)), [style.drawn(step) for step in reversed(steps)], fontfamily=FAMILY)
    ax.set_xlabel(f"points above (+) or below (−) {style.drawn(reference, english=True)}, rate from the step before")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4, fontsize=9)
    ax.grid(axis="x")
    return ax
