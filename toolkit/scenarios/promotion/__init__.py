"""Promotion: what it added, what can be said without a holdout, and what a test needs.

holdout          what a promotion added, against a randomised holdout
without_holdout  the range of five methods where nobody was held out
plan             how many users a test needs, or what it would find
watched          an interval that may be read while a test runs
budget           what a spend adds and what would be reported, and what its own test would find
saturation       what the next unit of spend still brings
newcomer         how likely a budget takes a creator over a threshold
"""

from toolkit.scenarios.promotion.alternatives import Alternatives, without_holdout
from toolkit.scenarios.promotion.budgets import Budget, budget
from toolkit.scenarios.promotion.holdouts import Holdout, holdout
from toolkit.scenarios.promotion.newcomers import Newcomer, newcomer
from toolkit.scenarios.promotion.plans import Plan, plan
from toolkit.scenarios.promotion.saturations import Saturation, saturation
from toolkit.scenarios.promotion.watching import Watched, watched

__all__ = [
    "Alternatives",
    "Budget",
    "Holdout",
    "Newcomer",
    "Plan",
    "Saturation",
    "Watched",
    "budget",
    "holdout",
    "newcomer",
    "plan",
    "saturation",
    "watched",
    "without_holdout",
]
