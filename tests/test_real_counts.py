"""Real counts, entered in notebooks or bundled, are those of the files that they were counted from."""

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


def test_the_mail_test_is_counted_right_by_what_was_known_before(shared):
    file = pd.read_csv(shared / "data" / "hillstrom_email" / "hillstrom.csv")
    file["arm"] = file["segment"].map({"Mens E-Mail": "men's mailing", "No E-Mail": "no mailing"})
    file["recency"] = pd.cut(
        file["recency"], [0, 3, 6, 9, 12], labels=["1 to 3", "4 to 6", "7 to 9", "10 to 12"]
    )
    bounds = [0, 100, 350, 750, float("inf")]
    labels = ["under 100", "100 to 350", "350 to 750", "750 and more"]
    file["history"] = pd.cut(file["history"], bounds, right=False, labels=labels)
    known = ["arm", "recency", "history", "newbie"]
    counted = file.groupby(known, observed=True)["visit"].agg(n="size", visits="sum").reset_index()
    bundled = pd.read_csv(ROOT / "datasets" / "email_test.csv")
    assert bundled.to_numpy().tolist() == counted.to_numpy().tolist()


def test_posts_of_sellers_are_counted_right_by_month(shared):
    posts = pd.read_csv(shared / "data" / "facebook_live_sellers_thailand" / "Live.csv").drop_duplicates()
    posts = posts[posts["status_type"].isin(["photo", "video"])]
    pages = posts["status_id"].str.partition("_")[0]
    posts["page"] = pages.map(dict(zip(pages.value_counts().index, "ABCDEFGHI", strict=True)))
    times = pd.to_datetime(posts["status_published"], format="%m/%d/%Y %H:%M")
    posts["month"] = times.dt.strftime("%Y-%m")
    counted = pd.DataFrame(
        {
            f"{kind}{suffix}": rows.groupby(["page", "month"])[column].agg(how)
            for kind, rows in posts.groupby("status_type")
            for suffix, column, how in (
                ("s", "status_id", "size"),
                ("_comments", "num_comments", "sum"),
                ("_reactions", "num_reactions", "sum"),
            )
        }
    )
    bundled = pd.read_csv(ROOT / "datasets" / "facebook_live_sellers_monthly.csv")
    assert bundled.to_numpy().tolist() == counted.fillna(0).astype(int).reset_index().to_numpy().tolist()


def test_bundled_counts_are_described():
    text = (ROOT / "datasets" / "README.md").read_text(encoding="utf-8")
    for name in ("email_test", "facebook_live_sellers_monthly"):
        table = pd.read_csv(ROOT / "datasets" / f"{name}.csv")
        section = text[text.index(f"`{name}.csv`, {len(table)} rows") :]
        assert all(f"`{column}`" in section for column in table)


def test_items_of_the_shop_are_counted_right_by_how_often_they_were_seen_and_bought(shared):
    file = pd.read_csv(shared / "data" / "retailrocket_sample" / "sample_events.csv").drop_duplicates()
    times = {
        kind: rows["itemid"].value_counts().value_counts().to_dict() for kind, rows in file.groupby("event")
    }
    niche = nbformat.read(ROOT / "notebooks" / "06_creators.ipynb", as_version=4).cells
    source = next(cell.source for cell in niche if "views =" in cell.source)
    entered: dict[str, Any] = {}
    exec(source[source.index("views =") : source.index("once =")], entered)
    assert dict(zip(entered["views"], entered["items"], strict=True)) == times["view"]
    assert entered["bought"] == times["transaction"]
