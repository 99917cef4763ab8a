"""Changes: of a rate that is another one since a date, which step, which segment, and is it mix or rate."""

from toolkit.changes.answer import what_changed
from toolkit.changes.result import WhatChanged

__all__ = ["WhatChanged", "what_changed"]
