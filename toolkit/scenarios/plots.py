"""Figures of the scenarios."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from toolkit import style
from toolkit.results import count, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.scenarios.rates import WhatIf


def rates(answer: WhatIf, ax: Axes | None = None) -> Axes:
    """Draw counts by step on a log scale: open marks as observed, filled marks at the assumed rates."""
    ax = plt.gca() if ax is None else ax
    platform = next((part for part in answer.group if part in style.PLATFORMS), answer.name)
    look = style.look(platform)
    now, then = answer.table["reached"].tolist(), answer.table["would_reach"].tolist()
    seen = [number for number in (*now, *then) if number > 0]
    # Nobody has no place on a log scale: drawn at the left edge, with its label.
    floor, top = min(seen, default=1) / 2, max(seen, default=1)
    ax.set_xscale("log")
    ax.set_xlim(floor, top * (top / floor) ** 0.3)
    for at, (before, after) in enumerate(zip(now, then, strict=True)):
        ends = [max(before, floor), max(after, floor)]
        ax.plot(ends, [at, at], color=look.colour, alpha=0.35, linewidth=5, solid_capstyle="round")
        ax.plot(ends[:1], [at], look.marker, markersize=8, color="white", markeredgecolor=look.colour)
        ax.plot(ends[1:], [at], look.marker, markersize=8, color=look.colour)
        text = count(after) if before == after else f"{count(before)} → {count(after)}"
        ax.annotate(text, (max(ends), at), (10, 0), textcoords="offset points", va="center")
    ax.set_yticks(range(len(now)), [style.drawn(line) for line in _lines(answer)])
    ax.set_ylim(len(now) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")
    ax.xaxis.set_major_locator(LogLocator(numticks=6))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,g}"))
    ax.set_xlabel("how many reach the step, log scale (%: of the step before)")
    ax.set_title(style.drawn(_title(answer)))
    return ax


def _lines(answer: WhatIf) -> list[str]:
    lines = []
    for at, row in enumerate(answer.table.itertuples(index=False)):
        now = f"{percent(row.from_previous)} → " if answer.changed[at] else ""
        lines.append(f"{row.step}\n{now}{percent(row.assumed)}" if at else str(row.step))
    return lines


def _title(answer: WhatIf) -> str:
    more = answer.buyers - answer.buyers_now
    change = f"{count(abs(more))} {'more' if more > 0 else 'fewer'} buyers" if more else "as observed"
    if more and answer.buyers_now:
        change += f" ({100 * more / answer.buyers_now:+,.0f} %)"
    return f"{answer.name}: {change}" if answer.name else change
