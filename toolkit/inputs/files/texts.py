"""Text files of cells: which encoding and which separator, and long ones block by block."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from toolkit.inputs.faults import ExportError, Notes
from toolkit.inputs.files.sheets import Row, Sheet

#: Rows that are looked at for headers, and rows of each further block.
HEAD, BLOCK = 20_000, 20_000
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def encoding(path: Path) -> str:
    """A byte order mark, then strict UTF-8, then strict GB18030.

    Statistics of letters are no help: on short Chinese headers they answer Korean.
    """
    with path.open("rb") as file:
        head = file.read(4)
        marked = next((name for mark, name in _BOMS.items() if head.startswith(mark)), None)
        for name in ("utf-8", "gb18030") if marked is None else (marked,):
            file.seek(0)
            if _decodes(file, name):
                return name
    if marked is not None:
        raise ExportError(
            "corrupt",
            f"{path} begins as {marked} and holds bytes that are not; download it again",
            found=marked,
        )
    raise ExportError(
        "not_an_export", f"{path} is no text in UTF-8 or GB18030; save it as UTF-8", found="binary"
    )


def read_text(path: Path, notes: Notes) -> Sheet:
    """A file of separated values: the first rows at once, those of a long file later, in blocks."""
    name = encoding(path)
    if name != "utf-8":
        notes.tell("encoding", f"read as {name}", found=name)
    with path.open(encoding=name, newline="") as file:
        sample = file.read(1 << 16)
    separator = _separator(sample)
    rows = _rows(path, name, separator)
    head = list(islice(rows, HEAD))
    if not any(cell for row in head for cell in row):
        raise ExportError("empty_file", f"{path} holds no cells: download it again")

    def rest() -> Iterator[list[Row]]:
        while block := list(islice(rows, BLOCK)):
            yield block

    return Sheet(None, head, rest=rest)


def _decodes(file: io.BufferedReader, name: str) -> bool:
    decoder = codecs.getincrementaldecoder(name)("strict")
    try:
        while piece := file.read(1 << 20):
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _rows(path: Path, name: str, separator: str) -> Iterator[Row]:
    csv.field_size_limit(1 << 20)
    try:
        with path.open(encoding=name, newline="") as file:
            lines = (line.replace("\x00", "") for line in file)
            for row in csv.reader(lines, delimiter=separator):
                yield [cell or None for cell in row]
    except csv.Error as error:
        raise ExportError(
            "corrupt", f"{path} cannot be read as separated values ({error}); download it again"
        ) from error


def _separator(sample: str) -> str:
    """The separator that most lines share: a title holds none of it, amounts in quotes hold commas too."""
    lines = [line for line in sample.splitlines()[:50] if line.strip()]

    def most(separator: str) -> int:
        return max((len(row) for row in csv.reader(lines, delimiter=separator)), default=0)

    return max((",", "\t", ";"), key=most)
