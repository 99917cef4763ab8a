"""The page that hands answers on: complete in itself, safe with any name, and readable in a real browser."""

import base64
import html
import os
import re
import shutil

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from tests.test_cohorts import log
from toolkit import Activity, Funnel, Repurchase, Retention, activity, report, retention
from toolkit.reports import _definition
from toolkit.results import Result

NASTY = '<script>alert("1")</script> & $x$ 小红书'
STEPS = pd.DataFrame(
    {"platform": [NASTY] * 2 + ["b"] * 2, "step": ["enter", "pay"] * 2, "n": [1000, 50, 400, 40]}
)
FUNNEL = Funnel.from_counts(STEPS)
BOUGHT = Repurchase.from_counts(pd.DataFrame({"definition": ["30 days"], "n": [263], "repurchased": [81]}))
RETENTION = retention(log((1, 4, "open"), (1, 12, "open"), (2, 5, "open"), (3, 13, "open"), (3, 20, "open")))
ANSWERS = (FUNNEL, FUNNEL.compare(to="b"), RETENTION, RETENTION.curve(), BOUGHT)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return report(tmp_path_factory.mktemp("page") / "answer.html", *ANSWERS, title=f"Who pays? {NASTY}")


def test_each_answer_has_its_sentence_figure_table_n_and_definition(page):
    sections = page.read_text(encoding="utf-8").split("<section")[1:]
    assert len(sections) == len(ANSWERS)
    for section, answer in zip(sections, ANSWERS, strict=True):
        assert html.escape(answer.sentence()) in section
        picture = re.search(
            r'<img alt="Figure of [^"]+" width="\d+" height="\d+" src="data:image/png;base64,([^"]+)"',
            section,
        )
        assert base64.b64decode(picture[1]).startswith(b"\x89PNG")
        assert section.count("<tr>") == len(answer.table) + 1
        assert "Of how many: " in section
        assert "Definition: " in section
    assert "Of how many: n = 263 over 1 row." in sections[4]
    assert "Of how many: n = 400 to 1,000" not in sections[1]  # n and n_reference stand apart
    assert "n = 1,000, n_reference = 400" in sections[1]


def test_the_page_asks_for_nothing_and_every_name_is_text(page):
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert not re.search(r'(?:src|href)="(?!data:|#)', text)
    assert "@import" not in text
    assert "url(" not in text
    assert html.escape(NASTY) in text
    assert "default-src 'none'" in text


def test_no_figure_stays_open_or_is_shown_twice(tmp_path):
    before = plt.get_fignums()
    report(tmp_path / "answer.html", BOUGHT)
    assert plt.get_fignums() == before


def test_the_same_answers_give_the_same_bytes(tmp_path):
    one, two = (report(tmp_path / name, BOUGHT, title="t").read_bytes() for name in ("a.html", "b.html"))
    assert one == two


def test_one_answer_needs_no_list_and_the_title_is_the_files_name_if_none_is_given(tmp_path):
    text = report(tmp_path / "answer.html", BOUGHT).read_text(encoding="utf-8")
    assert "<nav" not in text
    assert "<title>answer</title>" in text


def test_a_figure_that_cannot_be_drawn_is_named_and_the_rest_is_there(tmp_path):
    days = pd.to_datetime(["2019-11-04"] * 10)
    frame = pd.DataFrame({"platform": [f"p{at}" for at in range(10)], "day": days, "dau": range(1, 11)})
    many = Activity.from_counts(frame)
    text = report(tmp_path / "answer.html", many, BOUGHT).read_text(encoding="utf-8")
    assert "No figure: 10 groups are too many for one figure" in text
    assert html.escape(many.sentence()) in text
    assert text.count("<img") == 1


def test_a_path_that_cannot_be_written_names_itself(tmp_path):
    with pytest.raises(
        ValueError, match=r"cannot write '.*nowhere/answer.html': there is no folder '.*nowhere'"
    ):
        report(tmp_path / "nowhere" / "answer.html", BOUGHT)
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(ValueError, match=r"cannot write '.*folder.html': Is a directory"):
        report(tmp_path / "folder.html", BOUGHT)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (("answer.html",), ValueError, "nothing to report"),
        (
            (BOUGHT, "answer.html"),
            TypeError,
            "the first argument is the file to write, such as 'answer.html', not Rep",
        ),
        (
            ("answer.html", BOUGHT.table),
            TypeError,
            "answer 1 is of type DataFrame; give results of the toolkit",
        ),
        (("answer.html", BOUGHT, None), TypeError, "answer 2 is of type NoneType"),
    ],
)
def test_what_is_no_answer_is_refused_before_anything_is_written(given, error, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=words):
        report(*given)
    with pytest.raises(TypeError, match="title=3"):
        report("answer.html", BOUGHT, title=3)
    assert list(tmp_path.iterdir()) == []


def test_a_definition_comes_from_the_documentation_without_who_made_it():
    told = _definition(Retention)
    assert told["Definition"] == "Cohorts and how many of each came back, period by period."
    assert told["Columns"].startswith("One row per group, cohort and period.")
    assert _definition(type(FUNNEL.compare(to="b")))["How it is worked out"].startswith(
        "A difference in points"
    )
    assert _definition(type("Bare", (Result,), {})) == {}


def test_a_table_without_a_count_says_where_the_count_is(tmp_path):
    flows = activity(log((1, 4, "open"), (2, 5, "open"), (1, 6, "open"), (1, 7, "open"))).growth("day")
    assert "Of how many: active = 1 over" in report(tmp_path / "a.html", flows).read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it_in_light_and_in_dark_without_a_request_or_a_fault(page, scheme):
    sync_api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no chromium here: install your system's package")
    root = os.name == "posix" and os.geteuid() == 0
    flags = ["--disable-gpu", "--disable-background-networking", *(["--no-sandbox"] if root else [])]
    asked, faults = [], []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        try:
            view = browser.new_page(viewport={"width": 420, "height": 900}, color_scheme=scheme)
            view.on("request", lambda request: asked.append(request.url))
            view.on("console", lambda message: faults.append(message.text))
            view.on("pageerror", lambda error: faults.append(str(error)))
            view.goto(page.as_uri())
            assert view.title() == f"Who pays? {NASTY}"
            shown = view.evaluate("[...document.images].map(one => one.complete && one.naturalWidth > 600)")
            assert shown == [True] * len(ANSWERS)
            # A wide table scrolls in a frame of its own, not the page.
            assert view.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            ink, paper = (
                view.evaluate(f"getComputedStyle(document.body).{name}")
                for name in ("color", "backgroundColor")
            )
            view.keyboard.press("Tab")
            assert view.evaluate("document.activeElement.getAttribute('href')") == "#answer-1"
        finally:
            browser.close()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert faults == []
    bright, dim = (brightness(colour) for colour in (ink, paper))
    assert (max(bright, dim) + 0.05) / (min(bright, dim) + 0.05) > 7
    assert (dim > bright) == (scheme == "light")


def brightness(colour):
    """Relative luminance (WCAG 2.2) of "rgb(r, g, b)"."""
    part = np.array([int(value) for value in re.findall(r"\d+", colour)[:3]]) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_rows_with_few_people_are_hidden_from_others(tmp_path):
    counts = {"platform": ["a", "a", "b", "b"], "step": ["enter", "pay"] * 2, "n": [1000, 50, 400, 7]}
    few = Funnel.from_counts(pd.DataFrame(counts))
    page = report(tmp_path / "few.html", few, FUNNEL, min_cell=10).read_text(encoding="utf-8")
    hidden, whole = page.split("<section")[1:]
    assert "1 row holds a count below 10 and is hidden" in hidden
    assert "can give it back" in hidden
    assert "<td>below 10</td>" in hidden
    assert "<td>7</td>" not in hidden
    assert "1.75" not in hidden
    assert "1.8 %" not in hidden
    assert "<img" not in hidden
    assert html.escape(few.sentence()) not in hidden
    assert "<td>1,000</td>" in hidden
    assert html.escape(FUNNEL.sentence()) in whole
    assert few.table["reached"].tolist() == [1000, 50, 400, 7]


@pytest.mark.parametrize("least", [1, 2.5, True, "10"])
def test_a_least_count_is_a_whole_number(tmp_path, least):
    with pytest.raises(ValueError, match="min_cell="):
        report(tmp_path / "few.html", FUNNEL, min_cell=least)
