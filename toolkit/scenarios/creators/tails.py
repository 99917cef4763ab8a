"""`tail`: how fast the largest creators thin out, and whether a power law or a log-normal says it better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from toolkit.counts import confidence_level, one_of
from toolkit.progress import followed
from toolkit.results import Result
from toolkit.scenarios.assumptions import amount, column, plain, two_places
from toolkit.scenarios.creators.power_laws import MOST_STARTS, PowerLaw, Vuong, against_lognormal, begin
from toolkit.wording import count, counted, interval, interval_level, p_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: A tail of fewer values says little.
FEW = 50
#: Whole numbers with a larger median than this are as good as continuous.
COARSE = 100
RESAMPLES = 999


@dataclass(frozen=True, repr=False, eq=False)
class Tail(Result):
    """The tail of an amount over creators. Made by `tail`.

    Attributes
    ----------
    table : DataFrame
        `measure` ("alpha", "survival_exponent", "xmin"), `estimate`, `low`, `high`, `n` (values in the tail).
    law : PowerLaw
    against : Vuong
        The log-likelihood ratio of the power law to a log-normal from the same value on; above 0 for the power law.
    """

    table: pd.DataFrame
    law: PowerLaw
    against: Vuong
    n: int
    zeros: int
    discrete: bool
    confidence: float
    survival: pd.DataFrame

    @property
    def se(self) -> float:
        """The standard error of alpha at the chosen xmin, (alpha - 1) / sqrt n, which takes xmin as known."""
        return (self.law.alpha - 1) / float(np.sqrt(self.law.n))

    @property
    def verdict(self) -> Literal["undecided", "nearer a power law", "nearer a log-normal"]:
        """Which of the two the tail is nearer to, where |statistic| > 1.96; neither is thereby shown to be true."""
        if not abs(self.against.statistic) > 1.96:
            return "undecided"
        return "nearer a power law" if self.against.statistic > 0 else "nearer a log-normal"

    def sentence(self) -> str:
        """The exponent, where the tail begins, and what can be said against a log-normal."""
        row = self.table.set_index("measure").loc["survival_exponent"]
        few = (
            f" Only {self.law.n} values lie in the tail, fewer than {FEW}: read it as a hint."
            if self.law.n < FEW
            else ""
        )
        return (
            f"From {plain(self.law.xmin)} on, P(X > x) falls as x^-{row['estimate']:.2f} "
            f"({interval_level(self.confidence)} "
            f"{interval(row, lambda x: f'{x:.2f}')}, n = {count(self.law.n)} of {count(self.n)} values; density "
            f"exponent "
            f"alpha {self.law.alpha:.2f}). Power law against log-normal: {self.verdict} (statistic "
            f"{two_places(self.against.statistic)}, p {p_value(self.against.p)}).{self._left_out}{few}"
        )

    @property
    def _left_out(self) -> str:
        return (
            f" {counted(self.zeros, 'value of 0 is', 'values of 0 are')} no part of a tail."
            if self.zeros
            else ""
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """The share above each value on logarithmic axes, and both models from xmin on."""
        from toolkit.scenarios import axes

        lines = [name for name in self.survival.columns if name != "value"]
        title = f"The tail against a log-normal: {self.verdict}"
        return axes.curves(
            self.survival,
            "value",
            lines,
            ("value", "share of creators at or above"),
            title=title,
            log="xy",
            ax=ax,
        )


def tail(
    values: Any,
    *,
    xmin: float | Literal["auto"] = "auto",
    discrete: bool | Literal["auto"] = "auto",
    confidence: float = 0.95,
) -> Tail:
    """Say how fast the largest thin out: the exponent of a power law from the value on where it fits best.

    Parameters
    ----------
    values : list or Series of float
        An amount by creator; zeros are left out, negatives refused.
    xmin : float or "auto"
        Where the tail begins; "auto" takes the value with the smallest Kolmogorov-Smirnov distance.
    discrete : bool or "auto"
        Whether values are whole numbers (zeta likelihood). "auto": all are whole, and their median is below 100.
    confidence : float
        Of the intervals, between 0 and 1.

    Returns
    -------
    Tail

    Raises
    ------
    ValueError
        For a missing or negative value, and where fewer than ten values are left.

    Notes
    -----
    Density x^-alpha, so that P(X > x) falls as x^-(alpha - 1): the table has both. Intervals: a percentile
    bootstrap of all values that searches xmin anew each time (999 resamples; among at most 200 evenly chosen values).
    The comparison with a log-normal is Vuong's; neither answer says that the tail is one or the other.

    References
    ----------
    Clauset, Shalizi & Newman (2009), SIAM Review 51, 661-703.

    Examples
    --------
    >>> sales = 100 / (np.arange(100) + 0.5)  # the share above x is near 1 / x
    >>> tail(sales, xmin=1).table[["measure", "estimate", "low", "high", "n"]].round(1)[:2]
                 measure  estimate  low  high    n
    0              alpha       2.0  1.8   2.2  100
    1  survival_exponent       1.0  0.8   1.2  100
    """
    confidence = confidence_level(confidence)
    given = column("values", values)
    positive = given[given > 0]
    whole = bool((positive == np.floor(positive)).all())
    one_of("discrete", discrete, ("auto", True, False))
    if isinstance(discrete, str):
        discrete = whole and bool(np.median(positive) < COARSE) if len(positive) else False
    if isinstance(xmin, str):
        one_of("xmin", xmin, ("auto",))
        start = None
    else:
        start = amount("xmin", xmin, positive=True)
    if discrete and not (whole and (start is None or start == int(start))):
        raise ValueError("discrete=True is for whole numbers; values or xmin= have fractions")
    law = begin(positive, discrete=discrete, xmin=start)
    if law.n < 2 or not np.isfinite(law.alpha):
        raise ValueError(f"{law.n} values from xmin={law.xmin:g} on: too few for an exponent")
    ends = _resampled(positive, start, discrete, confidence)
    lines = [
        ("alpha", law.alpha, *ends["alpha"]),
        ("survival_exponent", law.alpha - 1, ends["alpha"][0] - 1, ends["alpha"][1] - 1),
        ("xmin", law.xmin, *ends["xmin"]),
    ]
    table = pd.DataFrame(lines, columns=["measure", "estimate", "low", "high"]).assign(n=law.n)
    test = against_lognormal(positive[positive >= law.xmin], law, discrete)
    return Tail(
        table,
        law,
        test,
        len(given),
        len(given) - len(positive),
        discrete,
        confidence,
        _survival(positive, law, test),
    )


def _resampled(
    values: np.ndarray, xmin: float | None, discrete: bool, confidence: float
) -> dict[str, tuple[float, float]]:
    rng = np.random.default_rng(0)
    found = []
    for _ in followed(range(RESAMPLES), "resamples"):
        drawn = values[rng.integers(0, len(values), len(values))]
        if len(np.unique(drawn)) > 1:
            one = begin(drawn, discrete=discrete, xmin=xmin, most=MOST_STARTS)
            found.append((one.alpha, one.xmin))
    low, high = np.nanquantile(np.array(found), [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return {"alpha": (low[0], high[0]), "xmin": (low[1], high[1]) if xmin is None else (np.nan, np.nan)}


def _survival(values: np.ndarray, law: PowerLaw, test: Vuong) -> pd.DataFrame:
    from scipy import special

    ordered = np.unique(values)
    share = 1 - np.searchsorted(np.sort(values), ordered) / len(values)
    inside = ordered >= law.xmin
    reach = law.n / len(values)
    power = reach * (ordered / law.xmin) ** (1 - law.alpha)
    above = special.log_ndtr(-(np.log(ordered) - test.mu) / test.sigma)
    normal = reach * np.exp(above - special.log_ndtr(-(np.log(law.xmin) - test.mu) / test.sigma))
    return pd.DataFrame(
        {
            "value": ordered,
            "observed": share,
            "power law": np.where(inside, power, np.nan),
            "log-normal": np.where(inside, normal, np.nan),
        }
    )
