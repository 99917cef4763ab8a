"""What a reader sees of an answer: numbers in large type, and a figure that is as wide as the window lets it.

told    numbers with what they are, and a sentence
image   a PNG as HTML, with a text for those who do not see it
drawn   the figure of a result as PNG
painted any figure as PNG
wide    how wide lines of text are drawn
png     pixels as PNG
"""

from __future__ import annotations

import base64
import html
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from toolkit import style
from toolkit.results import Result

#: Inches; dots an inch, twice those of other figures, so that a wide window shows them sharp; pixels at most, and
#: at least: a narrower window scrolls the figure.
WIDTH, HEIGHT, DOTS, WIDEST, NARROWEST = 6.4, 4.0, 200, 800, 400


def told(numbers: Iterable[tuple[str, str]], sentence: str) -> str:
    """Numbers in large type, each with what it is, and a sentence; names are text."""
    blocks = (
        f'<div style="max-width: 27em"><div style="font-size: 1.8em; line-height: 1.3">{html.escape(number)}</div>'
        f"<div>{html.escape(what)}</div></div>"
        for number, what in numbers
    )
    return (
        '<div role="status"><div style="display: flex; flex-wrap: wrap; gap: 0.5em 2.5em; padding: 0.5em 0">'
        f'{"".join(blocks)}</div><p style="max-width: 50em; margin: 0 0 0.6em">{html.escape(sentence)}</p></div>'
    )


def image(picture: bytes, text: str) -> str:
    """A PNG as HTML as wide as the window lets it, with a text for those who do not see it."""
    wide, high = (int.from_bytes(picture[at : at + 4]) * 100 // DOTS for at in (16, 20))
    data = base64.b64encode(picture).decode("ascii")
    return (
        f'<div style="overflow-x: auto"><img alt="{html.escape(text)}" width="{wide}" height="{high}" decoding="sync" '
        f'style="width: 100%; min-width: {NARROWEST}px; max-width: {WIDEST}px; height: auto" '
        f'src="data:image/png;base64,{data}"></div>'
    )


def drawn(
    answer: Result,
    height: float = HEIGHT,
    *,
    title: str = "",
    margins: Mapping[str, float] | None = None,
    finish: Callable[[Axes], None] | None = None,
) -> tuple[bytes, str]:
    """An answer's figure as PNG and its title, without touching the session's own figures or style.

    Given margins spare the search for them, which takes as long as the drawing.
    """

    def paint(figure: Figure) -> Axes:
        axes = answer.plot(figure.subplots())
        if title:
            # A place of its own: the search for one measures every tick.
            axes.set_title(title.replace("$", r"\$"), y=1.0)
        if finish is not None:
            finish(axes)
        return axes

    return painted(paint, height, margins=margins)


def painted(
    paint: Callable[[Figure], Axes], height: float = HEIGHT, *, margins: Mapping[str, float] | None = None
) -> tuple[bytes, str]:
    """A figure as PNG and the title of the axes that `paint` gives back; the session's own stay as they are."""
    with style.context():
        layout: Any = "none" if margins else None  # matplotlib's own types do not know "none"
        figure = Figure(figsize=(WIDTH, height), dpi=DOTS, layout=layout)
        if margins:
            figure.subplots_adjust(**margins)
        canvas = FigureCanvasAgg(figure)
        axes = paint(figure)
        canvas.draw()  # type: ignore[no-untyped-call]
        title = axes.get_title(loc="left").replace(r"\$", "$")
        return png(np.asarray(canvas.buffer_rgba())[..., :3]), title  # type: ignore[no-untyped-call]


def wide(lines: Iterable[str], size: float) -> float:
    """Inches of the widest of some lines, for margins that are known before the drawing; within `style.context`.

    Parameters
    ----------
    lines
        Text of a figure, as `style.drawn` gives it; each may hold several lines.
    size
        Points of the font.
    """
    font = FontProperties(family=style.SETTINGS["font.family"], size=size)
    plain = (one.replace(r"\$", "$") for line in lines for one in line.split("\n"))
    widths = [_ruler().get_text_width_height_descent(one, font, False)[0] for one in plain]
    return float(max(widths, default=0)) / DOTS


@cache
def _ruler() -> Any:  # matplotlib's own types know no signature of its methods
    """What measures text, in dots, as it is drawn: at fewer, letters are narrower by a hair."""
    return RendererAgg(1, 1, DOTS)  # type: ignore[no-untyped-call]


def png(pixels: np.ndarray) -> bytes:
    """Pixels, high x wide x red, green and blue, as a PNG.

    Pillow weighs five filters for every line of pixels, which takes as long as drawing the axes. Here each line is
    its difference from the one above, and lightly compressed, since nobody keeps the picture.
    """
    high, wide, colours = pixels.shape
    lines = np.ascontiguousarray(pixels).reshape(high, wide * colours)
    filtered = np.full((high, 1 + wide * colours), 2, np.uint8)  # 2: the filter "up"
    filtered[0, 1:] = lines[0]
    np.subtract(lines[1:], lines[:-1], out=filtered[1:, 1:])
    head = struct.pack(">IIBBBBB", wide, high, 8, 2, 0, 0, 0)  # 8 bits a colour, no transparency
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(filtered.data, 1)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
