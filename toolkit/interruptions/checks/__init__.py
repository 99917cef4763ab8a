"""Checks of an effect: placebo dates, other choices (multiverse), an unknown date (breaks), and power."""
