"""What if: pure models without widgets. Each answer is arithmetic on assumptions, and says so.

what_if        how many would buy, for how much, if a funnel's step rates were others
WhatIf         is the answer
what_if_mix    what a gap between two platforms would be at another mix of tiers, or at other rates
WhatIfMix      is the answer
"""

from toolkit.scenarios.mixes import WhatIfMix, what_if_mix
from toolkit.scenarios.rates import WhatIf, what_if

__all__ = ["WhatIf", "WhatIfMix", "what_if", "what_if_mix"]
