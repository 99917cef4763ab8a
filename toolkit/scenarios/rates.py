"""`what_if`: how many would buy, and for how much, if step rates of a funnel were others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from toolkit import style
from toolkit.funnels import Funnel
from toolkit.funnels.from_counts import grouped
from toolkit.results import Result
from toolkit.scenarios.assumptions import finite, plain
from toolkit.wording import change, count, group_name, percent, percent_interval, some, unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False, eq=False)
class WhatIf(Result):
    """A funnel's counts as observed and as they would be at assumed rates.

    `table` has one row per step: the group, step, reached (observed), from_previous with low and high
    (observed), assumed (rate), would_reach.

    Examples
    --------
    >>> counts = pd.DataFrame({"step": ["enter", "cart", "pay"], "reached": [1000, 200, 50]})
    >>> print(what_if(counts, {"pay": 0.5}).sentence().partition("(")[0])
    100 buyers instead of 50, of 1,000 who reach enter, with 50.0 % from cart to pay
    """

    table: pd.DataFrame
    group: tuple[Any, ...]
    amount_per_buyer: float | None
    currency: str
    source: str = ""

    rates: ClassVar = frozenset({"from_previous", "low", "high", "assumed"})

    @property
    def buyers(self) -> int:
        """How many would reach the last step."""
        return int(self.table["would_reach"].iloc[-1])

    @property
    def buyers_now(self) -> int:
        """How many were observed to reach the last step."""
        return int(self.table["reached"].iloc[-1])

    @property
    def gmv(self) -> float | None:
        """Gross merchandise value at the assumed rates, if an amount per buyer was given."""
        return None if self.amount_per_buyer is None else self.buyers * self.amount_per_buyer

    @property
    def gmv_now(self) -> float | None:
        """Gross merchandise value of the observed buyers at that amount, if it was given."""
        return None if self.amount_per_buyer is None else self.buyers_now * self.amount_per_buyer

    @property
    def name(self) -> str:
        """Source and group as a reader calls them; empty where there is neither."""
        labels = (style.label(part) for part in self.group)
        return " · ".join(filter(None, (self.source, *labels)))

    def sentence(self) -> str:
        """The answer in words, with the rates that it assumes."""
        steps = list(self.table["step"])
        changes = []
        for at, row in enumerate(self.table.itertuples(index=False)):
            if self.changed[at]:
                known = not math.isnan(row.from_previous)
                now = f"observed {percent(row.from_previous)}" if known else "never observed"
                if not math.isnan(row.low):
                    now += f", interval {percent_interval(row.low, row.high)}"
                n = count(self.table["reached"].iloc[at - 1])
                changes.append(f"{percent(row.assumed)} from {steps[at - 1]} to {row.step} ({now}, n = {n})")
        whom = f"{self.name}: " if self.name else ""
        assumed = f"with {' and '.join(changes)} and the other rates as observed"
        numbers = f"{count(self.buyers)} buyers"
        if changes:
            numbers += f" instead of {count(self.buyers_now)},"
        numbers += f" of {count(self.table['reached'].iloc[0])} who reach {steps[0]}"
        if self.amount_per_buyer is not None and self.gmv is not None and self.gmv_now is not None:
            numbers += f"; GMV {self.currency} {count(self.gmv)}"
            if changes:
                numbers += f" instead of {count(self.gmv_now)}"
            numbers += f" at {plain(self.amount_per_buyer)} a buyer"
        caveat = (
            " This is arithmetic on assumed rates and has no interval: it is no forecast." if changes else ""
        )
        return f"{whom}{numbers}, {assumed if changes else 'as observed'}.{caveat}"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Counts by step on a log scale: open marks as observed, filled marks at the assumed rates."""
        from toolkit.scenarios import plots

        platform = next((part for part in self.group if part in style.PLATFORMS), self.name)
        return plots.steps(self.table, ax, changed=self.changed, platform=platform, title=self._title)

    @property
    def changed(self) -> list[bool]:
        """Whose rate is assumed to differ, by step."""
        assumed = self.table["assumed"]
        return [bool(one) for one in (assumed != self.table["from_previous"]) & assumed.notna()]

    @property
    def _title(self) -> str:
        more = self.buyers - self.buyers_now
        said = f"{count(abs(more))} {'more' if more > 0 else 'fewer'} buyers" if more else "as observed"
        if more and self.buyers_now:
            said += f" ({change(more / self.buyers_now)})"
        return f"{self.name}: {said}" if self.name else said


def what_if(
    counts: Funnel | pd.DataFrame,
    rates: Mapping[str, float],
    *,
    group: Any = None,
    amount_per_buyer: float | None = None,
    currency: str = "CNY",
    source: str = "",
) -> WhatIf:
    """Work out how many would buy, and for how much, if some step rates were others and the rest stayed.

    Parameters
    ----------
    counts : Funnel or DataFrame
        A funnel, its `.table`, or counts as `Funnel.from_counts` takes them.
    rates : dict of str to float
        By step: the share of those at the step before who reach it, between 0 and 1.
    group : value or tuple of values, optional
        Whose funnel, where `counts` are broken down: the value of each `by` column.
    amount_per_buyer : float, optional
        What each user who reaches the last step pays.
    currency : str
        Of that amount.
    source : str
        What the counts are, such as "Simulated log".

    Returns
    -------
    WhatIf

    Raises
    ------
    ValueError
        For a step or a group that `counts` do not have, a rate outside 0 to 1, a rate that is needed but was never
        observed, or a negative amount; the message names it.

    Notes
    -----
    would_reach(j) = reached(1) x rate(2) x ... x rate(j), rounded to whole buyers. Every other rate is held
    constant. Users whom a higher rate adds are often less decided than the rest, so later rates would fall.

    Examples
    --------
    >>> counts = pd.DataFrame({"step": ["enter", "cart", "pay"], "reached": [1000, 200, 50]})
    >>> answer = what_if(counts, {"cart": 0.3}, amount_per_buyer=80)
    >>> answer.buyers_now, answer.buyers, answer.gmv
    (50, 75, 6000.0)
    """
    if not isinstance(rates, Mapping):
        raise TypeError(f"rates are a dict of step to rate, not {type(rates).__name__}")
    rows, wanted = _rows(counts, group)
    steps = [str(step) for step in rows["step"]]
    for step, rate in rates.items():
        if step not in steps[1:]:
            raise ValueError(unknown("rate to step", step, steps[1:]))
        if isinstance(rate, bool) or not isinstance(rate, Real) or not 0 <= rate <= 1:
            raise ValueError(f"rate {rate!r} to step {step!r}: give a number between 0 and 1")
    amount = None if amount_per_buyer is None else finite("amount_per_buyer", amount_per_buyer)
    if amount is not None and amount < 0:
        raise ValueError(f"amount_per_buyer={amount_per_buyer!r}: give an amount of 0 or more")
    reached = [int(number) for number in rows["reached"]]
    pairs = pairwise(reached)
    observed = [math.nan, *(after / before if before else math.nan for before, after in pairs)]
    assumed = [float(rates.get(step, rate)) for step, rate in zip(steps, observed, strict=True)]
    expected = [float(reached[0])]
    for step, rate in zip(steps[1:], assumed[1:], strict=True):
        if math.isnan(rate) and expected[-1]:
            raise ValueError(f"nobody came near step {step!r}, so its rate is unknown: give one in rates=")
        expected.append(expected[-1] * rate if expected[-1] else 0.0)
    table = rows.assign(
        reached=reached,
        from_previous=observed,
        low=rows["low"].astype(float) if "low" in rows else math.nan,
        high=rows["high"].astype(float) if "high" in rows else math.nan,
        assumed=assumed,
        would_reach=[round(number) for number in expected],
    )
    columns = ["step", "reached", "from_previous", "low", "high", "assumed", "would_reach"]
    return WhatIf(table[[*broken_down_by(table), *columns]], wanted, amount, currency, source)


def broken_down_by(table: pd.DataFrame) -> list[str]:
    """The columns that a table of counts is broken down by: those before `step`."""
    return list(table.columns[: list(table.columns).index("step")])


def groups(table: pd.DataFrame) -> list[tuple[Any, ...]]:
    """The groups of a table of counts, in its order."""
    frame = table[broken_down_by(table)].drop_duplicates()
    return list(frame.itertuples(index=False, name=None)) if frame.columns.size else [()]


def checked(counts: Funnel | pd.DataFrame) -> pd.DataFrame:
    """The table of a funnel, or of the counts that `Funnel.from_counts` takes; a table's own limits stay."""
    if isinstance(counts, Funnel):
        return counts.table
    if not isinstance(counts, pd.DataFrame):
        raise TypeError(
            f"counts are a Funnel or a DataFrame with step and reached, not {type(counts).__name__}"
        )
    table, given = Funnel.from_counts(counts).table, grouped(counts)
    return table.assign(**{name: given[name].to_numpy() for name in ("low", "high") if name in given})


def _rows(counts: Funnel | pd.DataFrame, group: Any) -> tuple[pd.DataFrame, tuple[Any, ...]]:
    table = checked(counts)
    wanted = () if group is None else group if isinstance(group, tuple) else (group,)
    names = broken_down_by(table)
    if len(wanted) != len(names):
        raise ValueError(
            f"counts are broken down by {some(names) or 'nothing'}: give group= one value of each"
        )
    # As text, since a missing value equals nothing, itself included.
    text = [group_name([value]) for value in wanted]
    chosen = [
        [group_name([value]) for value in row] == text
        for row in table[names].itertuples(index=False, name=None)
    ]
    rows = (table[chosen] if names else table).reset_index(drop=True)
    if len(rows) < 2:
        raise ValueError(unknown("group", group_name(wanted), [group_name(one) for one in groups(table)]))
    return rows, wanted
