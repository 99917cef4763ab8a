"""One ipywidgets panel per question, on top of a function that gives the same answer without widgets.

RatesPanel    how many would buy if step rates were others: `toolkit.scenarios.what_if` with sliders
InterruptionPanel  what an event did, were it on another day or of another kind
MixPanel      what a gap would be at another mix or other rates of tiers: `toolkit.scenarios.what_if_mix`
ReturnsPanel  who comes back, by period, kind, definition and platform: `toolkit.scenarios.who_returns`
"""

from toolkit.panels.interruptions import InterruptionPanel
from toolkit.panels.mixes import MixPanel
from toolkit.panels.rates import RatesPanel
from toolkit.panels.returns import ReturnsPanel

__all__ = ["InterruptionPanel", "MixPanel", "RatesPanel", "ReturnsPanel"]
