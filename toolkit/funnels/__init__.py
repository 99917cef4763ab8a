"""Funnels: who gets how far, in order, within a time; and where two groups part."""

from toolkit.funnels.answer import funnel
from toolkit.funnels.by_period import PeriodFunnel
from toolkit.funnels.comparison import Comparison
from toolkit.funnels.result import Funnel
from toolkit.funnels.step import Step
from toolkit.funnels.step_counts import StepCounts

__all__ = ["Comparison", "Funnel", "PeriodFunnel", "Step", "StepCounts", "funnel"]
