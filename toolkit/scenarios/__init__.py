"""What if: pure models without widgets. Each answer is arithmetic on assumptions, and says so.

what_if    how many would buy, for how much, if a funnel's step rates were others
WhatIf     is the answer
"""

from toolkit.scenarios.rates import WhatIf, what_if

__all__ = ["WhatIf", "what_if"]
