"""`Dates`: a date as a slider through the days that can be meant, and as a field to type it in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets


class Dates:
    """Two controls of one date, each of which follows the other.

    Parameters
    ----------
    name : str
        What the date is.
    options : list of (str, value)
        Dates that can be chosen, in their order, as they are said and as they are.
    place : callable
        The number of the option that a typed value means; a ValueError says why it means none.
    dated : bool
        False where periods are plain numbers.

    Attributes
    ----------
    slider : SelectionSlider
    typed : DatePicker, or IntText where periods are plain numbers
    """

    def __init__(
        self,
        name: str,
        options: Sequence[tuple[str, Any]],
        place: Callable[[Any], int],
        *,
        dated: bool = True,
    ) -> None:
        self._place, self._dated = place, dated
        self.slider = widgets.SelectionSlider(
            options=list(options), description=name, continuous_update=False, layout={"width": "44em"}
        )
        self.typed = (widgets.DatePicker if dated else widgets.IntText)(description="or typed")
        self.typed.layout.width = "22em"

    def place(self) -> int:
        """The number of the option that is chosen; a ValueError where what is typed is none."""
        if self.typed.value is None:
            raise ValueError("no date is given; type one, such as 2019-07-31")
        return self._place(self.typed.value)

    def put(self, place: int) -> None:
        """Choose an option."""
        self.slider.index = place
        self.follow(self.slider)

    def follow(self, moved: widgets.Widget) -> None:
        """Let one control follow the other; a typed date that means nothing stays, and `place` says why."""
        if moved is self.slider:
            chosen = self.slider.value
            self.typed.value = chosen.date() if self._dated else int(chosen)
        elif moved is self.typed:
            try:
                self.slider.index = self.place()
            except ValueError:
                return
