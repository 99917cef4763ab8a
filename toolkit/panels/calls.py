"""`Call`: a function with its arguments, which gives a panel's result, and the line of Python that gives it again.

python   a plain value as the line of Python writes it
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Call:
    """A function, the data it is asked about, and its arguments.

    Attributes
    ----------
    name
        What `data` are called in the line of Python.
    written
        Arguments that the line of Python says otherwise than they are handed over, such as a calendar by its names.
    kept
        A shorter way to the same result, from what the panel keeps.
    """

    function: Callable[..., Any]
    data: Any
    name: str
    arguments: Mapping[str, Any]
    written: Mapping[str, Any] = field(default_factory=dict)
    kept: Callable[[], Any] | None = None

    def result(self) -> Any:
        """Ask."""
        return self.kept() if self.kept is not None else self.function(self.data, **self.arguments)

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
        return python(value)
    except TypeError:
        return name


def python(value: Any) -> str:
    """A plain value as Python; a TypeError for what cannot be written in a line."""
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
        return f"{{{', '.join(f'{python(key)}: {python(one)}' for key, one in value.items())}}}"
    if isinstance(value, list | tuple):
        inside = ", ".join(map(python, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' * (len(value) == 1)})"
    if is_dataclass(value) and not isinstance(value, type):
        own = [(one.name, getattr(value, one.name), one.default) for one in fields(value) if one.init]
        inside = ", ".join(f"{name}={python(one)}" for name, one, default in own if not _same(one, default))
        return f"{type(value).__name__}({inside})"
    raise TypeError(f"{type(value).__name__} is not written in a line")
