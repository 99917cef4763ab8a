"""Scales on which a series is modelled: its values, or their logarithm, on which effects are ratios."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from toolkit.interruptions.series import Series
from toolkit.wording import some

ScaleName = Literal["auto", "identity", "log"]
SCALES: tuple[ScaleName, ...] = get_args(ScaleName)


@dataclass(frozen=True)
class Scale:
    """A scale, with the transformation to it and back.

    Attributes
    ----------
    ratio
        Whether effects are ratios.
    shift
        What is added before the logarithm is taken.
    linked
        Whether the logarithm is a link of the mean (count models); the values themselves then stay as they are.
    """

    ratio: bool = False
    shift: float = 0.0
    linked: bool = False

    @property
    def name(self) -> str:
        """The scale, in words."""
        if self.linked:
            return "the logarithm of the mean"
        return "identity" if not self.ratio else "log" if not self.shift else f"log(y + {self.shift:g})"

    def model(self, values: np.ndarray) -> np.ndarray:
        """Values on the scale of the model."""
        return np.log(values + self.shift) if self.ratio and not self.linked else values

    def mean(self, fitted: np.ndarray, variance: Any) -> np.ndarray:
        """Means in the units of the series; a lognormal's is exp(m + v/2), m and v on the scale of the model."""
        if not self.ratio:
            return fitted
        return np.exp(fitted + (0.0 if self.linked else np.asarray(variance) / 2)) - self.shift


def chosen(series: Series, controls: np.ndarray, wanted: ScaleName, counting: str = "") -> Scale:
    """The scale of a series and of its comparison series: the one asked for, or by the rule of "auto".

    Parameters
    ----------
    counting
        The error model that is for counts, whose mean has the logarithm as its link; empty for any other.

    Raises
    ------
    ValueError
        For a logarithm of what is negative, or a count model of what is no count.
    """
    known = np.concatenate([series.values.ravel(), controls.ravel()])
    known = known[~np.isnan(known)]
    whole = bool((known == np.round(known)).all())
    if counting:
        if wanted == "identity" or not whole or known.min() < 0:
            raise ValueError(
                f"errors={counting!r} is for counts, on the scale of their logarithm; these are others"
            )
        return Scale(ratio=True, linked=True)
    low = known.min()
    if wanted == "log" and low < 0:
        row, column = np.argwhere(series.values < 0)[0] if (series.values < 0).any() else (0, 0)
        raise ValueError(
            f"series {series.names[column]!r} is negative on {series.clock.said(row)}, so it has no logarithm; "
            "use scale='identity'"
        )
    if wanted == "identity" or (wanted == "auto" and (low < 0 or known.max() <= 1)):
        return Scale()
    if low > 0:
        return Scale(ratio=True)
    if whole:
        return Scale(ratio=True, shift=0.5)
    if wanted == "log":
        raise ValueError("the series has zeros and is no count, so it has no logarithm; use scale='identity'")
    return Scale()


def apart(series: Series, controls: np.ndarray, on: Scale, wanted: ScaleName) -> list[str]:
    """A caveat where "auto" would model some series of a frame on another scale by themselves."""
    if wanted != "auto" or on.linked or len(series.names) == 1:
        return []
    columns = zip(series.names, series.values.T, strict=True)
    alone = {
        name: chosen(replace(series, values=own[:, None], names=(name,)), controls, wanted)
        for name, own in columns
    }
    others = [name for name, scale in alone.items() if scale != on]
    if not others:
        return []
    return [
        f"all series share one scale, {on.name}; {some(others, 3)} alone would be on "
        f"{alone[others[0]].name}: fit them apart"
    ]
