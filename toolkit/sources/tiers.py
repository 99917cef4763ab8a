"""Tiers as data: cities by year, creators by fans, users by relation, stages by event; each can be replaced.

city_tier          tiers of cities from text as exports write it
city_readings      how each distinct text was read
city_tier_lists    the published lists that it is looked up in
creator_band       bands of creators by number of fans, in one named scheme
creator_schemes    the published schemes, which disagree
relations          what makes a user new or old, a fan or not
stages             the platforms' stages (AIPL, O-5A, AIPS) with the events of each
stage_steps        stages with their events as pairs, for a funnel
event_stages       the same the other way round: the stage of each event
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from toolkit.sources import definitions
from toolkit.sources.places import atlas, read_table

#: What is on no list, or below the lowest band.
UNLISTED = "unlisted"
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


def creator_schemes() -> pd.DataFrame:
    """The published bands of creators: scheme, band, header, from_fans (the lowest number of fans), source."""
    return _table("creator_bands", "scheme", {"band": "", "header": "", "from": 0, "source": ""}).rename(
        columns={"from": "from_fans"}
    )


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
            names = ", ".join(schemes["scheme"].unique())
            raise ValueError(f"no scheme of creator bands {scheme!r}; there are: {names}")
        scheme = dict(zip(chosen["band"], chosen["from_fans"], strict=True))
    bounds = list(scheme.values()) if isinstance(scheme, Mapping) else []
    if not bounds or not all(_is_whole(least) and least >= 0 for least in bounds):
        raise ValueError(
            f"a scheme is a name, or band names with the lowest whole number of fans, not {scheme!r}"
        )
    if len(set(bounds)) < len(bounds):
        raise ValueError(f"two bands begin at the same number of fans: {dict(scheme)!r}")
    series = _series(fans, "fans")
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


def relations() -> pd.DataFrame:
    """What makes a user new or old, a fan or not: column, value, header, definition, days, as_of, source."""
    blank = {"value": "", "header": "", "definition": "", "days": pd.NA, "as_of": "", "source": ""}
    return _table("relations", "column", blank).astype({"days": "Int64"})


def stages(scheme: str) -> pd.DataFrame:
    """Stages of a user's relation to a brand, lowest first.

    Parameters
    ----------
    scheme
        "aipl" (Alibaba), "o5a" (Douyin) or "aips" (Xiaohongshu).

    Returns
    -------
    pandas.DataFrame
        stage, header, definition, days (how far the platform looks back, where it is published), events (those
        that the source names), assumed (those that this toolkit adds) and source.
    """
    schemes = definitions.read("stages")
    if scheme not in schemes:
        raise ValueError(f"no scheme of stages {scheme!r}; there are: {', '.join(schemes)}")
    blank = {"stage": "", "header": "", "definition": "", "days": pd.NA}
    rows = [deepcopy(blank | {"events": [], "assumed": []} | row) for row in schemes[scheme]]
    return pd.DataFrame(rows).astype({"days": "Int64"})


def stage_steps(
    mapping: str | Mapping[str, str | Sequence[str]], *, among: Iterable[str] | None = None
) -> list[tuple[str, list[str]]]:
    """Stages in order, each with the events that put a user into it.

    Parameters
    ----------
    mapping
        A published scheme by its name, or one's own: stage to event or events, lowest stage first.
    among
        Names of the events that a log has; others are left out.

    Returns
    -------
    list of (str, list of str)
        For ``[Step(stage, event=events) for stage, events in ...]``. A stage that no event puts a user into
        (O of O-5A: not reached yet) is left out.

    Raises
    ------
    ValueError
        An unknown scheme; a stage without an event, of one's own or because the log has none of them.

    Notes
    -----
    A funnel over these steps counts users who went through the stages in their order. The platforms give a user
    the highest stage met, in whatever order.

    Examples
    --------
    >>> stage_steps("aipl", among=["impression", "enter", "cart", "pay"])
    [('awareness', ['impression']), ('interest', ['cart', 'enter']), ('purchase', ['pay']), ('loyalty', ['pay'])]
    """
    if isinstance(mapping, str):
        rows = stages(mapping).itertuples()
        mapping = {row.stage: found for row in rows if (found := [*row.events, *row.assumed])}
    if isinstance(among, str):
        raise TypeError(f"among is a list of event names, not {among!r}")
    known = None if among is None else set(among)
    steps = []
    for stage, events in mapping.items():
        named = [events] if isinstance(events, str) else list(events)
        if not named or not all(isinstance(event, str) and event for event in named):
            raise ValueError(f"stage {stage!r} needs the name of an event, or several, not {events!r}")
        kept = [event for event in dict.fromkeys(named) if known is None or event in known]
        if not kept:
            raise ValueError(
                f"stage {stage!r} has no event in the log ({', '.join(named)}); give a mapping without it"
            )
        steps.append((stage, kept))
    return steps


def event_stages(
    mapping: str | Mapping[str, str | Sequence[str]], *, among: Iterable[str] | None = None
) -> dict[str, str]:
    """Stage that a first event of each kind puts a user into; arguments as for `stage_steps`.

    Examples
    --------
    >>> event_stages({"saw": "impression", "bought": "pay", "bought again": "pay"})
    {'impression': 'saw', 'pay': 'bought'}
    """
    found: dict[str, str] = {}
    for stage, events in stage_steps(mapping, among=among):
        for event in events:
            found.setdefault(event, stage)
    return found


def _looked_up(
    values: Any, year: int, table: pd.DataFrame | None
) -> tuple[pd.Series, np.ndarray, pd.DataFrame, dict[str, str]]:
    """The values, the row of each in the readings, the readings with a last row for null, the year's list."""
    series = _series(values, "values")
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
    if not all(map(_is_whole, [year, *years])):
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


def _series(values: Any, name: str) -> pd.Series:
    if isinstance(values, str | pd.DataFrame) or not hasattr(values, "__iter__"):
        raise TypeError(f"{name} is a Series or a list, not {type(values).__name__}")
    return (values if isinstance(values, pd.Series) else pd.Series(list(values), dtype=object)).astype(object)


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _table(name: str, group: str, blank: dict[str, Any]) -> pd.DataFrame:
    """A TOML file of groups of rows as one frame, the group's name first."""
    groups = definitions.read(name).items()
    return pd.DataFrame([{group: key} | blank | row for key, rows in groups for row in rows])
