"""What nbval does not see: that a notebook was run once from the top, stays short, and reads as an answer."""

from __future__ import annotations

import ast
import base64
import importlib.util
import io
import json
import re
from pathlib import Path

import nbformat
import pytest
from PIL import Image, ImageDraw

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
CELLS, LINES, NAMES, BYTES = 25, 10, 8, 150_000
# A longer line of code scrolls in a window of 1,280 pixels.
WIDTH = 100
# Words of prose to a line of code: below, a script; above, an essay.
LEAST_PROSE, MOST_PROSE = 10, 40
# Where packages come from, and where files lie on one machine.
PLACES = re.compile(
    r"py(pi|thonhosted)|(conda|debian|npmjs)\.|mirrors?\.|site-packages"
    r"|/(work|root|tmp|home|Users)/|[A-Z]:\\\\Users",
    re.IGNORECASE,
)


def faults(text: str) -> list[str]:
    """What is wrong with a notebook, given as the text of its file."""
    notebook = nbformat.reads(text, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    found = []

    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        found.append("was not run once from the top with its outputs kept")
    outputs = [output for cell in code for output in cell.outputs]
    if any(output.output_type == "error" or output.get("name") == "stderr" for output in outputs):
        found.append("has an error or text on stderr")
    if sum(bool(cell.outputs) for cell in code) * 2 < len(code):
        found.append("shows something in fewer than half of its code cells")
    if any("execution" in cell.metadata for cell in code) or "widgets" in notebook.metadata:
        found.append("keeps times or widget state: run notebooks/refresh.py")
    if any("widget-view" in kind for output in outputs for kind in output.get("data", {})):
        found.append("keeps a widget's view: run notebooks/refresh.py")

    if len(notebook.cells) > CELLS:
        found.append(f"has more than {CELLS} cells")
    if any(len(cell.source.splitlines()) > LINES for cell in code):
        found.append(f"has a code cell of more than {LINES} lines")
    for cell in code:
        if "parameters" in cell.metadata.get("tags", []):
            found += _parameter_faults(cell.source)
    if any(len(line) > WIDTH for cell in code for line in cell.source.splitlines()):
        found.append(f"has a line of code of more than {WIDTH} characters")
    if len(text.encode()) > BYTES:
        found.append(f"is larger than {BYTES // 1000} kB")

    if not any("parameters" in cell.metadata.get("tags", []) for cell in code):
        found.append("has no cell tagged parameters")
    first = notebook.cells[0] if notebook.cells else None
    if first is None or first.cell_type != "markdown" or "?" not in first.source:
        found.append("does not begin by asking its question")
    lines = sum(bool(line.strip()) for cell in code for line in cell.source.splitlines())
    words = sum(len(re.findall(r"\w+", source)) for source in prose)
    if not LEAST_PROSE <= words / max(lines, 1) <= MOST_PROSE:
        found.append(f"has {words} words for {lines} lines of code")

    for number, cell in enumerate(code):
        found += [
            f"{fault} in code cell {number + 1}" for fault in _code_faults(cell.source, first=number == 0)
        ]
    # The base64 of a figure may spell anything.
    plain = [cell.source for cell in notebook.cells]
    plain += [
        json.dumps({k: v for k, v in output.get("data", output).items() if k != "image/png"})
        for output in outputs
    ]
    found += [f"names {place.group()!r}" for place in map(PLACES.search, plain) if place]
    return found


def _parameter_faults(source: str) -> list[str]:
    """What keeps a tool such as papermill from reading and replacing parameters, or a reader from surveying them."""
    body = ast.parse(source).body
    names = [node.targets[0] for node in body if isinstance(node, ast.Assign)]
    plain = len(names) == len(body) and all(isinstance(name, ast.Name) for name in names)
    found = [] if plain else ["has parameters that are not one name a line"]
    return found + ([f"has more than {NAMES} parameters"] if len(names) > NAMES else [])


def _code_faults(source: str, *, first: bool) -> list[str]:
    if re.search(r"^\s*[%!]", source, re.MULTILINE):
        return ["a magic or a shell line"]
    found = ["a trailing semicolon"] if re.search(r";\s*$", source, re.MULTILINE) else []
    nodes = list(ast.walk(ast.parse(source)))
    if any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for node in nodes):
        found.append("a def or a class")
    if not first and any(isinstance(node, ast.Import | ast.ImportFrom) for node in nodes):
        found.append("an import")
    names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    if names & {"filterwarnings", "simplefilter", "catch_warnings"}:
        found.append("a filter of warnings")
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_run_short_and_asks_its_question(path):
    assert faults(path.read_text(encoding="utf-8")) == []


def a_notebook(**changes) -> str:
    """A small notebook without fault, with changes to its last cell or, by index, to others."""
    code = [
        nbformat.v4.new_code_cell("import math", execution_count=1),
        nbformat.v4.new_code_cell("N = 2", execution_count=2, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("N + 1", execution_count=3),
        nbformat.v4.new_code_cell("math.sqrt(N)", execution_count=4),
    ]
    for cell in code[2:]:
        cell.outputs = [
            nbformat.v4.new_output(
                "execute_result", {"text/plain": "3"}, execution_count=cell.execution_count
            )
        ]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# What is it?\n" + "word " * 60), *code]
    )
    for name, value in changes.pop("metadata", {}).items():
        notebook.metadata[name] = value
    cell = notebook.cells[changes.pop("at", -1)]
    for name, value in changes.items():
        cell[name] = value
    return nbformat.writes(notebook)


def output(kind: str, **content) -> list[nbformat.NotebookNode]:
    return [nbformat.v4.new_output(kind, **content)]


def test_a_notebook_without_fault_has_none():
    assert faults(a_notebook()) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"execution_count": None}, "was not run once from the top"),
        ({"execution_count": 7}, "was not run once from the top"),
        ({"outputs": output("stream", name="stderr", text="careful")}, "text on stderr"),
        ({"outputs": output("error", ename="E", evalue="", traceback=[])}, "has an error"),
        ({"outputs": []}, "fewer than half"),
        ({"metadata": {"widgets": {}}}, "keeps times or widget state"),
        (
            {"outputs": output("display_data", data={"application/vnd.jupyter.widget-view+json": {}})},
            "widget's view",
        ),
        ({"outputs": output("display_data", data={"text/html": "/home/me/log.csv"})}, "names '/home/'"),
        ({"outputs": output("stream", name="stdout", text="x" * BYTES)}, "larger than 150 kB"),
        ({"source": "x = 1\n" * 11}, "more than 10 lines"),
        ({"source": "x = " + "1 + " * 25 + "1"}, "of more than 100 characters"),
        ({"source": "N, M = 2, 3", "at": 2}, "not one name a line"),
        ({"source": "\n".join(f"N{at} = 2" for at in range(9)), "at": 2}, "more than 8 parameters"),
        ({"source": "import os"}, "an import in code cell 4"),
        ({"source": "def f():\n    pass"}, "a def or a class in code cell 4"),
        ({"source": "import warnings\nwarnings.filterwarnings('ignore')", "at": 1}, "a filter of warnings"),
        ({"source": "%pip install x"}, "a magic or a shell line"),
        ({"source": "math.pi;"}, "a trailing semicolon"),
        ({"source": "# /home/me/log.csv"}, "names '/home/'"),
        ({"source": "# from mirrors.example.org"}, "names 'mirrors.'"),
        ({"source": "# A statement", "at": 0}, "does not begin by asking"),
        ({"source": "# What is it?", "at": 0}, "words for 4 lines"),
        ({"source": "Why? " * 200, "at": 0}, "words for 4 lines"),
    ],
)
def test_each_bad_habit_is_seen(changes, fault):
    assert any(fault in seen for seen in faults(a_notebook(**changes)))


def test_a_notebook_without_parameters_is_seen():
    assert "has no cell tagged parameters" in faults(a_notebook().replace('"parameters"', '"other"'))


def test_too_many_cells_are_seen():
    notebook = nbformat.reads(a_notebook(), as_version=4)
    notebook.cells[1:1] = [nbformat.v4.new_markdown_cell("More.") for _ in range(CELLS)]
    assert f"has more than {CELLS} cells" in faults(nbformat.writes(notebook))


def a_figure(*boxes) -> list[nbformat.NotebookNode]:
    image = Image.new("RGB", (640, 400), "white")
    for box in boxes:
        ImageDraw.Draw(image).rectangle(box, fill="black")
    out = io.BytesIO()
    image.save(out, "png")
    return output("display_data", data={"image/png": base64.b64encode(out.getvalue()).decode()})


@pytest.mark.parametrize(
    ("after", "seen"),
    [
        ({"outputs": a_figure((100, 100, 200, 200))}, []),
        ({"outputs": a_figure((100, 100, 200, 200), (5, 5, 12, 12))}, []),  # 64 pixels: another processor
        ({"outputs": a_figure((100, 100, 200, 240))}, ["cell 4: its figure"]),
        ({"outputs": output("display_data", data={"text/plain": "4"})}, ["cell 4: its outputs"]),
        ({"outputs": []}, ["cell 4: its outputs"]),
    ],
)
def test_a_figure_that_the_code_no_longer_draws_is_named(after, seen):
    spec = importlib.util.spec_from_file_location("refresh", FOLDER / "refresh.py")
    refresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(refresh)
    before = a_notebook(outputs=a_figure((100, 100, 200, 200)))
    assert refresh.changes(before, a_notebook(**after)) == seen
