"""`leave`: what a platform loses when a head creator goes."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toolkit.results import Result
from toolkit.scenarios.assumptions import ARITHMETIC, NEVER, Never, as_series, column, share, text_of
from toolkit.scenarios.creators import inequality
from toolkit.wording import count, percent, unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: How many of the largest are left out in turn.
HEAD = 10


@dataclass(frozen=True, repr=False, eq=False)
class Exit(Result):
    """Sales before and after a creator leaves. Made by `leave`.

    Attributes
    ----------
    table : DataFrame
        `measure` ("sales", "creators", "hhi", "top_share"), `before`, `after`.
    """

    table: pd.DataFrame
    sales: pd.Series
    who: Any
    spillover: float
    drainage: float

    @property
    def loss(self) -> float:
        """What is no longer sold: w (1 - spillover) + drainage (W - w); all of w where nobody is left who sells."""
        return float(_loss(self.sales, self.who, self.spillover, self.drainage))

    @property
    def share_lost(self) -> float:
        """Of all sales."""
        return self.loss / float(self.sales.sum())

    @property
    def hhi_after(self) -> float:
        """Of those who stay; neither spillover nor drainage moves it, for they fall on all in proportion."""
        return float(self.table.set_index("measure").loc["hhi", "after"])

    @property
    def break_even_spillover(self) -> float | Never:
        """The spillover that only makes up for the drainage, so that the loss is the leaver's own sales."""
        own = float(self.sales[self.who])
        needed = self.drainage * (float(self.sales.sum()) - own) / own if own else 0.0
        return needed if needed <= 1 else NEVER

    @property
    def break_even_drainage(self) -> float | Never:
        """The drainage that eats all of the spillover."""
        own, rest = float(self.sales[self.who]), float(self.sales.sum() - self.sales[self.who])
        return own * self.spillover / rest if rest and own * self.spillover <= rest else NEVER

    @property
    def curve(self) -> pd.DataFrame:
        """The share of sales lost for every spillover, at this drainage and at four fixed ones."""
        grid = np.linspace(0, 1, 41)
        total = float(self.sales.sum())
        drains = sorted({0.0, 0.05, 0.1, 0.2, self.drainage})
        lines = {f"drainage {d:g}": [_loss(self.sales, self.who, s, d) / total for s in grid] for d in drains}
        return pd.DataFrame({"spillover": grid, **lines})

    def each(self) -> pd.DataFrame:
        """The same for each of the ten largest: share of sales, share lost, and the index among those who stay."""
        rows = []
        for name in self.sales.sort_values(ascending=False, kind="stable").index[:HEAD]:
            one = leave(self.sales, name, spillover=self.spillover, drainage=self.drainage)
            own = float(self.sales[name] / self.sales.sum())
            rows.append(
                {"creator": name, "share": own, "share_lost": one.share_lost, "hhi_after": one.hhi_after}
            )
        return pd.DataFrame(rows)

    def sentence(self) -> str:
        """What is lost, at which assumptions, and the index before and after."""
        named = self.table.set_index("measure")
        own = float(self.sales[self.who] / self.sales.sum())
        who = text_of(self.who)
        if own == 1:
            return (
                f"{who} makes all of the sales: all are lost, for nobody is left to catch them. {ARITHMETIC}"
            )
        hhi = [f"{value * 10_000:,.0f}" for value in named.loc["hhi", ["before", "after"]]]
        return (
            f"Without {who} ({percent(own)} of sales), at a spillover of {percent(self.spillover)} and a "
            f"drainage of "
            f"{percent(self.drainage)}, {percent(self.share_lost)} of sales are lost: "
            f"{count(named.loc['sales', 'after'])} "
            f"instead of {count(named.loc['sales', 'before'])}; HHI {hhi[0]} before, {hhi[1]} after "
            f"(n = {count(len(self.sales))} creators). {ARITHMETIC}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """The share lost over the spillover, a line for each drainage."""
        from toolkit.scenarios import axes

        frame = self.curve * 100
        ax = axes.curves(
            frame,
            "spillover",
            list(frame.columns[1:]),
            ("spillover: the leaver's sales that others catch, %", "all sales lost, %"),
            title=f"Without {text_of(self.who)}",
            marks=[(100 * self.spillover, 100 * self.share_lost, "chosen")],
            ax=ax,
        )
        # Room above the lines, so that none runs through the legend.
        ax.set_ylim(0, 1.4 * max(float(frame.iloc[:, 1:].to_numpy().max()), 1e-9))
        ax.legend(ncols=2, loc="upper right")
        return ax


def leave(sales: Any, who: Any, *, spillover: float, drainage: float = 0.0) -> Exit:
    """Work out what is lost when one creator leaves.

    Parameters
    ----------
    sales : Series, dict or list of float
        By creator; a list names them 0, 1, 2 and so on.
    who : value
        The creator who leaves, by name.
    spillover : float
        The share of their sales that the others catch, in proportion to their own, 0 to 1. An assumption.
    drainage : float
        The share of the others' sales that is lost with the leaver, 0 to 1. An assumption.

    Returns
    -------
    Exit

    Raises
    ------
    ValueError
        For an unknown name, one that stands twice, a negative amount, or a share outside 0 to 1.

    Notes
    -----
    loss = w (1 - spillover) + drainage (W - w), with w the leaver's sales and W all sales. When two head anchors of
    Taobao Live fell silent others lost too (doi 10.1007/978-3-031-05014-5_23), so that drainage may be above 0.

    Examples
    --------
    >>> leave([425, 130, 90, 80, 75, 60, 50, 40, 30, 20], 0, spillover=0.5, drainage=0.1).loss
    270.0
    """
    given = as_series("sales", sales)
    made = pd.Series(column("sales", given), index=given.index)
    if not isinstance(who, Hashable):
        raise TypeError(f"who={who!r} is no name: give one creator")
    if not made.index.is_unique:
        raise ValueError(
            f"{made.index[made.index.duplicated()][0]!r} stands twice: add up the sales of one creator"
        )
    if who not in made.index:
        raise ValueError(unknown("creator", who, made.index, of="the sales"))
    if not made.sum():
        raise ValueError("nobody sold anything: there is nothing to lose")
    spillover, drainage = share("spillover", spillover), share("drainage", drainage)
    stay = made[made.index != who] if not pd.isna(who) else made[made.index.notna()]
    after = float(made.sum() - _loss(made, who, spillover, drainage))
    known = bool(len(stay) and stay.sum())
    rows = [
        ("sales", float(made.sum()), after),
        ("creators", len(made), len(stay)),
        (
            "hhi",
            _hhi(made),
            _hhi(stay) if known else np.nan,
        ),
        ("top_share", float(made.max() / made.sum()), float(stay.max() / stay.sum()) if known else np.nan),
    ]
    return Exit(pd.DataFrame(rows, columns=["measure", "before", "after"]), made, who, spillover, drainage)


def _hhi(sales: pd.Series) -> float:
    # Of shares of the largest: squares of very large or small amounts are lost.
    return float(inequality.hhi(sales.to_numpy() / sales.max()))


def _loss(sales: pd.Series, who: Any, spillover: float, drainage: float) -> float:
    own, total = float(sales[who]), float(sales.sum())
    if own == total:
        return own
    return own * (1 - spillover) + drainage * (total - own)
