"""What if: models without widgets. Each answer is arithmetic on stated assumptions, and says so.

what_if        how many would buy, for how much, if a funnel's step rates were others
WhatIf         is the answer
what_if_mix    what a gap between two platforms would be at another mix of tiers, or at other rates
WhatIfMix      is the answer
who_returns    the retention curve of one platform under a definition that has a name
WhoReturns     is the answer
"""

from toolkit.scenarios.mixes import WhatIfMix, what_if_mix
from toolkit.scenarios.rates import WhatIf, what_if
from toolkit.scenarios.returns import WhoReturns, who_returns

__all__ = ["WhatIf", "WhatIfMix", "WhoReturns", "what_if", "what_if_mix", "who_returns"]
