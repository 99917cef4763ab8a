"""Tiers: is a gap between two platforms composition (mix) or rate, and which step of a funnel does it come from.

compare        gaps between platforms, each split into a composition and a rate component (Kitagawa)
Gaps           is the answer; it is asked on for Simpson's paradox, standardised rates, tests, ratios, each tier
split_product  what each step adds to a gap in buyers or GMV per impression (Das Gupta, Shapley)
ProductSplit   is the answer
e_value        how strong unmeasured confounding must be to explain a ratio away
"""

from toolkit.tiers.gaps import Gaps, compare
from toolkit.tiers.ratios import e_value
from toolkit.tiers.step_split import ProductSplit, split_product

__all__ = ["Gaps", "ProductSplit", "compare", "e_value", "split_product"]
