"""Figures of a funnel and of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import FuncFormatter

from toolkit import style
from toolkit.funnels.result import name_of
from toolkit.wording import count, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.funnels.comparison import Comparison
    from toolkit.funnels.result import Funnel

#: Ticks are drawn late, so their names need the font by name.
FAMILY = style.SETTINGS["font.family"]
#: Bars of a funnel without groups; no platform's colour.
PLAIN = "#4F5D75"
#: More lines than this cannot be told apart.
MOST_GROUPS = 8


def funnel(result: Funnel, ax: Axes | None = None) -> Axes:
    """Draw a funnel: bars of one group, or a line for each of several."""
    if len(result.counts) > MOST_GROUPS:
        raise ValueError(
            f"{len(result.counts)} groups are too many for one figure; keep {MOST_GROUPS} at most, or draw .table"
        )
    with style.context():
        ax = plt.gca() if ax is None else ax
        return _bars(result, ax) if len(result.counts) == 1 else _lines(result, ax)


def _bars(result: Funnel, ax: Axes) -> Axes:
    table = result.table
    places = np.arange(len(table))[::-1]
    reached = table["reached"].to_numpy(float)
    opened = table["open"].fillna(0).to_numpy(float)
    colour = style.look(result.group_names()[0]).colour if result.by else PLAIN
    ax.barh(places, reached, height=0.62, color=colour)
    # Open users have reached this step and may still reach the next: part of the bar, not an addition.
    ax.barh(places, opened, left=reached - opened, height=0.62, color="none", edgecolor="white", hatch="////")
    for place, row, still in zip(places, table.itertuples(), opened, strict=True):
        text = f" {count(row.reached)}"
        if row.from_previous == row.from_previous and place < len(table) - 1:
            text += f"  ({percent(row.from_previous)} of the step before)"
        if still:
            text += f"\n {count(still)} still open (hatched)"
        ax.annotate(text, (row.reached, place), va="center", fontsize=9)
    ax.set_yticks(places, [style.drawn(step) for step in result.steps], fontfamily=FAMILY)
    ax.set_xlim(0, max(1.0, float(reached.max())) * 1.45)
    ax.set_xlabel("users" if result.unit == "users" else result.unit)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
    ax.tick_params(axis="y", length=0)
    return ax


def _lines(result: Funnel, ax: Axes) -> Axes:
    table, places = result.table, np.arange(len(result.steps))
    looks = style.looks(result.group_names())
    ends = []
    for (name, look), (_, row) in zip(looks.items(), result.counts.iterrows(), strict=True):
        own = table.iloc[[i for i in range(len(table)) if name_of(table.iloc[i], result.by) == name]]
        share = own["from_first"].to_numpy(float)
        # On a logarithmic axis equal slopes are equal rates; a share of nought has no place on it.
        share = np.where(share > 0, share, np.nan)
        low, high = own["first_low"].to_numpy(float), own["first_high"].to_numpy(float)
        ax.plot(places, share, color=look.colour, marker=look.marker, markersize=6, linewidth=1.8)
        ax.vlines(
            places[1:], np.maximum(low[1:], 1e-9), high[1:], color=look.colour, linewidth=3.5, alpha=0.35
        )
        last = np.flatnonzero(~np.isnan(share))
        if len(last) and row["n1"]:
            text = f"{style.drawn(name)} {percent(share[last[-1]])}"
            ends.append((share[last[-1]], places[last[-1]], text, look.colour))
    ax.set_yscale("log")
    ax.set_xlim(-0.2, len(places) - 1 + 0.42 * len(places))
    smallest = min((share for share, *_ in ends), default=0.01)
    ax.set_ylim(10 ** (np.floor(np.log10(smallest) * 2) / 2), 1.15)
    _label_ends(ax, ends)
    ax.set_xticks(places, [style.drawn(step) for step in result.steps], fontfamily=FAMILY)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value, 0 if value >= 0.01 else None)))
    ax.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
    ax.set_ylabel(f"share of those at {style.drawn(result.steps[0])} (log scale)")
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


def comparison(result: Comparison, ax: Axes | None = None) -> Axes:
    """Draw differences from the reference, in points, by step."""
    with style.context():
        return _differences(result, plt.gca() if ax is None else ax)


def _differences(result: Comparison, ax: Axes) -> Axes:
    lines = result.table[
        (result.table["measure"] == "difference") & (result.table["rate"] == "from_previous")
    ]
    names = [name_of(row, result.by) for _, row in lines.iterrows()]
    steps = list(dict.fromkeys(lines["step"]))
    looks = style.looks(names)
    offsets = (np.arange(len(looks)) - (len(looks) - 1) / 2) * 0.8 / max(len(looks), 1)
    for offset, (name, look) in zip(offsets, looks.items(), strict=True):
        own = lines[[other == name for other in names]]
        places = [len(steps) - 1 - steps.index(step) - offset for step in own["step"]]
        centre, low, high = (own[column].to_numpy(float) * 100 for column in ("estimate", "low", "high"))
        ax.hlines(places, low, high, color=look.colour, linewidth=3.5, alpha=0.35)
        ax.plot(centre, places, look.marker, color=look.colour, markersize=6, label=style.drawn(name))
    ax.axvline(0, color=style.INK, linewidth=1)
    for edge in range(len(steps) - 1):
        ax.axhline(edge + 0.5, color=style.QUIET, linewidth=0.5, linestyle=":")
    ax.set_ylim(-0.5, len(steps) - 0.5)
    ax.tick_params(axis="y", length=0)
    ax.set_yticks(range(len(steps)), [style.drawn(step) for step in reversed(steps)], fontfamily=FAMILY)
    ax.set_xlabel(f"points above (+) or below (−) {style.drawn(result.reference)}, rate from the step before")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4, fontsize=9)
    ax.grid(axis="x")
    return ax
