"""The dictionary of metrics: what each name means, who computes it how, and the trap in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Any

import pandas as pd

from toolkit.sources import definitions
from toolkit.wording import some, unknown


@dataclass(frozen=True)
class Metric:
    """A metric of dashboards: names in both languages, formula, unit, readings in use, trap and source."""

    name: str
    en: tuple[str, ...]
    zh: tuple[str, ...]
    formula: str
    unit: str
    trap: str
    source: str
    by: tuple[str, ...] = ()
    numerator: str | None = None
    denominator: str | None = None
    minus: str | None = None
    scale: float = 1.0

    @property
    def made(self) -> bool:
        """Whether it can be made from counts and amounts."""
        return self.numerator is not None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it is made from."""
        return tuple(name for name in (self.numerator, self.minus, self.denominator) if name is not None)

    def sentence(self) -> str:
        """The metric in words."""
        others = f" Computed as: {'; '.join(self.by)}." if self.by else ""
        return f"{self.en[0]} ({', '.join(self.zh)}): {self.formula}, {self.unit}.{others} Mind: {self.trap}."

    def __repr__(self) -> str:
        return f"Metric: {self.sentence()}"

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.sentence())}</p>"


def metric(name: str) -> Metric:
    """Look up what a metric means, by its name in either language.

    Parameters
    ----------
    name : str
        Such as "GPM", "客单价" or "uv_value"; capitals do not matter.

    Returns
    -------
    Metric

    Raises
    ------
    ValueError
        For a name that is not known, with the nearest one.

    Examples
    --------
    >>> gpm = metric("GPM")
    >>> gpm.formula, gpm.zh
    ('gmv / views x 1000', ('千次观看成交金额',))
    >>> metric("客单价").trap
    'per buyer, not per order; tools confuse it with 笔单价 (per order) and 件单价 (per piece)'
    """
    if not isinstance(name, str):
        raise TypeError(f"a metric's name is text, not {type(name).__name__}")
    known = _by_name()
    found = known.get(name.casefold())
    if found is None:
        raise ValueError(unknown("metric", name, [one.en[0] for one in dictionary()], of="the dictionary"))
    return found


@cache
def dictionary() -> tuple[Metric, ...]:
    """All metrics."""
    rows: list[dict[str, Any]] = definitions.read("metrics")["metric"]
    return tuple(Metric(**row | {name: tuple(row[name]) for name in ("en", "zh", "by")}) for row in rows)


def metrics_table() -> pd.DataFrame:
    """The dictionary as a table, one row per metric."""
    rows: list[dict[str, Any]] = [
        {"metric": one.en[0], "zh": some(one.zh), "formula": one.formula, "unit": one.unit, "trap": one.trap}
        for one in dictionary()
    ]
    return pd.DataFrame(rows)


@cache
def _by_name() -> dict[str, Metric]:
    return {name.casefold(): one for one in dictionary() for name in (one.name, *one.en, *one.zh)}
