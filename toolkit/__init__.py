"""A toolkit for research on live commerce.

read_events    opens a log of what users did, where it lies
EventLog       is that log: columns, summary, index
Step           is one step of a funnel: an event, or a condition
funnel         counts who got how far, in order, within a time
Funnel         is the answer: counts, rates with intervals, comparison, figure
simulate       writes the four platforms' simulated log, with its truth
style          draws the four platforms alike everywhere
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolkit import style
    from toolkit.funnels import Funnel, Step, funnel
    from toolkit.logs.events import EventLog, read_events
    from toolkit.sources.worlds import simulate

__all__ = ["EventLog", "Funnel", "Step", "funnel", "read_events", "simulate", "style"]

_homes = {
    "EventLog": "toolkit.logs.events",
    "read_events": "toolkit.logs.events",
    "Step": "toolkit.funnels",
    "funnel": "toolkit.funnels",
    "Funnel": "toolkit.funnels",
    "simulate": "toolkit.sources.worlds",
}


def __getattr__(name: str) -> object:
    if name in _homes:
        value = getattr(importlib.import_module(_homes[name]), name)
    elif name in __all__:
        value = importlib.import_module(f"toolkit.{name}")
    else:
        raise AttributeError(f"module 'toolkit' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
