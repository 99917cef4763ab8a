"""`holdout`: what a promotion added, against a randomised holdout, and what the sender would have reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy import special

from toolkit.counts import confidence_level, counts_table, one_of
from toolkit.results import Result
from toolkit.scenarios.assumptions import (
    amount,
    column,
    day,
    indicators,
    level_and_ends,
    names_of,
    one_currency,
    text_of,
    two_places,
)
from toolkit.scenarios.promotion.adjustments import Adjusted, cuped, lin
from toolkit.scenarios.promotion.arms import MISMATCH, Arm, Gap, gap, relative, sample_ratio
from toolkit.wording import amount as signed
from toolkit.wording import (
    change,
    count,
    interval,
    p_value,
    percent,
    points,
    some,
    unknown,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Adjustment = Literal["lin", "cuped"]


@dataclass(frozen=True, repr=False, eq=False)
class Holdout(Result):
    """What a promotion added. Made by `holdout`.

    Attributes
    ----------
    table : DataFrame
        `quantity`, `estimate`, `low`, `high`, `n`: per user "reported" (all that the treated did), "baseline" (what the
        held did), "incremental" (the difference) and "relative" (to the baseline), "adjusted" where covariates were
        given; with a cost "roi" (incremental margin over cost), "reported_roi"; and "reported_over_incremental".
    treated, held : Arm
    sample_ratio_p : float
        Of arms of such sizes under the planned split.
    """

    table: pd.DataFrame
    treated: Arm
    held: Arm
    outcome: str
    difference: Gap
    adjusted: Adjusted | None
    sample_ratio_p: float
    planned: bool
    confidence: float

    @property
    def se(self) -> float:
        """Standard error of the incremental outcome per user."""
        return self.difference.se

    def value(self, quantity: str) -> float:
        """The estimate of one quantity."""
        named = self.table.set_index("quantity")["estimate"]
        if quantity not in named:
            raise ValueError(unknown("quantity", quantity, named.index))
        return float(named[quantity])

    def sentence(self) -> str:
        """What was added, what would have been reported, and the return where there is a cost."""
        rows = self.table.set_index("quantity")
        said = points if self.treated.rate else signed
        added, lift = rows.loc["incremental"], rows.loc["relative"]
        text = (
            f"{self.outcome} per user: {said(added['estimate'])} added by {self.treated.name} "
            f"({self._ends(added)}, n = {count(self.treated.n)} treated and "
            f"{count(self.held.n)} held)"
        )
        if not np.isnan(lift["estimate"]):
            text += f", {change(lift['estimate'])} on the baseline ({interval(lift, change)})"
        ratio = rows.loc["reported_over_incremental"]
        if not np.isnan(ratio["low"]):
            text += (
                f"; all that the treated did is ×{two_places(ratio['estimate'])} what was added "
                f"({interval(ratio, lambda x: f'×{two_places(x)}')})"
            )
        if "roi" in rows.index:
            back, told = rows.loc["roi"], rows.loc["reported_roi"]
            text += (
                f". Each unit of cost brought {two_places(back['estimate'])} of margin ({interval(back, two_places)}), "
                f"reported as {two_places(told['estimate'])} ({interval(told, two_places)})"
            )
        if self.adjusted is not None:
            left = percent(self.adjusted.variance_left)
            ends = self._ends(rows.loc["adjusted"])
            text += f". Adjusted: {said(self.adjusted.estimate)} ({ends}); {left} of the variance is left"
        split = "the planned split" if self.planned else "an equal split"
        return f"{text}. Arms fit {split} (p {p_value(self.sample_ratio_p)})."

    def _ends(self, row: Any) -> str:
        return level_and_ends(self.confidence, row, points if self.treated.rate else signed)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Reported, baseline and incremental, per user."""
        from toolkit.scenarios import axes

        shown = self.table[self.table["quantity"].isin(["reported", "baseline", "incremental", "adjusted"])]
        return axes.estimates(
            shown, ["quantity"], f"{self.outcome} per user", null=0, rate=self.treated.rate, ax=ax
        )


def holdout(
    data: pd.DataFrame,
    *,
    arm: str,
    outcome: str,
    held: Any,
    treated: Any = None,
    n: str | None = None,
    squares: str | None = None,
    cost: float | None = None,
    margin: float = 1.0,
    covariates: str | Sequence[str] = (),
    measured: Mapping[str, Any] | None = None,
    start: Any = None,
    adjust: Adjustment = "lin",
    planned: Mapping[str, float] | None = None,
    confidence: float = 0.95,
) -> Holdout:
    """Say what a promotion added, where a random part was held out.

    Parameters
    ----------
    data : DataFrame
        One row per user; or, with `n`, one row per arm with its sums.
    arm, outcome : str
        Columns: the arm, and what is counted (0 and 1, or an amount) or, with `n`, its sum.
    held : value
        The arm that was held out.
    treated : value, optional
        The arm that was promoted; the only other one if not given.
    n, squares : str, optional
        Columns of sums: users, and the sum of squares of an amount.
    cost : float, optional
        What promoting all of the treated cost.
    margin : float
        What one unit of the outcome is worth; 1 if it is margin already.
    covariates : str or list of str
        Columns known before the start: numbers, or text that becomes indicators.
    measured : dict of column to date, optional
        When each covariate was measured; needed with `covariates`, beside `start`.
    start : date
        First day of the promotion.
    adjust : {"lin", "cuped"}
        How covariates enter; "cuped" takes one.
    planned : dict of arm to share, optional
        The split that was meant; equal arms if not given.
    confidence : float
        Of every interval, between 0 and 1.

    Returns
    -------
    Holdout

    Raises
    ------
    ValueError
        For a holdout of nobody, a missing outcome, more conversions than users, a covariate measured after the
        start, and arms whose sizes do not fit the planned split (p < 0.001): then the random draw failed, and
        nothing is compared.

    Notes
    -----
    Rates: Newcombe's interval; amounts: Welch's. Relative: delta method, the base's noise included. roi = incremental
    outcome x margin x treated users / cost; its interval is that of the incremental outcome. Coverage:
    benchmarks/scenarios.md.

    Examples
    --------
    >>> arms = pd.DataFrame({"arm": ["promoted", "held"], "n": [1000, 1000], "bought": [120, 80]})
    >>> round(holdout(arms, arm="arm", outcome="bought", n="n", held="held").value("reported_over_incremental"), 2)
    3.0
    """
    confidence = confidence_level(confidence)
    one_of("adjust", adjust, ("lin", "cuped"))
    covariates = names_of(covariates)
    columns = [arm, outcome, *(name for name in (n, squares) if name is not None), *covariates]
    one_currency(counts_table(data, columns))
    _before_start(covariates, measured, start)
    names = _arm_names(data, arm)
    if n is None:
        y = column(outcome, data[outcome], negative=True)
        found = {name: Arm.of(name, y[names == name]) for name in dict.fromkeys(names)}
    else:
        if len(set(names)) < len(names):
            twice = next(name for name in names if (names == name).sum() > 1)
            raise ValueError(f"arm {twice!r} stands twice: give one row each")
        found = {
            name: Arm.counted(name, row[n], row[outcome], None if squares is None else row[squares])
            for name, row in zip(names, data.to_dict("records"), strict=True)
        }
    base, promoted = _two(found, held, treated)
    p = sample_ratio({name: one.n for name, one in found.items()}, planned)
    if p < MISMATCH:
        sizes = some([f"{name} {count(one.n)}" for name, one in found.items()])
        meant = "the planned split" if planned else "equal arms, which is assumed without planned="
        raise ValueError(
            f"arms of {sizes} do not fit {meant} (p {p_value(p)}): the draw was not as planned; look why"
        )
    rate = base.rate and promoted.rate
    if n is None and not rate:
        base, promoted = (Arm(one.name, one.n, one.sum, one.squares, False) for one in (base, promoted))
    added = gap(promoted, base, confidence)
    if covariates and n is not None:
        raise ValueError("covariates want one row per user, not sums of arms")
    better = (
        _adjusted(data, names, outcome, base, promoted, covariates, adjust, confidence)
        if covariates
        else None
    )
    table = _table(promoted, base, added, better, cost, amount("margin", margin), confidence)
    return Holdout(table, promoted, base, outcome, added, better, p, planned is not None, confidence)


def _table(
    treated: Arm,
    held: Arm,
    added: Gap,
    better: Adjusted | None,
    cost: float | None,
    margin: float,
    confidence: float,
) -> pd.DataFrame:
    z = float(special.ndtri((1 + confidence) / 2))
    n = treated.n + held.n
    lift, lift_se = relative(treated.mean, held.mean, treated.error, held.error)
    rows: list[tuple[str, float, float, float, float]] = [
        ("reported", treated.mean, *treated.interval(confidence), treated.n),
        ("baseline", held.mean, *held.interval(confidence), held.n),
        ("incremental", added.estimate, added.low, added.high, n),
        ("relative", lift, lift - z * lift_se, lift + z * lift_se, n),
    ]
    if better is not None:
        rows.append(("adjusted", better.estimate, better.low, better.high, n))
    if cost is not None:
        scale = margin * treated.n / amount("cost", cost, positive=True)
        rows.append(("roi", added.estimate * scale, added.low * scale, added.high * scale, n))
        rows.append(
            (
                "reported_roi",
                treated.mean * scale,
                *(end * scale for end in treated.interval(confidence)),
                treated.n,
            )
        )
    ratio = treated.mean / added.estimate if added.estimate and held.mean >= 0 else np.nan
    # reported / incremental = 1 + 1 / relative, so its ends are those of the lift; none where the lift may be 0.
    ends = (np.nan, np.nan)
    if lift - z * lift_se > 0:
        ends = 1 + 1 / (lift + z * lift_se), 1 + 1 / (lift - z * lift_se)
    rows.append(("reported_over_incremental", ratio, *ends, n))
    return pd.DataFrame(rows, columns=["quantity", "estimate", "low", "high", "n"])


def _two(arms: dict[str, Arm], held: Any, treated: Any) -> tuple[Arm, Arm]:
    if str(held) not in arms or not arms[str(held)].n:
        raise ValueError(
            f"nobody was held out as {held!r}: there is nothing to compare with; arms are {some(list(arms))}"
        )
    others = [name for name in arms if name != str(held)]
    if treated is None and len(others) != 1:
        raise ValueError(f"treated= is open: choose one of {some(others)}")
    name = others[0] if treated is None else str(treated)
    if name not in arms:
        raise ValueError(unknown("arm", treated, arms))
    if name == str(held) or arms[name].n < 2 or arms[str(held)].n < 2:
        raise ValueError(f"arms {name!r} and {str(held)!r} need two users each, and must differ")
    return arms[str(held)], arms[name]


def _arm_names(data: pd.DataFrame, arm: str) -> np.ndarray:
    """The arm of each row as text; one that is missing, or two that read alike, are refused."""
    given = data[arm]
    if given.isna().any():
        raise ValueError(f"row {data.index[given.isna()][0]!r} has no {arm}: leave the user out knowingly")
    kinds = list(given.unique())
    texts = [text_of(one) for one in kinds]
    if len(set(texts)) < len(kinds):
        twice = next(one for one in texts if texts.count(one) > 1)
        raise ValueError(f"two arms are called {twice}, as a number and as text: give each a name of its own")
    return np.asarray(given.map(dict(zip(kinds, texts, strict=True))), object)


def _before_start(covariates: Sequence[str], measured: Mapping[str, Any] | None, start: Any) -> None:
    if not covariates:
        return
    if measured is None or start is None:
        raise ValueError(
            "covariates need measured= (a date for each) and start=: what a promotion can move is none"
        )
    begin = day("start", start)
    for name in covariates:
        if name not in measured:
            raise ValueError(f"measured= does not say when {name!r} was measured")
        if day(f"measured[{name!r}]", measured[name]) > begin:
            raise ValueError(
                f"{name!r} was measured on {measured[name]}, after the start on {start}: it is no covariate"
            )


def _adjusted(
    data: pd.DataFrame,
    arms: np.ndarray,
    outcome: str,
    held: Arm,
    treated: Arm,
    covariates: Sequence[str],
    adjust: Adjustment,
    confidence: float,
) -> Adjusted:
    ours = np.isin(arms, (held.name, treated.name))
    both = data[ours]
    x = design(both, covariates)
    y, side = column(outcome, both[outcome], negative=True), arms[ours] == treated.name
    if adjust == "cuped":
        if x.shape[1] != 1:
            raise ValueError(f"cuped takes one covariate of numbers, not {some(list(covariates))}")
        return cuped(y, side, x[:, 0], confidence)
    return lin(y, side, x, confidence)


def design(frame: pd.DataFrame, covariates: Sequence[str]) -> np.ndarray:
    """Covariates as columns of numbers: text becomes indicators, the first category apart."""
    return np.asarray(indicators(frame[list(dict.fromkeys(covariates))]), float)
