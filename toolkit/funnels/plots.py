"""Figures of a funnel and of a comparison."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, LogLocator

from toolkit import style
from toolkit.wording import count, group_name, percent, percent_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Ticks are drawn late, so their names need the font by name.
FAMILY = style.SETTINGS["font.family"]
#: Bars of a funnel without groups; no platform's colour.
PLAIN = "#4F5D75"
#: What was counted, where only a table of counts is known.
UNITS = {"counts": "those counted"}


def funnel(
    table: pd.DataFrame,
    *,
    names: Sequence[str] = (),
    unit: str = "users",
    level: str = "95 % interval",
    others: bool = False,
    ax: Axes | None = None,
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
    level
        Of the intervals, in words.
    others
        Whether the last group stands for all that are not drawn alone.
    """
    with style.context():
        if len(names) <= 1:
            return _bars(table, names, unit, level, style.axes(ax))
        ax = style.axes(ax, height=max(4.0, 0.25 * len(names) + 1.2))
        return _lines(table, _looks(names, others), level, ax)


def _looks(names: Sequence[str], others: bool) -> dict[str, style.Look]:
    """Looks by name; the last is quiet where it stands for all others."""
    alone = names[:-1] if others else names
    found = {name: look for name, look in style.looks(alone).items() if isinstance(name, str)}
    return found | ({names[-1]: style.Look(style.QUIET, "", names[-1], names[-1])} if others else {})


def _bars(table: pd.DataFrame, names: Sequence[str], unit: str, level: str, ax: Axes) -> Axes:
    places = np.arange(len(table))[::-1]
    reached = table["reached"].to_numpy(float)
    opened = table["open"].fillna(0).to_numpy(float)
    ax.barh(places, reached, height=0.62, color=style.look(names[0]).colour if names else PLAIN)
    # Those still in window have reached this step and may reach the next: part of the bar, not an addition.
    ax.barh(places, opened, left=reached - opened, height=0.62, color="none", edgecolor="white", hatch="////")
    rates = table[["from_previous", "low", "high"]].itertuples(index=False)
    for place, (share, low, high), n, still in zip(places, rates, reached, opened, strict=True):
        lines = [count(n)]
        if share == share:
            lines.append(f"{percent(share)} of the step before ({percent_interval(low, high)})")
        if still:
            lines.append(f"{count(still)} still in window (hatched)")
        ax.annotate(
            "\n".join(lines),
            (n, place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=9 if len(table) <= 6 else 7.5,
        )
    ax.set_yticks(places, [_wrapped(step, 20) for step in table["step"]], fontfamily=FAMILY)
    ax.set_xlim(0, max(1.0, float(reached.max())) * 1.75)
    ax.set_xlabel(f"{UNITS.get(unit, unit)} (in brackets: {level})")
    # The room at the right is for words; there are no counts there.
    ax.set_xticks([tick for tick in ax.get_xticks() if tick <= reached.max() * 1.02])
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
    ax.tick_params(axis="y", length=0)
    return ax


def _lines(table: pd.DataFrame, looks: dict[str, style.Look], level: str, ax: Axes) -> Axes:
    steps = list(dict.fromkeys(table["step"]))
    places = np.arange(len(steps))
    shares, lows, highs = (
        table[name].to_numpy(float).reshape(len(looks), -1)
        for name in ("from_first", "first_low", "first_high")
    )
    # On a logarithmic axis equal slopes are equal rates. A share of 0 stands at its foot, hollow.
    drawn = np.concatenate([shares[shares > 0], lows[lows > 0], highs[shares == 0]])
    foot = 10 ** (np.floor(np.log10(drawn.min(initial=0.9)) * 4) / 4)
    entered = table["reached"].to_numpy(float).reshape(len(looks), -1)[:, 0] > 0
    foot = foot / 1.5 if (shares[entered] == 0).any() else foot
    ax.set_yscale("log")
    ax.set_ylim(foot, 1.15 if foot < 0.25 else 1.03)
    ends = []
    for name, look, share, low, high, known in zip(
        looks, looks.values(), shares, lows, highs, entered, strict=True
    ):
        if not known:
            continue
        height = np.where(share > 0, share, foot)
        ax.plot(places, height, color=look.colour, linewidth=1.8, linestyle="-" if look.marker else "--")
        for at in places:
            face = look.colour if share[at] > 0 else "white"
            ax.plot(
                places[at], height[at], look.marker, color=look.colour, mfc=face, markersize=6, clip_on=False
            )
        ax.vlines(
            places[1:], np.maximum(low[1:], foot), high[1:], color=look.colour, linewidth=3.5, alpha=0.35
        )
        ends.append((height[-1], places[-1], f"{style.drawn(name)} {percent(share[-1])}", look.colour))
    ax.set_xlim(-0.2, len(places) - 0.8)
    _label_ends(ax, ends)
    most = max(6, int(56 / len(steps)))
    ax.set_xticks(places, [_wrapped(step, most) for step in steps], fontfamily=FAMILY)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value, 0 if value >= 0.01 else None)))
    _label_minor_ticks(ax, foot)
    hollow = "; hollow: 0" if (shares[entered] == 0).any() else ""
    ax.set_ylabel(
        f"share of those at {style.drawn(steps[0])}\n(log scale{hollow}; bars: {level})", fontfamily=FAMILY
    )
    ax.grid(axis="y")
    return ax


def _label_minor_ticks(ax: Axes, foot: float) -> None:
    """Name ticks between decades where the axis spans less than two, or it would show one number."""
    wanted = (2, 3, 4, 5, 6, 7, 8, 9) if foot > 0.25 else (2, 5) if foot > 0.01 else ()
    ax.yaxis.set_minor_locator(LogLocator(subs=wanted or (2, 5)))
    shown = FuncFormatter(lambda value, _: percent(value, 0 if value >= 0.01 else None) if wanted else "")
    ax.yaxis.set_minor_formatter(shown)
    ax.tick_params(axis="y", which="minor", labelsize=8, labelcolor=style.QUIET)


def _label_ends(ax: Axes, ends: list[tuple[float, float, str, str]]) -> None:
    """Name each line at its end, pushed apart where ends lie close, and inside the axis."""
    if not ends:
        return
    bottom, top = np.log10(ax.get_ylim())
    least = (top - bottom) * min(0.062, 1 / len(ends))
    ends = sorted(ends)
    heights = list(
        accumulate((np.log10(share) for share, *_ in ends), lambda before, own: max(own, before + least))
    )
    # What was pushed over the top goes down again.
    for at in range(len(heights) - 1, -1, -1):
        heights[at] = min(heights[at], top - (len(heights) - 1 - at) * least)
    for height, (_, place, text, colour) in zip(heights, ends, strict=True):
        ax.annotate(
            text,
            (place, 10**height),
            xytext=(10, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=9.5,
            fontfamily=FAMILY,
            annotation_clip=False,
        )


def comparison(
    table: pd.DataFrame,
    *,
    by: Sequence[str],
    steps: Sequence[str],
    reference: str,
    level: str = "95 % interval",
    title: str = "",
    others: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draw what each step adds to the end-to-end gap from the reference, in points, and the gap.

    Parameters
    ----------
    table
        As `Comparison.table`.
    by
        Columns that name a group.
    steps
        Of the funnel, in order.
    reference, level
        The group compared with, and the level of the intervals, in words.
    title
        What was found.
    others
        Whether the last group stands for all that are not drawn alone.
    """
    whole = "from_first" if len(steps) > 2 else "from_previous"
    gaps = (table["measure"] == "difference") & (table["rate"] == whole)
    parts = table["measure"] == "contribution" if len(steps) > 2 else gaps
    lines = pd.concat([table[parts], table[gaps].assign(step="")]) if len(steps) > 2 else table[gaps]
    rows = [*steps[1:], *([""] if len(steps) > 2 else [])]
    names = [group_name(row) for row in lines[[*by]].itertuples(index=False, name=None)]
    looks = _looks(list(dict.fromkeys(names)), others)
    with style.context():
        ax = style.axes(ax, height=max(4.0, len(rows) * (0.14 * len(looks) + 0.3) + 1.4))
        offsets = (np.arange(len(looks)) - (len(looks) - 1) / 2) * 0.8 / max(len(looks), 1)
        for offset, (name, look) in zip(offsets, looks.items(), strict=True):
            own = lines[[other == name for other in names]]
            places = [len(rows) - 1 - rows.index(step) - offset for step in own["step"]]
            centre, low, high = (own[column].to_numpy(float) * 100 for column in ("estimate", "low", "high"))
            ax.hlines(places, low, high, color=look.colour, linewidth=3.5, alpha=0.35)
            ax.plot(
                centre,
                places,
                look.marker or "|",
                color=look.colour,
                markersize=6,
                label=style.drawn(name),
            )
        ax.axvline(0, color=style.INK, linewidth=1)
        for edge in range(len(rows) - 1):
            ax.axhline(edge + 0.5, color=style.QUIET, linewidth=0.5, linestyle=":")
        ax.set_ylim(-0.5, len(rows) - 0.5)
        ax.tick_params(axis="y", length=0)
        shown = [_wrapped(f"to {row}" if row else "all steps", 20) for row in reversed(rows)]
        ax.set_yticks(range(len(rows)), shown, fontfamily=FAMILY)
        ax.set_xlabel(
            f"points of the rate from {style.drawn(steps[0])} to {style.drawn(steps[-1])}, above (+) or\n"
            f"below (−) {style.drawn(reference)} (bars: {level})",
            fontfamily=FAMILY,
        )
        ax.set_title(_wrapped(title, 70), fontfamily=FAMILY)
        ax.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=9)
        ax.grid(axis="x")
        return ax


def _wrapped(name: str, most: int) -> str:
    """A name as text of a figure in lines of about the same length, of so many half-width characters at most.

    Chinese characters are twice as wide, and may stand at the end of a line.
    """
    text = style.label(name)
    if _width(text) > most:
        even = _width(text) / -(-_width(text) // most)
        most = min(most, int(even * 1.2) + 1)
    lines = [""]
    for part in re.findall(r"[^\s_]+_?|\s+|_", text):
        for piece in [part] if _width(part) <= most else part:
            if _width(lines[-1] + piece.rstrip()) > most and lines[-1]:
                lines.append("")
            lines[-1] += piece
    return "\n".join(line.strip() for line in lines).replace("$", r"\$")


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)
