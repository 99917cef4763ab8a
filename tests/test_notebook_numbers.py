"""Every number in a notebook's prose stands in its outputs or code, or in a sentence that names its source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
#: What looks like a number and says none: links, code, headings' own numbers, dates and years,
#: the level of every interval, the name of a tier, and nothing at all.
SILENT = re.compile(
    r"\[[^\]]*\]\([^)]*\)|`[^`]*`|^#.*$|<[^>]+>|^\d+\. "
    rf"|\b\d{{1,2}}(?:\s*(?:to|and|–)\s*\d{{1,2}})? (?:{MONTHS})\b|\b(?:{MONTHS}) \d{{1,2}}\b"
    r"|\b(?:19|20)\d\d\b(?:\s*[–/]\s*\d{2,4})?"
    r"|\b95 %|\btiers? \d(?: (?:to|and) \d)?\b|(?<![\d.,])0(?![\d.,]\d|\d)",
    re.MULTILINE,
)
#: A source: a page, a bundled file, or a work in parentheses with its year.
SOURCE = re.compile(r"\]\(https?:|`(?:datasets|benchmarks)/[^`]+`|\([^)]*\b(?:19|20)\d\d\b[^)]*\)")
UNIT = r"\s*(?:%|points?\b|×|times\b|M\b)"
NUMBER = re.compile(
    r"(?<![\w.,])[−-]?(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(?![\w]|[.,]\d)"
    rf"(?=((?:\s*(?:to|and|–)\s*[−-]?[\d.,]*\d)?{UNIT})?)"
)
SHOWN = re.compile(r"(?<![\w.])[−-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e-?\d+)?")


def numbers(text: str) -> set[str]:
    """The numbers of a text, without signs and commas."""
    return {found.replace(",", "").lstrip("−-") for found in SHOWN.findall(text)}


def said(source: str) -> list[tuple[str, bool]]:
    """The numbers of a markdown cell whose sentence names no source, and whether a unit follows."""
    sentences = re.split(r"(?<=[.!?])\s+(?=[^a-z\d])|\n\n|\n(?=[*|#-])", source)
    plain = [SILENT.sub(" ", sentence) for sentence in sentences if not SOURCE.search(sentence)]
    return [
        (whole.replace(",", "") + part, bool(unit))
        for sentence in plain
        for whole, part, unit in NUMBER.findall(sentence)
    ]


def stands(text: str, unit: bool, shown: set[str]) -> bool:
    """Whether a number is among those shown, as it is or rounded; with a unit also where a fraction is shown."""
    if text in shown:
        return True
    decimals = len(text.partition(".")[2])
    for one in shown:
        digits = len(one.partition(".")[2])
        for scale in (1, 100) if unit else (1,):
            finer = digits - (2 if scale == 100 else 0)
            if finer >= decimals and (decimals or unit):
                # A table's own rounding may have carried.
                slack = 0.5 * 10.0**-decimals + (0.5 * 10.0**-finer if finer > decimals else 0)
                if abs(scale * float(one) - float(text)) <= slack * (1 + 1e-9):
                    return True
    return False


def outputs(cell: nbformat.NotebookNode) -> str:
    """What a code cell shows, as text."""
    data = [output.get("data", output) for output in cell.get("outputs", [])]
    kinds = ("text/html", "text/markdown", "text/plain", "text")
    return re.sub(r"<[^>]+>", " ", " ".join(str(one[kind]) for one in data for kind in kinds if kind in one))


def constants(source: str) -> set[str]:
    """The numbers in the code of a cell, those in its texts too."""
    values = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)]
    return numbers(" ".join(str(value) for value in values if not isinstance(value, bool)))


def scopes(cells: list[nbformat.NotebookNode]) -> Iterator[tuple[int, set[str]]]:
    """Each markdown cell by its place, with the numbers that may stand in it: of its section and the one before."""
    sections, places = [set[str]()], []
    for at, cell in enumerate(cells):
        if cell.cell_type == "code":
            sections[-1] |= numbers(outputs(cell)) | constants(cell.source)
        else:
            if re.search(r"^#", cell.source, re.MULTILINE) and at:
                sections.append(set())
            places.append((at, len(sections) - 1))
    whole = set().union(*sections)
    for at, place in places:
        edge = place in (0, len(sections) - 1)
        yield at, whole if edge else set().union(*sections[max(0, place - 1) : place + 1])


def unfounded(text: str) -> list[str]:
    """Numbers in the prose of a notebook that nothing in it founds."""
    cells = nbformat.reads(text, as_version=4).cells
    return [
        f"{number} in cell {at}"
        for at, shown in scopes(cells)
        for number, unit in said(cells[at].source)
        if not stands(number, unit, shown)
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_number_in_the_prose_is_founded(path):
    assert unfounded(path.read_text(encoding="utf-8")) == []


def a_notebook(prose: str, shown: str) -> str:
    code = nbformat.v4.new_code_cell("N = 40", outputs=[nbformat.v4.new_output("stream", text=shown)])
    return nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(prose), code]))


@pytest.mark.parametrize(
    "prose",
    [
        "In all 10.2 % pay (95 % interval 9.8 to 10.6 %).",
        "Of 21,651 users 10 % pay, 40 at most.",
        "Elsewhere 77 % do (Example 2019).",
        "On 31 July 2019 `x[77]` was [77](77.ipynb).",
    ],
)
def test_a_number_shown_rounded_entered_or_sourced_is_founded(prose):
    assert unfounded(a_notebook(prose, "0.1023 0.0983 0.1064 21651")) == []


@pytest.mark.parametrize("prose", ["In all 10.3 % pay.", "Of 21,652 users.", "It is 77 %.", "9.8 to 10.7 %"])
def test_a_number_that_nothing_founds_is_named(prose):
    assert len(unfounded(a_notebook(prose, "0.1023 0.0983 0.1064 21651"))) == 1
