"""A reader's path in a real browser: open a notebook in JupyterLab, run it, move controls, see the answer."""

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

import nbformat
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


def of_its_own(home: Path) -> dict[str, str]:
    """The environment of a Jupyter that reads and writes its settings in a folder of its own."""
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    return os.environ | {name: str(home / place) for name, place in places.items()}


@pytest.fixture(scope="module")
def lab(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address, token included, of a JupyterLab that knows no setting but its own."""
    home = tmp_path_factory.mktemp("jupyter")
    for name, values in SETTINGS.items():
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(values), encoding="utf-8")
    token = secrets.token_hex(16)
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0", f"--ServerApp.root_dir={folder}"]
    options += [f"--IdentityProvider.token={token}", "--LabApp.extension_manager=readonly"]
    with (home / "log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            env=of_its_own(home),
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

    answer = page.locator(".what-if [role=status]").last
    sync_api.expect(answer).to_contain_text("as observed")
    figure = page.locator(".what-if img").last
    before = figure.get_attribute("src")
    handle.focus()
    for _ in range(3):
        handle.press("ArrowRight")
    sync_api.expect(answer).to_contain_text("arithmetic on assumed rates")
    sync_api.expect(figure).not_to_have_attribute("src", before)
    wait_for_idle(page)
    # The figure may be drawn once more meanwhile: looked for until it is there.
    sync_api.expect(figure).to_have_js_property("naturalWidth", 1280)


#: A panel of each kind on data made by hand, one cell each.
PANELS = [
    """
import numpy as np
import pandas as pd
from toolkit import read_events
from toolkit.panels import ChangePanel, ExitPanel, InterruptionPanel, LiveSharePanel, MixPanel, OrderPanel
from toolkit.panels import PromotionPanel, RatesPanel, ReturnsPanel, RulesPanel
from toolkit.scenarios.economics import Power, order
from toolkit.scenarios.promotion import holdout, saturation
from toolkit.tiers import compare
counts = pd.DataFrame({"platform": ["a"] * 3 + ["b"] * 3, "step": ["enter", "cart", "pay"] * 2})
counts["n"] = [1000, 200, 50, 400, 100, 40]
tiers = pd.DataFrame({"platform": ["a", "a", "b", "b"], "city_tier": ["one", "two"] * 2})
tiers = tiers.assign(n=[87, 263, 270, 80], converted=[81, 192, 234, 55])
days = pd.date_range("2019-07-01", periods=60)
visits = pd.Series(100 + np.random.default_rng(1).normal(0, 1, 60), index=days, name="visits")
opens = pd.DataFrame({"user_id": [1, 1, 2, 3, 3], "event": "open", "platform": list("aabab")})
opens["timestamp"] = pd.to_datetime(["2019-11-04", "2019-11-12", "2019-11-05", "2019-11-18", "2019-11-26"])
""",
    "RatesPanel(counts, amount_per_buyer=80)",
    "MixPanel(compare(tiers))",
    "InterruptionPanel(visits, '2019-07-31', terms=['level', 'pulse', 'decay'])",
    "ReturnsPanel(read_events(opens))",
    """
people = pd.DataFrame({"creator": list("abcd"), "fans": [800, 5000, 9000, 40_000], "mcn": [1, 0, 1, 1]})
people["real_name"], people["mean_exposure"] = 1, [2000, 12_000, 900, 60_000]
RulesPanel(people, bands={"few": 0, "many": 5000})
""",
    """
fallen = [(day, step, n) for at, day in enumerate(days)
          for step, n in (("enter", 1000 + at), ("click", 300 + at % 5), ("pay", (90 if at < 30 else 60) + at % 7))]
ChangePanel(pd.DataFrame(fallen, columns=["date", "step", "n"]).assign(platform="a"), by="platform")
""",
    "ExitPanel({'a': 425, 'b': 130, 'c': 90}, drainage=0.05)",
    """
terms = {"platform_fee": 0.05, "commission": 0.2, "return_rate": 0.3, "shipping": 6, "return_shipping": 8}
OrderPanel(order(100, 45, **terms, salvage=0.9, slot_fee=2000, orders=200), mcn_share=0.3)
""",
    "LiveSharePanel({'live': Power(3, 0.5), 'notes': Power(2, 0.6)}, 100, live_share=0.2, cannibalisation=0.25)",
    """
arms = {"arm": ["promoted", "held"], "n": [1000, 1000], "orders": [900, 500], "squares": [2600, 1100]}
arms = pd.DataFrame(arms)
test = holdout(arms, arm="arm", outcome="orders", n="n", squares="squares", held="held")
PromotionPanel(saturation([20, 50, 100, 150], [0.21, 0.38, 0.52, 0.61], randomised=True), test, margin=100)
""",
]
CONTROLS = ".noUi-handle, select, input:not([disabled]), button"


def test_every_panel_is_reached_and_moved_by_keyboard_and_by_mouse(page, lab, folder):
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in PANELS]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, folder / "notebooks" / "panels.ipynb")
    sync_api.expect.set_options(timeout=30 * SECONDS)
    page.goto(lab.format("panels.ipynb"))
    wait_for_idle(page)
    run_all_cells(page)
    panels = page.locator(".what-if")
    panels.nth(len(PANELS) - 2).wait_for(timeout=180 * SECONDS)
    wait_for_idle(page)
    assert panels.count() == len(PANELS) - 1
    for panel in panels.all():
        panel.scroll_into_view_if_needed()
        answer, controls = panel.locator("[role=status]"), panel.locator(CONTROLS).filter(visible=True)
        controls.first.focus()
        for _ in range(3 * controls.count()):
            page.evaluate("document.activeElement.dataset.reached = 'yes'")
            page.keyboard.press("Tab")
            if not page.evaluate("Boolean(document.activeElement.closest('.what-if'))"):
                break
        missed = [one.evaluate("one => one.outerHTML") for one in controls.all()]
        assert [text for text in missed if "data-reached" not in text] == []

        assert panel.locator("img").get_attribute("alt").startswith("Figure: ")
        width = panel.locator("img").evaluate("image => image.getBoundingClientRect().width")
        assert width > 600

        before = answer.inner_text()
        last = panel.locator(".noUi-handle, input[type=radio]:not(:checked)").filter(visible=True).last
        key = "Space" if last.get_attribute("type") == "radio" else "ArrowLeft"
        last.focus()
        page.keyboard.press(key)
        sync_api.expect(answer).not_to_have_text(before, use_inner_text=True)
        wait_for_idle(page)
        panel.get_by_role("button", name="reset").click()
        sync_api.expect(answer).to_have_text(before, use_inner_text=True)
        wait_for_idle(page)
        if panel.locator(".noUi-target").count():
            track = panel.locator(".noUi-target").first
            box = track.bounding_box()
            track.click(position={"x": 0.8 * box["width"], "y": box["height"] / 2})
        else:
            panel.locator("input[type=radio]").first.check()
        sync_api.expect(answer).not_to_have_text(before, use_inner_text=True)
        wait_for_idle(page)
        assert panel.locator("textarea").input_value().endswith(")")
