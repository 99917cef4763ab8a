"""Estimands of many series at once: means with and without interruptions, and their derivatives (delta method).

Estimands      average, relative and cumulative effects over some periods
predicted      fitted and counterfactual at every period, with bands
gaps           the relative effect at every period
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from toolkit.interruptions.errors.fitted import Fit
from toolkit.interruptions.model import Model, Part
from toolkit.intervals import student


def walked(model: Model, fit: Fit) -> np.ndarray:
    """What a level that walks adds to x b, series x periods: 0 for every other error model."""
    own = model.design.matrix[: model.design.treated]
    if not fit.walks:
        return np.zeros((len(fit.coefficients), len(own)))
    level, _, _ = fit.predict(own, model.series.clock.periods)
    return np.asarray(level - fit.coefficients @ own.T)


class Estimands:
    """Effects on series that share a fit, over some periods: the design with and without the interruptions.

    Each answer is an array of estimate, low and high by series.
    """

    def __init__(self, model: Model, part: Part, names: Sequence[str], at: np.ndarray) -> None:
        self.fit, self.scale, self.at = part.fit, part.scale, at
        self.observed = model.series.values[np.ix_(at, part.series)].T
        self.walks = part.fit.walks
        own, instead = model.design.matrix[: model.design.treated][at], model.design.without(names)[at]
        beside = (model.offset + walked(model, part.fit))[:, at]
        variance = part.fit.around[:, None]
        self.was, self.would = (
            self.scale.mean(part.fit.coefficients @ rows.T + beside, variance) for rows in (own, instead)
        )
        # A level that walks is known where the series is: the counterfactual is off by the effect's error alone.
        known = own if self.walks else 0.0
        self.own, self.instead = own - known, instead - known
        self.confidence = model.confidence
        self.present = ~np.isnan(self.observed)

    def all(self) -> dict[str, np.ndarray]:
        """The three by name, each series x (estimate, low, high)."""
        was, would = self.was.sum(1), self.would.sum(1)
        moves = self._slopes(self.was, self.own), self._slopes(self.would, self.instead)
        some = would > 0
        below = np.where(some, would, 1.0)[:, None]
        ratio = np.where(some, was, np.nan) / below[:, 0]
        relative = (moves[0] - np.where(some, ratio, 0.0)[:, None] * moves[1]) / below
        # The logarithm of the ratio is nearly normal, and for one period exactly a contrast; unless hardly anything is
        # left but the shift, whose logarithm tells nothing of the mean's.
        logs = self.scale.ratio & (self.was.mean(1) > self.scale.shift)
        relative[logs] = (moves[0] / np.where(was > 0, was, 1.0)[:, None] - moves[1] / below)[logs]
        cumulative = self._slopes(self.would, self.instead, self.present)
        weights = np.stack([(moves[0] - moves[1]) / len(self.at), relative, cumulative], 1)
        # A counterfactual that is all but unknown may be of any size, and its fourth power beyond any number.
        size = np.abs(weights).max(-1)
        _, error, df = self.fit.contrast(weights / np.where(size > 0, size, 1.0)[..., None])
        error = error * size
        reach = student(df, self.confidence) * error
        average = _around((self.was - self.would).mean(1), reach[:, 0])
        share = _around(ratio - 1, reach[:, 1])
        if logs.any():
            ratios = ratio[logs, None] * np.exp(_around(np.zeros(int(logs.sum())), reach[logs, 1]))
            share[logs] = ratios - 1
            # What was is seen, and the counterfactual lies between its quotients by the ratio's limits: their
            # difference is no more symmetric than they are, and holds 0 where the ratio holds 1.
            mapped = self.was.mean(1)[logs, None] * (1 - 1 / np.where(ratios > 0, ratios, np.nan))
            average[logs] = np.where(np.isnan(mapped), average[logs], mapped)
        if self.scale.ratio:
            share = np.maximum(share, -1.0)
        return {
            "average": average,
            "cumulative": self._cumulative(cumulative, error[:, 2], df[:, 2]),
            "relative": share,
        }

    def _slopes(self, means: np.ndarray, rows: np.ndarray, share: Any = 1.0) -> np.ndarray:
        """Derivatives of means by the coefficients, summed over periods, series x columns."""
        return np.asarray(
            (share * (means + self.scale.shift if self.scale.ratio else np.ones_like(means))) @ rows
        )

    def _cumulative(self, slope: np.ndarray, error: np.ndarray, df: np.ndarray) -> np.ndarray:
        """Observed less counterfactual, summed over periods with data; the errors of these are in the interval.

        Its error is the sum of the errors e of the periods less c'(b_hat - b), which are correlated: the variance
        is 1'V1 + c'Phi c - 2 c'Phi X'1, with c the sum of the counterfactual's rows and X the rows of the periods.
        """
        value = np.where(self.present, self.observed - self.would, 0.0).sum(1)
        value = np.where(self.present.any(1), value, np.nan)
        spread = error**2
        if not self.walks:
            level = self.present * (self.was + self.scale.shift if self.scale.ratio else 1.0)
            own = self._slopes(self.was, self.own, self.present)
            vcov = self.fit.vcov()
            plain, both = (np.einsum("mi,mij,mj->m", slope, vcov, rows) for rows in (slope, own))
            # In a short series the averaged variance may be smaller than that at the likelihood's top.
            spread = np.maximum(spread, plain) + self._noise(level) - 2 * both
        quantile = np.where(error > 0, student(df, self.confidence), student(np.inf, self.confidence))
        return _around(value, quantile * np.sqrt(np.maximum(spread, 0.0)))

    def _noise(self, level: np.ndarray) -> np.ndarray:
        """Variance of the periods' errors, summed in the units of the series: level' V level."""
        if self.scale.linked:
            return np.asarray((level**2 * self.fit.noise(self.at)).sum(1))
        # V depends on distance alone, so that sums over pairs are sums over distances.
        places = self.at - self.at[0]
        span = int(places[-1]) + 1
        laid = np.zeros((len(level), span))
        laid[:, places] = level
        by_distance = self.fit.errors(np.zeros(1, int), np.arange(span))[:, 0]
        v = np.expm1(by_distance) if self.scale.ratio else by_distance
        pairs = np.fft.irfft(np.abs(np.fft.rfft(laid, 2 * span)) ** 2, 2 * span)[:, :span]
        return np.asarray(2 * (v * pairs).sum(1) - v[:, 0] * pairs[:, 0])


def _around(value: np.ndarray, reach: np.ndarray) -> np.ndarray:
    return np.stack([value, value - reach, value + reach], -1)


def predicted(model: Model, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Fitted and counterfactual at every period with bands, by name of column; each series x periods."""
    own, instead = model.design.matrix[: model.design.treated], model.design.without(names)
    columns = ("fitted", "counterfactual", "low", "high", "predicted_low", "predicted_high")
    found = np.empty((len(columns), len(model.series.names), len(own)))
    for part in model.parts:
        fit, scale = part.fit, part.scale
        variance, periods = fit.around[:, None], model.series.clock.periods
        estimate, error, df = fit.predict(instead, periods)
        quantile = student(df, model.confidence)
        estimate = estimate + model.offset
        fitted = fit.coefficients @ own.T + model.offset + walked(model, fit)
        centre = scale.mean(estimate, variance)
        limits = [scale.mean(estimate + side * quantile * error, variance) for side in (-1, 1)]
        if scale.linked:
            theta = fit.parameters.get("theta", np.full(len(centre), np.inf))[:, None]
            noise = np.sqrt(variance * (centre + centre**2 / theta) + (limits[1] - limits[0]) ** 2 / 16)
            single = [np.maximum(centre + side * quantile * noise, 0) for side in (-1, 1)]
        else:
            # A single value's quantiles need no correction for the mean.
            noise = np.sqrt(error**2 + variance)
            single = [scale.mean(estimate + side * quantile * noise, 0.0) for side in (-1, 1)]
        found[:, part.series] = [scale.mean(fitted, variance), centre, *limits, *single]
    return dict(zip(columns, found, strict=True))


def gaps(model: Model, names: Sequence[str], at: np.ndarray) -> np.ndarray:
    """Relative effect, low and high at each period, 3 x series x periods."""
    own, instead = model.design.matrix[: model.design.treated], model.design.without(names)
    rows, found = (own - instead)[at], np.empty((3, len(model.series.names), len(at)))
    for part in model.parts:
        fit, b = part.fit, part.fit.coefficients
        added = b @ rows.T
        if part.scale.ratio:
            value, weights = added, rows
        else:
            known = own if fit.walks else 0.0
            would = b @ instead[at].T + walked(model, fit)[:, at]
            with np.errstate(divide="ignore", invalid="ignore"):
                value = np.where(would > 0, added / would, np.nan)
                weights = (rows - value[:, :, None] * (instead - known)[at]) / would[:, :, None]
            weights = np.nan_to_num(weights)
        _, error, df = fit.contrast(weights)
        reach = student(df, model.confidence) * error
        mine = np.array([value, value - reach, value + reach])
        found[:, part.series] = np.expm1(mine) if part.scale.ratio else mine
    return found
