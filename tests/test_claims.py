"""The claims map: every claim has its row, each link leads to a heading, each figure stands in the output there."""

import json
import re
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
VERDICTS = {"holds", "holds in part", "not as told", "found again", "arithmetic", "input"}
ROWS = [
    [cell.strip() for cell in line.strip("| ").split(" | ")]
    for line in (NOTEBOOKS / "README.md").read_text(encoding="utf-8").splitlines()
    if re.match(r"\| \d+ \|", line)
]


def sections(name):
    """Text and outputs of a notebook by heading."""
    found, heading = {}, ""
    for cell in json.loads((NOTEBOOKS / name).read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
            heading = titles[-1] if titles else heading
            found.setdefault(heading, "")
        else:
            data = [output.get("data", output) for output in cell["outputs"]]
            shown = [
                "".join(one.get("text/html") or one.get("text/markdown") or one.get("text/plain") or "")
                for one in data
            ]
            found[heading] = found.get(heading, "") + re.sub(r"<[^>]+>", " ", " ".join(shown))
    return found


def test_all_seventy_one_claims_have_a_row_and_a_verdict():
    assert [int(row[0]) for row in ROWS] == list(range(1, 72))
    assert {row[4] for row in ROWS} <= VERDICTS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_figure_stands_in_the_output_of_the_linked_section(row):
    name, anchor = re.search(r"\(<([^#]+)#([^>]+)>\)", row[2]).groups()
    named = {heading.replace(" ", "-"): text for heading, text in sections(name).items()}
    assert anchor in named, f"{name} has no heading {anchor}"
    for figure in re.findall(r"\*\*([^*]+)\*\*", row[5]):
        assert figure.replace(",", "") in named[anchor].replace(",", ""), (
            f"{figure} is not in {name}, {anchor}"
        )


def test_what_was_found_or_computed_has_a_figure():
    for row in ROWS:
        if row[4] in ("found again", "arithmetic", "not as told"):
            assert "**" in row[5], f"claim {row[0]}"
