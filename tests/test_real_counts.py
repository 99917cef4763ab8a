"""The real counts in notebook 02 are those of the files that they were counted from."""

from __future__ import annotations

import ast
import csv
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def cells() -> list[nbformat.NotebookNode]:
    return nbformat.read(ROOT / "notebooks" / "02_tiers.ipynb", as_version=4).cells


def entered(cells: list[nbformat.NotebookNode], name: str) -> Any:
    """A variable as the notebook enters it; what it estimates from it is not run."""
    found: dict[str, Any] = {"pd": pd}
    source = next(cell.source for cell in cells if f"\n{name} =" in f"\n{cell.source}")
    for line in ast.parse(source).body:
        if "compare(" in ast.unparse(line):
            break
        if isinstance(line, ast.Assign):
            exec(compile(ast.Module([line], []), "cell", "exec"), found)
    return found[name]


def test_the_mail_test_is_counted_right(shared, cells):
    hillstrom = entered(cells, "hillstrom")
    file = pd.read_csv(shared / "data" / "hillstrom_email" / "hillstrom.csv")
    area = file["zip_code"].replace("Surburban", "suburban").str.lower()  # sic, in the file
    file["tier"] = area + file["newbie"].map({0: " old", 1: " new"})
    counted = file.groupby(["segment", "tier"]).agg(n=("visit", "size"), visit=("visit", "sum"))
    counted["conversion"] = file.groupby(["segment", "tier"])["conversion"].sum()
    hillstrom = hillstrom.set_index(["platform", "tier"]).rename_axis(["segment", "tier"]).sort_index()
    pd.testing.assert_frame_equal(hillstrom, counted, check_dtype=False)


def test_kidney_stones_are_counted_right(shared, cells):
    stones = entered(cells, "stones")
    file = pd.read_csv(shared / "reference" / "tiers" / "kidney_stones" / "data.csv")
    assert stones.to_numpy().tolist() == file[["treatment", "size", "total", "success"]].to_numpy().tolist()


@pytest.mark.parametrize("platform", ["Douyin", "Kuaishou"])
def test_public_mixes_are_those_of_the_published_figures(cells, platform):
    with (ROOT / "datasets" / "public_figures.csv").open(encoding="utf-8") as file:
        shares = {
            line["platform"]: line["value"]
            for line in csv.DictReader(file)
            if line["metric"] == "share of users in tier-3 and lower cities"
        }
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert f"{shares[platform]} % of {platform}'s" in text
