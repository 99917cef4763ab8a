"""`eligible`: who qualifies under a rule, and what is kept of reach and sales; `supply`: how many at each threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from toolkit.counts import confidence_level, counts_table
from toolkit.intervals import wilson
from toolkit.results import Result
from toolkit.scenarios.assumptions import amount, column, known_names, names_of, one_currency, plain
from toolkit.scenarios.creators import rules
from toolkit.scenarios.creators.fan_bands import ROUGH, Bands
from toolkit.scenarios.creators.rules import Rule
from toolkit.sources.definitions import read
from toolkit.wording import NULL, change, count, counted, interval, interval_level, percent, some, unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ALL = "all"


@dataclass(frozen=True, repr=False, eq=False)
class Eligible(Result):
    """Who qualifies under a rule. Made by `eligible`.

    Attributes
    ----------
    table : DataFrame
        By `band`, and for all: `n`, `eligible`, `unknown` (a needed value is missing), `estimate` (share eligible of
        those known), `low`, `high` where the creators are a sample, and `share_of_...` for each column kept. Creators
        below the lowest band, and those whose fans are missing ("<null>"), have rows of their own.
    creators : list
        Who qualifies, in the order of the data.
    """

    table: pd.DataFrame
    rule: Rule
    creators: list[Any]
    n: int
    sampled: bool
    confidence: float
    answers: pd.Series

    rates: ClassVar = frozenset({"estimate", "low", "high", "share_of_reach", "share_of_gmv"})

    @property
    def unknown(self) -> int:
        """Creators of whom a needed value is missing: neither in nor out."""
        return int(self.answers.isna().sum())

    def against(self, other: Eligible) -> dict[str, list[Any]]:
        """Who is gained and lost by this rule, compared with another; a later rule need not hold all of an earlier."""
        here, there = set(self.creators), set(other.creators)
        own, others = self.answers.index, other.answers.index
        if not own.equals(others) and set(own) != set(others):
            raise ValueError("the two answers speak of other creators: ask both rules of one table")
        return {
            "gained": [one for one in self.creators if one not in there],
            "lost": [one for one in other.creators if one not in here],
        }

    def sentence(self) -> str:
        """How many qualify, and the share kept of each column."""
        row = self.table[self.table["band"] == ALL].iloc[0]
        kept = [
            f"{percent(row[name])} of {name.removeprefix('share_of_')}"
            for name in self.table.columns
            if name.startswith("share_of_") and not np.isnan(row[name])
        ]
        known = int(row["n"] - row["unknown"])
        n = f"{interval_level(self.confidence)} {interval(row, percent)}, n = {count(known)}"
        how = f"a sample: {n}" if self.sampled else f"counted, all {counted(row['n'], 'creator')}"
        of_known = f" of the {count(known)} that are known" if self.unknown else ""
        missing = (
            f" Of {count(self.unknown)} a needed value is missing: they are unknown, not below."
            if self.unknown
            else ""
        )
        verb = "qualifies" if row["eligible"] == 1 else "qualify"
        return (
            f"Under {self.rule}, {count(row['eligible'])} {verb}, {percent(row['estimate'])}{of_known} ({how})"
            f"{'; they hold ' + ' and '.join(kept) if kept else ''}.{missing}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """The share eligible by band."""
        from toolkit.scenarios import axes

        return axes.estimates(self.table, ["band"], "share eligible", title=self.rule.name, rate=True, ax=ax)


@dataclass(frozen=True, repr=False, eq=False)
class Supply(Result):
    """How many creators stand at or above each threshold. Made by `supply`.

    Attributes
    ----------
    table : DataFrame
        `at`, `estimate` (creators at or above), `low`, `high` (from bands only), `n`, and `elasticity` from the
        threshold before: ln(n2 / n1) / ln(t2 / t1).
    pareto : DataFrame
        `at`, `estimate`, `low`, `high`, `n` of a Pareto tail, at thresholds above the last edge of bands.
    """

    table: pd.DataFrame
    field: str
    counted: bool
    pareto: pd.DataFrame
    fits: bool
    confidence: float

    def sentence(self) -> str:
        """The numbers, and what one per cent on the threshold does to them."""
        last = self.table.iloc[-1]
        first = self.table.iloc[0]
        slope = (
            f"; from {plain(first['at'])} to {plain(last['at'])} each per cent on the threshold changes supply by "
            f"{change(_arc(first, last) / 100)}"
            if len(self.table) > 1 and last["estimate"] > 0
            else ""
        )
        if self.counted:
            numbers = [f"{count(row['estimate'])} at {plain(row['at'])}" for _, row in self.table.iterrows()]
            how, beyond = f"counted, all {count(last['n'])}", ""
        else:
            numbers = [
                f"{count(row['estimate'])} ({interval(row, count)}) at {plain(row['at'])}"
                for _, row in self.table.iterrows()
            ]
            how = f"{interval_level(self.confidence)}s, were the distribution log-normal, n = {count(last['n'])}"
            others = [
                f"{count(row['estimate'])} ({interval(row, count)}) at {plain(row['at'])}"
                for _, row in self.pareto.iterrows()
            ]
            beyond = (
                f" Above the last edge a Pareto tail gives another number: {some(others)}." if others else ""
            )
        if not self.fits:
            beyond += " The log-normal does not fit the bands: read its answers as rough."
        return f"Creators at or above a number of {self.field}: {some(numbers)}{slope} ({how}).{beyond}"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Creators at or above, on logarithmic axes."""
        from toolkit.scenarios import axes

        shown = self.table.rename(columns={"estimate": "creators"})
        return axes.curves(shown, "at", ["creators"], (self.field, "creators at or above"), log="xy", ax=ax)


def eligible(
    creators: pd.DataFrame,
    rule: str | date | Mapping[str, Any] | Rule,
    *,
    bands: str | Mapping[str, float] | None = None,
    of: str | Sequence[str] = ("reach", "gmv"),
    creator: str = "creator",
    sampled: bool = False,
    confidence: float = 0.95,
) -> Eligible:
    """Say who qualifies under a rule, and which share of reach and sales they hold.

    Parameters
    ----------
    creators : DataFrame
        One row each, with a name and the columns that the rule needs.
    rule : date, str, dict or Rule
        A day ("2019-05-10": the rule that held then), a published rule's name, or conditions: {"fans": 5000}.
    bands : str or dict of band to least fans, optional
        A scheme of `creator_bands.toml`, or one's own: adds a row for each.
    of : str or list of str
        Columns whose kept share is wanted; those that the table lacks are passed over only if left at the default.
    creator : str
        The column of names.
    sampled : bool
        Whether the creators are a sample of more: adds Wilson intervals. A census has none.
    confidence : float
        Of the intervals, between 0 and 1.

    Returns
    -------
    Eligible

    Raises
    ------
    ValueError
        For an unknown field, rule or scheme, a negative value, and a creator who stands twice.

    Notes
    -----
    A threshold is met at equality. Where a needed value is missing and no other condition fails, the creator is
    unknown: no part of the share.

    Examples
    --------
    >>> rows = {"creator": ["a", "b", "c"], "fans": [800, 1000, 7000], "mean_exposure": [2000, 1000, None]}
    >>> answer = eligible(pd.DataFrame(rows), "2019-05-09")
    >>> answer.creators, answer.unknown
    (['b'], 1)
    """
    confidence = confidence_level(confidence)
    asked = rules.rule_of(rule)
    one_currency(counts_table(creators, [creator]))
    known_names(creator, creators[creator])
    twice = creators[creator].duplicated()
    if twice.any():
        raise ValueError(f"creator {creators[creator][twice].iloc[0]!r} stands twice: give one row each")
    answers = rules.met(creators.set_index(creator), asked)
    asked_of = names_of(of)
    default = asked_of == ["reach", "gmv"]
    kept = [name for name in asked_of if name in creators or not default]
    for name in kept:
        if name not in creators:
            raise ValueError(unknown("column", name, creators.columns, of="the creators"))
    weights = {name: column(name, pd.Series(creators[name].to_numpy(), index=answers.index)) for name in kept}
    rows = [_line(ALL, answers, np.ones(len(answers), bool), weights, sampled, confidence)]
    if bands is not None:
        rows += [
            _line(band, answers, own, weights, sampled, confidence)
            for band, own in _split(creators, bands).items()
        ]
    found = answers[answers.fillna(False)]
    return Eligible(pd.DataFrame(rows), asked, list(found.index), len(answers), sampled, confidence, answers)


def supply(creators: pd.DataFrame | Bands, *, at: float | Sequence[float], field: str = "fans") -> Supply:
    """Count the creators at or above each threshold.

    Parameters
    ----------
    creators : DataFrame or Bands
        One row each; or the answer of `bands`, where only counts by band are known.
    at : float or list of float
        Thresholds, rising.
    field : str
        The column that is looked at.

    Returns
    -------
    Supply

    Raises
    ------
    ValueError
        For thresholds out of order, an unknown column, and a missing or negative value.

    Examples
    --------
    >>> supply(pd.DataFrame({"fans": [800, 5000, 9000, 20000]}), at=[5000, 10000]).table["estimate"].tolist()
    [3.0, 1.0]
    """
    limits = [amount("at", one, positive=True) for one in names_of(at)]
    if not limits or any(a >= b for a, b in pairwise(limits)):
        raise ValueError(f"thresholds {limits} are out of order: give them rising")
    columns = ["at", "estimate", "low", "high", "n"]
    pareto: list[dict[str, Any]] = []
    if isinstance(creators, Bands):
        answers = [(limit, creators.supply(limit).to_dict("records")) for limit in limits]
        rows = [found[0] | {"at": limit} for limit, found in answers]
        pareto = [one | {"at": limit} for limit, found in answers for one in found[1:]]
    else:
        counts_table(creators, [field])
        values = column(field, creators[field])
        nothing = {"low": np.nan, "high": np.nan, "n": len(values)}
        rows = [{"at": limit, "estimate": float((values >= limit).sum())} | nothing for limit in limits]
    table = pd.DataFrame(rows)[columns]
    steps = [np.nan, *(_arc(table.iloc[i], table.iloc[i + 1]) for i in range(len(table) - 1))]
    confidence = creators.confidence if isinstance(creators, Bands) else np.nan
    modelled = pd.DataFrame(pareto, columns=["model", *columns])[columns]
    found = table.assign(elasticity=steps)
    fits = not (isinstance(creators, Bands) and creators.p < ROUGH)
    return Supply(found, field, not isinstance(creators, Bands), modelled, fits, confidence)


def _arc(first: pd.Series, second: pd.Series) -> float:
    if first["estimate"] <= 0 or second["estimate"] <= 0:
        return np.nan
    return float(np.log(second["estimate"] / first["estimate"]) / np.log(second["at"] / first["at"]))


def _line(
    band: str,
    answers: pd.Series,
    own: np.ndarray,
    weights: dict[str, np.ndarray],
    sampled: bool,
    confidence: float,
) -> dict[str, Any]:
    known = answers.notna().to_numpy() & own
    inside = answers.fillna(False).to_numpy(bool) & own
    n, k = int(known.sum()), int(inside.sum())
    low, high = wilson(k, n, confidence) if sampled and n else (np.nan, np.nan)
    shares = {
        f"share_of_{name}": held[inside].sum() / held[own].sum() if held[own].sum() else np.nan
        for name, held in weights.items()
    }
    return {
        "band": band,
        "n": int(own.sum()),
        "eligible": k,
        "unknown": int(own.sum()) - n,
        "estimate": k / n if n else np.nan,
        "low": low,
        "high": high,
        **shares,
    }


def _split(creators: pd.DataFrame, bands: str | Mapping[str, float]) -> dict[str, np.ndarray]:
    """Who stands in each band; whoever stands below the lowest, or has no number of fans, is not dropped."""
    if "fans" not in creators:
        raise ValueError(unknown("column", "fans", creators.columns, of="the creators"))
    edges = _edges(bands)
    fans = pd.to_numeric(creators["fans"], errors="coerce").to_numpy(float, na_value=np.nan)
    known = creators["fans"].notna().to_numpy()
    column("fans", creators["fans"][known])
    limits = [*edges.values(), np.inf]
    found = {}
    if (fans < limits[0]).any():
        found[f"below {next(iter(edges))}"] = fans < limits[0]
    found |= {name: (fans >= limits[at]) & (fans < limits[at + 1]) for at, name in enumerate(edges)}
    return found if known.all() else found | {NULL: ~known}


def _edges(bands: str | Mapping[str, float]) -> dict[str, float]:
    if isinstance(bands, str):
        schemes = read("creator_bands")
        if bands not in schemes:
            raise ValueError(unknown("scheme of bands", bands, schemes))
        bands = {row["band"]: float(row["from"]) for row in schemes[bands]}
    edges = {str(name): amount(f"bands[{name!r}]", value) for name, value in bands.items()}
    limits = list(edges.values())
    if not limits or any(a >= b for a, b in pairwise(limits)):
        raise ValueError(f"bands {edges} are out of order: give them from the lowest")
    return edges
