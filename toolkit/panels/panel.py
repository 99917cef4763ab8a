"""`Panel`: what every panel is: a question, its controls, an answer in large type, a figure, and the line of Python.

Panel    the base class: a subclass says what its controls are and which call they make
Call     a function with its arguments: gives the result, and the line of Python that gives it again
choice   a control for one of several
slider   a control for a rate, with a range that fits the rates seen
number   a control for an amount
"""

from __future__ import annotations

import base64
import html
import inspect
import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date
from typing import Any, ClassVar
from weakref import WeakMethod

import ipywidgets as widgets
import numpy as np
import pandas as pd
from IPython import get_ipython
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from toolkit import style
from toolkit.results import Result

#: Inches; dots an inch, twice those of other figures, so that a wide window shows them sharp; pixels at most.
WIDTH, HEIGHT, DOTS, WIDEST = 6.4, 4.0, 200, 800
#: More options than this are no longer taken in at a glance.
MOST = 8
#: ipywidgets cuts long names; here they wrap, and controls shrink with the window.
LOOKS = """<style>
.what-if .widget-inline-hbox { width: auto; max-width: 100%; height: auto; min-height: 28px; align-items: center }
.what-if .widget-inline-hbox .widget-label {
  width: 11em; flex: none; height: auto; white-space: normal; overflow-wrap: anywhere; line-height: 1.25;
  text-align: right }
.what-if .widget-inline-hbox .widget-readout { width: auto; min-width: 4.2em; text-align: left; overflow: visible }
.what-if .widget-radio { display: flex; flex-direction: row; align-items: baseline; width: auto; max-width: 100% }
.what-if .widget-radio > .widget-label {
  width: 11em; flex: none; white-space: normal; overflow-wrap: anywhere; line-height: 1.25; text-align: right }
.what-if .widget-radio-box { flex-wrap: wrap; height: auto; gap: 0 1em; margin: 0; padding: 0 }
.what-if .widget-radio-box label { width: auto; white-space: nowrap }
.what-if .widget-html, .what-if .widget-html-content { width: auto; max-width: 100% }
.what-if .widget-html-content { line-height: 1.4 }
.what-if .widget-html > .widget-label { display: none }
.what-if .widget-textarea { width: auto; max-width: 50em }
.what-if .widget-textarea textarea { height: auto; font-family: monospace; field-sizing: content }
</style>"""


class Panel(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A question that is answered anew whenever a control moves.

    A subclass names its `question`, hands its controls to `__init__`, and says in `_call` which function they
    ask, in `_numbers` and `_caveat` what of its result a reader sees, and in `_begin` where controls start. `_follow`
    moves other controls after one was moved.

    Attributes
    ----------
    controls : tuple of Widget
        Everything that can be set, in the order in which Tab reaches it.
    reset : Button
        Back to where the panel started.
    warning : HTML
        Why a setting cannot be used; the last answer then stays. Empty otherwise.
    answer : HTML
        Numbers in large type, and the sentence with their caveat.
    figure : HTML
        The result's figure as an image, with a text for those who do not see it.
    code : Textarea
        One line of Python that gives `result` again; what the panel was given goes by its parameter's name.
    result : Result
        The same answer as plain data.

    Notes
    -----
    The kernel keeps every widget that was opened until it is closed. A panel that was never shown frees its controls
    when the last name for it is gone. One that was shown stays until `close`, or until its cell runs again.
    """

    question: ClassVar[str]
    result: Result

    def __init__(self, rows: Sequence[widgets.Widget]) -> None:
        self._quiet = self._on_screen = False
        self.reset = widgets.Button(description="reset", tooltip="put every control back")
        self.warning, self.answer, self.figure = (widgets.HTML() for _ in range(3))
        self.code = widgets.Textarea(description="in Python", disabled=True, rows=2)
        heading = widgets.HTML(f'{LOOKS}<h3 style="margin: 0.2em 0">{html.escape(self._heading())}</h3>')
        parts = [heading, *rows, self.reset, self.warning, self.answer, self.figure, self.code]
        super().__init__(parts)
        self.add_class("what-if")
        self.controls = tuple(one for row in rows for one in _within(row) if _settable(one))
        for control in self.controls:
            control.observe(_weakly(self._moved), "value")
        self.reset.on_click(_weakly(self._start_again))
        self._start_again()

    def _heading(self) -> str:
        return self.question

    def _call(self) -> Call:
        """The call that the controls stand for; a ValueError says why they stand for none."""
        raise NotImplementedError

    def _begin(self) -> None:
        """Put the controls where they started."""
        raise NotImplementedError

    def _follow(self, moved: widgets.Widget) -> None:
        """Move other controls after one."""

    def _take(self, result: Any) -> None:
        """Keep a result; an answer that needs more than the call works it out here first."""
        self.result = result

    def _numbers(self) -> list[tuple[str, str]]:
        """Numbers for large type, each with what it is."""
        raise NotImplementedError

    def _caveat(self) -> str:
        """What must be read with the numbers."""
        return self.result.sentence()

    def _draw(self) -> tuple[bytes, str]:
        """The figure as PNG, and its title."""
        return drawn(self.result)

    def _start_again(self, _: object = None) -> None:
        with self._quietly():
            self._begin()
        self._update()

    def _moved(self, change: Any) -> None:
        if self._quiet:
            return
        with self._quietly():
            self._follow(change["owner"])
        self._update()

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """Move controls without an answer to each."""
        self._quiet = True
        try:
            yield
        finally:
            self._quiet = False

    def _update(self) -> None:
        try:
            call = self._call()
            self._take(call.result())
        except ValueError as error:
            if not hasattr(self, "result"):
                raise
            text = html.escape(f"{error}. Below stands the last answer.")
            self._warn(f'<p role="alert" style="border-left: 4px solid; padding-left: 0.6em">{text}</p>')
            return
        self._warn("")
        self.code.value = call.code()
        self.code.rows = 1 + len(self.code.value) // 48
        numbers = self._numbers()
        self.answer.value = told(numbers, self._caveat())
        picture, title = self._draw()
        said = ". ".join([title.replace("\n", ", "), *(f"{what}: {number}" for number, what in numbers)])
        self.figure.value = image(picture, f"Figure: {said}")

    def _warn(self, text: str) -> None:
        self.warning.value, self.warning.layout.display = text, "" if text else "none"

    def open(self) -> None:
        """Open the panel to the front end once it is shown; until then the kernel knows nothing of it."""
        if self._on_screen:
            super().open()

    @property
    def model_id(self) -> str:
        """The name by which the front end knows the panel, which opens it."""
        self._on_screen = True
        self.open()
        return str(super().model_id)

    def close(self) -> None:
        """Close the panel and everything in it."""
        for one in _within(self):
            if one is not self:
                one.close()
        super().close()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        _ = self.model_id
        _replace(self)
        return super()._repr_mimebundle_(**options)


@dataclass(frozen=True)
class Call:
    """A function, the data it is asked about, and its arguments.

    Attributes
    ----------
    name
        What `data` are called in the line of Python.
    written
        Arguments that the line of Python says otherwise than they are handed over, such as a calendar by its names.
    """

    function: Callable[..., Any]
    data: Any
    name: str
    arguments: Mapping[str, Any]
    written: Mapping[str, Any] = field(default_factory=dict)

    def result(self) -> Any:
        """Ask."""
        return self.function(self.data, **self.arguments)

    def code(self) -> str:
        """The line of Python that asks the same, without the options that are at their default.

        Examples
        --------
        >>> Call(sorted, [1, 3, 2], "numbers", {"reverse": True}).code()
        'sorted(numbers, reverse=True)'
        """
        defaults = {one.name: one.default for one in inspect.signature(self.function).parameters.values()}
        given = [self.name]
        for name, value in {**self.arguments, **self.written}.items():
            if not _same(value, defaults.get(name, inspect.Parameter.empty)):
                given.append(f"{name}={_literal(value, name)}")
        return f"{self.function.__name__}({', '.join(given)})"


def _same(value: Any, default: Any) -> bool:
    plain = (str, int, float, tuple, list, dict)
    return value is default or (
        isinstance(value, plain) and type(value) is type(default) and value == default
    )


def _literal(value: Any, name: str) -> str:
    """A value as Python; what cannot be written in a line goes by its name."""
    try:
        return _python(value)
    except TypeError:
        return name


def _python(value: Any) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return f"float('{value}')"
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    if isinstance(value, date | pd.Period):
        stamp = value.start_time if isinstance(value, pd.Period) else pd.Timestamp(value)
        return repr(str(stamp.date() if stamp == stamp.normalize() and stamp.tz is None else stamp))
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_python(key)}: {_python(one)}' for key, one in value.items())}}}"
    if isinstance(value, list | tuple):
        inside = ", ".join(map(_python, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' * (len(value) == 1)})"
    if is_dataclass(value) and not isinstance(value, type):
        own = [(one.name, getattr(value, one.name), one.default) for one in fields(value) if one.init]
        inside = ", ".join(f"{name}={_python(one)}" for name, one, default in own if not _same(one, default))
        return f"{type(value).__name__}({inside})"
    raise TypeError(f"{type(value).__name__} is not written in a line")


def _within(widget: widgets.Widget) -> Iterator[widgets.Widget]:
    """A widget and all that belong to it: children, layouts and styles."""
    for name in ("children", "layout", "style"):
        inner = getattr(widget, name, ())
        for one in inner if isinstance(inner, tuple) else (inner,):
            if isinstance(one, widgets.Widget):
                yield from _within(one)
    yield widget


def _settable(widget: widgets.Widget) -> bool:
    return widget.has_trait("value") and not isinstance(widget, widgets.HTML)


def _weakly(method: Callable[..., None]) -> Callable[..., None]:
    """A callback that does not keep its panel alive."""
    known = WeakMethod(method)

    def call(*given: Any) -> None:
        bound = known()
        if bound is not None:
            bound(*given)

    return call


#: Panels on the screen, by notebook cell, with the run of the cell that showed them.
_ON_SCREEN: dict[str, tuple[str, list[Panel]]] = {}


def _replace(panel: Panel) -> None:
    """Close what an earlier run of the same cell showed: JupyterLab takes it off the screen and does not say so."""
    shell = get_ipython()
    parent: dict[str, Any] = getattr(shell, "get_parent", dict)()
    cell = parent.get("metadata", {}).get("cellId")
    if cell is None:
        return
    run = parent["header"]["msg_id"]
    before, shown = _ON_SCREEN.get(cell, ("", []))
    if before != run:
        _ON_SCREEN[cell] = (run, [panel])
        kept = {id(one) for _, now in _ON_SCREEN.values() for one in now}
        for old in shown:
            if id(old) not in kept:
                old.close()
    else:
        shown.append(panel)


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
        f'<img alt="{html.escape(text)}" width="{wide}" height="{high}" decoding="sync" '
        f'style="width: 100%; max-width: {WIDEST}px; height: auto" src="data:image/png;base64,{data}">'
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
    with style.context():
        layout: Any = "none" if margins else None  # matplotlib's own types do not know "none"
        figure = Figure(figsize=(WIDTH, height), dpi=DOTS, layout=layout)
        if margins:
            figure.subplots_adjust(**margins)
        canvas = FigureCanvasAgg(figure)
        axes = answer.plot(figure.subplots())
        if title:
            # A place of its own: the search for one measures every tick.
            axes.set_title(title.replace("$", r"\$"), y=1.0)
        if finish is not None:
            finish(axes)
        buffer = io.BytesIO()
        # The same picture as savefig's, which draws twice; little compression, since nobody keeps it.
        canvas.print_png(buffer, pil_kwargs={"compress_level": 1})  # type: ignore[no-untyped-call]
        return buffer.getvalue(), axes.get_title(loc="left").replace(r"\$", "$")
