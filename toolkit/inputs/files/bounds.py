"""What a file is, and how large it would grow, before any reader opens it.

A workbook is a zip of XML. Its parts are unpacked as a stream and looked at in pieces: a sheet of two cells can span
seventeen billion, a kilobyte can unpack to gigabytes, and a document type can expand without end.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from toolkit.inputs.faults import ExportError
from toolkit.inputs.files.sheets import Place, place
from toolkit.wording import count

What = Literal["xlsx", "xls", "html", "text"]

#: Bytes that a workbook may unpack to, and cells that its sheets may span.
MOST_UNPACKED = 200_000_000
MOST_CELLS = 20_000_000
#: Bytes of a file that is read whole: an old workbook, or a page.
MOST_WHOLE = 200_000_000
PIECE = 1 << 18

_TAG = re.compile(
    rb"<(?:\w+:)?(row|c|f|v|is|dimension)(?=[\s/>])((?:[^>\"']|\"[^\"]*\"|'[^']*')*)>|</(?:\w+:)?(c)>"
)
#: A tag that has begun and not ended at the end of a piece; a sign of greater may stand in quotes.
_BEGUN = re.compile(rb"<(?:[^>\"']+|\"[^\"]*\"|'[^']*')*(?:\"[^\"]*|'[^']*)?\Z")
_ATTRIBUTE = re.compile(rb"([\w:]+)\s*=\s*[\"']([^\"']*)[\"']")
_PICTURES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"BM": "bmp"}


@dataclass(frozen=True)
class SheetFacts:
    """What the scan of one sheet saw: where its cells end, and which of them are formulas or errors."""

    corner: Place | None
    dimension: str | None
    formulas: frozenset[Place]
    valueless: frozenset[Place]
    errors: frozenset[Place]
    hidden: tuple[int, ...]


def what(path: Path) -> What:
    """What a file is by its first bytes, whatever its name says."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4096)
    if not head.strip(b"\x00\r\n\t \xef\xbb\xbf"):
        raise ExportError("empty_file", f"{path} is empty: download it again")
    for start, name in _PICTURES.items():
        if head.startswith(start):
            raise _not_an_export(path, name, "a picture")
    if head.startswith(b"%PDF"):
        raise _not_an_export(path, "pdf", "a PDF document")
    if head.startswith(b"PAR1"):
        raise _not_an_export(
            path, "parquet", "a Parquet file", "a log is opened by read_events, a series by read_series"
        )
    if head.startswith(b"PK\x03\x04"):
        return "xlsx"
    if head.startswith((b"\xd0\xcf\x11\xe0", b"\x09\x08\x10\x00", b"\x09\x08\x08\x00")):
        _whole(path, size)
        return "xls"
    text = head.replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<table", b"<meta", b"<head")):
        _whole(path, size)
        return "html"
    if text.startswith((b"<?xml", b"{", b"[{")):
        kind = "xml" if text.startswith(b"<") else "json"
        raise _not_an_export(path, kind, f"{kind.upper()}, not a table")
    if b"\x00" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _not_an_export(path, "binary", "neither a workbook nor text")
    return "text"


def scan(path: Path) -> dict[str, SheetFacts]:
    """Facts of each sheet of a workbook by its part's name, or an error where opening it would not be safe."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if "xl/workbook.xml" not in names:
                raise _not_an_export(path, *_other_zip(names))
            return _sheets(path, archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError) as error:
        raise ExportError(
            "corrupt", f"{path} is cut off or damaged ({error}); download it again", found="broken zip"
        ) from error
    except RuntimeError as error:  # zipfile's word for an encrypted member
        raise ExportError(
            "password", f"{path} has a password; save it again without one", found="zip"
        ) from error


def _sheets(path: Path, archive: zipfile.ZipFile) -> dict[str, SheetFacts]:
    left = MOST_UNPACKED
    spanned = 0
    found: dict[str, SheetFacts] = {}
    # Every part, whatever its name: a workbook says itself which of them are sheets.
    for info in archive.infolist():
        with archive.open(info) as stream:
            facts, size = _sheet(path, stream, left, info.filename.lower().endswith((".xml", ".rels")))
        left -= size
        found[info.filename] = facts
        if facts.corner is not None:
            spanned += (facts.corner[0] + 1) * (facts.corner[1] + 1)
        if spanned > MOST_CELLS:
            raise ExportError(
                "too_large",
                f"{path} has cells so far out that its sheets span {count(spanned)} cells (bound "
                f"{count(MOST_CELLS)}); delete what stands far from the table and save it again",
            )
    return found


def _check(path: Path, piece: bytes, size: int, left: int, xml: bool) -> None:
    if xml and b"\x00" in piece:
        raise ExportError("corrupt", f"{path} holds XML that is not UTF-8; save it again from a spreadsheet")
    if b"<!DOCTYPE" in piece or b"<!ENTITY" in piece:
        raise ExportError(
            "too_large",
            f"{path} declares entities, which could expand without end; a dashboard writes none: save it again "
            "from a spreadsheet",
        )
    if size > left:
        raise ExportError(
            "too_large",
            f"{path} unpacks to more than {count(MOST_UNPACKED)} bytes; export a shorter period, or save it as CSV",
        )


def _sheet(path: Path, stream: IO[bytes], left: int, xml: bool) -> tuple[SheetFacts, int]:
    size, kept = 0, b""
    row = column = -1
    last_row = last_column = -1
    dimension: str | None = None
    formulas: set[Place] = set()
    valued: set[Place] = set()
    errors: set[Place] = set()
    hidden: list[int] = []
    while True:
        piece = stream.read(PIECE)
        size += len(piece)
        text = kept + piece
        _check(path, text, size, left, xml)
        end = 0
        for tag in _TAG.finditer(text):
            end = tag.end()
            name = tag[1]
            if name == b"row":
                column = -1
                given = dict(_ATTRIBUTE.findall(tag[2]))
                row = int(given[b"r"]) - 1 if b"r" in given else row + 1
                if given.get(b"hidden") in (b"1", b"true"):
                    hidden.append(row + 1)
            elif name == b"c":
                given = dict(_ATTRIBUTE.findall(tag[2]))
                if b"r" in given:
                    row, column = place(given[b"r"].decode("ascii", "replace"))
                else:
                    column += 1
                last_row, last_column = max(last_row, row), max(last_column, column)
                if given.get(b"t") == b"e":
                    errors.add((row, column))
            elif name == b"f":
                formulas.add((row, column))
            elif name in (b"v", b"is"):
                empty = tag[2].endswith(b"/") or text.startswith(b"</", tag.end())
                if (row, column) in formulas and not empty:
                    valued.add((row, column))
            elif name == b"dimension":
                given = dict(_ATTRIBUTE.findall(tag[2]))
                dimension = given.get(b"ref", b"").decode("ascii", "replace") or None
        if not piece:
            break
        opened = text.rfind(b"<")
        kept = text[opened:] if opened >= end and _BEGUN.match(text, opened) else b""
        if xml and len(kept) > 4 * PIECE:
            raise ExportError("corrupt", f"{path} holds a tag of more than {count(4 * PIECE)} bytes")
    corner = None if last_row < 0 else (last_row, last_column)
    facts = SheetFacts(
        corner, dimension, frozenset(formulas), frozenset(formulas - valued), frozenset(errors), tuple(hidden)
    )
    return facts, size


def _whole(path: Path, size: int) -> None:
    if size > MOST_WHOLE:
        raise ExportError(
            "too_large",
            f"{path} has {count(size)} bytes and would be read whole (bound {count(MOST_WHOLE)}); save it as CSV",
        )


def _not_an_export(
    path: Path, found: str, said: str, mend: str = "download the table itself from the dashboard"
) -> ExportError:
    return ExportError("not_an_export", f"{path} is {said} ({found}), not an export: {mend}", found=found)


def _other_zip(names: list[str]) -> tuple[str, ...]:
    if "xl/workbook.bin" in names:
        return "xlsb", "a binary workbook", "save it as .xlsx"
    if "content.xml" in names:
        return "ods", "an OpenDocument file", "save it as .xlsx"
    if any(name.startswith("word/") for name in names):
        return "docx", "a text document"
    return "zip", "an archive", "unpack it and read the folder"
