"""Figures of interrupted series: counterfactual, effects, recovery, innovations and checks, from frames and words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib.dates as dates
import numpy as np
import pandas as pd

from toolkit import style
from toolkit.interruptions import axes
from toolkit.interruptions.axes import WAS, WOULD, Mark
from toolkit.wording import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: More series than this cannot be told apart.
MOST_SERIES = 4


def series(
    table: pd.DataFrame,
    names: Sequence[str],
    marks: Sequence[Mark],
    unit: str,
    ax: Axes | None = None,
    *,
    average: str = "",
) -> Axes:
    """Observed, fitted and counterfactual with its band, of one series or several; interruptions are marked.

    `average`: the part of the season of which lines show an average one, such as "weekday".
    """
    if len(names) > MOST_SERIES:
        raise ValueError(
            f"{len(names)} series are too many for one figure; keep {MOST_SERIES} at most, or draw .table"
        )
    with style.context():
        ax = axes.drawn(ax)
        many = len(names) > 1
        groups = table.groupby("series", sort=False) if many else [(names[0], table)]
        since, looks = min(mark.at for mark in marks), style.looks(names)
        for name, rows in groups:
            colour = looks[name].colour if many or name in style.PLATFORMS else WAS
            ax.plot(rows["time"], rows["observed"], ".", color=colour, markersize=3, alpha=0.55)
            ax.plot(rows["time"], rows["fitted"], color=colour, linewidth=1.4)
            after = rows[rows["time"] >= since]
            ax.plot(after["time"], after["counterfactual"], color=WOULD, linewidth=1.4, linestyle=(0, (4, 2)))
            ax.fill_between(after["time"], after["low"], after["high"], color=WOULD, alpha=0.18, linewidth=0)
            said = style.drawn(name) if many else "fitted"
            axes.beside(ax, rows["time"].iloc[-1], rows["fitted"].iloc[-1], said, colour)
        last = table.groupby("series", sort=False).tail(1) if many else table.tail(1)
        axes.beside(ax, last["time"].iloc[0], last["counterfactual"].iloc[0], "without", WOULD)
        axes.marked(marks, ax)
        lines = f"; lines: average {average}" if average else ""
        ax.set_ylabel(f"per {unit}{lines}" if many else f"{style.drawn(names[0])} per {unit}{lines}")
        axes.timed(ax, pd.api.types.is_datetime64_any_dtype(table["time"]))
        band = table.loc[table["time"] >= since, ["counterfactual", "low", "high"]]
        held = np.concatenate([table[["observed", "fitted"]].to_numpy().ravel(), band.to_numpy().ravel()])
        floor, ceiling = held[np.isfinite(held)].min(), held[np.isfinite(held)].max()
        ax.set_ylim(floor - 0.05 * (ceiling - floor), ceiling + 0.22 * (ceiling - floor))
        axes.apart(ax)
        return ax


def effect(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Relative effects with their intervals, or average ones where nothing is relative."""
    with style.context():
        ax = axes.drawn(ax)
        relative = table["estimand"] == "relative"
        share = bool(table.loc[relative, "estimate"].notna().all())
        rows = table[relative if share else table["estimand"] == "average"]
        names = rows["series"] if "series" in rows else rows["interruption"]
        axes.ranked(ax, [style.drawn(name) for name in names], rows)
        axes.effects(ax, share)
        return ax


def net(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Each part and the net, with intervals."""
    with style.context():
        ax = axes.drawn(ax)
        names = (
            table["what"]
            if "series" not in table
            else table["series"].map(style.drawn) + ", " + table["what"]
        )
        axes.ranked(ax, list(names), table)
        ax.set_xlabel("sum over the days")
        axes.shorten(ax.xaxis)
        return ax


def recovery(gaps: pd.DataFrame, margin: float, ax: Axes | None = None) -> Axes:
    """The gap over time with its band, and the margin."""
    with style.context():
        ax = axes.drawn(ax)
        many = "series" in gaps
        looks = style.looks(gaps["series"]) if many else {}
        for name, rows in gaps.groupby("series", sort=False) if many else [(None, gaps)]:
            colour = looks[name].colour if many else WAS
            ax.plot(rows["time"], rows["gap"], color=colour, linewidth=1.4)
            ax.fill_between(rows["time"], rows["low"], rows["high"], color=colour, alpha=0.18, linewidth=0)
            if name is not None:
                axes.beside(ax, rows["time"].iloc[-1], rows["gap"].iloc[-1], style.drawn(name), colour)
        ax.axhline(0, color=style.QUIET, linewidth=0.9)
        ends = gaps["time"].iloc[[0, -1]]
        ax.plot(ends, [-margin, -margin], color=WOULD, linewidth=1.1, linestyle=(0, (4, 2)))
        axes.beside(ax, gaps["time"].iloc[-1], -margin, "margin", WOULD)
        ax.set_ylabel("gap to the counterfactual")
        axes.timed(ax, isinstance(gaps["time"].iloc[0], pd.Timestamp))
        axes.percent(ax.yaxis)
        axes.apart(ax)
        return ax


def innovations(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Innovations over time, in standard deviations."""
    with style.context():
        ax = axes.drawn(ax)
        looks = style.looks(table.columns)
        for name, values in table.items():
            colour = WAS if table.shape[1] == 1 else looks[name].colour
            ax.plot(values.index, values, ".", color=colour, markersize=3.5, label=style.drawn(name))
        ax.axhline(0, color=style.QUIET, linewidth=0.9)
        for side in (-2, 2):
            ax.axhline(side, color=style.QUIET, linewidth=0.8, linestyle=":")
        ax.set_ylabel("innovation, standard deviations")
        axes.timed(ax, isinstance(table.index, pd.DatetimeIndex))
        if 1 < table.shape[1] <= MOST_SERIES:
            ax.legend()
        return ax


def placebo(table: pd.DataFrame, what: str, ax: Axes | None = None) -> Axes:
    """Effects at placebo dates in standard errors, the real one apart."""
    with style.context():
        ax = axes.drawn(ax)
        rows, dated = table[table["kind"] == "placebo"], axes.is_dated(table["date"])
        real = table[table["kind"] == "real"].iloc[0]
        ax.plot(axes.when(rows["date"], dated), rows["t"], ".", color=WAS, markersize=4)
        for side in (-1, 1):
            ax.axhline(side * abs(real["t"]), color=WOULD, linewidth=0.9, linestyle=(0, (4, 2)))
        [at] = axes.when(pd.Series([real["date"]]), dated)
        ax.plot([at], [real["t"]], "o", color=WOULD, markersize=7)
        up = 8 if real["t"] < 0 else -8
        ax.annotate(
            style.drawn(what),
            (at, real["t"]),
            xytext=(0, up),
            textcoords="offset points",
            ha="right",
            va="bottom" if up > 0 else "top",
            color=WOULD,
            fontsize=9,
        )
        ax.axhline(0, color=style.QUIET, linewidth=0.9)
        ax.set_ylabel("effect, standard errors")
        ax.set_xlabel("date to which the interruption is moved")
        axes.timed(ax, dated)
        return ax


def sensitivity(
    table: pd.DataFrame, average: pd.Series, said: str, share: bool, ax: Axes | None = None
) -> Axes:
    """The effect by the date of a bend on each scale, with the band of the scale that was asked; then the summaries.

    Parameters
    ----------
    average
        The model-averaged effect: estimate, low and high.
    said
        What it takes to lose the effect, for the foot.
    """
    with style.context():
        ax = axes.drawn(ax)
        bends, scales = table[table["trend"] == "bend"], list(dict.fromkeys(table["scale"]))
        dated = len(bends) > 0 and axes.is_dated(bends["date"])
        when = pd.Series(axes.when(bends["date"], dated), bends.index)
        numbers = dates.date2num(when) if dated else when.astype(float)  # type: ignore[no-untyped-call]
        places = pd.Series(numbers, bends.index)
        first, last = (places.min(), places.max()) if len(places) > 1 else (0.0, 1.0)
        for scale, colour in zip(scales, (WAS, WOULD), strict=False):
            rows, weight = bends[bends["scale"] == scale], table.loc[table["scale"] == scale, "weight"].sum()
            at = places[rows.index]
            said_weight = percent(weight) if weight >= 0.001 else "< 0.1 %"
            label = f"bent on that date, {scale} scale ({said_weight} of the weight)"
            ax.plot(at, rows["estimate"], ".-", color=colour, linewidth=1.2, markersize=3.5, label=label)
            if scale == scales[0]:
                ax.fill_between(at, rows["low"], rows["high"], color=colour, alpha=0.12, linewidth=0)
        own = table[(table["scale"] == scales[0]) & (table["trend"] != "bend")]
        summaries = [*own[["trend", "estimate", "low", "high"]].to_numpy(), ["averaged", *average]]
        step = 0.06 * (last - first)
        for place, (name, estimate, low, high) in enumerate(summaries, 1):
            x, colour = last + place * step, WOULD if name == "averaged" else WAS
            ax.vlines(x, low, high, color=colour, linewidth=1.8)
            ax.plot([x], [estimate], "o", color=colour, markersize=5)
            ax.annotate(
                name,
                (x, high),
                xytext=(0, 4),
                textcoords="offset points",
                ha="center",
                va="bottom",
                rotation=90,
                color=colour,
                fontsize=8.5,
            )
        ax.axhline(0, color=style.QUIET, linewidth=0.9)
        limits = [0.0, *average, *table.loc[table["scale"] == scales[0], ["low", "high"]].to_numpy().ravel()]
        room = max(limits) - min(limits)
        ax.set_ylim(min(limits) - 0.05 * room, max(limits) + 0.3 * room)
        ax.set_xlim(first - step, last + (len(summaries) + 1) * step)
        axes.timed(ax, dated)
        # Beyond the last date stand the summaries.
        ax.set_xticks([tick for tick in ax.get_xticks() if first <= tick <= last] if len(bends) else [])
        ax.set_xlabel("date on which the trend is bent")
        if said:
            ax.annotate(
                said,
                (0, 0),
                xycoords="axes fraction",
                xytext=(0, -38),
                textcoords="offset points",
                va="top",
                fontsize=8.5,
                color=style.INK,
            )
        ax.set_ylabel("effect, share of the counterfactual" if share else "average effect per period")
        if share:
            axes.percent(ax.yaxis)
        if len(bends):
            ax.legend(loc="upper left", fontsize=8.5)
        return ax


def multiverse(rows: pd.DataFrame, share: bool, ax: Axes | None = None) -> Axes:
    """Estimates with their intervals, smallest first, the choice that was asked for apart."""
    with style.context():
        ax = axes.drawn(ax)
        asked = rows.index[0]
        rows = rows.sort_values("estimate", kind="stable")
        colours = [WOULD if number == asked else WAS for number in rows.index]
        names = rows["errors"] + ", season " + rows["season"] + ", " + rows["window"]
        axes.ranked(ax, list(names), rows, colours, size=4.2)
        for text, colour in zip(ax.get_yticklabels(), colours, strict=True):
            text.set(color=colour, fontsize=min(9, 220 / len(rows)))
        axes.effects(ax, share)
        return ax


def breaks(rows: pd.DataFrame, unit: str, confidence: float, ax: Axes | None = None) -> Axes:
    """F by date; dates that are not ruled out have a dot, the best one its name."""
    with style.context():
        ax = axes.drawn(ax)
        dated = axes.is_dated(rows["date"])
        when = axes.when(rows["date"], dated)
        ax.plot(when, rows["f"], color=WAS, linewidth=1.2)
        inside = rows["inside"].to_numpy()
        ax.scatter(
            [day for day, held in zip(when, inside, strict=True) if held],
            rows.loc[inside, "f"],
            color=WOULD,
            s=16,
            zorder=3,
        )
        best = int(rows["f"].to_numpy().argmax())
        ax.annotate(
            str(rows["date"].iloc[best]),
            (when[best], rows["f"].iloc[best]),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            color=WOULD,
            fontsize=9,
        )
        ax.set_ylim(0, 1.12 * rows["f"].max())
        ax.set_ylabel("F of a break on that date")
        ax.set_xlabel(f"first {unit} after the break; dots: {confidence * 100:g} % confidence set")
        axes.timed(ax, dated)
        return ax


def power(table: pd.DataFrame, unit: str, ratio: bool, ax: Axes | None = None) -> Axes:
    """The smallest rise by the number of periods; a slope as what it adds up to over the periods after."""
    with style.context():
        ax = axes.drawn(ax)
        table = table.assign(all=table["before"] + table["after"])
        names = [name for name in ("slope", "average", "level") if (table["effect"] == name).any()]
        # Without a slope the average is the level.
        names = names if "slope" in names else ["level"]
        for name, marker, colour in zip(names, "s^o", (WOULD, style.QUIET, WAS), strict=False):
            rows = table[table["effect"] == name].sort_values("all")
            values = rows["rise"]
            if name == "slope":
                # On the log scale growth compounds.
                values = (1 + values) ** rows["after"] - 1 if ratio else values * rows["after"]
            even = (rows["before"] == rows["after"]).to_numpy()
            ax.plot(rows["all"][even], values[even], color=colour, linewidth=1.3)
            ax.plot(rows["all"], values, marker, color=colour, markersize=5)
            said = "slope, at the end" if name == "slope" else name
            last = np.flatnonzero(even)[-1] if even.any() else -1
            axes.beside(ax, rows["all"].iloc[last], values.iloc[last], said, colour)
        ax.set_yscale("log")
        low, high = ax.get_ylim()
        # Steps of a power of two, each easy to read.
        steps = 2.0 ** np.arange(np.floor(np.log2(low)), np.ceil(np.log2(high)) + 1)
        steps = np.array([float(f"{step:.1g}") for step in steps])
        ax.set_yticks(steps[(steps >= low) & (steps <= high)])
        ax.minorticks_off()
        ax.set_xlabel(f"{unit}s in all")
        ax.set_ylabel("smallest rise that is found")
        axes.timed(ax, False)
        if ratio:
            axes.percent(ax.yaxis)
        return ax
