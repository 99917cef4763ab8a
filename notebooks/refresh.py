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
from PIL import Image

HERE = Path(__file__).parent
VIEW = "application/vnd.jupyter.widget-view+json"


# A slow machine would keep a progress bar among the outputs.
os.environ.setdefault("TQDM_DISABLE", "1")


def lighter(png: str) -> str:
    """A figure in 40 colours: a quarter of the bytes, and to the eye the same."""
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")
    image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    out = io.BytesIO()
    image.quantize(40, dither=Image.Dither.NONE).save(out, "png", optimize=True)
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


def main(arguments: list[str] | None = None) -> int:
    """Refresh the notebooks named, or all; with --check only say which ones would change."""
    parser = argparse.ArgumentParser(description="Run the notebooks and keep their outputs.")
    parser.add_argument("notebooks", nargs="*", type=Path, default=sorted(HERE.glob("*.ipynb")))
    parser.add_argument(
        "--check", action="store_true", help="change nothing; fail if a notebook would change"
    )
    options = parser.parse_args(arguments)
    stale = 0
    for path in options.notebooks:
        text = refreshed(path)
        changed = text != path.read_text(encoding="utf-8")
        if changed and not options.check:
            path.write_text(text, encoding="utf-8")
        stale += changed
        print(f"{path.name}: {'changed' if changed else 'the same'}")
    return int(options.check and stale > 0)


if __name__ == "__main__":
    sys.exit(main())
