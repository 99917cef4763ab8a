"""Funnels: who gets how far, in order, within a time; and where two groups part."""

from toolkit.funnels.answer import funnel
from toolkit.funnels.result import Funnel
from toolkit.funnels.steps import Step

__all__ = ["Funnel", "Step", "funnel"]
