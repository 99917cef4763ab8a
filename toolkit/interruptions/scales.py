"""Scales on which a series is modelled: its values, or their logarithm, on which effects are ratios.

Scale    the transformation and its way back
chosen   the scale of each series of a frame
notes    which series is on which scale, in words
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from toolkit.interruptions.series import Series
from toolkit.wording import some

ScaleName = Literal["auto", "identity", "log"]
SCALES: tuple[ScaleName, ...] = get_args(ScaleName)
#: Series of a frame that are named for each scale.
MOST = 3


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


def chosen(series: Series, controls: np.ndarray, wanted: ScaleName, counting: str = "") -> tuple[Scale, ...]:
    """The scale of each series with the comparison series: the one asked for, or by the rule of "auto".

    Parameters
    ----------
    counting
        The error model that is for counts, whose mean has the logarithm as its link; empty for any other.

    Raises
    ------
    ValueError
        For a logarithm of what is negative, or a count model of what is no count.
    """
    beside = controls[~np.isnan(controls)]
    low, high = (
        reduce(series.values, axis=0, initial=None if not len(beside) else reduce(beside))
        for reduce in (np.fmin.reduce, np.fmax.reduce)
    )
    whole = (np.isnan(series.values) | (series.values == np.round(series.values))).all(0)
    whole &= bool((beside == np.round(beside)).all())
    found = zip(series.names, low.tolist(), high.tolist(), whole.tolist(), strict=True)
    return tuple(_chosen(series, *one, wanted, counting) for one in found)


def _chosen(
    series: Series, name: str, low: float, high: float, whole: bool, wanted: ScaleName, counting: str
) -> Scale:
    """The scale of values between a low and a high one."""
    if counting:
        if wanted == "identity" or not whole or low < 0:
            raise ValueError(
                f"errors={counting!r} is for counts, on the scale of their logarithm; these are others"
            )
        return Scale(ratio=True, linked=True)
    if wanted == "log" and low < 0:
        negative = series.values[:, series.names.index(name)] < 0
        where = f"series {name!r} is negative on {series.clock.said(int(negative.argmax()))}"
        where = where if negative.any() else "a comparison series is negative"
        raise ValueError(f"{where}, so it has no logarithm; use scale='identity'")
    if wanted == "identity" or (wanted == "auto" and (low < 0 or high <= 1)):
        return Scale()
    if low > 0:
        return Scale(ratio=True)
    if whole:
        return Scale(ratio=True, shift=0.5)
    if wanted == "log":
        raise ValueError(
            f"series {name!r} has zeros and is no count, so it has no logarithm; use scale='identity'"
        )
    return Scale()


def notes(names: Sequence[str], scales: Sequence[Scale]) -> list[str]:
    """What must be said of the scales: which series is on which, and where something was added before the logarithm."""
    told = []
    by_scale = {
        scale: [name for name, one in zip(names, scales, strict=True) if one == scale] for scale in scales
    }
    if len(by_scale) > 1:
        parts = [f"{scale.name}: {some(mine, MOST)}" for scale, mine in by_scale.items()]
        told.append(
            f"each series is on a scale of its own ({'; '.join(parts)}): on identity effects are no ratios"
        )
    for scale, mine in by_scale.items():
        if scale.shift:
            of = f"{some(mine, MOST)} " if len(by_scale) > 1 else ""
            told.append(f"{of}modelled as {scale.name}, since there are zeros")
    return told
