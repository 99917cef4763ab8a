"""Many tests at once: p values adjusted over their family, in the one column `p_adjusted`."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from toolkit.counts import one_of
from toolkit.wording import counted

#: More tests than this are adjusted by Benjamini and Hochberg where the method is left open.
FEW_TESTS = 20
Method = Literal["auto", "holm", "benjamini_hochberg"]
METHODS = ("auto", "holm", "benjamini_hochberg", None)


def holm(p: ArrayLike) -> np.ndarray:
    """P values adjusted so that a family seldom holds a single false finding; nan is passed over.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6, 65-70.
    """
    return _adjusted(p, "holm")


def benjamini_hochberg(p: ArrayLike) -> np.ndarray:
    """P values adjusted for the share of false ones among a family's findings; nan is passed over.

    References
    ----------
    Benjamini & Hochberg (1995), Journal of the Royal Statistical Society B 57, 289-300.
    """
    return _adjusted(p, "fdr_bh")


def adjusted(
    table: pd.DataFrame, method: Method | None = "auto", family: str = ""
) -> tuple[pd.DataFrame, str]:
    """A table with `p_adjusted` after its column `p`, and the method with its number of tests in words.

    Parameters
    ----------
    method : {"auto", "holm", "benjamini_hochberg", None}
        Auto: Holm up to 20 tests, Benjamini and Hochberg above. None leaves the table as it is.
    family
        What the tests are over, for the words.
    """
    one_of("adjust", method, METHODS)
    p = table["p"].to_numpy(float)
    tests = int((~np.isnan(p)).sum())
    over = f": {family}" if family else ""
    if method is None:
        return table, f"p values are not adjusted ({tests} tests{over})"
    by_holm = method == "holm" or (method == "auto" and tests <= FEW_TESTS)
    table = table.copy()
    table.insert(
        list(table.columns).index("p") + 1, "p_adjusted", (holm if by_holm else benjamini_hochberg)(p)
    )
    return table, f"{'Holm' if by_holm else 'Benjamini-Hochberg'} over {counted(tests, 'test')}{over}"


def _adjusted(p: ArrayLike, method: Literal["holm", "fdr_bh"]) -> np.ndarray:
    # By hand: statsmodels takes a second to import, and collects garbage at every call.
    values = np.array(p, float)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    ranks = np.arange(1, len(order) + 1)
    if method == "holm":
        steps = np.maximum.accumulate(values[order] * (len(order) - ranks + 1))
    else:
        steps = np.minimum.accumulate((values[order] * len(order) / ranks)[::-1])[::-1]
    values[order] = np.minimum(steps, 1)
    return values
