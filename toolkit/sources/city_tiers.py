"""Tiers of cities: from text as exports write it, by the published list of a year or one's own.

city_tier          the tier of each text
city_readings      how each distinct text was read
city_tier_lists    the published lists that it is looked up in
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from toolkit.sources.places import atlas, read_table
from toolkit.sources.values import UNLISTED, is_whole, series_of

READINGS = ("listed", "unlisted", "province", "ambiguous", "unknown", "missing")


def city_tier(
    values: pd.Series | Sequence[str | None], *, year: int = 2019, table: pd.DataFrame | None = None
) -> pd.Series:
    """Tiers of cities, from city or province text as exports write it.

    Parameters
    ----------
    values
        One text per row, such as "杭州", "杭州市", "浙江省杭州市". Null, "", "-", "暂无" and "未知" are missing.
    year
        Year of the list. The published lists change every year.
    table
        A list of one's own in place of the published ones: columns year, city, tier. County-level cities in it
        are found in text that names no prefecture before them.

    Returns
    -------
    pandas.Series
        ``tier_1``, ``tier_new_1``, ``tier_2`` and so on as the list says, ``unlisted`` for what is not on it, null
        where the text is missing. Its ``attrs`` hold the year, the tiers that the list of that year has, and
        how many rows were read how.

    Raises
    ------
    ValueError
        A year without a list; a table that lacks a column or a value, or has a city twice in a year.
    TypeError
        A value that is no text.

    Notes
    -----
    Nothing is guessed: a province alone (the four municipalities are cities), 吉林 (a province and a city), two
    cities in one text, a city in another province than its own, and a county-level city without its prefecture
    (昆山) are ``unlisted`` too, and may live in any tier; `city_readings` tells them apart. The lists of 2019,
    2022 and 2024 hold tier 1 and new tier 1 only; that of 2020 ends within tier 4.

    Examples
    --------
    >>> list(city_tier(["浙江省杭州市", "北京市朝阳区", "大连", "浙江省"], year=2020))
    ['tier_new_1', 'tier_1', 'tier_2', 'unlisted']
    """
    series, codes, readings, listed = _looked_up(values, year, table)
    answer = pd.Series(
        readings["tier"].to_numpy(dtype=object)[codes], index=series.index, name=series.name, dtype="str"
    )
    rows = readings.groupby("reading")["n"].sum()
    answer.attrs = {
        "year": int(year),
        "tiers": list(dict.fromkeys(listed.values())),
        "readings": {reading: int(rows.get(reading, 0)) for reading in READINGS},
    }
    return answer


def city_readings(
    values: pd.Series | Sequence[str | None], *, year: int = 2019, table: pd.DataFrame | None = None
) -> pd.DataFrame:
    """How `city_tier` reads each distinct text, the most frequent first.

    Returns
    -------
    pandas.DataFrame
        text, city, tier, reading and n, its number of rows. A reading is ``listed``; ``unlisted`` (a city that
        the year's list does not have); ``province`` (a province alone); ``ambiguous``; ``unknown`` (no city of
        prefecture level is named); or ``missing``.

    Examples
    --------
    >>> city_readings(["吉林", "吉林省吉林市", "吉林"], year=2020)[["text", "reading", "n"]].values.tolist()
    [['吉林', 'ambiguous', 2], ['吉林省吉林市', 'listed', 1]]
    """
    readings = _looked_up(values, year, table)[2]
    return readings[readings["n"] > 0].sort_values("n", ascending=False, kind="stable", ignore_index=True)


def city_tier_lists() -> pd.DataFrame:
    """The published lists: year, city, tier, `of` (how many cities the whole tier has) and source."""
    return read_table("city_tiers").copy()


def _looked_up(
    values: Any, year: int, table: pd.DataFrame | None
) -> tuple[pd.Series, np.ndarray, pd.DataFrame, dict[str, str]]:
    """The values, the row of each in the readings, the readings with a last row for null, the year's list."""
    series = series_of(values, "values")
    listed, others = _listed(city_tier_lists() if table is None else table, year)
    places = atlas(others)
    codes, texts = pd.factorize(series)
    rows: list[tuple[str | None, ...]] = []
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"a city is a text, not {text!r}")
        city, reading = places.read(text)
        if city:
            reading = "listed" if city in listed else "unlisted"
        tier = None if reading == "missing" else listed.get(city or "", UNLISTED)
        rows.append((text, city, tier, reading))
    rows.append((None, None, None, "missing"))
    frame = pd.DataFrame(rows, columns=["text", "city", "tier", "reading"]).astype("str")
    frame["n"] = np.bincount(codes % len(rows), minlength=len(rows))
    return series, codes, frame, listed


def _listed(table: pd.DataFrame, year: int) -> tuple[dict[str, str], frozenset[str]]:
    """City to tier in one year, and the cities of the table that are not of prefecture level."""
    absent = [name for name in ("year", "city", "tier") if name not in table.columns]
    if absent:
        raise ValueError(
            f"a table of city tiers needs the columns year, city and tier; {absent[0]!r} is missing"
        )
    if table[["year", "city", "tier"]].isna().any(axis=None):
        raise ValueError("a table of city tiers has a row without year, city or tier")
    years = sorted(set(table["year"]))
    if not all(map(is_whole, [year, *years])):
        raise TypeError(f"a year is a whole number; asked for {year!r}, the table has {years[0]!r}")
    if year not in years:
        raise ValueError(f"no city tiers for {year}; there are: {', '.join(map(str, years))}")
    listed: dict[str, str] = {}
    others = set()
    of_year = table[table["year"] == year]
    for text, tier in zip(of_year["city"].astype(str).str.strip(), of_year["tier"], strict=True):
        known = atlas().city(text)
        city = known or text.removesuffix("市")
        if city in listed:
            raise ValueError(f"{text!r} is twice in the city tiers of {year}")
        listed[city] = str(tier)
        if not known:
            others.add(city)
    return listed, frozenset(others)
