"""Multiverse: the same effect by every error model, season and window that could have been chosen.

Multiverse      the answer: a row for every choice, those that failed with their reason
multiverse      fits them all
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toolkit.interruptions import design
from toolkit.interruptions.caveats import FEW
from toolkit.interruptions.design import YEAR, YEARS
from toolkit.interruptions.effects import effect
from toolkit.interruptions.errors import registry
from toolkit.interruptions.model import Model
from toolkit.interruptions.scales import ScaleName
from toolkit.interruptions.series import read
from toolkit.progress import followed
from toolkit.results import Result
from toolkit.wording import amount, change, counted, interval, interval_level, some

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ERRORS = ("auto", "ar1", "arima", "prais_winsten", "hac", "ols")
COUNTS = ("quasi_poisson", "negative_binomial")
CHOICES = ("errors", "season", "window")
Choice = tuple[str, Any, int | None]
#: The conclusions that an interval allows.
LESS, UNSURE, MORE = "below 0", "holds 0", "above 0"


@dataclass(frozen=True, repr=False, eq=False)
class Multiverse(Result):
    """One effect by every choice. Made by `InterruptedTimeSeries.multiverse`.

    `table`: errors, season, window, estimate, low, high, n, note; the first row is the choice that was made. Where a
    choice could not be fitted, estimate is missing and note says why.
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
        """Rows with an interval, and the `conclusion` it allows."""
        rows = self.table.dropna(subset=["estimate", "low", "high"])
        sides = np.select([rows["high"] < 0, rows["low"] > 0], [LESS, MORE], UNSURE)
        return rows.assign(conclusion=sides)

    def sentence(self) -> str:
        """Whether the conclusion depends on the choice, and on which."""
        rows, said = self.fitted, change if self.estimand == "relative" else amount
        made, failed = rows.iloc[0], len(self.table) - len(rows)
        counts = rows["conclusion"].value_counts()
        agree = int(counts[made["conclusion"]])
        closing = (
            f" {counted(failed, 'more choice')} could not be fitted; their notes say why." if failed else ""
        )
        opening = (
            f"Effect of {self.what} from {self.start} to {self.end}: {said(made['estimate'])} "
            f"({interval(made, said)}) as it was asked; {said(rows['estimate'].min())} to "
            f"{said(rows['estimate'].max())} by {counted(len(rows), 'choice')} of errors, season and window, with "
            f"{interval_level(self.confidence)}s"
        )
        if agree == len(rows):
            whole = {LESS: "are all below 0", MORE: "are all above 0", UNSURE: "all include 0"}[
                made["conclusion"]
            ]
            return f"{opening} that {whole}: the conclusion does not depend on the choice.{closing}"
        verb = {LESS: "lie below 0", UNSURE: "include 0", MORE: "lie above 0"}
        shares = ", ".join(f"{counts[side]} {verb[side]}" for side in (LESS, UNSURE, MORE) if side in counts)
        most = self._deciding(rows)
        return (
            f"{opening} ({shares}): the conclusion depends on the choice, most on the {most[0]} "
            f"({most[1]}).{closing}"
        )

    def _deciding(self, rows: pd.DataFrame) -> tuple[str, str]:
        """The choice whose options differ most in how often they agree with the one made, and how."""
        agrees = rows["conclusion"] == rows["conclusion"].iloc[0]
        shares = {name: agrees.groupby(rows[name], sort=False).agg(["sum", "size"]) for name in CHOICES}
        spread = {name: float(np.ptp(each["sum"] / each["size"])) for name, each in shares.items()}
        name = max(spread, key=spread.__getitem__)
        parts = [
            f"{option}: {row['size'] - row['sum']} of {row['size']} say otherwise"
            for option, row in shares[name].iterrows()
            if row["sum"] < row["size"]
        ]
        return name, some(parts, 4)

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
    second on one core.

    Choices are not votes: they share the data, and a wrong model that agrees proves nothing. Least squares whose
    errors are taken as independent has intervals that are too narrow wherever neighbouring periods are alike.
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
    own = effect(model, over=over, of=names)
    estimand = "relative" if np.isfinite(own.value("relative")[0]) else "average"
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
            value = effect(found, over=over, of=names).value(estimand)
            lines.append([*line, *value, n, "; ".join(notes)])
        except (ValueError, np.linalg.LinAlgError, FloatingPointError) as error:
            lines.append([*line, np.nan, np.nan, np.nan, 0, str(error)])
    columns = ["errors", "season", "window", "estimate", "low", "high", "n", "note"]
    table = pd.DataFrame(lines, columns=columns)
    return Multiverse(table, model.confidence, some(names), clock.said(start), clock.said(last), estimand)


def _scale(model: Model) -> ScaleName:
    """The scale of the result by name, so that no cut of the series chooses another."""
    return "log" if model.scale.ratio else "identity"


def _seasons(model: Model) -> list[Any]:
    clock, asked = model.series.clock, model.question.season
    found = [asked, None]
    if clock.kind == "D" and len(clock.periods) >= YEARS * YEAR["D"] and asked != "week":
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
            columns: Any = tuple(design.seasonal(clocks[wide], season))
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
