"""Tiers: is a gap between platforms mix or rate; and which step of a funnel does it come from."""

from toolkit.tiers.gaps import Gaps, compare
from toolkit.tiers.ratios import e_value
from toolkit.tiers.step_split import ProductSplit, split_product

__all__ = ["Gaps", "ProductSplit", "compare", "e_value", "split_product"]
