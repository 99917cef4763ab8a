"""Notebooks as pages: voila shows a panel without its code, and the panel answers."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("voila", reason="no voila here: install the extra 'app'")
pytest.importorskip("playwright.sync_api")

from tests.test_browser import SECONDS, of_its_own, page, sync_api  # noqa: F401

CELLS = [
    "import pandas as pd\nfrom toolkit.panels import RatesPanel",
    "counts = pd.DataFrame({'step': ['enter', 'cart', 'pay'], 'n': [1000, 200, 50]})",
    "RatesPanel(counts, amount_per_buyer=80)",
]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[str]:
    """Address of a page that voila serves on this machine alone, of a notebook with one panel."""
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    cells = [nbformat.v4.new_markdown_cell("# How many would buy?"), *map(nbformat.v4.new_code_cell, CELLS)]
    file = tmp_path / "panel.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), file)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/"
    command = [sys.executable, "-m", "voila", str(file), "--no-browser", "--Voila.ip=127.0.0.1"]
    command += [f"--port={address.split(':')[-1].strip('/')}", "--Voila.port_retries=0"]
    with (tmp_path / "log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(
            command, env=of_its_own(tmp_path / "jupyter"), stdout=log, stderr=subprocess.STDOUT
        )
        try:
            wait_for(address, server, tmp_path / "log")
            yield address
        finally:
            server.terminate()
            server.wait(30)


def wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Until the server answers; a file of its own does, which needs no kernel."""
    end = time.monotonic() + 90
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(f"{address}voila/static/voila.js", timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except urllib.error.URLError:
            time.sleep(0.2)
    pytest.fail(f"voila did not start:\n{log.read_text(encoding='utf-8')[-3000:]}")


def test_a_page_has_the_panel_without_code_and_a_slider_moves_its_answer(page, app):  # noqa: F811
    # Voila's own page asks a public address for icons that no panel uses: it must do without.
    page.route("**/*", lambda route: route.continue_() if app in route.request.url else route.abort())
    sync_api.expect.set_options(timeout=30 * SECONDS)
    page.goto(app)
    answer, handle = page.locator(".what-if [role=status]"), page.locator(".noUi-handle").first
    handle.wait_for(timeout=120 * SECONDS)
    assert page.get_by_role("heading", name="How many would buy?").is_visible()
    assert "import pandas" not in page.content()
    sync_api.expect(answer).to_contain_text("as observed")
    figure = page.locator(".what-if img")
    before = figure.get_attribute("src")
    handle.focus()
    handle.press("ArrowRight")
    sync_api.expect(answer).to_contain_text("arithmetic on assumed rates")
    sync_api.expect(figure).not_to_have_attribute("src", before)
    assert figure.evaluate("image => image.complete && image.naturalWidth") == 1280
