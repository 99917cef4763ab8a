"""Intervals of inequality, for another draw of such creators (sample below, Pareto tail above) or another period.

The largest creators decide a Gini, and a sample seldom holds the largest. A bootstrap of the sample alone
holds the truth in half of the cases where the tail is heavy (see benchmarks/scenarios.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import special, stats

from toolkit.intervals import Interval
from toolkit.scenarios.creators import inequality
from toolkit.wording import counted, p_value

Question = Literal["this set", "another period", "another draw"]
QUESTIONS = ("this set", "another period", "another draw")
#: Below this exponent of the tail Theil's index has no interval that holds.
THEIL_EXPONENT = 1.5
#: Below this p amounts are not taken for log-normal.
NOT_LOGNORMAL = 0.05
#: Resamples of each interval.
RESAMPLES = 999
#: A mean must exist: a drawn exponent is never less.
LEAST_EXPONENT = 1.02
#: Fewer creators than this give no interval.
FEWEST_CREATORS = 30
#: Sessions that half of the creators must have before another period's luck can be told from theirs.
FEWEST_SESSIONS = 3
#: Numbers drawn at a time.
PART = 2_000_000


@dataclass(frozen=True, eq=False)
class HalfParametric:
    """A sample whose largest values are taken for a Pareto tail.

    Parameters
    ----------
    body : array
        All but the k largest values.
    start : float
        Where the tail begins: the largest value of the body.
    k : int
        How many values lie in the tail.
    exponent : float
        a in P(X > x) = (x / start)^-a; infinite where all of the tail are equal.
    """

    body: np.ndarray
    start: float
    k: int
    exponent: float

    @classmethod
    def of(cls, values: np.ndarray) -> HalfParametric:
        """From a sample; k is the root of its size, and at least 5.

        Notes
        -----
        Hill's estimator from the k largest over the next one, times (k - 1) / k, which takes away its bias.
        """
        ordered = np.sort(values)
        k = max(5, int(np.sqrt(len(ordered))))
        body, tail = ordered[:-k], ordered[-k:]
        logs = np.log(tail / body[-1]).sum() if body[-1] > 0 else 0.0
        return cls(body, float(body[-1]), k, (k - 1) / logs if logs > 0 else np.inf)

    @property
    def known(self) -> bool:
        """Whether there is a tail to speak of: more than k creators who sold something."""
        return self.start > 0

    def samples(self, rng: np.random.Generator, many: int) -> np.ndarray:
        """So many samples of the same size, sorted; each from a tail whose exponent is drawn.

        Notes
        -----
        Given the data the exponent is a Gamma(k) / k, what k logarithms of a Pareto tell of it (a fiducial
        distribution); fixed at its estimate, intervals are too narrow.
        """
        n = len(self.body) + self.k
        exponents = np.maximum(self.exponent * rng.gamma(self.k, size=many) / self.k, LEAST_EXPONENT)
        drawn = self.body[rng.integers(0, len(self.body), (many, n))]
        above = rng.random((many, n)) < self.k / n
        with np.errstate(over="ignore"):
            tail = self.start * (1 - rng.random((many, n))) ** (-1 / exponents[:, None])
        return np.sort(np.where(above, tail, drawn), axis=1)


Measure = Callable[[np.ndarray], Any]


def answered(
    part: pd.DataFrame, totals: np.ndarray, top: list[float], question: Question, tail: str, confidence: float
) -> tuple[dict[str, Interval], list[str]]:
    """Intervals that answer a question, by measure, and what is to be said of them.

    Parameters
    ----------
    part : DataFrame
        `value`, and `creator` where the values are sessions.
    totals : array
        By creator.
    """
    measures: dict[str, Measure] = {
        "gini": inequality.gini_of_sorted,
        "hhi": inequality.hhi,
        "theil": inequality.theil,
        **{top_name(who): partial(inequality.top_of_sorted, who=who) for who in top},
    }
    if question == "this set":
        return {}, []
    if len(totals) < FEWEST_CREATORS:
        return {}, [f"Fewer than {FEWEST_CREATORS} creators: no interval."]
    if question == "another period":
        owner = pd.factorize(part["creator"])[0]
        sessions = np.bincount(owner)
        if np.median(sessions) < FEWEST_SESSIONS:
            few = f"Half of the creators have fewer than {FEWEST_SESSIONS} sessions"
            return {}, [f"{few}, which do not tell their luck: no interval."]
        alone = int((sessions == 1).sum())
        note = (
            f"{counted(alone, 'creator has', 'creators have')} a single session, whose luck is not counted."
        )
        found = of_sessions(part["value"].to_numpy(), owner, measures, confidence)
        return found, [note] if alone else []
    if tail == "log-normal":
        _refuse_others(totals)
        exact = if_lognormal(totals, top, confidence)
        return {name: ends for name, (_, ends) in exact.items()}, [
            "Exact if amounts are log-normal, and only then."
        ]
    model = HalfParametric.of(totals)
    if not model.known:
        return {}, ["Too few creators sold anything for an interval."]
    notes = []
    if model.exponent < THEIL_EXPONENT:
        del measures["theil"]
        notes.append(
            f"The tail is heavy (P(X > x) falls as x^-{model.exponent:.2f}): no interval for Theil's index."
        )
    return intervals(totals, measures, confidence), notes


def _refuse_others(totals: np.ndarray) -> None:
    """Refuse what is not log-normal as a whole.

    Of a tail alone a log-normal cut off there is never rejected, for a power law is its limit; so the test is that of
    D'Agostino and Pearson (1973) on all logarithms.
    """
    from scipy.stats import normaltest

    if (totals <= 0).any():
        raise ValueError(
            "tail='log-normal' needs every amount above 0; creators with nothing are no part of it"
        )
    p = float(normaltest(np.log(totals)).pvalue)
    if p < NOT_LOGNORMAL:
        raise ValueError(f"the amounts reject a log-normal (p {p_value(p)}): use tail='auto'")


def intervals(
    values: np.ndarray,
    measures: dict[str, Measure],
    confidence: float,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Interval]:
    """Percentile intervals of measures (of values that rise along the last axis) by the half-parametric bootstrap."""
    model, rng = HalfParametric.of(values), np.random.default_rng(seed)
    part = max(1, PART // len(values))
    found: dict[str, list[np.ndarray]] = {name: [] for name in measures}
    for start in range(0, resamples, part):
        drawn = model.samples(rng, min(part, resamples - start))
        for name, measure in measures.items():
            found[name].append(measure(drawn))
    tails = (1 - confidence) / 2, (1 + confidence) / 2
    return {name: Interval(*np.quantile(np.concatenate(parts), tails)) for name, parts in found.items()}


def of_sessions(
    values: np.ndarray, owner: np.ndarray, measures: dict[str, Measure], confidence: float, seed: int = 0
) -> dict[str, Interval]:
    """Where a measure of the same creators may lie in another period: sessions resampled within each creator.

    Notes
    -----
    Another period has luck of its own beside that of this one, so that the two differ by the root of two times what
    resampling shows. Resampled totals carry luck twice and are more unequal than any period; so only their spread about
    their own mean is taken, on a log scale (log odds for shares), and with k / (k - 1) for k sessions.
    """
    rng = np.random.default_rng(seed)
    order = np.argsort(owner, kind="stable")
    amounts, owners = values[order], owner[order]
    _, first, many = np.unique(owners, return_index=True, return_counts=True)
    start, size = np.repeat(first, many), np.repeat(many, many)
    known = np.add.reduceat(amounts, first)
    wider = np.sqrt(many / np.maximum(many - 1, 1))
    totals = np.empty((RESAMPLES, len(first)))
    for at in range(RESAMPLES):
        chosen = start + np.floor(rng.random(len(amounts)) * size).astype(int)
        totals[at] = known + wider * (np.add.reduceat(amounts[chosen], first) - known)
    totals = np.sort(np.maximum(totals, 0), axis=1)
    tails = (1 - confidence) / 2, (1 + confidence) / 2
    found = {}
    for name, measure in measures.items():
        there, back = (np.log, np.exp) if name in ("hhi", "theil") else (special.logit, special.expit)
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn, own = there(measure(totals)), there(measure(np.sort(np.maximum(known, 0))))
            ends = back(own + np.sqrt(2) * np.quantile(drawn - drawn.mean(), tails))
        found[name] = Interval(*(ends if np.isfinite(own) else (np.nan, np.nan)))
    return found


def if_lognormal(
    values: np.ndarray, top: list[float], confidence: float
) -> dict[str, tuple[float, Interval]]:
    """Gini and shares of the top, with exact intervals, were the values log-normal (chi-square interval of sigma)."""
    logs, n = np.log(values), len(values)
    tails = np.array([(1 + confidence) / 2, (1 - confidence) / 2])
    sigma = float(logs.std(ddof=1))
    ends = sigma * np.sqrt((n - 1) / stats.chi2.ppf(tails, n - 1))
    found = {"gini": (inequality.lognormal_gini(sigma), Interval(*map(inequality.lognormal_gini, ends)))}
    for who in top:
        part = who if who < 1 else who / n
        low, high = (inequality.lognormal_top(float(end), part) for end in ends)
        found[top_name(who)] = inequality.lognormal_top(sigma, part), Interval(low, high)
    return found


def top_name(who: float) -> str:
    """How the share of the largest is called in a table: top3, or top10%."""
    return f"top{who:g}" if who >= 1 else f"top{who * 100:g}%"
