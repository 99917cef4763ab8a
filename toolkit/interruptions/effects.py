"""Effects of interruptions: what they added, on average, in all, and as a share of what would have been.

Effect          the answer: absolute and relative, average and cumulative
effect          an effect at one period or over several
counterfactual  what would have been, period by period, with bands
gaps            the relative effect at every period
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from scipy import stats

from toolkit.interruptions.wording import amount, change, interval
from toolkit.results import Result, some

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.interruptions.result import InterruptedTimeSeries


@dataclass(frozen=True, repr=False, eq=False)
class Effect(Result):
    """An effect over some periods. Made by `InterruptedTimeSeries.effect`.

    `table`: series (of many), interruption, start, end, estimand, estimate, low, high, n. Estimands: "average" (per
    period) and "cumulative" in the units of the series, and "relative": the share of what would have been.
    """

    table: pd.DataFrame
    confidence: float
    what: str
    unit: str
    caveats: tuple[str, ...]

    rates: ClassVar[frozenset[str]] = frozenset()

    def value(self, estimand: str) -> tuple[float, float, float]:
        """Estimate, low and high of one estimand of a single series."""
        row = self.table[self.table["estimand"] == estimand].iloc[0]
        return float(row["estimate"]), float(row["low"]), float(row["high"])

    def sentence(self) -> str:
        """The effect in words."""
        names = self.table["series"].unique() if "series" in self.table else [None]
        parts = []
        for name in names[:3]:
            rows = self.table if name is None else self.table[self.table["series"] == name]
            rows = rows.set_index("estimand")
            mean, share, whole = (rows.loc[key] for key in ("average", "relative", "cumulative"))
            text = (
                f"{change(share['estimate'])} ({interval(share, change)}), {amount(mean['estimate'])} a {self.unit} "
                f"({interval(mean, amount)}), {amount(whole['estimate'])} in all ({interval(whole, amount)}), "
                f"n = {mean['n']:,}"
            )
            parts.append(text if name is None else f"{name}: {text}")
        start, end = self.table["start"].iloc[0], self.table["end"].iloc[0]
        when = f"on {start}" if start == end else f"from {start} to {end}"
        closing = f"; {'; '.join(self.caveats)}." if self.caveats else "."
        return f"Effect of {self.what} {when}: {'. '.join(parts)} ({self.confidence * 100:g} % intervals){closing}"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Estimates with their intervals."""
        from toolkit.interruptions import plots

        return plots.effect(self, ax)


def chosen(result: InterruptedTimeSeries, of: str | Sequence[str] | None) -> list[str]:
    """Names of interruptions, all by default."""
    names = list(result.interruptions) if of is None else [of] if isinstance(of, str) else list(of)
    for name in names:
        if name not in result.interruptions:
            raise ValueError(f"no interruption {name!r}; there are: {some(list(result.interruptions))}")
    return names


def window(result: InterruptedTimeSeries, names: Sequence[str], at: Any, over: Any) -> np.ndarray:
    """Numbers of the periods that are asked about: from the first of the interruptions on, by default."""
    clock = result.series.clock
    if at is not None and over is not None:
        raise ValueError("give at= for one period or over= for several, not both")
    if at is not None:
        return np.array([clock.place(at)])
    if over is None:
        return np.arange(
            min(clock.place(term.at) for name in names for term in result.interruptions[name]),
            len(clock.periods),
        )
    if isinstance(over, str) or len(over) != 2:
        raise ValueError(f"over= is a pair of dates, the last included, not {over!r}")
    first, last = (clock.place(date) for date in over)
    if last < first:
        raise ValueError(f"over={over!r} ends before it starts; swap the dates")
    return np.arange(first, last + 1)


def effect(result: InterruptedTimeSeries, *, at: Any = None, over: Any = None, of: Any = None) -> Effect:
    """See `InterruptedTimeSeries.effect`."""
    names = chosen(result, of)
    asked = window(result, names, at, over)
    clock, lines, caveats = result.series.clock, [], []
    own = result.design.matrix[: result.design.treated]
    instead = result.design.without(names)
    if not (own - instead)[asked].any():
        raise ValueError(
            f"{some(names)} had no term that acts from {clock.said(asked[0])} to {clock.said(asked[-1])}; "
            "ask over= other dates"
        )
    for part, place, number in result.members():
        n = int((~np.isnan(result.series.values[asked, number])).sum())
        one = part.fit.one(place)
        measured = Measured(result, one, 0, own, instead, asked)
        rows = {
            "average": measured.average(),
            "cumulative": measured.cumulative(result.series.values[:, number]),
            "relative": measured.relative(),
        }
        for estimand in ("average", "cumulative", "relative"):
            lines.append(
                [
                    result.series.names[number],
                    some(names),
                    clock.said(asked[0]),
                    clock.said(asked[-1]),
                    estimand,
                    *rows[estimand],
                    n,
                ]
            )
        if n < len(asked):
            caveats.append(f"{len(asked) - n} {clock.unit}s without data are not in the cumulative effect")
        if np.isnan(rows["relative"][0]):
            caveats.append("no relative effect: what would have been is not above 0")
    columns = ["series", "interruption", "start", "end", "estimand", "estimate", "low", "high", "n"]
    table = pd.DataFrame(lines, columns=columns)
    table = table.drop(columns="series") if len(result.series.names) == 1 else table
    return Effect(table, result.confidence, some(names), clock.unit, tuple(dict.fromkeys(caveats)))


def walked(result: InterruptedTimeSeries, fit: Any, place: int) -> np.ndarray:
    """How far the level has come beside x b, per period: 0 unless the estimator lets it walk."""
    own = result.design.matrix[: result.design.treated]
    if not getattr(fit, "walks", False):
        return np.zeros(len(own))
    level, _, _ = fit.foretell(own, result.series.clock.periods)
    return np.asarray(level[place] - own @ fit.coefficients[place])


class Measured:
    """Effects of one series over some periods: the design as it was, and as it would have been."""

    def __init__(
        self,
        result: InterruptedTimeSeries,
        fit: Any,
        place: int,
        own: np.ndarray,
        instead: np.ndarray,
        at: np.ndarray,
    ) -> None:
        self.result, self.fit, self.place = result, fit, place
        self.own, self.instead, self.at = own, instead, at
        self.b = fit.coefficients[place]
        self.variance = float(fit.scale[place])
        self.beside = result.offset + walked(result, fit, place)
        # A level that walks is known where the series is: what would have been is off by the effect's error alone.
        self.known = own if getattr(fit, "walks", False) else np.zeros_like(own)
        self.tail = (1 + result.confidence) / 2

    def contrast(self, weights: np.ndarray) -> tuple[float, float]:
        """Standard error of a contrast, and how far its limits are from it."""
        _, error, df = (values[self.place, 0] for values in self.fit.contrast(weights[None]))
        return float(error), float(stats.t.ppf(self.tail, df) * error)

    def means(self, rows: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Means of periods, in the units of the series."""
        return self.result.scale.mean(rows[at] @ self.b + self.beside[at], self.variance)

    def slopes(self, rows: np.ndarray, at: np.ndarray) -> np.ndarray:
        """How means move with the coefficients, summed over periods."""
        if not self.result.scale.ratio:
            return (rows - self.known)[at].sum(0)
        return (self.means(rows, at) + self.result.scale.shift) @ (rows - self.known)[at]

    def average(self) -> tuple[float, float, float]:
        """Mean effect per period, with its limits."""
        value = (self.means(self.own, self.at) - self.means(self.instead, self.at)).mean()
        slope = (self.slopes(self.own, self.at) - self.slopes(self.instead, self.at)) / len(self.at)
        _, reach = self.contrast(slope)
        return value, value - reach, value + reach

    def relative(self) -> tuple[float, float, float]:
        """Sum of what was over the sum of what would have been, less 1, with limits."""
        own, instead = (self.means(rows, self.at).sum() for rows in (self.own, self.instead))
        if not instead > 0:
            return np.nan, np.nan, np.nan
        was, would = (self.slopes(rows, self.at) for rows in (self.own, self.instead))
        ratio = own / instead
        if not self.result.scale.ratio:
            _, reach = self.contrast((was - ratio * would) / instead)
            return ratio - 1, ratio - 1 - reach, ratio - 1 + reach
        # The logarithm of the ratio is nearly normal, and for one period exactly a contrast.
        _, reach = self.contrast(was / own - would / instead)
        return ratio - 1, ratio * np.exp(-reach) - 1, ratio * np.exp(reach) - 1

    def cumulative(self, observed: np.ndarray) -> tuple[float, float, float]:
        """Observed less what would have been, over periods with data; their errors are in its interval.

        Its error is the sum of the errors e of the periods less c'(b_hat - b), and both hang together: the variance
        is 1'V1 + c'Phi c - 2 c'Phi X'1, with c the sum of the counterfactual's rows and X the rows of the periods.
        """
        at = self.at[~np.isnan(observed[self.at])]
        if not len(at):
            return np.nan, np.nan, np.nan
        value = (observed[at] - self.means(self.instead, at)).sum()
        slope = self.slopes(self.instead, at)
        error, reach = self.contrast(slope)
        if getattr(self.fit, "walks", False):
            return value, value - reach, value + reach
        phi, v = self.fit.vcov()[self.place], self.fit.errors(at, at)[self.place]
        if self.result.scale.ratio and not self.result.scale.linked:
            level = self.means(self.own, at) + self.result.scale.shift
            v = np.outer(level, level) * np.expm1(v)
        together = 2 * slope @ phi @ self.slopes(self.own, at)
        spread = np.sqrt(max(v.sum() + error**2 - together, 0.0))
        quantile = reach / error if error > 0 else stats.norm.ppf(self.tail)
        return value, value - quantile * spread, value + quantile * spread


def counterfactual(result: InterruptedTimeSeries, of: Any = None) -> pd.DataFrame:
    """See `InterruptedTimeSeries.counterfactual`."""
    names = chosen(result, of)
    own, instead = result.design.matrix[: result.design.treated], result.design.without(names)
    frames = []
    for part, place, number in result.members():
        one = part.fit.one(place)
        scale, variance, beside = result.scale, float(one.scale[0]), result.offset + walked(result, one, 0)
        walks = getattr(one, "walks", False)
        found = one.foretell(instead, result.series.clock.periods) if walks else one.contrast(instead)
        estimate, error, df = (values[0] for values in found)
        quantile = stats.t.ppf((1 + result.confidence) / 2, df)
        estimate = estimate + result.offset
        centre = scale.mean(estimate, variance)
        limits = [scale.mean(estimate + side * quantile * error, variance) for side in (-1, 1)]
        # A single value's quantiles need no correction for the mean.
        noise = np.sqrt(error**2 + (variance if not scale.linked else 0.0))
        single = [scale.mean(estimate + side * quantile * noise, 0.0) for side in (-1, 1)]
        if scale.linked:
            single = [
                np.maximum(
                    centre + side * quantile * np.sqrt(variance * centre + (limits[1] - limits[0]) ** 2 / 16),
                    0,
                )
                for side in (-1, 1)
            ]
        frame = pd.DataFrame(
            {
                "series": result.series.names[number],
                "time": result.series.clock.times,
                "observed": result.series.values[:, number],
                "fitted": scale.mean(own @ one.coefficients[0] + beside, variance),
                "counterfactual": centre,
                "low": limits[0],
                "high": limits[1],
                "predicted_low": single[0],
                "predicted_high": single[1],
            }
        )
        frames.append(frame)
    table = pd.concat(frames, ignore_index=True)
    return table.drop(columns="series") if len(result.series.names) == 1 else table


def gaps(result: InterruptedTimeSeries, names: Sequence[str], number: int, periods: np.ndarray) -> np.ndarray:
    """Relative effect, low and high at each period, 3 x periods."""
    part, place = result.member(number)
    own, instead = result.design.matrix[: result.design.treated], result.design.without(names)
    one = part.fit.one(place)
    b, rows = one.coefficients[0], (own - instead)[periods]
    beside, known = walked(result, one, 0)[periods], own if getattr(one, "walks", False) else 0.0
    would = result.scale.mean(instead[periods] @ b + beside, float(one.scale[0]))
    if result.scale.ratio:
        weights, value = rows, rows @ b
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.where(would > 0, rows @ b / would, np.nan)
        weights = (rows - value[:, None] * (instead - known)[periods]) / would[:, None]
    _, error, df = (values[0] for values in one.contrast(np.nan_to_num(weights)))
    reach = stats.t.ppf((1 + result.confidence) / 2, df) * error
    found = np.array([value, value - reach, value + reach])
    return np.expm1(found) if result.scale.ratio else found
