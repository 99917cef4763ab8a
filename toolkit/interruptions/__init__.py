"""Interruptions: what an event did to a series, for how long, and how sure that is."""

from toolkit.interruptions.answer import interrupted_time_series
from toolkit.interruptions.checks.breaks import where_is_the_break
from toolkit.interruptions.checks.power import power
from toolkit.interruptions.result import InterruptedTimeSeries
from toolkit.interruptions.terms import Decay, Level, Pulse, Ramp, Slope

__all__ = [
    "Decay",
    "InterruptedTimeSeries",
    "Level",
    "Pulse",
    "Ramp",
    "Slope",
    "interrupted_time_series",
    "power",
    "where_is_the_break",
]
