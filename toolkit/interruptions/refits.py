"""The model of a result on other columns or fewer rows: what the checks around an estimate fit again and again.

alone          the number of the one series that a check is about
observed       values on the scale of the model, comparison series below
columns_of     columns of the design that belong to interruptions
distinct       columns that some rows can tell apart
refit          the estimator of a result on a design
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toolkit.interruptions import covariance, design
from toolkit.interruptions.answer import OWN, period

if TYPE_CHECKING:
    from toolkit.interruptions.result import InterruptedTimeSeries


def alone(result: InterruptedTimeSeries, check: str) -> int:
    """The number of the only series.

    Raises
    ------
    ValueError
        For several: a check is read series by series.
    """
    if len(result.series.names) > 1:
        first = result.series.names[0]
        raise ValueError(
            f"{check} is about one series, and there are {len(result.series.names)}; ask it of "
            f"result.again(series=frame[{first!r}])"
        )
    return 0


def observed(result: InterruptedTimeSeries, number: int) -> np.ndarray:
    """Values of a series on the scale of the model, then of what it is compared with; as long as the design."""
    columns = [result.series.values[:, number]]
    if result.question.controls is not None:
        given = result.question.controls
        frame = given.to_frame(given.name or "comparison") if isinstance(given, pd.Series) else given
        columns += list(design.aligned(result.series.clock, frame, "comparison").values())
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.concatenate([result.scale.model(column) for column in columns])


def columns_of(result: InterruptedTimeSeries, names: Sequence[str]) -> dict[int, tuple[str, str]]:
    """Columns that belong to interruptions, those shared with comparison series too, and whose they are."""
    owned = {
        f"{owner[0]}: {owner[1]}": owner
        for owner in result.design.owners
        if owner is not None and owner[0] in names
    }
    shared = {f"{name} (all)": owner for name, owner in owned.items()}
    return {
        place: (owned | shared)[name]
        for place, name in enumerate(result.design.names)
        if name in owned or name in shared
    }


def distinct(matrix: np.ndarray) -> list[int]:
    """Columns, from the first on, that no earlier ones make up."""
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
        if left > design.COLLINEAR:
            kept.append(place)
            basis = np.column_stack([basis, rest / np.sqrt(left)])
    return kept


def refit(result: InterruptedTimeSeries, matrix: np.ndarray, values: np.ndarray, rows: np.ndarray) -> Any:
    """The estimator of a result on a design, at some rows of its own."""
    name = result.question.errors
    places = result.design.places[rows]
    if name in OWN:
        week = period(name, result.series.clock.kind)
        return covariance.estimate(matrix, values, places, kind=OWN[name], period=week)
    from toolkit.interruptions import estimators

    shifts = result.offset[rows[rows < result.design.treated]] if result.offset.any() else None
    return estimators.fit(name, matrix, values, places, offset=shifts)
