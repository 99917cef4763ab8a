"""Cohorts: who comes back, who buys again, and how many are active; with what the log cannot know marked as such."""

from __future__ import annotations

from toolkit.cohorts.answer import retention
from toolkit.cohorts.buyers import Definition, Repurchase, repurchase
from toolkit.cohorts.result import Retention
from toolkit.cohorts.visits import Activity, activity

__all__ = ["Activity", "Definition", "Repurchase", "Retention", "activity", "repurchase", "retention"]
