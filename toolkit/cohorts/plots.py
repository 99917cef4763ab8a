"""Figures of cohorts: heat map, curves, flows, and estimates with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.dates import ConciseDateFormatter
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from toolkit import style
from toolkit.cohorts.groups import each_group
from toolkit.counts import PARTIAL
from toolkit.wording import NULL, count, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FAMILY = style.SETTINGS["font.family"]
#: A single line or bar; no platform's colour.
PLAIN = "#4F5D75"
FLOWS = {"retained": PLAIN, "resurrected": "#8FA3BF", "new": "#7A7A1F", "churned": "#882255"}
#: Cells beyond this are too small for their number.
MOST_CELLS = 14
MOST_GROUPS = 8


def heat(table: pd.DataFrame, period: str, ax: Axes | None = None) -> Axes:
    """Cohorts by period: shade and number are the rate, partial cells are hatched, future ones blank."""
    if not len(table):
        raise ValueError("there is no cohort to draw")
    labels = [str(cohort.date()) if hasattr(cohort, "date") else str(cohort) for cohort in table["cohort"]]
    table = table.assign(label=labels, rate=table["rate"] * 100)
    grid = table.pivot_table("rate", "label", "age", dropna=False, observed=False, sort=False).astype(float)
    partial = table.assign(partial=table["status"] == PARTIAL).pivot_table(
        "partial", "label", "age", sort=False
    )
    ages = table.drop_duplicates("age").sort_values("age")
    grid = grid.reindex(columns=ages["age"].tolist())
    later = grid.drop(columns=0, errors="ignore")
    with style.context():
        ax = style.axes(ax)
        sns.heatmap(
            grid,
            ax=ax,
            mask=grid.isna(),
            cmap="Blues",
            vmin=0,
            # The first period is often 100 % by definition and would leave no shade for the others.
            vmax=max(float(np.nanmax(later)), 1) if later.notna().any(axis=None) else 100,
            annot=grid.shape[0] <= 2 * MOST_CELLS and grid.shape[1] <= MOST_CELLS,
            fmt=".0f",
            annot_kws={"fontsize": 8},
            linewidths=0.5,
            cbar_kws={"label": "came back, % of the cohort"},
        )
        for i, label in enumerate(grid.index):
            for j, age in enumerate(grid.columns):
                if age in partial and partial.loc[label, age] > 0:
                    edge = Rectangle(
                        (j, i), 1, 1, fill=False, hatch="////", edgecolor=style.QUIET, linewidth=0, alpha=0.5
                    )
                    ax.add_patch(edge)
        sizes = table.drop_duplicates("label").set_index("label")["size"]
        names = [f"{style.drawn(label)}  n = {count(sizes[label])}" for label in grid.index]
        step = max(1, len(names) // 25)
        ax.set_yticks(np.arange(0, len(names), step) + 0.5, names[::step], rotation=0, fontfamily=FAMILY)
        ages_said = [
            str(low) if low == high else f"{low}–{high}"
            for low, high in zip(ages["age"], ages["age_to"], strict=True)
        ]
        step = max(1, len(ages_said) // 20)
        ax.set_xticks(np.arange(0, len(ages_said), step) + 0.5, ages_said[::step])
        end = " (hatched: not complete yet)" if (table["status"] == PARTIAL).any() else ""
        ax.set_xlabel(f"{period}s since the first event{end}")
        ax.set_ylabel("")
    return ax


def curve(table: pd.DataFrame, by: Sequence[str], period: str, ax: Axes | None = None) -> Axes:
    """A line with its interval for each group; period 0, mostly 100 % by definition, is left out if there are more."""
    groups = _few(table, by)
    with style.context():
        ax = style.axes(ax)
        for name, colour, marker, own in _looks(groups):
            rows = own[own["n"] > 0]
            rows = rows[rows["age"] > 0] if (rows["age"] > 0).any() else rows
            ax.fill_between(
                rows["age"], rows["low"] * 100, rows["high"] * 100, color=colour, alpha=0.15, linewidth=0
            )
            ax.plot(
                rows["age"], rows["estimate"] * 100, color=colour, marker=marker, markersize=5, label=name
            )
        ax.set_xlabel(f"{period}s since the first event")
        ax.set_ylabel("came back, %")
        ax.set_ylim(bottom=0)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        _legend(ax, groups)
        ax.grid(axis="y")
    return ax


def differences(
    table: pd.DataFrame, by: Sequence[str], period: str, reference: str, title: str, ax: Axes | None = None
) -> Axes:
    """A mark and an interval for each group and period number, in points above or below the reference."""
    groups = _few(table, by)
    with style.context():
        ax = style.axes(ax)
        looks = _looks(groups)
        for place, (name, colour, marker, own) in enumerate(looks):
            own = own[own["p"].notna()]
            # Beside each other, so that no interval hides another.
            at = own["age"].to_numpy(float) + (place - (len(looks) - 1) / 2) * 0.6 / len(looks)
            ax.vlines(at, own["low"] * 100, own["high"] * 100, color=colour, linewidth=3.5, alpha=0.35)
            ax.plot(at, own["estimate"] * 100, marker, color=colour, markersize=5, label=name)
        ax.axhline(0, color=style.INK, linewidth=1)
        ax.set_xlabel(f"{period}s since the first event")
        ax.set_ylabel(
            f"came back: points above (+)\nor below (−) {style.drawn(reference)}", fontfamily=FAMILY
        )
        ax.set_title(style.drawn(title), fontfamily=FAMILY)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(groups) > 1:
            ax.legend(prop={"family": FAMILY}, loc="upper left", bbox_to_anchor=(1, 1))
        ax.grid(axis="y")
    return ax


def time_to_repurchase(table: pd.DataFrame, by: Sequence[str], ax: Axes | None = None) -> Axes:
    """A rising step for each group, with its interval."""
    groups = _few(table, by)
    with style.context():
        ax = style.axes(ax)
        for name, colour, _, own in _looks(groups):
            days = np.concatenate([[0], own["day"]])
            values = {
                key: np.concatenate([[0.0], own[key].to_numpy(float)]) * 100
                for key in ("estimate", "low", "high")
            }
            ax.fill_between(
                days, values["low"], values["high"], step="post", color=colour, alpha=0.15, linewidth=0
            )
            ax.step(days, values["estimate"], where="post", color=colour, label=name)
        ax.set_xlabel("days since the first purchase")
        ax.set_ylabel("bought again, %")
        ax.set_ylim(bottom=0)
        _legend(ax, groups)
        ax.grid(axis="y")
    return ax


def active_users(table: pd.DataFrame, by: Sequence[str], ax: Axes | None = None) -> Axes:
    """Daily, weekly and monthly active users of one group; of several groups the daily ones."""
    groups = _few(table, by)
    with style.context():
        ax = style.axes(ax)
        for name, colour, marker, own in _looks(groups):
            alone = len(groups) == 1
            for what, line in (("dau", "-"), ("wau", "--"), ("mau", ":")) if alone else (("dau", "-"),):
                values = own[what].astype("Float64").to_numpy(float, na_value=np.nan)
                if not np.isnan(values).all():
                    ax.plot(own["day"], values, line, color=colour, label=what.upper() if alone else name,
                            marker=None if alone else marker, markevery=7)  # fmt: skip
        ax.set_ylabel("active users" if len(groups) == 1 else "daily active users")
        ax.set_ylim(bottom=0)
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
        ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator()))  # type: ignore[no-untyped-call]
        ax.legend(prop={"family": FAMILY})
        ax.grid(axis="y")
    return ax


def active_by_hour(table: pd.DataFrame, by: Sequence[str], ax: Axes | None = None) -> Axes:
    """A line for each group over the hours."""
    groups = _few(table, by)
    with style.context():
        ax = style.axes(ax)
        for name, colour, _, own in _looks(groups):
            ax.plot(own["hour"], own["active"], color=colour, linewidth=1.2, label=name)
        ax.set_ylabel("active users in the hour")
        ax.set_ylim(bottom=0)
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
        ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator()))  # type: ignore[no-untyped-call]
        if len(groups) > 1:
            # Above the axes, for the evening of some day reaches every corner.
            ax.legend(prop={"family": FAMILY}, loc="lower left", bbox_to_anchor=(0, 1), ncols=4)
        ax.grid(axis="y")
    return ax


def engagement(table: pd.DataFrame, by: Sequence[str], measure: str, ax: Axes | None = None) -> Axes:
    """Shares with their intervals, a line for each group."""
    groups = _few(table, by)
    with style.context():
        ax = style.axes(ax)
        for name, colour, marker, own in _looks(groups):
            ax.vlines(
                own[measure], own["low"] * 100, own["high"] * 100, color=colour, linewidth=3.5, alpha=0.35
            )
            ax.plot(
                own[measure], own["estimate"] * 100, color=colour, marker=marker, markersize=5, label=name
            )
        opened = measure == "opens"
        ax.set_xlabel(
            "sessions a day (the last: that many and more)"
            if opened
            else "days until the next visit, at most"
        )
        ax.set_ylabel("share of active days, %")
        ax.set_xticks(sorted(table[measure].unique()))
        ax.set_ylim(bottom=0)
        _legend(ax, groups)
        ax.grid(axis="y")
    return ax


def growth(table: pd.DataFrame, period: str, ax: Axes | None = None) -> Axes:
    """Flows as bars above and below zero; several groups are added up."""
    flows = list(FLOWS)
    table = table.groupby("start")[flows].sum(min_count=1).dropna()
    with style.context():
        ax = style.axes(ax)
        places, floor = np.arange(len(table)), np.zeros(len(table))
        for flow in flows:
            values = table[flow].to_numpy(float)
            down = flow == "churned"
            ax.bar(
                places,
                -values if down else values,
                bottom=0 if down else floor,
                color=FLOWS[flow],
                label=flow,
            )
            floor = floor if down else floor + values
        ax.axhline(0, color=style.INK, linewidth=1)
        step = max(1, -(-len(table) // 6))
        ax.set_xticks(places[::step], [str(start.date()) for start in table.index[::step]], fontsize=8)
        ax.set_ylabel(f"users per {period}")
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: count(abs(value))))
        ax.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.1), fontsize=9)
    return ax


def estimates(
    table: pd.DataFrame,
    named: Sequence[str],
    axis: str,
    ax: Axes | None = None,
    *,
    points: bool = False,
    title: str = "",
) -> Axes:
    """A mark and an interval for each row; rows without an estimate are named and left empty."""
    with style.context():
        ax = style.axes(ax)
        names = [" ".join(NULL if pd.isna(row[name]) else style.label(row[name]) for name in named)
                 for _, row in table.iterrows()]  # fmt: skip
        groups = [NULL if pd.isna(name) else name for name in table[named[0]]]
        looks = style.looks(groups)
        colours = [looks[name].colour if len(named) > 1 else PLAIN for name in groups]
        for place, (colour, (_, row)) in enumerate(zip(colours, table.iterrows(), strict=True)):
            y = len(table) - 1 - place
            ax.hlines(y, row["low"] * 100, row["high"] * 100, color=colour, linewidth=4, alpha=0.35)
            ax.plot(row["estimate"] * 100, y, "o", color=colour, markersize=6)
            if pd.isna(row["estimate"]):
                ax.annotate(
                    "unknown", (0.01, y), xycoords=("axes fraction", "data"), color=style.QUIET, va="center"
                )
            else:
                shown = (
                    f"{row['estimate'] * 100:+.1f}".replace("-", "−") if points else percent(row["estimate"])
                )
                ax.annotate(shown, (row["estimate"] * 100, y), xytext=(0, 7), textcoords="offset points", ha="center",
                            fontsize=8)  # fmt: skip
        drawn = [name.replace("$", r"\$") for name in reversed(names)]
        ax.set_yticks(range(len(table)), drawn, fontfamily=FAMILY)
        ax.set_ylim(-0.6, len(table) - 0.4)
        if points:
            ax.axvline(0, color=style.INK, linewidth=1)
        else:
            ax.set_xlim(left=0)
        ax.set_xlabel(axis if points else f"{axis}, %", fontfamily=FAMILY)
        if title:
            ax.set_title(style.drawn(title), fontfamily=FAMILY)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x")
    return ax


def _few(table: pd.DataFrame, by: Sequence[str]) -> list[tuple[str, pd.DataFrame]]:
    groups = list(each_group(table, by))
    if len(groups) > MOST_GROUPS:
        raise ValueError(
            f"{len(groups)} groups are too many for one figure; keep {MOST_GROUPS} at most, or draw .table"
        )
    return groups


def _looks(groups: list[tuple[str, pd.DataFrame]]) -> list[tuple[str, str, str, Any]]:
    if len(groups) == 1 and not groups[0][0]:
        return [("", PLAIN, "o", groups[0][1])]
    looks = style.looks([name for name, _ in groups])
    return [
        (style.drawn(name), look.colour, look.marker, own)
        for (name, own), look in zip(groups, looks.values(), strict=True)
    ]


def _legend(ax: Axes, groups: list[tuple[str, pd.DataFrame]]) -> None:
    if len(groups) > 1:
        ax.legend(prop={"family": FAMILY})
