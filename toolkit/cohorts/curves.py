"""The pooled retention curve: one rate per period number, over the cohorts whose cell is complete."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from toolkit.cohorts.groups import each_group, labelled
from toolkit.counts import COMPLETE
from toolkit.intervals import Rate, wilson
from toolkit.results import Result
from toolkit.wording import count, interval_level, percent, percent_interval, some

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False, eq=False)
class Curve(Result):
    """Retention by period number, pooled over cohorts. Made by `Retention.curve`.

    Attributes
    ----------
    table : DataFrame
        `by`, `age` and `age_to` (period numbers, the same but for brackets), `estimate` (sum of retained / sum of
        eligible), `low`, `high`, `n` (eligible users: their period is fully observed), `retained`, `cohorts` (with a
        complete cell).
    by : tuple of str
    period : str
    kind : str
    confidence : float
    notes : tuple of str

    Examples
    --------
    >>> import pandas as pd
    >>> from toolkit import Retention
    >>> counts = pd.DataFrame({"cohort": list("aabb"), "age": [0, 1, 0, 1], "size": 50, "retained": [50, 20, 50, 22]})
    >>> Retention.from_counts(counts, period="week").curve()
    Curve: Came back: 42.0 % in week 1 (95 % interval 32.8 to 51.8 %, n = 100).
    """

    table: pd.DataFrame
    by: tuple[str, ...]
    period: str
    kind: str
    confidence: float
    notes: tuple[str, ...] = field(default=(), repr=False)

    rates: ClassVar = frozenset({"estimate", "low", "high"})

    def sentence(self) -> str:
        """The first and the last period of each group, with what the curve cannot say."""
        return f"Came back: {'; '.join((self.in_words, *self.notes))}."

    @property
    def in_words(self) -> str:
        """The rates of the first and the last period after the first event, group by group."""
        parts, level = [], f"{interval_level(self.confidence)} "
        for name, rows in each_group(self.table, self.by):
            known = rows[(rows["age"] > 0) & (rows["n"] > 0)]
            known = rows[rows["n"] > 0] if known.empty else known
            later = " or later" if self.kind == "rolling" else ""
            said = [] if len(known) else [f"no {self.period} is complete yet"]
            for _, row in known.iloc[[0, -1][: len(known)]].iterrows():
                said.append(
                    f"{percent(row['estimate'])} in {aged(self.period, row)}{later} ({level}"
                    f"{percent_interval(row['low'], row['high'])}, n = {count(row['n'])})"
                )
                level = ""
            parts.append(f"{name}{': ' if name else ''}{' and '.join(said)}")
        return "; ".join(parts)

    def plot(self, ax: Axes | None = None) -> Axes:
        """A line with its interval for each group."""
        from toolkit.cohorts import plots

        return plots.curve(self.table, self.by, self.period, ax)


def aged(period: str, row: Any) -> str:
    """A period number, or a bracket of them, in words: "week 3"."""
    low, high = int(row["age"]), int(row["age_to"])
    return f"{period} {low}" if low == high else f"{period}s {low} to {high}"


def pooled(cells: pd.DataFrame, by: tuple[str, ...], confidence: float) -> pd.DataFrame:
    """The curve's table from cells; see `Curve`."""
    ages = cells[["age", "age_to"]].drop_duplicates()
    frames = []
    for _, rows in each_group(cells, by):
        found = ages.merge(rates(complete(rows), confidence), on=["age", "age_to"], how="left")
        found[["n", "retained", "cohorts"]] = found[["n", "retained", "cohorts"]].fillna(0).astype("int64")
        frames.append(labelled(found, rows, by))
    columns = [*by, "age", "age_to", "estimate", "low", "high", "n", "retained", "cohorts"]
    return pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)


@dataclass(frozen=True, eq=False)
class Pooled:
    """Rates over complete cells, one per period number.

    Attributes
    ----------
    table : DataFrame
        `age`, `age_to`, `n`, `retained`, `cohorts`.
    rate : Rate
        Of each row, its effective size and degrees of freedom.
    r : float
        The correlation within cohorts.
    """

    table: pd.DataFrame
    rate: Rate
    r: float


def complete(cells: pd.DataFrame) -> pd.DataFrame:
    """Complete cells, one row per period number and cohort: a cohort split by a column is one cluster again."""
    whole = cells[cells["status"] == COMPLETE]
    return whole.groupby(["age", "age_to", "cohort"], as_index=False)[["eligible", "retained_eligible"]].sum()


def pooled_rates(cells: pd.DataFrame) -> Pooled:
    """Rates over complete cells, for users of cohorts that differ.

    Notes
    -----
    Users of one cohort resemble each other: variance of a rate = p (1 - p) / n * (1 + r (sum of n_c^2 / n - 1)), a
    design effect by which n is divided (Rao & Scott) before Wilson's interval is taken. n_c is the size of a cohort;
    r, the correlation within cohorts, is estimated by the analysis of variance (Ridout et al.) over all periods
    together, 0 at least, since a period that only one or two cohorts have reached says nothing of r by itself.
    Degrees of freedom: infinite for the binomial part, cohorts - 1 for r, combined after Satterthwaite. With r = 0,
    and where all or none came back, the interval is Wilson's.

    References
    ----------
    Rao & Scott (1992), Biometrics 48, 577-585. Ridout, Demetrio & Firth (1999), Biometrics 55, 137-148.
    Satterthwaite (1946), Biometrics Bulletin 2, 110-114.
    """
    groups = cells.assign(square=cells["eligible"].astype(float) ** 2).groupby(["age", "age_to"])
    found = groups.agg(
        n=("eligible", "sum"),
        retained=("retained_eligible", "sum"),
        cohorts=("cohort", "size"),
        square=("square", "sum"),
    ).reset_index()
    n, y = found["n"].to_numpy(float), found["retained"].to_numpy(float)
    typical = np.divide(found["square"].to_numpy(float), n, out=np.ones_like(n), where=n > 0)
    p = np.divide(y, n, out=np.full_like(n, np.nan), where=n > 0)
    at = groups.ngroup().to_numpy()
    x, spread = cells["eligible"].to_numpy(float), (p * (1 - p))[at]
    moves = (spread > 0) & (x > 0)
    chi = np.zeros_like(x)
    chi[moves] = (cells["retained_eligible"].to_numpy(float)[moves] - x[moves] * p[at][moves]) ** 2
    chi[moves] /= x[moves] * spread[moves]
    used = np.isin(np.arange(len(n)), at[moves]) & (found["cohorts"].to_numpy() > 1)
    free = (found["cohorts"] - 1).to_numpy(float)
    excess = chi.sum() - free[used].sum()
    room = (n - typical - free)[used].sum()
    r = min(max(excess / room, 0.0), 1.0) if room > 0 else 0.0
    # Where all or none came back no cohort differs from another.
    effect = np.where((p > 0) & (p < 1), 1 + r * (typical - 1), 1.0)
    cohorts = cells.loc[moves, "cohort"].nunique()
    with np.errstate(divide="ignore"):
        freedom = (
            (cohorts - 1) * np.where(effect > 1, (effect / (effect - 1)) ** 2, np.inf)
            if cohorts > 1
            else np.inf
        )
    freedom = np.broadcast_to(freedom, p.shape)
    return Pooled(found.drop(columns="square"), Rate(p, np.where(n > 0, n / effect, 0.0), freedom), float(r))


def rates(cells: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """The table of `pooled_rates` with estimates and intervals."""
    found = pooled_rates(cells)
    low, high = found.rate.interval(confidence)
    return found.table.assign(estimate=found.rate.estimate, low=low, high=high)


def rising(cells: pd.DataFrame, confidence: float) -> tuple[pd.DataFrame, float] | None:
    """The two periods between which retention rises most, early and late, their intervals apart; None without a rise.

    Returns
    -------
    (DataFrame, float) or None
        `age`, `age_to`, `estimate`, `low`, `high` of the two; and the level of these intervals.

    Notes
    -----
    Periods are compared over the cohorts that are complete in both, so that it is not the cohorts that differ, by the
    intervals of the curve over these cohorts. Their level is adjusted for the number of periods (Bonferroni).
    """
    whole = cells[(cells["status"] == COMPLETE) & (cells["age"] > 0) & (cells["eligible"] > 0)]
    table = whole.pivot(index="cohort", columns="age", values=["eligible", "retained_eligible"]).fillna(0)
    if table.empty:
        return None
    ages = table["eligible"].columns
    eligible, retained = (table[name].to_numpy(float) for name in ("eligible", "retained_eligible"))
    level = 1 - (1 - confidence) / max(len(ages) - 1, 1)
    widest, found = 0.0, None
    for j in range(1, len(ages)):
        same = eligible[:, j] > 0
        n, y = eligible[same, : j + 1].sum(0), retained[same, : j + 1].sum(0)
        low, high = wilson(y, n, level)
        # Wilson's intervals are the shortest that the curve can have: where these touch, so do its own.
        if low[-1] - np.nanmin(high) <= widest:
            continue
        own = whole[whole["cohort"].isin(table.index[same]) & (whole["age"] <= ages[j])]
        known = rates(own, level)
        early = known.iloc[[int(known["high"].argmin())]]
        late = known[known["age"] == ages[j]]
        gap = float(late["low"].iloc[0] - early["high"].iloc[0])
        if gap > widest:
            widest, found = gap, (pd.concat([early, late], ignore_index=True), level)
    return found


def overlooked(cells: pd.DataFrame, by: tuple[str, ...], period: str, confidence: float) -> list[str]:
    """A warning where retention rises from one period number to a later one in some group."""
    found, level = [], confidence
    for name, rows in each_group(cells, by):
        rise = rising(rows, confidence)
        if rise is not None:
            level = rise[1]
            early, late = (
                f"{percent(row['estimate'])} ({percent_interval(row['low'], row['high'])}) in {aged(period, row)}"
                for _, row in rise[0].iterrows()
            )
            found.append(f"{name + ': ' if name else ''}{late} after {early}")
    if not found:
        return []
    return [
        f"warning: retention rises with age: {some(found, 3)} of the same cohorts, {level * 100:.3g} % intervals that "
        "do not overlap; so it does when users were selected by their activity at the end of the log, or in a season: "
        "ask how the log was drawn"
    ]
