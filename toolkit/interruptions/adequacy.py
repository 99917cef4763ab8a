"""Model adequacy: warnings that stand in the sentence of a result where the series does not keep to its model.

warnings    one clause for each fault that a test finds, at 1 %
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from toolkit.interruptions import design
from toolkit.interruptions.errors.fitted import Fit
from toolkit.interruptions.model import Model
from toolkit.interruptions.series import Clock
from toolkit.interruptions.terms import Level, Pulse
from toolkit.intervals import student, two_sided
from toolkit.wording import amount, change, interval, p_value, some

#: p value below which a fault is said, and standard deviations beyond which a point is.
FOUND, FAR = 0.01, 5.0
#: Lags of the portmanteau test, and periods over which an effect may start slowly, by length of a period.
LAGS = {"h": (24, 168), "D": (7, 14), "W": (4, 13), "M": (6, 12), "Q": (4, 8), "Y": (3, 5), "": (5, 10)}
START = {"h": 24, "D": 14, "W": 4, "M": 3, "Q": 2, "Y": 2, "": 7}
#: Points beyond the columns that a further column needs.
LEAST = 12
#: Points beyond the columns from which on rho near 1 is more than a short series' doubt.
LONG = 100
#: Mean below which log(y + 0.5) understates ratios; median above which a zero is far from everything else.
FEW, MANY = 5.0, 20.0


def warnings(model: Model) -> tuple[str, ...]:
    """Where one series does not keep to its model, and what to do: one clause each; of many series the calendar's only.

    Notes
    -----
    Autocorrelation: Ljung and Box at two lags. Outliers: innovations beyond 5 standard deviations. Variance: F test of
    innovations after the first interruption against those before, clipped at three robust standard deviations so that
    heavy tails are no change. Trend and start: t tests of one more column, a parabola and a triangle over the first
    periods, in the model's own error process. Each at 1 %: benchmarks/outside.md has how often each
    is said where it should be, and where nothing is wrong. A spread that doubles 10 points before the end is found in
    two of three series, and a walk is at its bound in two of five.

    References
    ----------
    Ljung and Box (1978), Biometrika 65:297.
    """
    undated = _undated(model)
    if len(model.series.names) > 1:
        return undated
    [part] = model.parts
    rows = part.rows[: model.design.treated]
    at = np.flatnonzero(rows)
    innovations = part.fit.whitened()[: len(at), 0]
    if not innovations.std() > 0:
        return undated
    unequal = _spread(model, innovations, at)
    found = [
        *undated,
        _bound(part.fit),
        _left(innovations, model.series.clock),
        _outlier(innovations, at, model.series.clock),
        unequal,
        *_zeros(model),
        *_late(model),
    ]
    if part.fit.n - part.fit.k > LEAST:
        # The first periods are compared with the rest by one spread.
        found += [_bent(model), *([] if unequal else _slow(model))]
    return tuple(one for one in found if one)


def _undated(model: Model) -> tuple[str, ...]:
    """Which of the calendar's days no source gives."""
    names = model.design.undated
    if not names:
        return ()
    return (f"no source gives the days of {some(names, 4)}: they count as ordinary days",)


def _bound(fit: Fit) -> str:
    """A state at the largest rho that is most of the variance, in a series long enough to tell such a rho from less."""
    found = fit.parameters
    if fit.n - fit.k < LONG or not any("rho" in one for one in fit.boundary):
        return ""
    if found["rho"][0] < 0 or found.get("lam", np.ones(1))[0] < 0.5:
        return ""
    return (
        f"the level walks by itself (rho = {fit.parameters['rho'][0]:.4g}, the end of its range): its own drift looks "
        "like a slow effect"
    )


def _left(innovations: np.ndarray, clock: Clock) -> str:
    n = len(innovations)
    apart = innovations - innovations.mean()
    tested = [lag for lag in LAGS[clock.kind] if lag < n // 2]
    if not tested:
        return ""
    lags = np.arange(1, tested[-1] + 1)
    own = np.array([apart[lag:] @ apart[:-lag] for lag in lags]) / (apart @ apart)
    steps = np.cumsum(own**2 / (n - lags)) * n * (n + 2)
    p, lag = min((float(special.chdtrc(lag, steps[lag - 1])), lag) for lag in tested)
    if p >= FOUND:
        return ""
    return (
        f"autocorrelation is left in the residuals (Ljung-Box, lag {lag}: p {_p(p)}): the interval may be too narrow; "
        "compare .multiverse()"
    )


def _outlier(innovations: np.ndarray, at: np.ndarray, clock: Clock) -> str:
    worst = int(np.abs(innovations).argmax())
    size = innovations[worst]
    if abs(size) <= FAR:
        return ""
    side = "above" if size > 0 else "below"
    return f"{clock.said(at[worst])} lies {abs(size):.1f} sd {side} the model: look at that {clock.unit}"


def _spread(model: Model, innovations: np.ndarray, at: np.ndarray) -> str:
    """Variance of the innovations after the first interruption over that before."""
    first = min(model.series.clock.place(term.at) for given in model.interruptions.values() for term in given)
    after = at >= first
    matrix = model.design.matrix[: model.design.treated][at]
    basis, _ = np.linalg.qr(matrix)
    free = 1 - (basis**2).sum(1)
    before_free, after_free = free[~after].sum(), free[after].sum()
    if min(before_free, after_free) < 2:
        return ""
    centre = np.median(innovations[~after])
    robust = 1.4826 * np.median(np.abs(innovations[~after] - centre))
    clipped = np.clip(innovations, -3 * robust, 3 * robust) if robust > 0 else innovations
    low, high = (clipped[~after] ** 2).sum() / before_free, (clipped[after] ** 2).sum() / after_free
    if not low > 0:
        return ""
    ratio = high / low
    p = min(special.fdtrc(after_free, before_free, ratio), special.fdtr(after_free, before_free, ratio))
    if p >= FOUND:
        return ""
    return (
        f"the spread after the event is {np.sqrt(ratio):.1f} times that before (p {_p(float(p))}): intervals, which "
        f"assume one spread, are too {'narrow' if ratio > 1 else 'wide'}"
    )


def _zeros(model: Model) -> list[str]:
    """What log(y + 0.5) does to rare counts, and to zeros among large ones."""
    if not model.scale.shift:
        return []
    values = model.series.values[~np.isnan(model.series.values)]
    mean, zeros = values.mean(), int((values == 0).sum())
    if mean < FEW:
        return [
            f"at a mean of {mean:.2g} the scale {model.scale.name} understates ratios (at a mean of 1, +30 % reads as "
            "+15 %): errors='quasi_poisson' estimates them without that bias"
        ]
    if np.median(values) >= MANY:
        return [
            f"{zeros} of {len(values)} values are 0 where the median is {np.median(values):.4g}: each pulls as if it "
            "were 0.5; mark it missing if nothing was measured"
        ]
    return []


def _late(model: Model) -> list[str]:
    """Events in the second half of a week or month, whose period is mostly before them."""
    clock, said = model.series.clock, list[str]()
    if clock.kind not in ("W", "M", "Q", "Y") or not isinstance(clock.index, pd.PeriodIndex):
        return said
    for name, given in model.interruptions.items():
        for term in given[:1]:
            share, first = clock.elapsed(term.at)
            if share > 0.5 and not isinstance(term, Pulse):
                said.append(
                    f"{name!r} falls after {share:.0%} of its {clock.unit}, which counts as after it: ask it from the "
                    f"{clock.unit} after {first} on, or leave that {clock.unit} out"
                )
    return said


@dataclass(frozen=True)
class Further:
    """One more column in the model: its p value and sign, and the first term with it in, as text."""

    p: float
    sign: float
    effect: str


def _further(model: Model, column: np.ndarray) -> Further | None:
    """The model with one more column of the series' own; None where that is collinear with others."""
    [part] = model.parts
    own = np.concatenate([column, np.zeros(len(part.rows) - len(column))])
    matrix = np.column_stack([model.design.matrix, own / np.abs(own).max()])
    if len(design.distinct(matrix[part.rows])) < matrix.shape[1]:
        return None
    fit = model.refit(matrix[part.rows], model.observed(0)[part.rows, None], part.rows)
    weights = np.eye(matrix.shape[1])
    place = next(place for place, owner in enumerate(model.design.owners) if owner is not None)
    estimate, error, df = (one[0] for one in fit.contrast(weights[[-1, place]]))
    reach = student(df[1], model.confidence) * error[1]
    limits = np.array([estimate[1], estimate[1] - reach, estimate[1] + reach])
    limits = np.expm1(limits) if model.scale.ratio else limits
    say = change if model.scale.ratio else amount
    shown = dict(zip(("estimate", "low", "high"), limits.tolist(), strict=True))
    name, term = model.design.owners[place] or ("", "")
    if not error[0] > 0:
        return None
    return Further(
        float(two_sided(np.abs(estimate[0] / error[0]), df[0])),
        float(np.sign(estimate[0])),
        f"{name}: {term} {say(shown['estimate'])} ({interval(shown, say)})",
    )


def _bent(model: Model) -> str:
    """Whether a straight trend is too little."""
    periods = model.series.clock.periods
    if not model.question.trend:
        return ""
    found = _further(model, (2 * periods / max(periods[-1], 1) - 1) ** 2)
    if found is None or found.p >= FOUND:
        return ""
    return f"the trend bends (p {_p(found.p)}): with a parabola for a trend, {found.effect}"


def _slow(model: Model) -> list[str]:
    """Whether the first periods after a jump differ from the rest."""
    clock, said = model.series.clock, []
    for name, given in model.interruptions.items():
        if len(given) != 1 or not isinstance(given[0], Level):
            continue
        place = clock.place(given[0].at)
        width = min(START[clock.kind], (len(clock.periods) - place) // 3)
        if width < 2:
            continue
        since = clock.periods - place
        found = _further(model, np.where(since >= 0, np.maximum(1 - since / width, 0), 0.0))
        if found is None or found.p >= FOUND:
            continue
        [jump] = [place for place, owner in enumerate(model.design.owners) if owner == (name, Level.name)][
            -1:
        ]
        level = float(model.fit.coefficients[0, jump])
        if found.sign * level < 0:
            said.append(
                f"{name!r} starts slowly (its first {width} {clock.unit}s differ from the rest, p {_p(found.p)}): use "
                "Ramp(start, end), or leave_out= those"
            )
        else:
            said.append(
                f"{name!r} fades (its first {width} {clock.unit}s differ from the rest, p {_p(found.p)}): use "
                "Decay(date, tau) beside the level"
            )
    return said


def _p(value: float) -> str:
    text = p_value(value)
    return text if text.startswith("<") else f"= {text}"
