"""What interruptions added to many series, and what would have been: means, and how they move with the coefficients.

Estimands      average, relative and cumulative effects over some periods
predicted      what would have been at every period, with bands
gaps           the relative effect at every period
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from toolkit.interruptions.answer import Part
    from toolkit.interruptions.result import InterruptedTimeSeries


def walked(result: InterruptedTimeSeries, fit: Any) -> np.ndarray:
    """How far the levels have come beside x b, series x periods: 0 unless the estimator lets them walk."""
    own = result.design.matrix[: result.design.treated]
    if not getattr(fit, "walks", False):
        return np.zeros((len(fit.coefficients), len(own)))
    level, _, _ = fit.foretell(own, result.series.clock.periods)
    return np.asarray(level - fit.coefficients @ own.T)


class Estimands:
    """Effects on series that share a fit, over some periods: the design as it was, and as it would have been.

    Each answer is an array of estimate, low and high by series.
    """

    def __init__(
        self, result: InterruptedTimeSeries, part: Part, names: Sequence[str], at: np.ndarray
    ) -> None:
        self.fit, self.scale, self.at = part.fit, result.scale, at
        self.observed = result.series.values[np.ix_(at, part.series)].T
        self.walks = bool(getattr(part.fit, "walks", False))
        own, instead = result.design.matrix[: result.design.treated][at], result.design.without(names)[at]
        beside = (result.offset + walked(result, part.fit))[:, at]
        variance = part.fit.scale[:, None]
        self.was, self.would = (
            self.scale.mean(part.fit.coefficients @ rows.T + beside, variance) for rows in (own, instead)
        )
        # A level that walks is known where the series is: what would have been is off by the effect's error alone.
        known = own if self.walks else 0.0
        self.own, self.instead = own - known, instead - known
        self.tail = (1 + result.confidence) / 2
        self.present = ~np.isnan(self.observed)

    def all(self) -> dict[str, np.ndarray]:
        """The three by name, each series x (estimate, low, high)."""
        was, would = self.was.sum(1), self.would.sum(1)
        moves = self._slopes(self.was, self.own), self._slopes(self.would, self.instead)
        some = would > 0
        below = np.where(some, would, 1.0)[:, None]
        ratio = np.where(some, was, np.nan) / below[:, 0]
        if self.scale.ratio:
            # The logarithm of the ratio is nearly normal, and for one period exactly a contrast.
            relative = moves[0] / np.where(was > 0, was, 1.0)[:, None] - moves[1] / below
        else:
            relative = (moves[0] - np.where(some, ratio, 0.0)[:, None] * moves[1]) / below
        cumulative = self._slopes(self.would, self.instead, self.present)
        weights = np.stack([(moves[0] - moves[1]) / len(self.at), relative, cumulative], 1)
        _, error, df = self.fit.contrast(weights)
        reach = stats.t.ppf(self.tail, df) * error
        average = (self.was - self.would).mean(1)
        return {
            "average": _around(average, reach[:, 0]),
            "cumulative": self._cumulative(cumulative, error[:, 2], df[:, 2]),
            "relative": _around(ratio - 1, reach[:, 1])
            if not self.scale.ratio
            else ratio[:, None] * np.exp(_around(np.zeros(len(ratio)), reach[:, 1])) - 1,
        }

    def _slopes(self, means: np.ndarray, rows: np.ndarray, share: Any = 1.0) -> np.ndarray:
        """How means move with the coefficients, summed over periods, series x columns."""
        return np.asarray(
            (share * (means + self.scale.shift if self.scale.ratio else np.ones_like(means))) @ rows
        )

    def _cumulative(self, slope: np.ndarray, error: np.ndarray, df: np.ndarray) -> np.ndarray:
        """Observed less what would have been, over periods with data; their errors are in its interval.

        Its error is the sum of the errors e of the periods less c'(b_hat - b), and both hang together: the variance
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
            # In a short series an interval may be narrower than at the likelihood's top, where both hang together.
            spread = np.maximum(spread, plain) + self._noise(level) - 2 * both
        quantile = np.where(error > 0, stats.t.ppf(self.tail, df), stats.norm.ppf(self.tail))
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


def predicted(result: InterruptedTimeSeries, names: Sequence[str]) -> dict[str, np.ndarray]:
    """What was and what would have been at every period, by name of column; each series x periods."""
    own, instead = result.design.matrix[: result.design.treated], result.design.without(names)
    columns = ("fitted", "counterfactual", "low", "high", "predicted_low", "predicted_high")
    found = np.empty((len(columns), len(result.series.names), len(own)))
    for part in result.parts:
        fit, scale = part.fit, result.scale
        variance, periods = fit.scale[:, None], result.series.clock.periods
        walks = getattr(fit, "walks", False)
        estimate, error, df = fit.foretell(instead, periods) if walks else fit.contrast(instead)
        quantile = stats.t.ppf((1 + result.confidence) / 2, df)
        estimate = estimate + result.offset
        fitted = fit.coefficients @ own.T + result.offset + walked(result, fit)
        centre = scale.mean(estimate, variance)
        limits = [scale.mean(estimate + side * quantile * error, variance) for side in (-1, 1)]
        if scale.linked:
            noise = np.sqrt(variance * centre + (limits[1] - limits[0]) ** 2 / 16)
            single = [np.maximum(centre + side * quantile * noise, 0) for side in (-1, 1)]
        else:
            # A single value's quantiles need no correction for the mean.
            noise = np.sqrt(error**2 + variance)
            single = [scale.mean(estimate + side * quantile * noise, 0.0) for side in (-1, 1)]
        found[:, part.series] = [scale.mean(fitted, variance), centre, *limits, *single]
    return dict(zip(columns, found, strict=True))


def gaps(result: InterruptedTimeSeries, names: Sequence[str], at: np.ndarray) -> np.ndarray:
    """Relative effect, low and high at each period, 3 x series x periods."""
    own, instead = result.design.matrix[: result.design.treated], result.design.without(names)
    rows, found = (own - instead)[at], np.empty((3, len(result.series.names), len(at)))
    for part in result.parts:
        fit, b = part.fit, part.fit.coefficients
        added = b @ rows.T
        if result.scale.ratio:
            value, weights = added, rows
        else:
            known = own if getattr(fit, "walks", False) else 0.0
            would = b @ instead[at].T + walked(result, fit)[:, at]
            with np.errstate(divide="ignore", invalid="ignore"):
                value = np.where(would > 0, added / would, np.nan)
                weights = (rows - value[:, :, None] * (instead - known)[at]) / would[:, :, None]
            weights = np.nan_to_num(weights)
        _, error, df = fit.contrast(weights)
        reach = stats.t.ppf((1 + result.confidence) / 2, df) * error
        found[:, part.series] = value, value - reach, value + reach
    return np.expm1(found) if result.scale.ratio else found
