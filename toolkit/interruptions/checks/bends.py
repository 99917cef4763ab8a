"""Bends in the trend before an interruption: the model with one more, its weight, and what a bend does to an effect.

Bend         a trend that is not straight: its column, and the date of the bend
bends        a parabola, and a bend at every date that has enough points on both sides
scales       the model on its scale, and on the other one
bent         the model with a bend in its trend, on each scale
row          the effect and the bend that a model finds, and its likelihood
weighed      Akaike weights of such rows
averaged     their model-averaged effect
needed       the bend on each date that would bring an interval to 0
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.special import ndtr

from toolkit.interruptions import design
from toolkit.interruptions.caveats import FEW
from toolkit.interruptions.design import Design
from toolkit.interruptions.errors.ar1_noise import Correlation, Structure
from toolkit.interruptions.errors.reml import RemlFit
from toolkit.interruptions.estimands import Estimands
from toolkit.interruptions.model import Model, Part
from toolkit.intervals import student

Trend = Literal["straight", "parabola", "bend"]
Estimand = Literal["relative", "average"]
STRAIGHT, PARABOLA, BEND = "straight", "parabola", "bend"
#: Weight beforehand of the trends; that of a bend is spread over its dates.
BEFOREHAND = {STRAIGHT: 0.5, PARABOLA: 0.25, BEND: 0.25}
LIMITS = ["estimate", "low", "high"]


@dataclass(frozen=True, eq=False)
class Bend:
    """A trend that is not straight: what it is, the date of the bend as text, and its column, one entry a period."""

    trend: Trend
    date: str
    column: np.ndarray


@dataclass(frozen=True)
class Asked:
    """The effect that is asked about: interruptions, periods, and the estimand."""

    names: Sequence[str]
    at: np.ndarray
    which: Estimand


def bends(model: Model, start: int, every: int) -> list[Bend]:
    """A parabola, and a bend at every so many dates with 12 points before it and 12 from it to the interruption."""
    periods = model.series.clock.periods.astype(float)
    return [
        Bend("parabola", "", (2 * periods / periods[-1] - 1) ** 2),
        *(at_date(model, int(at)) for at in admissible(model, start)[::every]),
    ]


def at_date(model: Model, at: int) -> Bend:
    """A trend that changes at a period."""
    clock = model.series.clock
    return Bend("bend", clock.said(at), np.maximum(clock.periods.astype(float) - at, 0))


def before(model: Model, start: int) -> np.ndarray:
    """Periods with values before an interruption."""
    own = np.flatnonzero(model.parts[0].rows[: model.design.treated])
    return own[own < start]


def admissible(model: Model, start: int) -> np.ndarray:
    """Periods on which a trend may be bent."""
    points = before(model, start)
    return points[FEW : max(len(points) - FEW + 1, 0)]


def scales(model: Model) -> tuple[list[Model], list[str]]:
    """The model, and the same on the other scale, or why there is none."""
    try:
        return [model, model.again(scale="identity" if model.scale.ratio else "log")], []
    except ValueError as reason:
        return [model], [f"One scale only: {reason}"]


def bent(models: Sequence[Model], bend: Bend) -> list[Model]:
    """One model on its scales with a bend in its trend, fitted together; none where the bend is collinear."""
    [part], plan = models[0].parts, models[0].design
    rows, own = part.rows, bend.column / np.abs(bend.column).max()
    column = np.concatenate([own, np.zeros(len(plan.matrix) - len(own))])
    wider = Design(
        (*plan.names, BEND),
        np.column_stack([plan.matrix, column]),
        (*plan.owners, None),
        plan.places,
        plan.treated,
    )
    if len(design.distinct(wider.matrix[rows])) < len(wider.names):
        return []
    values = np.column_stack([model.observed(0)[rows] for model in models])
    fit = models[0].refit(wider.matrix[rows], values, rows)
    assert isinstance(fit, RemlFit)
    return [
        replace(model, design=wider, parts=(Part(np.zeros(1, int), rows, fit.alone(place), model.scale),))
        for place, model in enumerate(models)
    ]


def row(model: Model, asked: Asked, bend: Bend | None = None) -> dict[str, Any]:
    """The effect, the bend a period and the log-likelihood of the series, of one model."""
    [part] = model.parts
    assert isinstance(part.fit, RemlFit)
    found = Estimands(model, part, asked.names, asked.at)
    effect = dict(zip(LIMITS, found.all()[asked.which][0].tolist(), strict=True))
    shown = np.full(3, np.nan)
    if bend is not None and bend.trend == BEND:
        weights = np.eye(len(model.design.names))[[-1]] / np.abs(bend.column).max()
        estimate, error, df = (float(one[0, 0]) for one in part.fit.contrast(weights))
        reach = float(student(df, model.confidence)) * error
        shown = _said(model, np.array([estimate, estimate - reach, estimate + reach]), asked, found)
    return {
        "scale": model.scale.name,
        "trend": STRAIGHT if bend is None else bend.trend,
        "date": "" if bend is None else bend.date,
        **effect,
        **dict(zip(("bend", "bend_low", "bend_high"), shown.tolist(), strict=True)),
        "likelihood": _likelihood(model, part.fit, part.rows),
        "n": int(model.points[0]),
    }


def _said(model: Model, bend: np.ndarray, asked: Asked, found: Estimands) -> np.ndarray:
    """Bends a period as they are told: shares on the log scale, and wherever effects are shares."""
    if asked.which == "average":
        return bend
    return np.asarray(np.expm1(bend) if model.scale.ratio else bend / found.would.mean())


def _likelihood(model: Model, fit: RemlFit, rows: np.ndarray) -> float:
    """Log-likelihood of the values themselves, coefficients and variance at their likeliest."""
    structure = Structure(Correlation(fit.at, float(fit.rho[0])), float(fit.lam[0]))
    variance = float(fit.scale[0]) * (fit.n - fit.k) / fit.n
    height = -0.5 * (fit.n * np.log(max(variance, 1e-300)) + structure.log_det)
    # A density of y is that of log y, over y.
    return float(height - (model.observed(0)[rows].sum() if model.scale.ratio else 0.0))


def weighed(rows: pd.DataFrame) -> np.ndarray:
    """Akaike weights: exp(log-likelihood less one for a bend), times the weight beforehand."""
    dates = max(int((rows["trend"] == BEND).sum() / rows["scale"].nunique()), 1)
    prior = rows["trend"].map(BEFOREHAND) / np.where(rows["trend"] == BEND, dates, 1)
    height = np.log(prior) + rows["likelihood"] - (rows["trend"] != STRAIGHT)
    weights = np.exp(height - height.max())
    return np.asarray(weights / weights.sum())


def averaged(rows: pd.DataFrame, logs: Sequence[bool], confidence: float) -> pd.Series:
    """Middle and interval of the mixture of the rows' intervals, each taken as normal.

    Parameters
    ----------
    logs
        For every row whether its interval is symmetric in the logarithm of the ratio.
    """
    on_log, limits = np.asarray(logs), rows[LIMITS].to_numpy().T
    middle, low, high = np.where(
        on_log, np.log1p(np.where(on_log, np.maximum(limits, -1 + 1e-12), 0.0)), limits
    )
    spread = (high - low) / 2 / float(student(np.inf, confidence))
    weights = rows["weight"].to_numpy()

    def below(value: float) -> float:
        on_scale = np.where(on_log, np.log1p(value) if on_log.any() else 0.0, value)
        return float(weights @ ndtr((on_scale - middle) / spread))

    found = []
    for share in (0.5, (1 - confidence) / 2, (1 + confidence) / 2):
        left, right = limits.min() - np.ptp(limits), limits.max() + np.ptp(limits)
        left = max(left, -1 + 1e-12) if on_log.any() else left
        for _ in range(100):
            centre = (left + right) / 2
            left, right = (centre, right) if below(centre) < share else (left, centre)
        found.append((left + right) / 2)
    return pd.Series(found, index=LIMITS)


def needed(model: Model, asked: Asked, dates: Sequence[Bend]) -> Mapping[str, float]:
    """The bend on each date that would bring the interval of the straight model to 0; none where it holds 0.

    The errors' (rho, lam) are held, so that the effect is linear in the bend.
    """
    [part] = model.parts
    fit = part.fit
    assert isinstance(fit, RemlFit)
    own, instead = model.design.matrix[: model.design.treated], model.design.without(asked.names)
    weights = (own - instead)[asked.at].mean(0)
    estimate, error, df = (float(one[0, 0]) for one in fit.contrast(weights[None]))
    reach = float(student(df, model.confidence)) * error
    if abs(estimate) <= reach:
        return {}
    limit = estimate - np.sign(estimate) * reach
    padding = np.zeros(len(model.design.matrix) - model.design.treated)
    columns = np.column_stack([np.concatenate([bend.column, padding]) for bend in dates])[part.rows]
    structure = Structure(Correlation(fit.at, float(fit.rho[0])), float(fit.lam[0]))
    solved = structure.solve(fit.design)
    moved = weights @ np.linalg.solve(fit.design.T @ solved, solved.T @ columns)
    found = Estimands(model, part, asked.names, asked.at)
    return {
        bend.date: float(_said(model, np.array([limit / by]), asked, found)[0])
        for bend, by in zip(dates, moved, strict=True)
        if by
    }
