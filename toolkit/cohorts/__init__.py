"""Cohorts: who comes back, who buys again, and how many are active; with what the log cannot know marked as such."""

from __future__ import annotations

from toolkit.cohorts.active_users import Activity, activity
from toolkit.cohorts.answer import retention
from toolkit.cohorts.repurchases import Definition, Repurchase, repurchase
from toolkit.cohorts.result import Retention

__all__ = ["Activity", "Definition", "Repurchase", "Retention", "activity", "repurchase", "retention"]
