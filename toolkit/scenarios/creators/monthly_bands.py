"""A panel of creators by month as counts of moves between bands, entries and exits included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from toolkit import dates
from toolkit.wording import some, unknown

NEW, GONE = "new", "gone"


def of_panel(
    panel: pd.DataFrame, creator: str, month: str, band: str, order: Sequence[Any] | None
) -> tuple[list[str], np.ndarray, np.ndarray, list[str]]:
    """States, moves from month to month, those over two months, and the months without any row."""
    missing = panel[[creator, month, band]].isna().any(axis=1)
    if missing.any():
        raise ValueError(f"row {panel.index[missing][0]!r} lacks its {creator}, {month} or {band}")
    when, names = _months(month, panel[month])
    twice = pd.DataFrame({"who": panel[creator].to_numpy(), "when": when}).duplicated().to_numpy()
    if twice.any():
        row = panel[twice].iloc[0]
        raise ValueError(f"creator {row[creator]!r} stands twice in month {names[when[twice][0]]}")
    found = _bands(panel[band], order)
    states = [*found, NEW, GONE]
    place = {name: at for at, name in enumerate(found)}
    wide = pd.DataFrame(
        {"who": panel[creator].to_numpy(), "when": when, "at": [place[str(one)] for one in panel[band]]}
    ).pivot(index="who", columns="when", values="at")
    first, last = int(when.min()), int(when.max())
    at = wide.reindex(columns=range(first, last + 1)).fillna(-1).to_numpy(int)
    there = np.isin(np.arange(first, last + 1), when)
    if not (there[:-1] & there[1:]).any():
        raise ValueError(f"the panel holds {some(list(names.values()))}: moves need two months in a row")
    new, gone = len(found), len(found) + 1
    counts, two = np.zeros((len(states),) * 2), np.zeros((len(states),) * 2)
    for step, into in ((1, counts), (2, two)):
        both = there[:-step] & there[step:]
        before, after = at[:, :-step][:, both].ravel(), at[:, step:][:, both].ravel()
        known = (before >= 0) | (after >= 0)
        start = np.where(before >= 0, before, new)[known]
        end = np.where(after >= 0, after, gone)[known]
        np.add.at(into, (start, end), 1)
    # Over two months only those who were there are followed: who enters has no month before.
    two[new] = 0
    return states, counts, two, [_name(one, names) for one in np.arange(first, last + 1)[~there]]


def _months(name: str, given: pd.Series) -> tuple[np.ndarray, dict[int, str]]:
    """Months as whole numbers that rise by one from month to month, and what each is called."""
    try:
        found = dates.index(pd.Index(given))[0]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name!r} holds no months: give dates, 2019-07, or whole numbers ({error})"
        ) from None
    if isinstance(found, pd.PeriodIndex):
        found = found.to_timestamp()
    if not isinstance(found, pd.DatetimeIndex):
        numbers = found.to_numpy(np.int64)
        return numbers, {int(one): str(one) for one in numbers}
    numbers = (found.year * 12 + found.month - 1).to_numpy(np.int64)
    return numbers, {int(one): f"{one // 12}-{one % 12 + 1:02}" for one in np.unique(numbers)}


def _name(month: int, names: dict[int, str]) -> str:
    calendar = any("-" in one[1:] for one in names.values())
    return f"{month // 12}-{month % 12 + 1:02}" if calendar else str(month)


def _bands(given: pd.Series, order: Sequence[Any] | None) -> list[str]:
    """The names of the bands, from the lowest."""
    kinds = list(given.unique())
    if order is not None:
        ordered = list(order)
    elif isinstance(given.dtype, pd.CategoricalDtype) and given.cat.ordered:
        ordered = [one for one in given.cat.categories if one in set(kinds)]
    else:
        try:
            ordered = sorted(kinds)
        except TypeError:
            raise ValueError(
                f"bands mix kinds of names, as {some(kinds)}: give order=, or names of one kind"
            ) from None
    found = [str(one) for one in ordered]
    for name in found:
        if name in (NEW, GONE):
            raise ValueError(
                f"a band is called {name!r}, which is where creators enter or leave to: rename it"
            )
        if found.count(name) > 1:
            raise ValueError(f"band {name!r} stands twice in the order of bands")
    strangers = set(map(str, kinds)) - set(found)
    if strangers:
        raise ValueError(unknown("band", sorted(strangers)[0], found, of="order="))
    return found
