"""The data sets that come with the project: where they lie, and what was planted in the simulated ones."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from toolkit.wording import unknown


def bundled(name: str) -> str:
    """Where a bundled data set lies, seen from the folder in which the program runs.

    The folder `datasets` is looked for in the working folder, in those above it, and beside the package, so
    that a notebook runs from its own folder and from the repository's root.

    Parameters
    ----------
    name
        A file or a pattern of files in `datasets`, as in `"log/*.parquet"`.

    Returns
    -------
    A relative path, as in `"../datasets/log/*.parquet"`.

    Raises
    ------
    FileNotFoundError
        There is no folder of data sets.
    ValueError
        The folder has no such file.
    """
    here = Path.cwd()
    folders = [place / "datasets" for place in (here, *here.parents, Path(__file__).parents[2])]
    folder = next((folder for folder in folders if (folder / "truth.json").is_file()), None)
    if folder is None:
        raise FileNotFoundError(
            "no folder 'datasets' here, above or beside the package: clone the repository"
        )
    if not any(folder.glob(name)):
        files = [file.relative_to(folder).as_posix() for file in sorted(folder.rglob("*.*"))]
        raise ValueError(unknown("bundled data set", name, files))
    return Path(os.path.relpath(folder / name)).as_posix()


def beside_truth(
    table: pd.DataFrame,
    truth: str | os.PathLike[str] | None,
    section: str,
    planted: str,
    *,
    on: str | Sequence[str] | Mapping[str, str],
    interval: tuple[str, str] = ("low", "high"),
    make: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
    **where: object,
) -> pd.DataFrame:
    """Estimates with what was planted beside them, and whether each interval holds it.

    Observed data have no planted truth: without one, or with one of other data, the table comes back unchanged,
    so that the same line serves a simulated log and a real one.

    Parameters
    ----------
    table
        One row per estimate.
    truth
        The file in which a simulation notes what it planted, or None.
    section
        Which list of records in that file.
    planted
        The column of the records that holds the planted value, in the table's unit.
    on
        Columns that say which record belongs to which row; `{table's: records'}` where the names differ.
    interval
        The table's two columns of the interval.
    make
        What is done to the records first, where the planted value has to be calculated from them.
    **where
        Only records with these values.

    Returns
    -------
    The table with columns `planted` and `inside`; both are missing in rows of which nothing was planted.

    Raises
    ------
    ValueError
        The file has no such section, its records have no such column, or several belong to one row.

    Examples
    --------
    >>> found = pd.DataFrame({"step": ["pay"], "estimate": [0.10], "low": [0.08], "high": [0.13]})
    >>> beside_truth(found, None, "user_rates", "from_first", on="step").equals(found)
    True
    """
    if truth is None:
        return table
    sections = json.loads(Path(truth).read_text(encoding="utf-8"))
    if section not in sections:
        raise ValueError(unknown("section of the planted truth", section, list(sections)))
    records = pd.DataFrame(sections[section])
    for column, value in where.items():
        records = records[_column(records, column) == value]
    records = make(records) if make else records
    names = (
        dict(on)
        if isinstance(on, Mapping)
        else {name: name for name in ([on] if isinstance(on, str) else on)}
    )
    keys = [_column(records, name).rename(own) for own, name in names.items()]
    values = (
        _column(records, planted)
        .rename("planted")
        .set_axis(pd.MultiIndex.from_frame(pd.concat(keys, axis=1)))
    )
    if values.index.has_duplicates:
        raise ValueError(
            f"several records of {section} belong to one row: choose among them as in platform='douyin'"
        )
    joined = table.join(values, on=list(names))
    if joined["planted"].isna().all():
        return table
    inside = joined["planted"].between(joined[interval[0]], joined[interval[1]]).astype("boolean")
    return joined.assign(inside=inside.where(joined[["planted", *interval]].notna().all(axis=1)))


def _column(records: pd.DataFrame, name: str) -> pd.Series:
    if name not in records:
        raise ValueError(unknown("column", name, records.columns, of="the planted truth"))
    return records[name]
