"""The design matrix: trend, terms of interruptions, season, calendar, covariates and comparison series, by column.

Design       named columns, and the interruption that each belongs to
build        makes the design of a series
independent  refuses collinear columns by name
distinct     columns that are no linear combination of earlier ones
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from toolkit import dates
from toolkit.interruptions import seasons
from toolkit.interruptions.series import Clock, Series
from toolkit.interruptions.terms import Term
from toolkit.sources.festivals import calendar as festivals
from toolkit.wording import some

#: Periods between a series and its comparison in the error covariance: far enough to be independent.
APART = 10_000
#: Share of a column's squares that the others leave unexplained, below which they are collinear.
COLLINEAR = 1e-12
#: The same for a term of an interruption, below which its error is some 300 times what it would be alone, and the
#: counterfactual anything.
UNTOLD = 1e-5
#: Weight in that combination from which a column is named, of columns of length 1.
WEIGHTY = 1e-3


@dataclass(frozen=True, eq=False)
class Design:
    """A design matrix; rows of comparison series, if any, stand below those of the series itself.

    Attributes
    ----------
    names
        Of the columns.
    matrix : (rows, columns) array
    owners
        For every column the interruption whose effect it is, or None.
    places : (rows,) array of int
        Position of every row in the error covariance.
    treated : int
        How many rows are the series' own, one per period.
    undated
        Events of the calendar whose days in this time no source gives.
    """

    names: tuple[str, ...]
    matrix: np.ndarray
    owners: tuple[tuple[str, str] | None, ...]
    places: np.ndarray
    treated: int
    undated: tuple[str, ...] = ()

    def owned(self, interruptions: Sequence[str]) -> dict[int, tuple[str, str]]:
        """Columns of some interruptions, those shared with comparison series included, and the term each one is."""
        mine = {
            f"{owner[0]}: {owner[1]}": owner
            for owner in self.owners
            if owner is not None and owner[0] in interruptions
        }
        mine |= {f"{name} (all)": owner for name, owner in mine.items()}
        return {place: mine[name] for place, name in enumerate(self.names) if name in mine}

    def without(self, interruptions: Sequence[str]) -> np.ndarray:
        """The series' own rows as if the interruptions had not happened."""
        gone = [owner is not None and owner[0] in interruptions for owner in self.owners]
        return np.where(gone, 0.0, self.matrix[: self.treated])


def build(
    series: Series,
    interruptions: Mapping[str, tuple[Term, ...]],
    *,
    trend: bool,
    season: Any,
    calendar: Any,
    covariates: pd.Series | pd.DataFrame | None,
    controls: int,
) -> Design:
    """The design of a series with its interruptions, for as many comparison series."""
    clock = series.clock
    shared = {"constant": np.ones(len(clock.periods))}
    shared |= {"trend": clock.periods.astype(float)} if trend else {}
    terms = {
        (name, _numbered(term, given)): term.column(clock)
        for name, given in interruptions.items()
        for term in given
    }
    own = dict(shared)
    own |= {f"{name}: {term}": column for (name, term), column in terms.items()}
    table = None if calendar is None else events(clock, calendar)
    undated = () if table is None else tuple(table.attrs.get("unknown", ()))
    more = {
        **seasons.seasonal(clock, season, ~np.isnan(series.values).all(1)),
        **_calendar(clock, table),
        **_covariates(clock, covariates),
    }
    twice = sorted(set(more) & set(own))
    if twice:
        raise ValueError(f"{twice[0]!r} is the name of a term and of a covariate; rename one")
    owners: dict[str, tuple[str, str] | None] = dict.fromkeys((*own, *more))
    owners |= {f"{name}: {term}": (name, term) for name, term in terms}
    if not controls:
        columns = own | more
        return Design(
            tuple(columns),
            np.column_stack(list(columns.values())),
            tuple(owners.values()),
            clock.periods,
            len(clock.periods),
            undated,
        )
    # What all series have in common, then what each one has beside it: the effect is the difference in the terms.
    n, blocks = len(clock.periods), 1 + controls
    stacked: dict[str, np.ndarray] = {
        f"{name} (all)": np.tile(column, blocks) for name, column in own.items()
    }
    for block in range(2, blocks):
        for name, column in shared.items():
            stacked[f"{name} of comparison {block}"] = np.where(
                np.arange(n * blocks) // n == block, np.tile(column, blocks), 0
            )
    stacked |= {name: np.concatenate([column, np.zeros(n * controls)]) for name, column in own.items()}
    stacked |= {name: np.tile(column, blocks) for name, column in more.items()}
    places = np.concatenate([clock.periods + block * (n + APART) for block in range(blocks)])
    whose = tuple(owners.get(name) for name in stacked)
    return Design(tuple(stacked), np.column_stack(list(stacked.values())), whose, places, n, undated)


def independent(design: Design, rows: np.ndarray) -> None:
    """Refuse collinear columns by name."""
    matrix = design.matrix[rows]
    size = np.sqrt((matrix**2).sum(0))
    for name, owner, length in zip(design.names, design.owners, size, strict=True):
        if length == 0:
            said = f"term {name!r}" if owner else f"column {name!r}"
            raise ValueError(f"{said} is 0 wherever the series has values; move it into the data, or drop it")
    unit = matrix / size
    if unit.shape[1] > len(unit):
        raise ValueError(f"{unit.shape[1]} columns for {len(unit)} points; drop terms, season or covariates")
    triangle = np.linalg.qr(unit, mode="r")
    left = np.diag(triangle) ** 2
    if left.min() < COLLINEAR:
        last = int((left < COLLINEAR).argmax())
        raise ValueError(_alike(design, unit, last, range(last)))
    # What all others leave of a column is one over its place on the diagonal of the inverse of X'X.
    left = 1 / (np.linalg.inv(triangle) ** 2).sum(1)
    untold = [
        place for place, owner in enumerate(design.owners) if owner is not None and left[place] < UNTOLD
    ]
    if untold:
        others = [place for place in range(len(left)) if place != untold[0]]
        raise ValueError(_alike(design, unit, untold[0], others))


def _alike(design: Design, unit: np.ndarray, column: int, others: Sequence[int]) -> str:
    """That a column is all but a combination of others, by name."""
    weights, *_ = np.linalg.lstsq(unit[:, others], unit[:, column], rcond=None)
    heaviest = np.argsort(-np.abs(weights))
    named = [repr(design.names[others[i]]) for i in heaviest if abs(weights[i]) > WEIGHTY]
    return (
        f"{design.names[column]!r} cannot be told from {some(named[:3])} in these data; drop one, or give them "
        "different dates"
    )


def distinct(matrix: np.ndarray) -> list[int]:
    """Numbers of the columns that are no linear combination of earlier ones."""
    kept: list[int] = []
    basis = np.empty((len(matrix), 0))
    for place, column in enumerate(matrix.T):
        size = np.sqrt(column @ column)
        if size == 0 or len(kept) == len(matrix):
            continue
        rest = column / size
        for _ in range(2):  # once more, for what rounding left
            rest = rest - basis @ (basis.T @ rest)
        left = float(rest @ rest)
        if left > COLLINEAR:
            kept.append(place)
            basis = np.column_stack([basis, rest / np.sqrt(left)])
    return kept


def _numbered(term: Term, given: tuple[Term, ...]) -> str:
    same = [one for one in given if one.name == term.name]
    return term.name if len(same) == 1 else f"{term.name} {same.index(term) + 1}"


def events(clock: Clock, given: Any) -> pd.DataFrame:
    """Events of a calendar, given by name or as a table, in the span of a clock."""
    if not clock.dated:
        raise ValueError("calendar= needs a series with dates")
    if isinstance(given, pd.DataFrame):
        lacking = [name for name in ("event", "start", "end") if name not in given.columns]
        if lacking:
            raise ValueError(f"the calendar has no column {lacking[0]!r}; it needs event, start and end")
        return given
    names = None if given == "all" else [given] if isinstance(given, str) else list(given)
    return festivals(clock.index[0].start_time, clock.index[-1].end_time, events=names)


def _calendar(clock: Clock, table: pd.DataFrame | None) -> dict[str, np.ndarray]:
    """For each event a column of its days, and one each for the days before and after, as shares of a period."""
    columns: dict[str, np.ndarray] = {}
    if table is None:
        return columns
    firsts, lasts = (_days(pd.DatetimeIndex(table[side])) for side in ("start", "end"))
    assert isinstance(clock.index, pd.PeriodIndex)
    begins, ends = (_days(times) for times in (clock.index.start_time, clock.index.end_time))
    for row, first, last in zip(table.to_dict("records"), firsts, lasts, strict=True):
        before, after = (int(row.get(side) or 0) for side in ("before", "after"))
        for said, low, high in (
            (row["event"], first, last),
            (f"before {row['event']}", first - before, first - 1),
            (f"after {row['event']}", last + 1, last + after),
        ):
            days = np.clip(np.minimum(ends, high) + 1 - np.maximum(begins, low), 0, None)
            if days.any():
                share = days / (ends - begins + 1)
                columns[str(said)] = np.maximum(columns.get(str(said), 0.0), share)
    return columns


def _days(times: pd.DatetimeIndex) -> np.ndarray:
    return np.asarray(times.to_numpy().astype("datetime64[D]").astype(np.int64))


def _covariates(clock: Clock, given: pd.Series | pd.DataFrame | None) -> dict[str, np.ndarray]:
    if given is None:
        return {}
    frame = given.to_frame(given.name or "covariate") if isinstance(given, pd.Series) else given
    return {str(name): values for name, values in aligned(clock, frame, "covariate").items()}


def aligned(clock: Clock, frame: pd.DataFrame, what: str) -> dict[str, np.ndarray]:
    """Columns of a frame on a clock; nan where it has no row."""
    index: pd.Index = frame.index
    if isinstance(clock.index, pd.PeriodIndex):
        if not isinstance(index, pd.PeriodIndex):
            index, _ = dates.index(index)
            if not isinstance(index, pd.DatetimeIndex):
                raise ValueError(f"the {what}s have {index[0]!r} in their index, not dates as the series has")
            if str(index.tz) != str(clock.zone):
                zones = [str(zone) if zone else "no time zone" for zone in (clock.zone, index.tz)]
                raise ValueError(
                    f"the series is in {zones[0]}, the {what}s in {zones[1]}; convert them to one"
                )
            index = index.tz_localize(None)
        frame = frame.set_axis(
            index.asfreq(clock.index.freq)
            if isinstance(index, pd.PeriodIndex)
            else index.to_period(clock.index.freq)
        )
    if frame.index.has_duplicates:
        twice = frame.index[frame.index.duplicated()][0]
        raise ValueError(f"the {what}s have two rows in the {clock.unit} {twice}; keep one, or sum them up")
    found = frame.reindex(clock.index)
    columns = {}
    for name, values in found.items():
        if not pd.api.types.is_numeric_dtype(frame[name].dtype):
            raise ValueError(f"{what} {name!r} holds {frame[name].dtype}, not numbers")
        columns[str(name)] = values.to_numpy(float, na_value=np.nan)
    return columns
