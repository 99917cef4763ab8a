"""Figures of the scenarios."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from toolkit import style
from toolkit.wording import count, percent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from toolkit.scenarios.mixes import WhatIfMix
    from toolkit.scenarios.rates import WhatIf
    from toolkit.scenarios.returns import WhoReturns

#: Points squared of a mark for a tier of all users.
AREA = 900


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


def mixes(answer: WhatIfMix, ax: Axes | None = None) -> Axes:
    """Draw both platforms' rates by tier, marks as large as the tier's share: open as observed, filled as assumed."""
    ax = plt.gca() if ax is None else ax
    looks = style.looks([answer.platform, answer.reference])
    own, other = looks[answer.platform], looks[answer.reference]
    table, reference = answer.of(answer.platform), answer.of(answer.reference)
    for look, rows, lift in ((own, table, -0.06), (other, reference, 0.06)):
        ax.hlines(
            rows.index + lift,
            100 * rows["low"],
            100 * rows["high"],
            color=look.colour,
            linewidth=3,
            alpha=0.3,
        )
    _marks(ax, reference, "rate", "share", other)
    _marks(ax, table, "assumed_rate", "assumed_share", own)
    _marks(ax, table, "rate", "share", own, hollow=True)
    ax.axhline(len(table) - 1.5, color=style.QUIET, linewidth=0.8)
    ax.set_yticks(table.index, [style.drawn(line) for line in _tiers(answer)], fontsize=9)
    ax.set_ylim(len(table) - 0.5, -0.6)
    ax.set_xlim(left=0)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")
    ax.set_xlabel(
        f"{style.drawn(answer.question)}, % (area: share of the tier; bars: observed, {_level(answer)})"
    )
    ax.legend(handles=_key(own, other), loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0)
    ax.set_title(style.drawn(_gap_title(answer)), pad=26)
    return ax


def _marks(
    ax: Axes, table: pd.DataFrame, rate: str, share: str, look: style.Look, *, hollow: bool = False
) -> None:
    areas = AREA * table[share] + 8
    areas.iloc[-1] = 60  # all tiers: a share of 1 says nothing
    ax.scatter(
        100 * table[rate],
        table.index,
        s=areas,
        marker=look.marker,
        c="none" if hollow else look.colour,
        edgecolors=look.colour,
        linewidths=1.3 if hollow else 0,
        alpha=1 if hollow else 0.75,
        zorder=4 if hollow else 3,
    )


def _tiers(answer: WhatIfMix) -> list[str]:
    lines, reference = [], style.label(answer.reference)
    tiers = answer.of(answer.platform).assign(other=answer.of(answer.reference)["share"])
    for row in tiers.iloc[:-1].itertuples(index=False):
        now, then, other = (f"{100 * share:.0f} %" for share in (row.share, row.assumed_share, row.other))
        lines.append(f"{row.tier}\n{now}{'' if then == now else f' → {then}'} ({reference} {other})")
    return [*lines, str(tiers["tier"].iloc[-1])]


def _key(own: style.Look, other: style.Look) -> list[Line2D]:
    names = (f"{own.label} as observed", f"{own.label} as assumed", other.label)
    looks, fills = (own, own, other), ("none", own.colour, other.colour)
    return [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=look.marker,
            markersize=8,
            color=fill,
            markeredgecolor=look.colour,
            label=style.drawn(name),
        )
        for name, look, fill in zip(names, looks, fills, strict=True)
    ]


def _gap_title(answer: WhatIfMix) -> str:
    from toolkit.wording import points

    mix, rate = (points(part).removesuffix(" points") for part in (answer.mix, answer.rate))
    said = f"gap {points(answer.gap)}, mix {mix} and rate {rate}"
    said = f"{answer.source}: {said}" if answer.source else f"{said[0].upper()}{said[1:]}"
    return f"{said}\n{answer.turn()[0].upper()}{answer.turn()[1:]}" if answer.reverses else said


def _level(answer: WhatIfMix) -> str:
    return f"{answer.confidence * 100:g} % intervals"


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


def returns(answer: WhoReturns, ax: Axes | None = None) -> Axes:
    """Draw the curve in its platform's look, with the definition in the title."""
    ax = answer.cohorts.curve().plot(ax)
    if answer.platform is not None:
        look = style.look(answer.platform)
        for band in ax.collections:
            band.set_facecolor(look.colour)
        ax.lines[-1].set_color(look.colour)
        ax.lines[-1].set_marker(look.marker)
    ax.set_title(style.drawn(answer.name))
    return ax
