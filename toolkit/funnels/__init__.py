"""Funnels: who gets how far, in order, within a time; and where two groups part."""

from toolkit.funnels.steps import Step
from toolkit.funnels.result import Funnel
from toolkit.funnels.answer import funnel  # isort: skip

__all__ = ["Funnel", "Step", "funnel"]
