"""From a path to sheets of cells: by what the file is, whatever its name says."""

from __future__ import annotations

from pathlib import Path

from toolkit.inputs.faults import Notes
from toolkit.inputs.files.bounds import what
from toolkit.inputs.files.pages import read_page
from toolkit.inputs.files.sheets import Sheet
from toolkit.inputs.files.texts import read_text
from toolkit.inputs.files.workbooks import read_xls, read_xlsx

_NAMED = {
    "xlsx": (".xlsx", ".xlsm"),
    "xls": (".xls",),
    "html": (".html", ".htm"),
    "text": (".csv", ".tsv", ".txt"),
}
EXPORTS = tuple(suffix for suffixes in _NAMED.values() for suffix in suffixes)


def open_file(path: Path, notes: Notes) -> list[Sheet]:
    """The sheets of a file, after a look at what it is and how large it would grow."""
    if not path.exists():
        raise FileNotFoundError(f"no file {path}")
    found = what(path)
    suffix = path.suffix.lower()
    if suffix not in _NAMED[found] and suffix in EXPORTS:
        notes.tell("not_what_the_name_says", f"{found}, named {suffix}", found=found, named=suffix)
    if found == "xlsx":
        return read_xlsx(path)
    if found == "xls":
        return read_xls(path)
    if found == "html":
        return read_page(path, notes)
    return [read_text(path, notes)]
