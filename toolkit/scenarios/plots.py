"""Figures of the scenarios."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from toolkit import style
from toolkit.wording import count, percent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

#: Points squared of a mark for a tier of all users.
AREA = 900
#: Inches of a new figure for each tier and around them.
ROW, AROUND = 0.42, 1.2
#: Letters of the label at the left, for each row, before it goes on in a second line.
LETTERS = 7
#: Points from the axes to the title; the key stands between.
PAD = 26
#: Ticks are drawn late, so their names need the font by name.
FAMILY = style.SETTINGS["font.family"]


def steps(
    table: pd.DataFrame, ax: Axes | None = None, *, changed: Sequence[bool], platform: Any, title: str
) -> Axes:
    """Draw counts by step on a log scale: open marks as observed, filled marks at the assumed rates.

    Parameters
    ----------
    table
        A row per step: `step`, `reached`, `would_reach`, `from_previous` and `assumed`.
    changed
        By step, whether its rate is assumed to differ.
    platform
        Whose look it is drawn in.
    """
    look = style.look(platform)
    now, then = table["reached"].tolist(), table["would_reach"].tolist()
    seen = [number for number in (*now, *then) if number > 0]
    # Nobody has no place on a log scale: drawn at the left edge, with its label.
    floor, top = min(seen, default=1) / 2, max(seen, default=1)
    with style.context():
        ax = style.axes(ax)
        ax.set_xscale("log")
        ax.set_xlim(floor, top * (top / floor) ** 0.3)
        for at, (before, after) in enumerate(zip(now, then, strict=True)):
            ends = [max(before, floor), max(after, floor)]
            ax.plot(ends, [at, at], color=look.colour, alpha=0.35, linewidth=5, solid_capstyle="round")
            ax.plot(ends[:1], [at], look.marker, markersize=8, color="white", markeredgecolor=look.colour)
            ax.plot(ends[1:], [at], look.marker, markersize=8, color=look.colour)
            text = count(after) if before == after else f"{count(before)} → {count(after)}"
            ax.annotate(text, (max(ends), at), (10, 0), textcoords="offset points", va="center")
        lines = _steps(table, changed)
        ax.set_yticks(range(len(now)), [style.drawn(line) for line in lines], fontfamily=FAMILY)
        ax.set_ylim(len(now) - 0.5, -0.5)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.grid(axis="x")
        ax.xaxis.set_major_locator(LogLocator(numticks=6))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,g}"))
        ax.set_xlabel("how many reach the step, log scale (%: of the step before)")
        ax.set_title(style.drawn(title))
        return ax


def mixes(
    own: pd.DataFrame,
    reference: pd.DataFrame,
    ax: Axes | None = None,
    *,
    platforms: tuple[str, str],
    question: str,
    level: str,
    title: str,
) -> Axes:
    """Draw two platforms' rates by tier, marks as large as a tier's share: open as observed, filled as assumed.

    Parameters
    ----------
    own, reference
        A row per tier and last one for all tiers: `tier`, `share`, `assumed_share`, `rate`, `low`, `high` and
        `assumed_rate`.
    platforms
        Names of the two.
    question, level
        What the rate is, and the level of its intervals, in words.
    """
    looks = style.looks(platforms)
    look, other = (looks[name] for name in platforms)
    with style.context():
        ax = style.axes(ax, height=max(4.0, ROW * len(own) + AROUND))
        for own_look, rows, lift in ((look, own, -0.06), (other, reference, 0.06)):
            ax.hlines(
                rows.index + lift,
                100 * rows["low"],
                100 * rows["high"],
                color=own_look.colour,
                linewidth=3,
                alpha=0.3,
            )
        _marks(ax, reference, "rate", "share", other)
        _marks(ax, own, "assumed_rate", "assumed_share", look)
        _marks(ax, own, "rate", "share", look, hollow=True)
        ax.axhline(len(own) - 1.5, color=style.QUIET, linewidth=0.8)
        lines = [style.drawn(line) for line in _tiers(own, reference)]
        ax.set_yticks(own.index, lines, fontsize=9, fontfamily=FAMILY)
        ax.set_ylim(len(own) - 0.5, -0.6)
        ax.set_xlim(left=0)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.grid(axis="x")
        ax.set_xlabel(f"{style.drawn(question)}, % (area: share of the tier; bars: observed, {level})")
        first, second = (style.drawn(name) for name in platforms)
        whose = "\n".join(wrap(f"(in brackets: {second})", LETTERS * len(own)))
        ax.set_ylabel(f"share of each tier\n{whose}", fontsize=9, fontfamily=FAMILY)
        # Held at the right, where names that are long may reach over the shares at the left.
        ax.legend(
            handles=_key(look, other, (f"{first} as observed", "as assumed", second)),
            loc="lower right",
            bbox_to_anchor=(1, 1),
            ncols=3,
            borderaxespad=0,
            fontsize=9,
            handletextpad=0.3,
            columnspacing=1.2,
        )
        # A place of its own: the search for one measures every tick.
        ax.set_title(style.drawn(title), pad=PAD, y=1.0)
        return ax


def named(ax: Axes, *, platform: Any, title: str) -> Axes:
    """Put a curve that is drawn into its platform's look, and say whose it is in the title."""
    if platform is not None:
        look = style.look(platform)
        for band in ax.collections:
            band.set_facecolor(look.colour)
        ax.lines[-1].set_color(look.colour)
        ax.lines[-1].set_marker(look.marker)
    with style.context():
        ax.set_title(style.drawn(title))
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


def _tiers(own: pd.DataFrame, reference: pd.DataFrame) -> list[str]:
    lines, tiers = [], own.assign(other=reference["share"])
    for row in tiers.iloc[:-1].itertuples(index=False):
        now, then, other = (f"{100 * share:.0f} %" for share in (row.share, row.assumed_share, row.other))
        lines.append(f"{row.tier}\n{now}{'' if then == now else f' → {then}'} ({other})")
    return [*lines, str(tiers["tier"].iloc[-1])]


def _key(own: style.Look, other: style.Look, names: Sequence[str]) -> list[Line2D]:
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
            label=name,
        )
        for name, look, fill in zip(names, looks, fills, strict=True)
    ]


def _steps(table: pd.DataFrame, changed: Sequence[bool]) -> list[str]:
    lines = []
    for at, row in enumerate(table.itertuples(index=False)):
        now = f"{percent(row.from_previous)} → " if changed[at] else ""
        lines.append(f"{row.step}\n{now}{percent(row.assumed)}" if at else str(row.step))
    return lines
