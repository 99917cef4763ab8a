"""Run every notebook from the top and keep its outputs, to the same bytes each time.

python notebooks/refresh.py [--check] [NOTEBOOK ...]
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image, ImageChops

HERE = Path(__file__).parent
VIEW = "application/vnd.jupyter.widget-view+json"
#: A figure is another one where more than this share of its pixels differ by more than so many of 255 levels.
SHARE, LEVELS = 0.002, 48

# A slow machine would keep a progress bar among the outputs.
os.environ.setdefault("TQDM_DISABLE", "1")


def lighter(png: str) -> str:
    """A figure in 64 colours, rare ones kept (a platform's is one): a quarter of the bytes, to the eye the same."""
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")
    image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    out = io.BytesIO()
    image.quantize(64, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(out, "png", optimize=True)
    return base64.b64encode(out.getvalue()).decode()


def refreshed(path: Path) -> str:
    """The text of a notebook after one run, without what differs from run to run or machine to machine."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
    ).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            data.pop(VIEW, None)
            if "image/png" in data:
                data["image/png"] = lighter(data["image/png"])
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return nbformat.writes(notebook) + "\n"


def changes(before: str, after: str) -> list[str]:
    """What a reader would see differ between two texts of a notebook: cells by number, figures by what is drawn."""
    found = []
    old, new = (nbformat.reads(text, as_version=4).cells for text in (before, after))
    for number, (one, other) in enumerate(zip(old, new, strict=True)):
        kept, drawn = one.get("outputs", []), other.get("outputs", [])
        pairs = list(zip(kept, drawn, strict=False))
        if len(kept) != len(drawn) or any(_without_figure(a) != _without_figure(b) for a, b in pairs):
            found.append(f"cell {number}: its outputs")
        elif any(not _alike(a, b) for a, b in pairs):
            found.append(f"cell {number}: its figure")
    return found


def _without_figure(output: nbformat.NotebookNode) -> dict[str, object]:
    data = {kind: value for kind, value in output.get("data", {}).items() if kind != "image/png"}
    return {**output, "data": data, "metadata": {}}


def _alike(one: nbformat.NotebookNode, other: nbformat.NotebookNode) -> bool:
    pngs = [output.get("data", {}).get("image/png") for output in (one, other)]
    if None in pngs:
        return pngs == [None, None]
    first, second = (Image.open(io.BytesIO(base64.b64decode(png))).convert("L") for png in pngs)
    if first.size != second.size:
        return False
    levels = ImageChops.difference(first, second).histogram()
    return sum(levels[LEVELS:]) <= SHARE * sum(levels)


def main(arguments: list[str] | None = None) -> int:
    """Refresh the notebooks named, or all; with --check only say which ones would change."""
    parser = argparse.ArgumentParser(description="Run the notebooks and keep their outputs.")
    parser.add_argument("notebooks", nargs="*", type=Path, default=sorted(HERE.glob("*.ipynb")))
    parser.add_argument(
        "--check",
        action="store_true",
        help="change nothing; fail if the code says or draws anything else",
    )
    options = parser.parse_args(arguments)
    stale = 0
    for path in options.notebooks:
        before, after = path.read_text(encoding="utf-8"), refreshed(path)
        if options.check:
            found = changes(before, after)
            print(f"{path.name}: {'; '.join(found) or 'as committed'}")
            stale += bool(found)
        else:
            path.write_text(after, encoding="utf-8")
            print(f"{path.name}: {'the same' if after == before else 'changed'}")
    return int(stale > 0)


if __name__ == "__main__":
    sys.exit(main())
