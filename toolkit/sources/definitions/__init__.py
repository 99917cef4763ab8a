"""Definitions as data: what each platform counts as a step, and what the simulated world assumes."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd


@cache
def read(name: str) -> dict[str, Any]:
    """One TOML file of this folder, as it stands."""
    return tomllib.loads(files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8"))


def platform_funnels() -> dict[str, list[dict[str, str]]]:
    """Steps of each platform's own funnel, in order.

    Returns
    -------
    dict
        Platform id to its steps: `event` (canonical name), `header` (the platform's own word), `counts`
        (what the header counts) and `source`.

    Examples
    --------
    >>> from toolkit.sources.definitions import platform_funnels
    >>> [step["event"] for step in platform_funnels()["douyin"]]
    ['impression', 'enter', 'product_shown', 'product_click', 'pay']
    """
    return {name: [dict(row) for row in rows] for name, rows in read("funnels").items()}


def table(name: str, group: str, blank: dict[str, Any]) -> pd.DataFrame:
    """A TOML file of groups of rows as one frame, the group's name first."""
    groups = read(name).items()
    return pd.DataFrame([{group: key} | blank | row for key, rows in groups for row in rows])
