"""Cohorts: who comes back, who buys again, and how many are active, with what the log cannot know marked as such.

retention    who comes back after their first event, cohort by cohort; `Retention` is its result
repurchase   who buys again, under a `Definition` with a name; `Repurchase` is its result
activity     how many are active a day, in 7 days and in 30; `Activity` is its result
"""

from __future__ import annotations

from toolkit.cohorts.active.users import Activity, activity
from toolkit.cohorts.answer import retention
from toolkit.cohorts.purchases import Definition
from toolkit.cohorts.repurchases import Repurchase, repurchase
from toolkit.cohorts.result import Retention

__all__ = ["Activity", "Definition", "Repurchase", "Retention", "activity", "repurchase", "retention"]
