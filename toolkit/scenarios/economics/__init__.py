"""Economics: whether an order earns money and for whom, what a buyer costs and is worth, live or notes.

order             what an average paid order contributes, where it breaks even, and who gets what of it
acquisition_cost  what one buyer costs, with its interval
payback           when a buyer has earned their cost back
lifetime_value    what a buyer is worth
fees              who bears the risk under a slot fee, a commission, or both
Poisson, NegativeBinomial, LogNormal  are the demand that `fees` takes
models            self-operated shop, marketplace and advertising on one month's inputs
allocate          how to divide traffic between live and notes
Power, Saturating  are the responses that `allocate` takes
"""

from toolkit.scenarios.economics.acquisition import Cost, acquisition_cost
from toolkit.scenarios.economics.allocations import Allocation, allocate
from toolkit.scenarios.economics.business_models import Models, models
from toolkit.scenarios.economics.fee_deals import Fees, LogNormal, NegativeBinomial, Poisson, fees
from toolkit.scenarios.economics.lifetimes import LifetimeValue, Payback, lifetime_value, payback
from toolkit.scenarios.economics.orders import Order, order
from toolkit.scenarios.economics.responses import Power, Saturating

__all__ = [
    "Allocation",
    "Cost",
    "Fees",
    "LifetimeValue",
    "LogNormal",
    "Models",
    "NegativeBinomial",
    "Order",
    "Payback",
    "Poisson",
    "Power",
    "Saturating",
    "acquisition_cost",
    "allocate",
    "fees",
    "lifetime_value",
    "models",
    "order",
    "payback",
]
