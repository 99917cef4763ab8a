"""Multiverse: the same effect by every error model, season and window that could have been chosen.

Multiverse      the answer: a row for every choice, those that failed with their reason
multiverse      fits them all, and tests whether the estimate moves by more than chance
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toolkit.interruptions import seasons
from toolkit.interruptions.caveats import FEW
from toolkit.interruptions.errors import registry
from toolkit.interruptions.estimands import Estimands
from toolkit.interruptions.model import Model
from toolkit.interruptions.scales import ScaleName
from toolkit.interruptions.series import read
from toolkit.intervals import student, two_sided
from toolkit.multiplicity import adjusted
from toolkit.progress import followed
from toolkit.results import Result
from toolkit.wording import amount, change, counted, interval, interval_level, p_value, some

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ERRORS = ("auto", "ar1", "arima", "prais_winsten", "hac", "ols")
COUNTS = ("quasi_poisson", "negative_binomial")
Choice = tuple[str, Any, int | None]
#: Least variance of a difference, as a share of that of the estimate as asked: two fits are never quite the same.
LEAST = 0.1


@dataclass(frozen=True, repr=False, eq=False)
class Multiverse(Result):
    """One effect by every choice. Made by `InterruptedTimeSeries.multiverse`.

    `table`: errors, season, window, estimate, low, high, p, p_adjusted, n, note; the first row is the choice that was
    made. p is that of the difference from the first row, for choices by the same errors; p_adjusted is Holm's over
    these. Where a choice could not be fitted, estimate is missing and note says why.
    """

    table: pd.DataFrame
    confidence: float
    what: str
    start: str
    end: str
    estimand: str

    @property
    def rates(self) -> frozenset[str]:  # type: ignore[override]
        """Columns that are shares."""
        return frozenset({"estimate", "low", "high"}) if self.estimand == "relative" else frozenset()

    @property
    def fitted(self) -> pd.DataFrame:
        """Rows with an interval."""
        return self.table.dropna(subset=["estimate", "low", "high"])

    @property
    def moved(self) -> pd.DataFrame:
        """Rows whose estimate differs from the one that was asked by more than chance."""
        return self.table[self.table["p_adjusted"] < 1 - self.confidence]

    def sentence(self) -> str:
        """Whether the estimate depends on season and window, and the intervals on the errors."""
        rows, said = self.fitted, change if self.estimand == "relative" else amount
        made, failed = rows.iloc[0], len(self.table) - len(rows)
        apart = int(((rows["low"] > 0) | (rows["high"] < 0)).sum())
        parts = [
            f"Effect of {self.what} from {self.start} to {self.end}: {said(made['estimate'])} "
            f"({interval(made, said)}) as it was asked; {said(rows['estimate'].min())} to "
            f"{said(rows['estimate'].max())} by {counted(len(rows), 'choice')} of errors, season and window, whose "
            f"{interval_level(self.confidence)}s leave out 0 in {apart}",
            self._verdict(),
            *self._widths(),
        ]
        if failed:
            parts.append(f"{counted(failed, 'more choice')} could not be fitted; their notes say why")
        return f"{'. '.join(parts)}."

    def _verdict(self) -> str:
        tested = self.table["p_adjusted"].dropna()
        if tested.empty:
            return "No choice by the errors that were asked is left to compare with"
        said, moved = change if self.estimand == "relative" else amount, self.moved
        if moved.empty:
            return (
                f"The estimate does not depend on season and window: by the same errors none of "
                f"{counted(len(tested), 'other choice')} moves it by more than chance (Hausman's test, smallest "
                f"p_adjusted {p_value(tested.min())}, Holm)"
            )
        worst = moved.loc[moved["p_adjusted"].idxmin()]
        return (
            f"The estimate depends on season and window: with window {worst['window']} and season {worst['season']} it "
            f"is {said(worst['estimate'])} ({interval(worst, said)}; p_adjusted = {p_value(worst['p_adjusted'])}, "
            f"Hausman's test with Holm over {len(tested)}), so the model does not hold for the whole series; ask "
            ".sensitivity() whether its trend bends"
        )

    def _widths(self) -> list[str]:
        """How wide other errors make the interval of the choice that was made."""
        rows = self.fitted
        made, width = rows.iloc[0], rows["high"] - rows["low"]
        alike = (rows["season"] == made["season"]) & (rows["window"] == made["window"])
        others = width[alike].iloc[1:] / width.iloc[0]
        if others.empty:
            return []
        names = rows.loc[others.index, "errors"]
        shown = [f"{times:.2g} ({name})" for name, times in zip(names, others, strict=True)]
        return [f"By other errors the interval is this many times as wide: {some(shown)}"]

    def plot(self, ax: Axes | None = None) -> Axes:
        """Estimates with their intervals, in order of size; the choice that was made apart."""
        from toolkit.interruptions import plots

        return plots.multiverse(self.fitted, self.estimand == "relative", ax)


def multiverse(
    model: Model,
    *,
    of: str | Sequence[str] | None = None,
    errors: Sequence[str] | None = None,
    seasons: Sequence[Any] | None = None,
    windows: Sequence[int | None] | None = None,
) -> Multiverse:
    """The same effect by every error model, season and window, to see whether the conclusion depends on the choice.

    Parameters
    ----------
    of : str or list of str, optional
        Interruptions that are taken away together; all if not given.
    errors : list of str, optional
        Error models; see `interrupted_time_series`. Six if not given, and two more for counts.
    seasons : list, optional
        Seasons; see `interrupted_time_series`. The one that was asked for and none, if not given, and the week alone
        for days of two years or more.
    windows : list of int or None, optional
        Periods on either side of the first of the interruptions that are used; None is the whole series. The whole
        and one narrower window if not given.

    Returns
    -------
    Multiverse

    Raises
    ------
    ValueError
        For several series, or windows without a point.

    Notes
    -----
    The effect is relative (sum of fitted over sum of counterfactual, less 1), or the average one where
    nothing is relative, and always over the periods that the narrowest window holds. Other interruptions that lie
    outside a window are left out of it. Choices that come to the same model are fitted once, the first of them: the
    yearly season of a window shorter than two years is none. Three years of daily counts, 40 choices, take about a
    second on one idle core, and 3 to 8 with `calendar="all"`, most of them for "arima", which `errors` may leave out;
    on busy cores, with linear algebra in several threads, 25 and more.

    Choices are not votes: they share the data, and a wrong model that agrees proves nothing. A narrower window is
    expected to have a wider interval, which may hold 0; it tells against the model only where its estimate differs by
    more than chance. If the model holds, the estimate as asked is efficient, so that the variance of a difference is
    that of the other estimate less its own (Hausman's test), with a tenth of its own at least; standard errors are
    read off the intervals. Choices by other errors are not tested: they have nearly the same estimate, and least
    squares has intervals that are too narrow wherever neighbouring periods are alike. benchmarks/sensitivity.md has
    how often the estimate is said to depend on the choice, where it should be and where not.

    References
    ----------
    Hausman (1978), Econometrica 46:1251.

    Examples
    --------
    >>> from toolkit import Level, interrupted_time_series
    >>> days = pd.date_range("2019-07-01", periods=60)
    >>> noise = np.random.default_rng(1).normal(0, 1, 60)
    >>> visits = pd.Series(np.where(days < "2019-07-31", 100, 80) + noise, index=days)
    >>> found = interrupted_time_series(visits, {"removed": Level("2019-07-31")})
    >>> found.multiverse(errors=["hac"], windows=[None]).table[["errors", "season", "estimate", "low", "high"]].round(3)
      errors season  estimate    low   high
    0   auto   auto    -0.194 -0.202 -0.185
    1    hac   auto    -0.194 -0.203 -0.185
    2    hac   none    -0.194 -0.203 -0.186
    """
    model.alone("multiverse()")
    names, clock = model.chosen(of), model.series.clock
    start = min(clock.place(term.at) for name in names for term in model.interruptions[name])
    known = ~np.isnan(model.series.values[:, 0])
    sides = int(known[:start].sum()), int(known[start:].sum())
    asked = model.question
    values = model.series.values[known, 0]
    whole = bool((values == np.round(values)).all() and values.min() >= 0) and asked.controls is None
    errors = (*ERRORS, *COUNTS) if errors is None and whole and model.scale.ratio else errors or list(ERRORS)
    seasons = _seasons(model) if seasons is None else list(seasons)
    if windows is None:
        narrow = min(sides) if min(sides) < 0.75 * max(sides) else min(sides) // 2
        windows = [None, narrow] if narrow >= 2 * FEW else [None]
    for wide in windows:
        if wide is not None and wide < 3:
            raise ValueError(
                f"windows holds numbers of {clock.unit}s on each side, 3 at least, or None, not {wide}"
            )
    last = min([len(clock.periods) - 1, *(start + wide - 1 for wide in windows if wide is not None)])
    over = clock.times[start], clock.times[last]
    relative = np.isfinite(_effect(model, names, over, "relative")[0])
    estimand = "relative" if relative else "average"
    for name in errors:
        registry.find(
            name
        )  # a name that is none is refused here, a model that cannot be fitted becomes a note
    choices = [(asked.errors, asked.season, None), *product(errors, seasons, windows)]
    cuts = {wide: _cut(model, names, start, wide) for wide in (None, *windows)}
    lines = []
    for name, season, wide in followed(_apart(model, choices, cuts), "choices"):
        line = [name, _said(season), "all" if wide is None else f"{wide} each side"]
        try:
            linked = registry.find(name)[0].linked
            scale, offset = ("auto", asked.offset) if linked else (_scale(model), None)
            found = model.again(errors=name, season=season, scale=scale, offset=offset, **cuts[wide])
            notes = [note for note in found.notes if note not in model.notes]
            n = int(found.points[0])
            lines.append([*line, *_effect(found, names, over, estimand), n, "; ".join(notes)])
        except (ValueError, np.linalg.LinAlgError, FloatingPointError) as error:
            lines.append([*line, np.nan, np.nan, np.nan, 0, str(error)])
    columns = ["errors", "season", "window", "estimate", "low", "high", "n", "note"]
    table = pd.DataFrame(lines, columns=columns)
    table.insert(6, "p", _differences(table, estimand == "relative" and model.scale.ratio, model.confidence))
    table, _ = adjusted(table, "holm")
    return Multiverse(table, model.confidence, some(names), clock.said(start), clock.said(last), estimand)


def _effect(model: Model, names: Sequence[str], over: tuple[Any, Any], estimand: str) -> list[float]:
    """Estimate, low and high."""
    answers = Estimands(model, model.parts[0], names, model.window(names, over=over)).all()
    return [float(value) for value in answers[estimand][0]]


def _differences(table: pd.DataFrame, log: bool, confidence: float) -> np.ndarray:
    """P value of each estimate's difference from the first, by the same errors; missing for all others."""
    numbers = table[["estimate", "low", "high"]].to_numpy().T
    with np.errstate(invalid="ignore"):
        middle, low, high = np.log1p(numbers) if log else numbers
    variance = ((high - low) / 2 / float(student(np.inf, confidence))) ** 2
    spread = np.maximum(variance - variance[0], LEAST * variance[0])
    p = two_sided(np.abs(middle - middle[0]) / np.sqrt(spread), np.full(len(table), np.inf))
    words = table["errors"].replace("auto", registry.DEFAULT)
    same = (words == words.iloc[0]) & (table.index > 0)
    return np.where(same, p, np.nan)


def _scale(model: Model) -> ScaleName:
    """The scale of the result by name, so that no cut of the series chooses another."""
    return "log" if model.scale.ratio else "identity"


def _seasons(model: Model) -> list[Any]:
    clock, asked = model.series.clock, model.question.season
    found = [asked, None]
    if clock.kind == "D" and len(clock.periods) >= seasons.YEARS * seasons.YEAR["D"] and asked != "week":
        found.append("week")
    return found


def _apart(
    model: Model, choices: Sequence[Choice], cuts: Mapping[int | None, dict[str, Any]]
) -> list[Choice]:
    """Choices that are different models, the first of each kind: of a short window a season may have no columns."""
    kept: dict[Any, Choice] = {}
    clocks = {wide: read(cut["series"]).clock if cut else model.series.clock for wide, cut in cuts.items()}
    for name, season, wide in choices:
        try:
            columns: Any = tuple(seasons.seasonal(clocks[wide], season))
        except ValueError:
            columns = str(season)  # refused by name, with its reason
        word = registry.DEFAULT if name == "auto" else name
        kept.setdefault((word, columns, wide), (name, season, wide))
    return list(kept.values())


def _said(season: Any) -> str:
    if season is None:
        return "none"
    return season if isinstance(season, str) else " and ".join(map(str, np.atleast_1d(season)))


def _cut(model: Model, names: Sequence[str], start: int, wide: int | None) -> dict[str, Any]:
    """What changes in the question where only some periods on each side are used."""
    if wide is None:
        return {}
    clock = model.series.clock
    low, high = max(start - wide, 0), min(start + wide, len(clock.periods)) - 1
    kept = {
        name: given
        for name, given in model.interruptions.items()
        if name in names or all(low < clock.place(term.at) <= high for term in given)
    }
    spans = [tuple(clock.place(day) for day in span) for span in model.question.leave_out]
    left_out = [
        (clock.times[max(a, low)], clock.times[min(b, high)]) for a, b in spans if a <= high and b >= low
    ]
    # Periods at the ends that are missing have no place in a series of their own.
    series = model.series.frame.iloc[low : high + 1]
    return {"series": series, "interruptions": kept, "leave_out": left_out}
