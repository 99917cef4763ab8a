"""Rules for creators as dated data: which conditions a rule sets, and who meets them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from toolkit.scenarios.assumptions import amount, day, plain, share
from toolkit.sources.definitions import read
from toolkit.wording import some, unknown

#: Conditions that are met by yes; `no_violation` looks at a column of its name, or at none in `violations`.
SWITCHES = ("mcn", "real_name", "no_violation")
#: What a rule of the file says about itself.
ABOUT = ("name", "from", "until", "source", "note")
#: Columns that hold shares.
SHARES = ("share", "share_paid", "engagement_rate")


@dataclass(frozen=True)
class Rule:
    """A named set of conditions; each number is a least value, met at equality."""

    name: str
    conditions: dict[str, float | bool]
    source: str = ""

    def __str__(self) -> str:
        parts = [
            f"{name} >= {plain(value)}" if not isinstance(value, bool) else name.replace("_", " ")
            for name, value in self.conditions.items()
        ]
        return f"{self.name} ({', '.join(parts)})"


def published() -> list[Rule]:
    """The rules of Xiaohongshu that are published, in order of their dates."""
    return [_rule(row) for row in read("creator_rules")["rule"]]


def rule_of(asked: str | date | Mapping[str, Any] | Rule) -> Rule:
    """The rule that held on a date, one by its name, or one from conditions."""
    if isinstance(asked, Rule):
        return asked
    if isinstance(asked, Mapping):
        if not asked:
            raise ValueError("a rule without conditions lets everybody in: give one, such as {'fans': 5000}")
        return Rule("own rule", {str(name): _checked(str(name), value) for name, value in asked.items()})
    if not isinstance(asked, str | date):
        raise TypeError(f"rule={asked!r}: give a date, a name, or a dict of conditions")
    rows = read("creator_rules")["rule"]
    for row in rows:
        if row["name"] == asked:
            return _rule(row)
    try:
        when = day("rule", asked).date()
    except ValueError as error:
        known = unknown("rule", asked, [row["name"] for row in rows])
        raise ValueError(f"{known}; or a day: {error}") from None
    for row in rows:
        if row.get("from", date.min) <= when < row.get("until", date.max):
            return _rule(row)
    raise ValueError(f"no rule holds on {when}")  # pragma: no cover - the published rules leave no gap


def met(creators: pd.DataFrame, rule: Rule) -> pd.Series:
    """Who meets a rule: True, False, or missing where a needed value is missing and no other condition fails."""
    found = pd.Series(True, index=creators.index, dtype="boolean")
    for name, least in rule.conditions.items():
        found &= _meets(creators, name, least)
    return found


def _meets(creators: pd.DataFrame, name: str, least: float | bool) -> pd.Series:
    if name == "no_violation" and name not in creators and "violations" in creators:
        count = _numbers(creators, "violations")
        return _kleene(count == 0, count, creators.index)
    if name not in creators:
        raise ValueError(unknown("field", name, list(creators.columns), of="the creators"))
    values = _numbers(creators, name)
    if isinstance(least, bool):
        _refuse(creators, name, ~np.isin(values, (0.0, 1.0)) & ~np.isnan(values), "is a switch: give 1 or 0")
    return _kleene(
        (values == 1) == least if isinstance(least, bool) else values >= least, values, creators.index
    )


def _kleene(holds: np.ndarray, values: np.ndarray, index: pd.Index) -> pd.Series:
    return pd.Series(pd.array(holds, dtype="boolean"), index=index).mask(np.isnan(values))


def _numbers(creators: pd.DataFrame, name: str) -> np.ndarray:
    values = pd.to_numeric(creators[name], errors="coerce").to_numpy(float, na_value=np.nan)
    lost = np.isnan(values) & creators[name].notna().to_numpy()
    _refuse(creators, name, lost, "is not a number; for yes and no give 1 and 0")
    _refuse(creators, name, values < 0, "is negative")
    _refuse(creators, name, np.isinf(values), "is infinite")
    return np.asarray(values)


def _refuse(creators: pd.DataFrame, name: str, bad: np.ndarray, fault: str) -> None:
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        raise ValueError(f"row {creators.index[at]!r}: {name} = {creators[name].iloc[at]} {fault}")


def _checked(name: str, value: Any) -> float | bool:
    if isinstance(value, bool):
        return value
    if name in SWITCHES:
        raise TypeError(f"{name}={value!r} is a switch: give True")
    return share(name, value) if name in SHARES else amount(name, value)


def _rule(row: Mapping[str, Any]) -> Rule:
    conditions = {name: value for name, value in row.items() if name not in ABOUT}
    stray = [name for name in conditions if isinstance(conditions[name], str)]
    if stray:
        raise ValueError(f"rule {row['name']!r}: {some(stray)} is text; conditions are numbers and switches")
    return Rule(row["name"], conditions, row["source"])
