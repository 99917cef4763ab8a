"""Figures of platforms and tiers: a mark and an interval for each estimate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter

from toolkit import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Ticks are drawn late, so their names need the font by name.
FAMILY = style.SETTINGS["font.family"]
#: More rows than this cannot be read, nor more pairs (or platforms).
MOST_ROWS, MOST_GROUPS = 60, 12
#: Inches of a new figure for each row and around them, and the least height.
ROW, AROUND, LEAST = 0.28, 1.2, 4.0


def estimates(
    table: pd.DataFrame,
    ax: Axes | None = None,
    *,
    named: Sequence[str],
    axis: str,
    level: str,
    scale: float = 1,
    null: float | None = 0.0,
) -> Axes:
    """Draw a table's estimates with their intervals from top to bottom, platforms in their colours.

    Parameters
    ----------
    table
        Columns `estimate`, `low`, `high`, and those that name a row.
    named
        Columns that name a row, at the left.
    axis, level
        What is measured, and the level of the intervals, in words.
    scale
        100 for rates and their differences, which are drawn as per cent and points.
    null
        Where a line stands for no difference.
    """
    table, left = _largest(table, named)
    with style.context():
        ax = _axes(len(table), ax)
        names = table["platform"] if "platform" in table else table[named[0]]
        looks = style.looks(names)
        for place, name, row in zip(_rows(table, named, ax), names, table.itertuples(), strict=True):
            look = looks[name]
            if np.isfinite(row.low) and np.isfinite(row.high):
                ax.hlines(
                    place, row.low * scale, row.high * scale, color=look.colour, linewidth=3.5, alpha=0.35
                )
            ax.plot(row.estimate * scale, place, look.marker, color=look.colour, markersize=6)
        if null is not None:
            ax.axvline(null, color=style.INK, linewidth=1)
        against = ""
        if "reference" in table and len(table[["platform", "reference"]].drop_duplicates()) == 1:
            against = f", {style.drawn(names.iloc[0])} against {style.drawn(table['reference'].iloc[0])}"
        ax.set_xlabel(f"{axis}{against} ({level}{left})")
        return ax


def p_values(
    table: pd.DataFrame, ax: Axes | None = None, *, column: str, named: Sequence[str], threshold: float
) -> Axes:
    """Draw p values on a log scale, with the line below which one is called significant."""
    table, left = _largest(table, named)
    with style.context():
        ax = _axes(len(table), ax)
        p = np.maximum(table[column].to_numpy(float), 1e-6)
        looks = style.looks(table["platform"])
        for place, name, value in zip(_rows(table, named, ax), table["platform"], p, strict=True):
            ax.plot(value, place, looks[name].marker, color=looks[name].colour, markersize=6)
        ax.axvline(threshold, color=style.INK, linewidth=1)
        ax.set_xscale("log")
        ax.set_xlim(5e-7, 1.5)
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.set_xlabel(f"{'p value, adjusted' if column == 'p_adjusted' else 'p value'}{left}")
        return ax


def _largest(table: pd.DataFrame, named: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """The rows of the largest pairs (or platforms), as many as can be read; and what is left out, in words."""
    keys = [name for name in ("platform", "reference") if name in named and name in table]
    if keys and "n" in table:
        size = table[["n", *({"n_reference"} & {*table})]].sum(axis=1)
        order = size.groupby([table[key] for key in keys], sort=False).max()
        rows = int(table.groupby(keys, sort=False).size().max())
        most = min(max(MOST_ROWS // rows, 1), MOST_GROUPS)
        if len(order) > most:
            what = "pairs" if len(keys) == 2 else "platforms"
            kept = order.sort_values(ascending=False, kind="stable").index[:most]
            own = table[table.set_index(keys).index.isin(kept)].reset_index(drop=True)
            return own, f"; the largest {most} of {len(order)} {what}"
    if len(table) > MOST_ROWS:
        return table.head(MOST_ROWS), f"; the first {MOST_ROWS} of {len(table)} rows"
    return table, ""


def _axes(rows: int, ax: Axes | None) -> Axes:
    return style.axes(ax, height=max(LEAST, rows * ROW + AROUND))


def _rows(table: pd.DataFrame, named: Sequence[str], ax: Axes) -> np.ndarray:
    """Places of the rows, named at the left; a name that all rows share is left out."""
    told = [name for name in named if table[name].nunique() > 1] or [named[-1]]
    places = np.arange(len(table))[::-1]
    texts = [
        " · ".join(style.drawn(value) for value in row)
        for row in table[told].itertuples(index=False, name=None)
    ]
    ax.set_yticks(places, texts, fontfamily=FAMILY, fontsize=9 if len(table) <= 20 else 6)
    ax.set_ylim(-0.6, len(table) - 0.4)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
    return places
