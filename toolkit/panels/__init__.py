"""One panel of widgets per question, on top of a function that gives the same answer without widgets.

Panel              the base class: question, controls, reset, answer, figure, and the line of Python that asks the same
RatesPanel         how many would buy if step rates were others: `toolkit.scenarios.what_if`
MixPanel           what a gap would be at another mix or other rates of tiers: `toolkit.scenarios.what_if_mix`
InterruptionPanel  what an event did, were it on another day or of another kind: `toolkit.interrupted_time_series`
ReturnsPanel       who comes back, by period, kind, definition and platform: `toolkit.scenarios.who_returns`
ChangePanel        what changed: since when, at which step, in which segment: `toolkit.what_changed`
RulesPanel         who qualifies under which rule: `toolkit.scenarios.creators.eligible`
ExitPanel          what is lost if a head creator leaves: `toolkit.scenarios.creators.leave`
OrderPanel         does an order earn money, and for whom: `toolkit.scenarios.economics.order`
PromotionPanel     what a spend adds beside what is reported: `toolkit.scenarios.promotion.budget`
LiveSharePanel     how much of the traffic should go to live: `toolkit.scenarios.economics.allocate`
"""

from toolkit.panels.changes import ChangePanel
from toolkit.panels.exits import ExitPanel
from toolkit.panels.interruptions import InterruptionPanel
from toolkit.panels.live_shares import LiveSharePanel
from toolkit.panels.mixes import MixPanel
from toolkit.panels.orders import OrderPanel
from toolkit.panels.panel import Panel
from toolkit.panels.promotions import PromotionPanel
from toolkit.panels.rates import RatesPanel
from toolkit.panels.returns import ReturnsPanel
from toolkit.panels.rules import RulesPanel

__all__ = [
    "ChangePanel",
    "ExitPanel",
    "InterruptionPanel",
    "LiveSharePanel",
    "MixPanel",
    "OrderPanel",
    "Panel",
    "PromotionPanel",
    "RatesPanel",
    "ReturnsPanel",
    "RulesPanel",
]
