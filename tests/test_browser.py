"""A reader's path in a real browser: open a notebook in JupyterLab, run it, move a slider, see the answer."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api")

PROJECT = Path(__file__).parents[1]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# The flags keep Chromium from looking anything up outside this machine.
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
IDLE = "Python 3 (ipykernel) | Idle"
SETTINGS = {
    "apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    # Otherwise cells outside the window are not in the page.
    "notebook-extension/tracker": {"windowingMode": "none"},
}
SECONDS = 1000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the notebooks beside the data that they read; JupyterLab saves there."""
    root = tmp_path_factory.mktemp("project")
    shutil.copytree(
        PROJECT / "notebooks", root / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints")
    )
    (root / "datasets").symlink_to(PROJECT / "datasets", target_is_directory=True)
    return root


@pytest.fixture(scope="module")
def lab(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address, token included, of a JupyterLab that knows no setting but its own."""
    home = tmp_path_factory.mktemp("jupyter")
    for name, values in SETTINGS.items():
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(values), encoding="utf-8")
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    token = secrets.token_hex(16)
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0", f"--ServerApp.root_dir={folder}"]
    options += [f"--IdentityProvider.token={token}", "--LabApp.extension_manager=readonly"]
    with (home / "log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            env=os.environ | {name: str(home / place) for name, place in places.items()},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield _address(server, home, token)
        finally:
            server.terminate()
            server.wait(30)


def _address(server: subprocess.Popen[bytes], home: Path, token: str) -> str:
    """Wait until the server answers; it writes the port that it took into its runtime folder."""
    end = time.monotonic() + 90
    while time.monotonic() < end and server.poll() is None:
        for file in (home / "runtime").glob("jpserver-*.json"):
            try:
                url = json.loads(file.read_text(encoding="utf-8"))["url"]
                urllib.request.urlopen(f"{url}api/status?token={token}", timeout=5).close()
            except (ValueError, urllib.error.URLError):
                continue
            return f"{url}lab/tree/notebooks/{{}}?token={token}&reset"
        time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start:\n{(home / 'log').read_text(encoding='utf-8')[-3000:]}")


@pytest.fixture
def page(tmp_path: Path) -> Iterator[sync_api.Page]:
    if CHROMIUM is None:
        pytest.skip("no chromium here: install your system's package")
    flags = [*FLAGS, "--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else FLAGS
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(60 * SECONDS)
        try:
            yield page
        finally:
            page.screenshot(path=tmp_path / "last.png")
            browser.close()


def wait_for_idle(page: sync_api.Page) -> None:
    page.locator("#jp-bottom-panel, #jp-main-statusbar").get_by_text(IDLE).first.wait_for(
        timeout=180 * SECONDS
    )


def run_all_cells(page: sync_api.Page) -> None:
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("^Run All Cells$")).click()


def test_a_reader_runs_the_notebook_and_moves_a_slider(page, lab, folder):
    notebook = min(path.name for path in (folder / "notebooks").glob("01_*.ipynb"))
    page.goto(lab.format(notebook))
    sync_api.expect.set_options(timeout=30 * SECONDS)
    wait_for_idle(page)
    run_all_cells(page)
    handle = page.locator(".noUi-handle").nth(1)
    handle.wait_for(timeout=180 * SECONDS)
    wait_for_idle(page)
    assert page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    assert page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.error']").count() == 0

    answer = page.locator(".jp-OutputArea-output .widget-html-content").last
    sync_api.expect(answer).to_contain_text("as observed")
    figure = page.locator("img.widget-image").last
    before = figure.get_attribute("src")
    handle.focus()
    for _ in range(3):
        handle.press("ArrowRight")
    sync_api.expect(answer).to_contain_text("arithmetic on assumed rates")
    sync_api.expect(figure).not_to_have_attribute("src", before)
    wait_for_idle(page)
    figure.scroll_into_view_if_needed()
    assert figure.evaluate("image => image.complete && image.naturalWidth") == 640
