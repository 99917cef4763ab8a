"""Controls that keep their whole name, answer when the hand rests, and can be moved by keyboard inside a notebook.

choice   one of several
slider   a rate, with a range that fits the rates seen
fit      that range, set anew
share    a share, up to a given one
stops    a threshold, at round numbers from none up
switch   yes or no
number   an amount
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import ipywidgets as widgets

#: More options than this are no longer taken in at a glance.
MOST = 8


def choice(name: str, options: Iterable[Any], value: Any = None) -> widgets.Widget:
    """A control for one of several: buttons beside each other, or a slider through many.

    JupyterLab keeps the keys that move a dropdown for its own cells. Here Tab reaches each option and space takes it;
    left and right move a slider.
    """
    listed = list(options)
    if len(listed) > MOST:
        control = widgets.SelectionSlider(options=listed, description=name, continuous_update=False)
        control.layout.width = "44em"
    else:
        control = widgets.RadioButtons(options=listed, description=name, orientation="horizontal")
    control.index = 0
    if value is not None:
        control.value = value
    return control


def slider(name: str, seen: Iterable[float]) -> widgets.FloatSlider:
    """A control for a rate that waits for the hand to rest, with a range that fits the rates seen."""
    control = widgets.FloatSlider(min=0, max=1, continuous_update=False, description=name)
    control.layout.width = "36em"
    fit(control, seen)
    return control


def fit(control: widgets.FloatSlider, seen: Iterable[float]) -> None:
    """Let a slider run from 0 to a round number about twice the highest rate seen."""
    wide = min(1.0, 2 * max((rate for rate in seen if not math.isnan(rate)), default=0.0)) or 1.0
    unit = 10.0 ** math.floor(math.log10(wide))
    # The exponent of 0.01 to 0.1 is not a whole number in floating point: rounded, no digit of noise is left.
    top = next(
        round(unit * lead, 12) for lead in (1, 2, 3, 4, 5, 6, 8, 10) if wide <= unit * lead * (1 + 1e-9)
    )
    control.max = top
    control.step = top / 200
    control.readout_format = ".1%" if top > 0.05 else ".2%"


def number(name: str, least: float = 0, most: float = 1e12) -> widgets.BoundedFloatText:
    """A control for an amount that answers when the number is complete."""
    box = widgets.BoundedFloatText(min=least, max=most, description=name, continuous_update=False)
    box.layout.width = "22em"
    return box


def share(name: str, most: float = 1.0, *, step: float = 0.01) -> widgets.FloatSlider:
    """A control for a share from 0 to `most` that waits for the hand to rest."""
    control = widgets.FloatSlider(min=0, max=most, step=step, continuous_update=False, description=name)
    control.layout.width = "36em"
    control.readout_format = ".0%" if step >= 0.01 else ".1%"
    return control


def stops(name: str, values: Iterable[float]) -> widgets.SelectionSlider:
    """A control for a threshold: 0, which asks nothing, then the values given in their order of size."""
    options = [("not asked", 0), *((f"{value:,g}", value) for value in sorted(set(values)) if value)]
    control = widgets.SelectionSlider(options=options, description=name, continuous_update=False)
    control.layout.width = "36em"
    return control


def switch(name: str) -> widgets.Checkbox:
    """A control for yes or no."""
    return widgets.Checkbox(description=name, indent=False, layout={"width": "auto", "margin": "0 1em 0 0"})
