"""What panels are put together from: a rate's slider, numbers in large type, a figure as PNG."""

from __future__ import annotations

import html
import io
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from toolkit import style

if TYPE_CHECKING:
    from toolkit.results import Result


def rate_slider(name: str, seen: Iterable[float], *, width: str = "36em") -> widgets.FloatSlider:
    """A slider from 0 to a round number about twice the highest rate seen; it waits for the hand to rest."""
    wide = min(1.0, 2 * max((rate for rate in seen if not math.isnan(rate)), default=0.0)) or 1.0
    unit = 10.0 ** math.floor(math.log10(wide))
    top = next(unit * lead for lead in (1, 2, 5, 10) if wide <= unit * lead * (1 + 1e-9))
    return widgets.FloatSlider(
        min=0,
        max=top,
        step=top / 200,
        readout_format=".1%" if top > 0.05 else ".2%",
        continuous_update=False,
        description=name,
        style={"description_width": "9em"},
        layout={"width": width},
    )


def told(numbers: Iterable[tuple[str, str]], sentence: str) -> str:
    """Numbers in large type, each with what it is, and a sentence; names are text."""
    blocks = (
        f'<div><div style="font-size: 1.8em; line-height: 1.3">{html.escape(number)}</div>'
        f'<div style="line-height: 1.4">{html.escape(what)}</div></div>'
        for number, what in numbers
    )
    return (
        f'<div style="display: flex; gap: 3em; padding: 0.5em 0">{"".join(blocks)}</div>'
        f'<p style="max-width: 46em; line-height: 1.4; margin: 0 0 0.6em">{html.escape(sentence)}</p>'
    )


def drawn(
    answer: Result, height: float = 4.0, *, title: str = "", margins: Mapping[str, float] | None = None
) -> bytes:
    """An answer's figure as PNG, without touching the session's own figures or style.

    Given margins spare the search for them, which takes as long as the drawing.
    """
    with style.context():
        layout: Any = "none" if margins else None  # matplotlib's own types do not know "none"
        figure = Figure(figsize=(6.4, height), layout=layout)
        if margins:
            figure.subplots_adjust(**margins)
        canvas = FigureCanvasAgg(figure)
        axes = answer.plot(figure.subplots())
        if title:
            # A place of its own: the search for one measures every tick.
            axes.set_title(title.replace("$", r"\$"), y=1.0)
        buffer = io.BytesIO()
        # The same picture as savefig's, which draws twice; little compression, since nobody keeps it.
        canvas.print_png(buffer, pil_kwargs={"compress_level": 1})
    return buffer.getvalue()
