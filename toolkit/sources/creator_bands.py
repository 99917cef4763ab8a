"""Bands of creators by number of fans, in one named scheme: the published ones disagree.

creator_band       the band of each number of fans
creator_schemes    the published schemes
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from toolkit.sources import definitions
from toolkit.sources.values import UNLISTED, is_whole, series_of
from toolkit.wording import unknown


def creator_schemes() -> pd.DataFrame:
    """The published bands of creators: scheme, band, header, from_fans (the lowest number of fans), source."""
    return definitions.table(
        "creator_bands", "scheme", {"band": "", "header": "", "from": 0, "source": ""}
    ).rename(columns={"from": "from_fans"})


def creator_band(fans: pd.Series | Sequence[float | None], *, scheme: str | Mapping[str, int]) -> pd.Series:
    """Bands of creators by number of fans.

    Parameters
    ----------
    fans
        Whole numbers; null is missing.
    scheme
        A published scheme by its name (see `creator_schemes`; they disagree, so there is no default), or bands
        of one's own: name to lowest number of fans.

    Returns
    -------
    pandas.Series
        Name of the band, ``unlisted`` below the lowest one, null where the number is missing.

    Raises
    ------
    ValueError
        An unknown scheme; a number that is negative, or no whole number.
    TypeError
        Text in place of a number.

    Examples
    --------
    >>> list(creator_band([800, 60_000, 400_000], scheme="huojian_data"))
    ['unlisted', 'lower', 'head']
    >>> list(creator_band([800, 60_000, 400_000], scheme="ijunjun"))
    ['amateur', 'mid', 'mid']
    """
    if isinstance(scheme, str):
        schemes = creator_schemes()
        chosen = schemes[schemes["scheme"] == scheme]
        if chosen.empty:
            raise ValueError(unknown("scheme of creator bands", scheme, schemes["scheme"].unique()))
        scheme = dict(zip(chosen["band"], chosen["from_fans"], strict=True))
    bounds = list(scheme.values()) if isinstance(scheme, Mapping) else []
    if not bounds or not all(is_whole(least) and least >= 0 for least in bounds):
        raise ValueError(
            f"a scheme is a name, or band names with the lowest whole number of fans, not {scheme!r}"
        )
    if len(set(bounds)) < len(bounds):
        raise ValueError(f"two bands begin at the same number of fans: {dict(scheme)!r}")
    series = series_of(fans, "fans")
    for value in series[series.notna()]:
        if isinstance(value, str | bool | np.bool_):
            raise TypeError(f"fans are whole numbers, not {value!r}")
        if not float(value).is_integer() or value < 0:
            raise ValueError(f"fans are whole numbers from 0, not {value!r}")
    bands = sorted(scheme, key=lambda band: scheme[band])
    numbers = series.to_numpy(dtype=float, na_value=np.nan)
    places = np.searchsorted(sorted(bounds), numbers, side="right")
    labels = np.array([UNLISTED, *bands, None], dtype=object)
    places[np.isnan(numbers)] = len(labels) - 1
    return pd.Series(labels[places], index=series.index, name=series.name, dtype="str")
