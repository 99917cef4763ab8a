"""Files before any engine reads them: which ones a name means, what they are by their first bytes, and their top."""

from __future__ import annotations

import csv
import glob
import gzip
import os
import re
import zipfile
from collections.abc import Sequence
from itertools import islice
from typing import IO, cast

CSV = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz", ".csv.zst")
PARQUET = (".parquet", ".pq")
#: What to do with a file of another kind, by the end of its name.
OTHERS = {
    ".xlsx": "an Excel workbook: give pandas.read_excel(path, engine='calamine'), or save it as CSV",
    ".xls": "an Excel workbook: give pandas.read_excel(path, engine='calamine'), or save it as CSV",
    ".zip": "a zip archive: unpack it first",
    ".json": "JSON: read it with pandas.read_json and give the frame",
    ".jsonl": "JSON lines: read it with pandas.read_json(path, lines=True) and give the frame",
    ".feather": "Arrow: read it with pyarrow.feather.read_table and give the table",
    ".arrow": "Arrow: read it with pyarrow.feather.read_table and give the table",
    ".pkl": "a pickle: load it and give the frame",
    ".db": "a database: connect to it and name the table, connection=",
    ".sqlite": "a database: read the table with pandas.read_sql and give the frame",
}
#: What a file that is named as text is by its first bytes, and what to do with it.
SIGNS = (
    (b"PAR1", "Parquet: name it .parquet"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd: name it .csv.zst"),
    (b"\xd0\xcf\x11\xe0", OTHERS[".xls"]),
    (b"\xff\xfe", "UTF-16 text: pass encoding='utf-16'"),
    (b"\xfe\xff", "UTF-16 text: pass encoding='utf-16'"),
    (b"SQLite format 3", OTHERS[".sqlite"]),
    (b"ARROW1", OTHERS[".arrow"]),
    (b"%PDF", "a PDF: save its table as CSV"),
    (b"<!DOCTYPE", "a web page, as a server sends instead of a file: download the file itself"),
    (b"<html", "a web page, as a server sends instead of a file: download the file itself"),
    (b'{"', OTHERS[".jsonl"]),
    (b"[{", OTHERS[".json"]),
    (b"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (b"Rar!", "a RAR archive: unpack it first"),
)
GZIP = b"\x1f\x8b"
#: Lines at the top of a file that are looked at for a header.
TOP = 50


def anywhere(path: str) -> str:
    """The path as it is found from any working directory; an address is left as it is."""
    if "://" in path:
        return path
    full = os.path.abspath(path)
    # A bracket in the name of a file that is there is no pattern.
    return full.replace("[", "[[]") if "[" in full and os.path.isfile(full) else full


def matching(paths: Sequence[str]) -> list[str]:
    """The files on this machine that paths and globs mean, in order."""
    return [file for path in paths if "://" not in path for file in sorted(glob.glob(path, recursive=True))]


def state(paths: Sequence[str]) -> tuple[tuple[str, int, int], ...]:
    """What changes when one of the files does: names, sizes, times of their last change."""
    return tuple((file, (stat := os.stat(file)).st_size, stat.st_mtime_ns) for file in matching(paths))


def is_gzip(path: str) -> bool:
    """Whether a file is compressed by gzip, whatever its name."""
    return _first_bytes(path).startswith(GZIP)


def refuse_other_kinds(files: Sequence[str]) -> None:
    """Refuse files that are named as text and are something else, or nothing.

    Raises
    ------
    ValueError
        Which file, what it is and what to do.
    """
    for file in files:
        first = _first_bytes(file)
        if not first:
            raise ValueError(f"{file} is empty: it has not even a header row; leave it out or write it anew")
        kind = next((said for sign, said in SIGNS if first.startswith(sign)), "")
        if first.startswith(b"PK\x03\x04"):
            kind = OTHERS[".xlsx" if _is_workbook(file) else ".zip"]
        if first.startswith(GZIP) and not file.lower().endswith(".gz"):
            # One compressed file can be read under any name; among others the engine goes by names.
            kind = "compressed by gzip: name it .csv.gz" if len(files) > 1 else ""
        if not kind and first[1::2] == bytes(len(first) // 2):
            kind = "UTF-16 text: pass encoding='utf-16-le'"
        if kind:
            raise ValueError(f"{file} is {kind}")


def top(path: str, encoding: str = "utf-8") -> list[str]:
    """The first lines of a text file; bytes of another encoding are replaced."""
    with _binary(path) as file:
        text = b"".join(islice(file, TOP))
    return text.decode(encoding, errors="replace").lstrip("\ufeff").splitlines()


def delimiter(line: str) -> str:
    """The delimiter of a header: the most frequent of those in use."""
    return max(",\t;|", key=line.count)


def fields(line: str, mark: str) -> list[str]:
    """The fields of a line."""
    return next(csv.reader([line], delimiter=mark), [])


def quote(paths: Sequence[str]) -> str:
    """The mark around fields: a double quote, unless the top of the first file shows single ones."""
    first = next((path for path in paths if not path.lower().endswith(".zst")), None)
    lines = [] if first is None else top(first)
    return "'" if any(re.search(r"(^|[,;|\t])'[^']*'([,;|\t]|$)", line) for line in lines) else '"'


def not_utf8(path: str) -> int | None:
    """The first line of a text file that is not UTF-8, counted from 1; None where all are."""
    if path.lower().endswith(".zst"):
        return None
    with _binary(path) as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return None


def fault(path: str, roles: Sequence[str]) -> str:
    """Why the header of a text file is not where it should be, and the fix; empty where its top shows no reason."""
    if path.lower().endswith(".zst"):
        return ""
    lines = top(path)
    at = next((i for i, line in enumerate(lines) if {*roles} <= {*fields(line, delimiter(line))}), None)
    if at is None:
        return ""
    if at:
        above = "a line stands" if at == 1 else f"{at} lines stand"
        return (
            f"{above} above the header, which is line {at + 1}: delete {'it' if at == 1 else 'them'}, or give "
            f"pd.read_csv({path!r}, skiprows={at})"
        )
    mark = delimiter(lines[0])
    wide = len(fields(lines[0], mark))
    for number, line in enumerate(lines[1:], 2):
        if line.count('"') % 2:
            said = f"a quote is opened and not closed ({line.strip()[:80]!r}); close or remove it"
            return f"{path}, line {number}: {said}"
        if line and len(found := fields(line, mark)) != wide:
            return ragged(path, number, wide, len(found), line)
    return ""


def ragged(path: str, line: int, expected: int, found: int, text: str) -> str:
    """What is wrong with a row of too many or too few fields."""
    fix = (
        "put quotes around a field that holds the delimiter, or delete the row"
        if found > expected
        else "write the fields that are missing as empty ones, or delete the row"
    )
    return (
        f"{path}, line {line}: {found} fields where the header has {expected} ({text.strip()[:80]!r}); {fix}"
    )


def _is_workbook(path: str) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.startswith("xl/") for name in archive.namelist())
    except zipfile.BadZipFile:
        return path.lower().endswith(".xlsx")


def _first_bytes(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(16)


def _binary(path: str) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path) if is_gzip(path) else open(path, "rb"))
