"""One panel per question, on top of a function that gives the same answer without widgets.

RatesPanel    how many would buy if step rates were others: `toolkit.scenarios.what_if` with sliders
"""

from toolkit.panels.rates import RatesPanel

__all__ = ["RatesPanel"]
