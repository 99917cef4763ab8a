"""`ExitPanel`: which head creator leaves, and what the others catch or lose, as controls; the loss as the answer."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from toolkit.panels.calls import Call
from toolkit.panels.controls import choice, share
from toolkit.panels.faces import drawn
from toolkit.panels.panel import Panel
from toolkit.scenarios.assumptions import share as checked
from toolkit.scenarios.creators import Exit, leave
from toolkit.scenarios.creators.exits import HEAD
from toolkit.wording import percent, unknown

#: The largest drainage on the slider.
MOST_DRAINAGE: Final = 0.3
MARGINS: Final = {"left": 0.1, "right": 0.97, "top": 0.9, "bottom": 0.14}


class ExitPanel(Panel):
    """Take one of the ten largest creators away, and see how much of all sales is lost.

    Parameters
    ----------
    sales : Series, dict or list of float
        By creator, as for `toolkit.scenarios.creators.leave`.
    who : value, optional
        Who leaves to begin with, one of the ten largest; the largest if not given.
    spillover, drainage : float
        To begin with, 0 to 1. Assumptions: no platform has published either.
    source : str
        What the sales are, such as "Simulated sales": it stands in the figure's title.

    Attributes
    ----------
    who : RadioButtons, or SelectionSlider through many
        The ten largest, with their share of sales.
    spillover, drainage : FloatSlider
    result : Exit

    Raises
    ------
    ValueError
        For a creator who is not one of the ten largest, and what `leave` refuses.

    Examples
    --------
    >>> panel = ExitPanel({"a": 425, "b": 300, "c": 275}, spillover=0.5)
    >>> panel.drainage.value = 0.1
    >>> panel
    ExitPanel: without a, 27.0 % of sales lost, HHI 3,462 before and 5,009 after
    >>> panel.code.value
    "leave(sales, who='a', spillover=0.5, drainage=0.1)"
    """

    question = "What is lost if a head creator leaves?"
    result: Exit

    def __init__(
        self, sales: Any, *, who: Any = None, spillover: float = 0.35, drainage: float = 0.0, source: str = ""
    ) -> None:
        self._sales, self._source = sales, source
        made = sales if isinstance(sales, pd.Series) else pd.Series(sales)
        first = made.index[made.to_numpy(float).argmax()] if who is None and len(made) else who
        # The function checks what the panel is given before anything is read from it.
        largest = leave(sales, first, spillover=spillover, drainage=drainage).each()
        named = dict(zip(largest["creator"], largest["share"], strict=True))
        if first not in named:
            raise ValueError(unknown(f"creator among the {HEAD} largest", first, named))
        self._first = first, checked("spillover", spillover), checked("drainage", drainage)
        options = [(f"{name} ({percent(part)} of sales)", name) for name, part in named.items()]
        self.who = choice("who leaves", options, first)
        self.spillover = share("spillover to others (assumed)")
        self.drainage = share("drainage of others (assumed)", max(MOST_DRAINAGE, drainage), step=0.005)
        super().__init__([self.who, self.spillover, self.drainage])

    def _begin(self) -> None:
        self.who.value, self.spillover.value, self.drainage.value = self._first

    def _call(self) -> Call:
        # A slider adds its steps up in floating point.
        assumed = {"spillover": round(self.spillover.value, 9), "drainage": round(self.drainage.value, 9)}
        return Call(leave, self._sales, "sales", {"who": self.who.value, **assumed})

    def _numbers(self) -> list[tuple[str, str]]:
        before, after = _hhi(self.result)
        even = self.result.break_even_drainage
        numbers = [
            (percent(self.result.share_lost), "of all sales are lost"),
            (f"{before} → {after}", "HHI before and after, of those who stay"),
        ]
        if isinstance(even, str):
            return [*numbers, (even, "does a drainage eat all of the spillover")]
        return [*numbers, (percent(even), "of drainage would eat all of the spillover")]

    def _draw(self) -> tuple[bytes, str]:
        title = f"Without {self.result.who}, {percent(self.result.share_lost)} of sales are lost"
        title = f"{self._source}: {title[0].lower()}{title[1:]}" if self._source else title
        return drawn(self.result, title=title, margins=MARGINS)

    def __repr__(self) -> str:
        before, after = _hhi(self.result)
        lost = percent(self.result.share_lost)
        return f"ExitPanel: without {self.result.who}, {lost} of sales lost, HHI {before} before and {after} after"


def _hhi(answer: Exit) -> tuple[str, str]:
    """Before and after, in points; a dash where nobody is left."""
    values = answer.table.set_index("measure").loc["hhi", ["before", "after"]]
    before, after = ("–" if pd.isna(one) else f"{one * 10_000:,.0f}" for one in values)
    return before, after
