"""From a path to sheets of cells: by what the file is, whatever its name says."""

from __future__ import annotations

from pathlib import Path

from toolkit.inputs.faults import Notes
from toolkit.inputs.files.bounds import what
from toolkit.inputs.files.pages import read_page
from toolkit.inputs.files.sheets import Sheet
from toolkit.inputs.files.texts import read_text
from toolkit.inputs.files.workbooks import read_xls, read_xlsx
from toolkit.wording import nearest, some

_NAMED = {
    "xlsx": (".xlsx", ".xlsm"),
    "xls": (".xls",),
    "html": (".html", ".htm"),
    "text": (".csv", ".tsv", ".txt"),
}
EXPORTS = tuple(suffix for suffixes in _NAMED.values() for suffix in suffixes)


def open_file(path: Path, notes: Notes) -> list[Sheet]:
    """The sheets of a file, after a look at what it is and how large it would grow."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name one of its files")
    if not path.exists():
        raise FileNotFoundError(_missing(path))
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


def _missing(path: Path) -> str:
    """The text of an error about a path that is not there, with what is."""
    if any(sign in path.name for sign in "*?["):
        return f"no file {path}; a pattern is not looked for: give one file, or its folder"
    folder = path.parent
    if not folder.is_dir():
        return f"no file {path}: there is no folder {folder}"
    there = sorted(one.name for one in folder.iterdir() if not one.name.startswith("."))
    return f"no file {path}{nearest(path.name, there)}; {folder} has {some(there) or 'no files'}"
