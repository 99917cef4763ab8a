"""`moves`: how creators move between bands from month to month, and how long the way up takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd
from scipy import special

from toolkit.counts import confidence_level, counts_table
from toolkit.results import Result
from toolkit.scenarios.assumptions import NEVER, Never, amount, column
from toolkit.scenarios.creators import chains
from toolkit.scenarios.creators.monthly_bands import GONE, NEW, of_panel
from toolkit.wording import count, counted, interval, interval_level, p_value, percent, some, unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DRAWS = 2000
IN_THESE_DATA = "never in these data"


@dataclass(frozen=True, repr=False, eq=False)
class Times(Result):
    """How likely, and how long, to a band. Made by `Moves.reach` and `Moves.time_to`.

    Attributes
    ----------
    table : DataFrame
        `start`, `measure` ("probability" or "mean months of those who arrive"), `estimate`, `low`, `high`, `n` (moves
        observed from that start), and for times `median` (of all who start; missing where fewer than half arrive)
        and `reach`, the share who ever arrive.
    """

    table: pd.DataFrame
    to: str
    confidence: float

    def value(self, start: Any) -> float | Never:
        """The estimate from one start; "never" where no path leads there in these data."""
        rows = self.table[self.table["start"] == str(start)]
        if not len(rows):
            raise ValueError(unknown("start", start, self.table["start"]))
        estimate = float(rows["estimate"].iloc[0])
        return NEVER if np.isnan(estimate) else estimate

    def sentence(self) -> str:
        """The answer from each start."""
        parts = []
        for row in self.table.to_dict("records"):
            if np.isnan(row["estimate"]):
                parts.append(f"from {row['start']}: {IN_THESE_DATA if row['n'] else 'no move in these data'}")
            elif row["measure"] == "probability":
                parts.append(
                    f"from {row['start']}: {percent(row['estimate'])} ({interval(row, percent)}, n = {count(row['n'])})"
                )
            else:
                half = (
                    "fewer than half ever arrive"
                    if np.isnan(row["median"])
                    else f"half within {row['median']:.0f}"
                )
                ends = interval(row, lambda months: f"{months:,.1f}")
                parts.append(
                    f"from {row['start']}: {row['estimate']:,.1f} months ({ends}, n = {count(row['n'])}; {half})"
                )
        what = self.table["measure"].iloc[0]
        return (
            f"To {self.to}, {what}; {'; '.join(parts)}. {interval_level(self.confidence)}s; each month is taken to "
            "depend on the month before alone, and in the same way throughout."
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """The answer by start."""
        from toolkit.scenarios import axes

        measure = str(self.table["measure"].iloc[0])
        return axes.estimates(
            self.table, ["start"], measure, title=f"To {self.to}", rate=measure == "probability", ax=ax
        )


@dataclass(frozen=True, repr=False, eq=False)
class Check(Result):
    """Moves over two months beside the square of moves over one. Made by `Moves.check`.

    Attributes
    ----------
    table : DataFrame
        `from`, `to`, `observed` share after two months, `expected` from one-month moves, `n`.
    """

    table: pd.DataFrame
    chi2: float
    freedom: int
    p: float

    rates: ClassVar = frozenset({"observed", "expected"})

    def sentence(self) -> str:
        """Whether the chain forgets all but the last month."""
        if self.freedom < 1:
            return "Two-month moves are too few to be compared with the square of one-month moves."
        worst = self.table.loc[(self.table["observed"] - self.table["expected"]).abs().idxmax()]
        verdict = "does not show" if self.p >= 0.05 else "shows"
        return (
            f"Two-month moves against the square of one-month moves: chi-square {self.chi2:.1f} on {self.freedom}, p "
            f"{p_value(self.p)}: the test {verdict} that more than the last month matters. Furthest apart: "
            f"{worst['from']} to {worst['to']}, {percent(worst['observed'])} observed, "
            f"{percent(worst['expected'])} expected."
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Observed less expected shares."""
        from toolkit.scenarios import axes

        gap = self.table.assign(estimate=self.table["observed"] - self.table["expected"])
        return axes.estimates(
            gap, ["from", "to"], "observed less expected after two months, points", null=0, rate=True, ax=ax
        )


@dataclass(frozen=True, repr=False, eq=False)
class Moves(Result):
    """Monthly moves between bands. Made by `moves`.

    Attributes
    ----------
    table : DataFrame
        `from`, `to`, `moves` counted, `estimate` (probability a month), `low`, `high`, `n` (moves from that band).
    gaps : list of str
        Months without any row; no move is counted over them.
    """

    table: pd.DataFrame
    states: list[str]
    counts: np.ndarray
    prior: float
    two_months: np.ndarray | None
    gaps: list[str]
    confidence: float

    rates: ClassVar = frozenset({"estimate", "low", "high"})

    @property
    def matrix(self) -> np.ndarray:
        """Posterior mean probabilities, from rows to columns; a band that nobody left keeps its creators."""
        return _matrix(self.counts + self._priors)

    def reach(self, to: Any, within: int | None = None) -> Times:
        """The probability to arrive at a band within so many months, or ever.

        Parameters
        ----------
        to : band or list of bands
        within : int, optional
            Months.

        Examples
        --------
        >>> moves([[90, 10, 0], [8, 180, 12], [0, 3, 47]]).reach("2", within=3).table.round(3)
          start      measure  estimate    low   high    n
        0     0  probability     0.026  0.008  0.071  100
        1     1  probability     0.166  0.088  0.257  200
        """
        targets = self._targets(to)
        if within is not None and amount("within", within) != int(within):
            raise ValueError(f"within={within!r}: give whole months")
        months = None if within is None else int(within)
        found = self._by_start(lambda matrix: chains.reach(matrix, targets, months), targets, "probability")
        return Times(
            found, _named(to) + ("" if within is None else f" within {within} months"), self.confidence
        )

    def time_to(self, to: Any) -> Times:
        """The months until a band is reached: mean of those who arrive, and median of all who start."""
        targets = self._targets(to)
        found = self._by_start(
            lambda matrix: chains.mean_time(matrix, targets), targets, "mean months of those who arrive"
        )
        at = [self.states.index(start) for start in found["start"]]
        known = found["estimate"].notna()
        found["median"] = pd.Series([chains.median_time(self.matrix, targets, one) for one in at]).where(
            known
        )
        found["reach"] = pd.Series(chains.reach(self.matrix, targets)[at]).where(known)
        return Times(found, _named(to), self.confidence)

    def check(self) -> Check:
        """Whether one month tells all that two months do: the chi-square of two-month moves.

        Examples
        --------
        >>> panel = pd.DataFrame({"creator": list("iiiiijjjjj"), "month": [1, 2, 3, 4, 5] * 2})
        >>> moves(panel.assign(band=list("aabbaababb"))).check().table.round(2)
          from to  observed  expected  n
        0    a  a      0.25      0.44  4
        1    a  b      0.75      0.56  4
        2    b  a      0.50      0.38  2
        3    b  b      0.50      0.62  2
        """
        if self.two_months is None:
            raise ValueError(
                "counts of one-month moves cannot be checked: give the panel of creators by month"
            )
        from scipy.stats import chi2

        one = _matrix(self.counts.astype(float))
        expected = one @ one
        n = self.two_months.sum(1)
        rows, total, freedom = [], 0.0, 0
        for i, j in np.ndindex(*expected.shape):
            if n[i] and expected[i, j] > 0:
                seen = self.two_months[i, j]
                total += (seen - n[i] * expected[i, j]) ** 2 / (n[i] * expected[i, j])
                rows.append((self.states[i], self.states[j], seen / n[i], expected[i, j], int(n[i])))
        freedom = len(rows) - int((n > 0).sum())
        table = pd.DataFrame(rows, columns=["from", "to", "observed", "expected", "n"])
        return Check(table, float(total), freedom, float(chi2.sf(total, freedom)) if freedom > 0 else np.nan)

    def sentence(self) -> str:
        """How many moves were counted, and the way up from each band."""
        n = int(self.counts.sum())
        stay = self.table[self.table["from"] == self.table["to"]]
        stay = stay[(stay["n"] > 0) & ~stay["from"].isin([NEW, GONE])]
        parts = [
            f"{row['from']} {percent(row['estimate'])} ({interval(row, percent)}, n = {count(row['n'])})"
            for _, row in stay.iterrows()
        ]
        if not parts:
            return f"Of {counted(n, 'monthly move')} none begins in a band."
        prior = f"with {self.prior:.3g} of a move added to each cell" if self.prior else "with nothing added"
        return (
            f"Of {counted(n, 'monthly move')}, the share who stay in their band: {some(parts)} "
            f"({interval_level(self.confidence)}s; {prior}).{self._gaps}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Moves that were counted, with intervals."""
        from toolkit.scenarios import axes

        seen = self.table[self.table["moves"] > 0]
        return axes.estimates(seen, ["from", "to"], "probability of the move in a month", rate=True, ax=ax)

    @property
    def _gaps(self) -> str:
        return f" No rows in {some(self.gaps)}: no move over a gap is counted." if self.gaps else ""

    @property
    def _priors(self) -> np.ndarray:
        # What nobody can do has no prior: to become new, or to come back from gone.
        found = np.full(self.counts.shape, self.prior)
        if NEW in self.states:
            found[:, self.states.index(NEW)] = 0
        if GONE in self.states:
            found[self.states.index(GONE)] = 0
        return found

    def _targets(self, to: Any) -> list[int]:
        named = list(to) if isinstance(to, list | tuple) else [to]
        for one in named:
            if str(one) not in self.states:
                raise ValueError(unknown("band", one, self.states))
        found = [self.states.index(str(one)) for one in named]
        if (
            not set(range(len(self.states)))
            - set(found)
            - {self.states.index(one) for one in self.states if one == GONE}
        ):
            raise ValueError(f"{_named(to)} is every band there is: nobody is left who could arrive")
        return found

    def _by_start(
        self, answer: Callable[[np.ndarray], np.ndarray], targets: Sequence[int], measure: str
    ) -> pd.DataFrame:
        rng = np.random.default_rng(0)
        shapes = self.counts + self._priors
        # Gammas over their sums are Dirichlet; rows without moves stay put.
        weights = rng.standard_gamma(np.broadcast_to(shapes, (DRAWS, *shapes.shape)))
        drawn = np.array([answer(_matrix(one)) for one in weights])
        tails = (1 - self.confidence) / 2, (1 + self.confidence) / 2
        unknown_start = np.isnan(drawn).all(0)
        low, high = np.nanquantile(np.where(unknown_start, 0.0, drawn), tails, axis=0)
        low[unknown_start] = high[unknown_start] = np.nan
        # A prior opens every way; one that nobody went is not in the data.
        went = chains.leads_to(chains.stopped(_matrix(self.counts.astype(float)), targets), targets)
        low[~went] = high[~went] = np.nan
        starts = [at for at, name in enumerate(self.states) if at not in targets and name != GONE]
        estimate = np.where(went, answer(self.matrix), np.nan)
        rows = [
            (self.states[at], measure, estimate[at], low[at], high[at], int(self.counts[at].sum()))
            for at in starts
        ]
        return pd.DataFrame(rows, columns=["start", "measure", "estimate", "low", "high", "n"])


def moves(
    data: Any,
    *,
    creator: str = "creator",
    month: str = "month",
    band: str = "band",
    order: Sequence[Any] | None = None,
    prior: float | Literal["1/K"] = "1/K",
    confidence: float = 0.95,
) -> Moves:
    """Count how creators move between bands from one month to the next.

    Parameters
    ----------
    data : DataFrame, or square array of int
        A panel with one row per creator and month; or counts of moves, from rows to columns (a frame names its bands).
    creator, month, band : str
        Columns of the panel. Months are dates of any form, or whole numbers that rise by one.
    order : list, optional
        Of the bands, from the lowest; that of an ordered category or of their names if not given.
    prior : float or "1/K"
        Moves added to every cell before anything is counted; 1/K for K bands (Perks 1947).
    confidence : float
        Of the intervals, between 0 and 1.

    Returns
    -------
    Moves

    Raises
    ------
    ValueError
        For a creator who stands twice in a month, an unknown band, one called "new" or "gone", counts that are not
        square, and a panel without two months in a row.

    Notes
    -----
    Each row of probabilities is Dirichlet(counts + prior); the interval of one is its Beta marginal. In a panel,
    creators who were not there the month before enter from "new", those not there the month after leave to "gone"; one
    who comes back enters from "new" again. The first month's creators are not new, nor the last month's gone. No
    move is counted over a month without any row. A way that nobody went is "never in these data", whatever the prior.

    Examples
    --------
    >>> counted = moves([[90, 10, 0], [8, 180, 12], [0, 3, 47]])
    >>> round(counted.time_to("2").value("0"), 1)
    31.0
    """
    confidence = confidence_level(confidence)
    pairs: np.ndarray | None
    if isinstance(data, pd.DataFrame) and not _square(data):
        states, counts, pairs, gaps = of_panel(
            counts_table(data, [creator, month, band]), creator, month, band, order
        )
    else:
        states, counts, pairs = _of_counts(data)
        gaps = []
    added = 1 / len(counts) if isinstance(prior, str) else amount("prior", prior)
    if isinstance(prior, str) and prior != "1/K":
        raise ValueError(f"prior={prior!r}; use '1/K' or a number of moves")
    found = Moves(pd.DataFrame(), states, counts, added, pairs, gaps, confidence)
    shapes = counts + found._priors
    tails = (1 - confidence) / 2, (1 + confidence) / 2
    rows = []
    for i, j in np.ndindex(*counts.shape):
        if pairs is not None and (states[i] == GONE or states[j] == NEW):
            continue
        a, rest = shapes[i, j], shapes[i].sum() - shapes[i, j]
        estimate = a / (a + rest) if a + rest else np.nan
        ends = special.betaincinv(a, rest, tails) if a > 0 and rest > 0 else (np.nan, np.nan)
        rows.append((states[i], states[j], counts[i, j], estimate, *ends, counts[i].sum()))
    table = pd.DataFrame(rows, columns=["from", "to", "moves", "estimate", "low", "high", "n"])
    return Moves(table, states, counts, added, pairs, gaps, confidence)


def _square(frame: pd.DataFrame) -> bool:
    """Whether a frame holds counts of moves rather than a panel."""
    numeric = all(pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes)
    return numeric and (frame.shape[0] == frame.shape[1] or list(frame.index) == list(frame.columns))


def _of_counts(data: Any) -> tuple[list[str], np.ndarray, np.ndarray | None]:
    try:
        counts = np.asarray(data, float)
    except (TypeError, ValueError):
        raise ValueError("counts of moves are a square of numbers, from each band to each") from None
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"counts of moves are square, from each band to each; these are {counts.shape}")
    column("moves", counts.ravel(), whole=True)
    names = data.columns if isinstance(data, pd.DataFrame) else range(len(counts))
    if isinstance(data, pd.DataFrame) and list(data.index) != list(data.columns):
        raise ValueError(
            f"rows {some(list(data.index))} and columns {some(list(data.columns))} name other bands"
        )
    return [str(name) for name in names], counts, None


def _matrix(weights: np.ndarray) -> np.ndarray:
    total = weights.sum(1, keepdims=True)
    found = np.divide(weights, total, out=np.zeros_like(weights, dtype=float), where=total > 0)
    empty = total[:, 0] == 0
    found[empty] = np.eye(len(weights))[empty]
    return np.asarray(found)


def _named(to: Any) -> str:
    return " or ".join(map(str, to)) if isinstance(to, list | tuple) else str(to)
