"""`saturation`: what the next unit of spend still brings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy import optimize, special

from toolkit.counts import confidence_level, one_of
from toolkit.results import Result
from toolkit.scenarios.assumptions import NEVER, Never, amount, column, plain, side_by_side
from toolkit.wording import count, interval_level

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Form = Literal["michaelis_menten", "hill"]
FORMS = ("michaelis_menten", "hill")
#: Half of the top is looked for up to so many times the largest spend: beyond, the data show a line.
FURTHEST = 1e3
#: A half further away than this many times the largest spend is no saturation.
STRAIGHT = 20
FALLS = "More spend goes with less response, which no curve of this form can show."


@dataclass(frozen=True, eq=False)
class Curve:
    """A fitted response to spend, taken for certain; `largest` is the largest spend in its data."""

    parameters: np.ndarray
    form: Form
    straight: bool
    largest: float

    def at(self, spend: float) -> float:
        """What a spend brings."""
        return float(_response(spend, self.parameters, self.form, self.straight))

    def marginal(self, spend: float) -> float:
        """What the next unit brings."""
        return _marginal(spend, self.parameters, self.form, self.straight)


@dataclass(frozen=True, repr=False, eq=False)
class Saturation(Result):
    """A saturating response to spend. Made by `saturation`.

    Attributes
    ----------
    table : DataFrame
        `parameter` ("top", "half", with Hill's form "exponent"; "slope" where nothing saturates), `estimate`, `low`,
        `high` (profile likelihood), `n`.
    se : dict of str to float
        Asymptotic standard errors, for comparison.
    """

    table: pd.DataFrame
    form: Form
    parameters: np.ndarray
    covariance: np.ndarray
    data: pd.DataFrame
    straight: bool
    observational: bool
    confidence: float

    @property
    def response(self) -> Curve:
        """The curve as a plain response to spend, for `allocate`: without its doubt, and without an end."""
        return Curve(self.parameters, self.form, self.straight, self.largest)

    @property
    def largest(self) -> float:
        """The largest spend in the data."""
        return float(self.data["spend"].max())

    @property
    def smallest(self) -> float:
        """The smallest spend above 0."""
        spend = self.data["spend"]
        return float(spend[spend > 0].min())

    @property
    def falls(self) -> bool:
        """Whether more spend goes with less response: the slope's 95 % interval over all points lies below 0."""
        x, y = self.data["spend"].to_numpy(), self.data["response"].to_numpy()
        away = x - x.mean()
        slope = float(away @ y / (away @ away))
        rest = y - y.mean() - slope * away
        error = float(np.sqrt(rest @ rest / (len(x) - 2) / (away @ away)))
        return slope + float(special.stdtrit(len(x) - 2, 0.975)) * error < 0

    @property
    def se(self) -> dict[str, float]:
        """Asymptotic standard error by parameter."""
        return dict(zip(self.table["parameter"], np.sqrt(np.diag(self.covariance)).tolist(), strict=True))

    def at(self, spend: float, *, extrapolate: bool = False) -> dict[str, float | bool]:
        """The response at a spend, with its interval; refused beyond the data unless `extrapolate`."""
        x, beyond = self._inside(spend, extrapolate)
        return self._answer(lambda p: float(_response(x, p, self.form, self.straight)), beyond)

    def marginal(self, spend: float, *, extrapolate: bool = False) -> dict[str, float | bool]:
        """What the next unit of spend brings at a spend, with its interval."""
        x, beyond = self._inside(spend, extrapolate)
        return self._answer(lambda p: _marginal(x, p, self.form, self.straight), beyond)

    def spend_for(self, marginal: float, *, extrapolate: bool = False) -> float | Never:
        """The spend at which the next unit brings so much; "never" where it brings less from the start."""
        wanted = amount("marginal", marginal, positive=True)
        if self.straight:
            return NEVER
        low, high = self.largest * 1e-9, self.largest * (FURTHEST if extrapolate else 1)
        grid = np.geomspace(low, high, 400)
        found = np.array([_marginal(x, self.parameters, self.form, False) for x in grid]) - wanted
        falls = np.flatnonzero((found[:-1] >= 0) & (found[1:] < 0))
        if not len(falls):
            if found[-1] >= 0:
                raise ValueError(
                    self._beyond(f"a marginal of {plain(wanted)}, which the next unit still brings there,")
                )
            return NEVER
        ends = grid[falls[-1]], grid[falls[-1] + 1]
        return float(
            optimize.brentq(lambda x: _marginal(x, self.parameters, self.form, False) - wanted, *ends)
        )

    def sentence(self) -> str:
        """Top and half of the curve, or that the data show none."""
        caveat = (
            " Spend was chosen, not drawn: what makes one spend more may make the response larger too."
            if self.observational
            else ""
        )
        rows = self.table.set_index("parameter")
        n, level = count(self.table["n"].iloc[0]), interval_level(self.confidence)
        largest = plain(self.largest)
        if self.straight:
            row = rows.loc["slope"]
            down = f" {FALLS}" if self.falls else ""
            return (
                f"There is no sign of saturation up to {largest}: {plain(row['estimate'], 4)} a unit of spend "
                f"({self._ends(row, level)}, n = {n}).{down}{caveat}"
            )
        top, half = rows.loc["top"], rows.loc["half"]
        said = (
            f"The response levels off at {plain(top['estimate'], 4)} ({self._ends(top, level)}); half of it is reached "
            f"at a spend of {plain(half['estimate'], 4)} ({self._ends(half)}; n = {n})."
        )
        if self.falls:
            said += f" {FALLS}"
        elif half["low"] == 0 or half["estimate"] < self.smallest / STRAIGHT:
            said += (
                f" The rise itself is not in the data: it lies below the smallest spend, {plain(self.smallest)}, and "
                "that nothing comes of no spend is taken for granted."
            )
        return f"{said} Nothing is known beyond the largest spend, {largest}.{caveat}"

    @staticmethod
    def _ends(row: pd.Series, level: str = "") -> str:
        if np.isnan(row["low"]):
            return "no interval, for the curve goes through every point"
        high = f"to {plain(row['high'], 4)}" if np.isfinite(row["high"]) else "and more, without upper limit"
        return f"{level} {plain(row['low'], 4)} {high}".lstrip()

    def plot(self, ax: Axes | None = None) -> Axes:
        """The data, the curve and its band."""
        from toolkit.scenarios.promotion import plots

        grid = np.linspace(0, self.largest, 60)
        lines = [self.at(float(x)) for x in grid]
        band = pd.DataFrame(lines)[["estimate", "low", "high"]].assign(spend=grid)
        return plots.band(band, "spend", ("spend", "response"), ax, marks=self.data)

    def _inside(self, spend: float, extrapolate: bool) -> tuple[float, bool]:
        x = amount("spend", spend)
        if x > self.largest and not extrapolate:
            raise ValueError(self._beyond(f"spend={plain(x)}"))
        return x, x > self.largest

    def _beyond(self, asked: str) -> str:
        largest = f"the largest spend was {plain(self.largest)}"
        return f"{asked} lies beyond the data: {largest}; extrapolate=True answers all the same"

    def _answer(self, function: Callable[[np.ndarray], float], beyond: bool) -> dict[str, float | bool]:
        at = self.parameters
        gradient = np.empty(len(at))
        for i, value in enumerate(at):
            step = np.zeros(len(at))
            step[i] = 1e-5 * (abs(value) or 1.0)
            gradient[i] = (function(at + step) - function(at - step)) / (2 * step[i])
        n = len(self.data)
        quantile = float(special.stdtrit(n - len(at), (1 + self.confidence) / 2))
        half = quantile * float(np.sqrt(gradient @ self.covariance @ gradient))
        estimate = function(at)
        return {
            "estimate": estimate,
            "low": estimate - half,
            "high": estimate + half,
            "n": n,
            "beyond_the_data": beyond,
        }


def saturation(
    spend: Any,
    response: Any,
    *,
    form: Form = "michaelis_menten",
    randomised: bool = False,
    confidence: float = 0.95,
) -> Saturation:
    """Fit how the response to spend levels off.

    Parameters
    ----------
    spend, response : list or Series of float
        By note, day or cell of a test.
    form : {"michaelis_menten", "hill"}
        top x / (half + x), or top x^k / (half^k + x^k).
    randomised : bool
        Whether spend was drawn; without that the sentence says what it may hide.
    confidence : float
        Of the intervals, between 0 and 1.

    Returns
    -------
    Saturation

    Raises
    ------
    ValueError
        For fewer than three distinct spends (four with Hill's form), and missing values.

    Notes
    -----
    Least squares; intervals of parameters from the profile of the sum of squares and F, for Wald's fail for `half`
    (Bates & Watts 1988, chapter 6); those of responses and marginals by the delta method. Where half of the top lies
    further than 20 times the largest spend, or has no upper limit at all with the line fitting as well, the slope
    alone is given.

    Examples
    --------
    >>> spend, visits = [0.02, 0.06, 0.11, 0.22, 0.56, 1.1], [61.5, 102, 131, 155.5, 196, 203.5]
    >>> round(saturation(spend, visits).marginal(0.2)["estimate"])
    195
    """
    confidence = confidence_level(confidence)
    one_of("form", form, FORMS)
    x, y = column("spend", spend), column("response", response, negative=True)
    side_by_side(spend=spend, response=response)
    size = 2 if form == "michaelis_menten" else 3
    distinct = len(np.unique(x))
    if distinct <= size:
        raise ValueError(f"{distinct} distinct spends for {size} parameters: {size + 1} are the least")
    data = pd.DataFrame({"spend": x, "response": y})
    # Units of the largest spend and response: neither yuan nor millions of them decide how well the search ends.
    units = x.max(), float(np.abs(y).max()) or 1.0
    x, y = x / units[0], y / units[1]
    found = _fitted(x, y, form)
    slope = float(x @ y / (x @ x))
    rest = float(((y - slope * x) ** 2).sum())
    straight = found[1] > STRAIGHT * x.max() or found[0] <= 0
    exact = 1e-24 * float(y @ y)
    if straight:
        variance = rest / (len(x) - 1) / float(x @ x) if rest > exact else np.nan
        half = float(special.stdtrit(len(x) - 1, (1 + confidence) / 2)) * np.sqrt(variance)
        rows = [("slope", slope, slope - half, slope + half)]
        parameters, covariance, scale = (
            np.array([slope]),
            np.array([[variance]]),
            np.array([units[1] / units[0]]),
        )
    else:
        jacobian = _jacobian(x, found, form)
        left = _rest(x, y, found, form)
        noise = left / (len(x) - size) if left > exact else np.nan
        parameters, covariance = found, noise * np.linalg.pinv(jacobian.T @ jacobian)
        rows = []
        for at, name in enumerate(["top", "half", "exponent"][:size]):
            ends = _profile(x, y, found, form, at, confidence) if left > exact else (np.nan, np.nan)
            rows.append((name, float(found[at]), *ends))
        scale = np.array([units[1], units[0], 1.0][:size])
    table = pd.DataFrame(rows, columns=["parameter", "estimate", "low", "high"])
    table[["estimate", "low", "high"]] = table[["estimate", "low", "high"]].mul(scale, axis=0)
    covariance = covariance * np.outer(scale, scale)
    table["n"] = len(x)
    return Saturation(table, form, parameters * scale, covariance, data, straight, not randomised, confidence)


def _response(x: Any, parameters: np.ndarray, form: Form, straight: bool = False) -> Any:
    if straight:
        return parameters[0] * x
    power = parameters[2] if form == "hill" else 1.0
    grown = np.asarray(x, float) ** power
    return parameters[0] * grown / (parameters[1] ** power + grown)


def _marginal(x: float, parameters: np.ndarray, form: Form, straight: bool) -> float:
    if straight:
        return float(parameters[0])
    top, half = parameters[:2]
    k = parameters[2] if form == "hill" else 1.0
    if x == 0:
        return float(top / half) if k == 1 else float(np.inf if k < 1 else 0.0)
    return float(top * k * half**k * x ** (k - 1) / (half**k + x**k) ** 2)


def _rest(x: np.ndarray, y: np.ndarray, parameters: np.ndarray, form: Form) -> float:
    return float(((y - _response(x, parameters, form)) ** 2).sum())


def _fitted(
    x: np.ndarray,
    y: np.ndarray,
    form: Form,
    fixed: dict[int, float] | None = None,
    near: np.ndarray | None = None,
) -> np.ndarray:
    """Least squares; some parameters may be held constant. Half and exponent move on a log scale, the top is closed."""
    held = fixed or {}
    size = 2 if form == "michaelis_menten" else 3
    free = [at for at in (1, 2)[: size - 1] if at not in held]

    def full(logs: np.ndarray) -> np.ndarray:
        found = np.ones(size)
        found[free] = np.exp(logs)
        for at, value in held.items():
            found[at] = value
        if 0 not in held:
            shape = _response(x, np.append(1.0, found[1:]), form)
            found[0] = shape @ y / (shape @ shape) if shape @ shape > 0 else 0.0
        return found

    if not free:
        return full(np.empty(0))
    limits = {1: (np.log(x.max() * 1e-6), np.log(x.max() * FURTHEST)), 2: (np.log(0.05), np.log(20))}
    low, high = np.array([limits[at] for at in free]).T
    scale = float(np.sqrt(y @ y)) or 1.0
    if near is None:
        grid = product(*(np.linspace(*limits[at], 25 if at == 1 else 7) for at in free))
        start = np.array(min(grid, key=lambda logs: _rest(x, y, full(np.array(logs)), form)))
    else:
        start = np.log(near[free])
    run = optimize.least_squares(
        lambda logs: (y - _response(x, full(logs), form)) / scale,
        np.clip(start, low + 1e-9, high - 1e-9),
        bounds=(low, high),
        jac="3-point",
        xtol=1e-15,
        ftol=1e-15,
        gtol=1e-15,
    )
    return full(run.x)


def _jacobian(x: np.ndarray, parameters: np.ndarray, form: Form) -> np.ndarray:
    columns = []
    for i, value in enumerate(parameters):
        step = np.zeros(len(parameters))
        step[i] = 1e-6 * (abs(value) or 1.0)
        columns.append(
            (_response(x, parameters + step, form) - _response(x, parameters - step, form)) / (2 * step[i])
        )
    return np.column_stack(columns)


def _profile(
    x: np.ndarray, y: np.ndarray, found: np.ndarray, form: Form, at: int, confidence: float
) -> tuple[float, float]:
    """Where the sum of squares, others refitted, has grown by as much as F allows."""
    freedom = len(x) - len(found)
    least = _rest(x, y, found, form)
    most = least * (1 + float(special.stdtrit(freedom, (1 + confidence) / 2)) ** 2 / freedom)

    def rise(log: float) -> float:
        value = float(np.exp(log))
        return _rest(x, y, _fitted(x, y, form, {at: value}, near=found), form) - most

    centre = float(np.log(found[at]))
    ends = []
    for side in (-1, 1):
        step = 0.05
        while step < np.log(FURTHEST) and rise(centre + side * step) < 0:
            step *= 1.6
        if step >= np.log(FURTHEST):
            ends.append(0.0 if side < 0 else np.inf)
        else:
            ends.append(
                float(np.exp(optimize.brentq(rise, *sorted((centre, centre + side * step)), xtol=1e-8)))
            )
    return ends[0], ends[1]
