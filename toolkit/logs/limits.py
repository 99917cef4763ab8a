"""How much memory questions may take in this process, and where they spill to."""

from __future__ import annotations

import os
import re

import duckdb

from toolkit.logs.engines import database, first_line, limits, literal, spill_folder


def limit(*, memory: str | None = None, spill: str | os.PathLike[str] | None = None) -> None:
    """Bound the memory that questions take in this process, and name the folder that they spill to.

    Parameters
    ----------
    memory
        Such as "4GB"; 80 % of the machine's if never given. What is larger is sorted and joined in the folder, which
        takes longer; a log whose index is larger is not indexed. Results and Python itself come on top.
    spill
        A folder, made if it is not there; the system's temporary one if never given. Each process spills to a folder
        of its own in it, and takes that away when it ends.

    Raises
    ------
    ValueError
        For a size that is none, a folder that cannot be made, or a new one after the old one has been used.
    TypeError
        For a size that is no text.
    """
    if memory is not None and not isinstance(memory, str):
        raise TypeError(f"memory={memory!r}; write a size such as '4GB'")
    if memory is not None and not re.fullmatch(r"\d+(\.\d+)? ?[KMGT]i?B", memory):
        raise ValueError(f"memory={memory!r} is no size; write one such as '4GB'")
    asked: list[tuple[str, str, str]] = []
    if memory is not None:
        asked.append(("memory", memory, f"SET memory_limit = {literal(memory)}"))
    if spill is not None:
        folder = os.path.abspath(spill)
        below = os.path.join(folder, os.path.basename(spill_folder(os.getpid())))
        asked.append(("spill", folder, f"SET temp_directory = {literal(below)}"))
    for option, value, sql in asked:
        try:
            if option == "spill":
                os.makedirs(value, exist_ok=True)
            database(os.getpid()).execute(sql)
        except (duckdb.Error, OSError) as error:
            raise ValueError(f"{option}={value!r}: {first_line(error)}") from error
        limits[option] = value


def allowed() -> float:
    """Bytes that DuckDB may take in this process."""
    found = database(os.getpid()).execute("SELECT current_setting('memory_limit')").fetchall()[0][0]
    number, unit = found.split()
    return float(float(number) * 1024 ** ("bytes", "KiB", "MiB", "GiB", "TiB").index(unit))
