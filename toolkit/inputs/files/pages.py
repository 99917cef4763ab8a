"""Tables of a page: what many a dashboard names .xls is HTML."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from toolkit.inputs.faults import ExportError, Notes
from toolkit.inputs.files.bounds import MOST_CELLS
from toolkit.inputs.files.sheets import Place, Row, Sheet
from toolkit.inputs.files.texts import encoding

#: Columns and rows that one cell may span: a page can claim a billion in ten bytes.
MOST_SPANNED = 1000


def read_page(path: Path, notes: Notes) -> list[Sheet]:
    """The tables of a page, cells that span several filled once, in their first place."""
    content = path.read_bytes()
    name = encoding(path)
    if name != "utf-8":
        notes.tell("encoding", f"read as {name}", found=name)
    parser = _Tables(path)
    parser.feed(content.decode(name))
    parser.close()
    found = [sheet for sheet in parser.sheets if sheet.rows]
    if not found:
        raise ExportError(
            "not_an_export",
            f"{path} is a page without a table, such as a log-in page; log in and download again",
            found="html without a table",
        )
    return found


class _Tables(HTMLParser):
    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.path = path
        self.sheets: list[Sheet] = []
        self.taken: set[Place] = set()
        self.merged: list[tuple[Place, Place]] = []
        self.text: list[str] | None = None
        self.at = 0
        self.cells = 0
        self.span = (1, 1)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "table":
            self.sheets.append(Sheet(None, []))
            self.taken, self.merged = set(), []
        elif tag == "tr" and self.sheets:
            self._close()
            self.sheets[-1].rows.append([])
            self.at = 0
        elif tag in ("td", "th") and self.sheets and self.sheets[-1].rows:
            self._close()
            self.span = (_span(given.get("rowspan")), _span(given.get("colspan")))
            self.text = []
        elif tag == "br" and self.text is not None:
            self.text.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "tr", "table"):
            self._close()
        if tag == "table" and self.sheets:
            self.sheets[-1].merged = tuple(self.merged)

    def handle_data(self, data: str) -> None:
        if self.text is not None:
            self.text.append(data)

    def _close(self) -> None:
        if self.text is None:
            return
        text = "".join(self.text).replace("\xa0", " ").strip()
        self.text = None
        rows = self.sheets[-1].rows
        line = len(rows) - 1
        while (line, self.at) in self.taken:
            self.at += 1
        row: Row = rows[-1]
        row.extend([None] * (self.at - len(row)))
        row.append(text or None)
        down, right = self.span
        self.cells += down * right
        if self.cells > MOST_CELLS:
            raise ExportError("too_large", f"{self.path} is a page of more than {MOST_CELLS:,} cells")
        if down * right > 1:
            self.taken |= {
                (line + i, self.at + j) for i in range(down) for j in range(right) if (i, j) != (0, 0)
            }
            self.merged.append(((line, self.at), (line + down - 1, self.at + right - 1)))
        self.at += right


def _span(text: str | None) -> int:
    if text is None or not text.strip().isdigit():
        return 1
    return min(max(int(text.strip()[:9]), 1), MOST_SPANNED)
