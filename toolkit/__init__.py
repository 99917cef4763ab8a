"""A toolkit for research on live commerce.

read_events    opens a log of what users did, where it lies
EventLog       is that log: columns, summary, index
Step           is one step of a funnel: an event, or a condition
funnel         counts who got how far, in order, within a time
Funnel         is the answer: counts, rates with intervals, comparison, figure
what_changed   says which step and segments a change of a rate comes from
retention      follows cohorts: who comes back, with censored cells marked
Retention      is the answer: cohort table, curve, split into mix and rate
repurchase     says who buys again, under each definition in use
Repurchase     is the answer, with the time to the second purchase
activity       counts who is active: daily, weekly, monthly, and how often
Activity       is the answer, with growth accounting
compare        splits the gap between two platforms into mix and rate
split_product  says which step of a funnel the gap comes from
interrupted_time_series  says what an event did to a series
InterruptedTimeSeries    is the answer: effects, counterfactual, recovery, checks
Level          is what an event may do: a jump that stays
Slope          a change of trend
Pulse          something that ends
Ramp           a roll-out, little by little
Decay          a novelty that fades
where_is_the_break  finds the date at which a series breaks, if it does
power          says how small an effect a study of some length would show
limit          bounds the memory that questions take, and names the folder that they spill to
read_export    reads what a dashboard exports, as it is
read_series    reads a series out of any table
read_public    opens a public log, with what it can and cannot answer
metric         says what a metric of dashboards means, and the trap in it
report         hands answers on as one page that opens in any browser
simulate       writes the four platforms' simulated log, with its truth
style          draws the four platforms alike everywhere
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from toolkit import style
    from toolkit.changes import what_changed
    from toolkit.cohorts import Activity, Repurchase, Retention, activity, repurchase, retention
    from toolkit.funnels import Funnel, Step, funnel
    from toolkit.inputs import metric, read_export, read_public, read_series
    from toolkit.interruptions import (
        Decay,
        InterruptedTimeSeries,
        Level,
        Pulse,
        Ramp,
        Slope,
        interrupted_time_series,
        power,
        where_is_the_break,
    )
    from toolkit.logs.engines import limit
    from toolkit.logs.events import EventLog, read_events
    from toolkit.reports import report
    from toolkit.sources.worlds import simulate
    from toolkit.tiers import compare, split_product

__all__ = [
    "Activity",
    "Decay",
    "EventLog",
    "Funnel",
    "InterruptedTimeSeries",
    "Level",
    "Pulse",
    "Ramp",
    "Repurchase",
    "Retention",
    "Slope",
    "Step",
    "activity",
    "compare",
    "funnel",
    "interrupted_time_series",
    "limit",
    "metric",
    "power",
    "read_events",
    "read_export",
    "read_public",
    "read_series",
    "report",
    "repurchase",
    "retention",
    "simulate",
    "split_product",
    "style",
    "what_changed",
    "where_is_the_break",
]

_homes = {
    "EventLog": "toolkit.logs.events",
    "read_events": "toolkit.logs.events",
    "limit": "toolkit.logs.engines",
    "Step": "toolkit.funnels",
    "funnel": "toolkit.funnels",
    "Funnel": "toolkit.funnels",
    "what_changed": "toolkit.changes",
    "retention": "toolkit.cohorts",
    "Retention": "toolkit.cohorts",
    "repurchase": "toolkit.cohorts",
    "Repurchase": "toolkit.cohorts",
    "activity": "toolkit.cohorts",
    "Activity": "toolkit.cohorts",
    "compare": "toolkit.tiers",
    "split_product": "toolkit.tiers",
    "interrupted_time_series": "toolkit.interruptions",
    "InterruptedTimeSeries": "toolkit.interruptions",
    "Level": "toolkit.interruptions",
    "Slope": "toolkit.interruptions",
    "Pulse": "toolkit.interruptions",
    "Ramp": "toolkit.interruptions",
    "Decay": "toolkit.interruptions",
    "power": "toolkit.interruptions",
    "read_export": "toolkit.inputs",
    "read_series": "toolkit.inputs",
    "read_public": "toolkit.inputs",
    "metric": "toolkit.inputs",
    "where_is_the_break": "toolkit.interruptions",
    "report": "toolkit.reports",
    "simulate": "toolkit.sources.worlds",
}


def __getattr__(name: str) -> object:
    if name in _homes:
        value = getattr(importlib.import_module(_homes[name]), name)
    elif name in __all__:
        value = importlib.import_module(f"toolkit.{name}")
    else:
        import difflib

        near = difflib.get_close_matches(name, __all__, 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise AttributeError(f"module 'toolkit' has no attribute {name!r}{hint}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
