"""Model adequacy: warnings that stand in the sentence of a result where the series does not keep to its model.

warnings    one clause for each fault that is found in the innovations, by a further column, or in values and dates
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from toolkit.interruptions import design, innovations
from toolkit.interruptions.errors.fitted import Fit
from toolkit.interruptions.innovations import FOUND, probability
from toolkit.interruptions.model import Model
from toolkit.interruptions.terms import Level, Pulse
from toolkit.intervals import student, two_sided
from toolkit.wording import amount, change, interval, some

#: Periods over which an effect may start slowly, by length of a period.
START = {"h": 24, "D": 14, "W": 4, "M": 3, "Q": 2, "Y": 2, "": 7}
#: Points beyond the columns that a further column needs.
LEAST = 12
#: Points beyond the columns from which on rho near 1 is more than a short series' doubt.
LONG = 100
#: Mean below which log(y + 0.5) understates ratios; median above which a zero is far from everything else.
FEW, MANY = 5.0, 20.0


#: Those of models that are alive: a result and its effects say the same ones, and each costs two fits.
KNOWN: WeakKeyDictionary[Model, tuple[str, ...]] = WeakKeyDictionary()


def warnings(model: Model) -> tuple[str, ...]:
    """Where one series does not keep to its model, and what to do: one clause each; of many series the calendar's only.

    Notes
    -----
    Autocorrelation: Ljung and Box at two lags. Outliers: innovations beyond 5 standard deviations. Trend and start: t
    tests of one more column, a parabola and a triangle over the first periods, in the model's own error process. Each
    at 1 %. Variance: F test of innovations after the first interruption against those before, with fewer degrees of
    freedom where tails are heavy (Box) or autocorrelation is left (Bartlett), one-sided at 3 % for a larger spread,
    which makes intervals too narrow, and at 0.5 % for a smaller one; a slow start is judged by the spread after the
    event and, where it is found, explains that spread. benchmarks/outside.md has how often each is said
    where it should be, and where nothing is wrong: a spread that doubles 10 points before the end in four of five
    series, which at 1 % no test could, and a walk at its bound in two of five.
    """
    if model not in KNOWN:
        KNOWN[model] = _found(model)
    return KNOWN[model]


def _found(model: Model) -> tuple[str, ...]:
    undated = _undated(model)
    if len(model.series.names) > 1:
        return undated
    [part] = model.parts
    rows = part.rows[: model.design.treated]
    at = np.flatnonzero(rows)
    shocks = part.fit.whitened()[: len(at), 0]
    if not shocks.std() > 0:
        return undated
    clock = model.series.clock
    after = at >= min(clock.place(term.at) for given in model.interruptions.values() for term in given)
    left = innovations.autocorrelation(shocks, after, clock)
    columns = model.design.matrix[: model.design.treated][at]
    spread = innovations.spread(shocks, after, columns, left.repeated if left else 1.0)
    long = part.fit.n - part.fit.k > LEAST
    slow = _slow(model, spread.times if spread else 1.0) if long else []
    found = [
        *undated,
        _bound(part.fit),
        left.said if left else "",
        innovations.far_point(shocks, at, clock),
        # A slow start alone makes the innovations after the event vary more.
        spread.said if spread and not slow else "",
        *_zeros(model),
        *_late(model),
        _bent(model) if long else "",
        *slow,
    ]
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


def _further(model: Model, column: np.ndarray, wider: float = 1.0) -> Further | None:
    """The model with one more column of the series' own; None where that is collinear with others.

    `wider`: how many times the spread is wider where the column acts, which its error does not know.
    """
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
        float(two_sided(np.abs(estimate[0] / error[0]) / wider, df[0])),
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
    return f"the trend bends (p {probability(found.p)}): with a parabola for a trend, {found.effect}"


def _slow(model: Model, wider: float) -> list[str]:
    """Whether the first periods after a jump differ from the rest, where the spread is `wider` times."""
    clock, said = model.series.clock, list[str]()
    for name, given in model.interruptions.items():
        if len(given) != 1 or not isinstance(given[0], Level):
            continue
        place = clock.place(given[0].at)
        width = min(START[clock.kind], (len(clock.periods) - place) // 3)
        if width < 2:
            continue
        since = clock.periods - place
        found = _further(model, np.where(since >= 0, np.maximum(1 - since / width, 0), 0.0), max(wider, 1.0))
        if found is None or found.p >= FOUND:
            continue
        [jump] = [place for place, owner in enumerate(model.design.owners) if owner == (name, Level.name)][
            -1:
        ]
        level = float(model.fit.coefficients[0, jump])
        differ = f"(its first {width} {clock.unit}s differ from the rest, p {probability(found.p)})"
        if found.sign * level < 0:
            said.append(f"{name!r} starts slowly {differ}: use Ramp(start, end), or leave_out= those")
        else:
            said.append(f"{name!r} fades {differ}: use Decay(date, tau) beside the level")
    return said
