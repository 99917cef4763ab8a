"""`Panel`: what every panel is: a question, its controls, an answer in large type, a figure, and the line of Python."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar
from weakref import WeakMethod

import ipywidgets as widgets
from IPython import get_ipython

from toolkit.panels.calls import Call
from toolkit.panels.faces import drawn, image, told
from toolkit.results import Result

#: ipywidgets cuts long names; here they wrap, and controls shrink with the window.
LOOKS = """<style>
.what-if .widget-inline-hbox { width: auto; max-width: 100%; height: auto; min-height: 28px; align-items: center }
.what-if .widget-inline-hbox .widget-label {
  width: 11em; flex: none; height: auto; white-space: normal; overflow-wrap: anywhere; line-height: 1.25;
  text-align: right }
.what-if .widget-inline-hbox .widget-readout { width: auto; min-width: 4.2em; text-align: left; overflow: visible }
.what-if .widget-radio { display: flex; flex-direction: row; align-items: baseline; width: auto; max-width: 100% }
.what-if .widget-radio > .widget-label {
  width: 11em; flex: none; white-space: normal; overflow-wrap: anywhere; line-height: 1.25; text-align: right;
  margin-right: 6px }
.what-if .widget-radio-box { flex-wrap: wrap; height: auto; gap: 0 1em; margin: 0 !important; padding: 0 }
.what-if .widget-radio-box label {
  display: inline-flex; flex-direction: row-reverse; justify-content: flex-end; align-items: center;
  width: auto; height: auto; white-space: nowrap }
.what-if .widget-radio-box label input { flex: none }
.what-if .widget-html, .what-if .widget-html-content { width: auto; max-width: 100% }
.what-if .widget-html-content { line-height: 1.4 }
.what-if .widget-html > .widget-label { display: none }
.what-if .widget-textarea { width: auto; max-width: 50em }
.what-if .widget-textarea textarea { height: auto; font-family: monospace; field-sizing: content }
.what-if .widget-checkbox .widget-label-basic { width: auto; height: auto; white-space: normal; overflow: visible }
@media (max-width: 700px) {
  .what-if .widget-inline-hbox, .what-if .widget-radio { flex-wrap: wrap }
  .what-if .widget-inline-hbox > .widget-label, .what-if .widget-radio > .widget-label { width: 100%; text-align: left }
  .what-if .widget-radio-box label { white-space: normal }
  .what-if .widget-hbox, .what-if .widget-checkbox { margin-left: 0 !important }
}
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
