"""The real series of notebooks 04 and 05 are those of the files that they were counted from."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import pandas as pd

ROOT = Path(__file__).parents[1]
LATE = ["num_loves", "num_wows", "num_hahas", "num_sads", "num_angrys"]


def weekly() -> pd.DataFrame:
    return pd.read_csv(ROOT / "datasets" / "facebook_live_sellers_weekly.csv", parse_dates=["week"])


def test_posts_of_sellers_are_counted_right_by_week(shared):
    posts = pd.read_csv(shared / "data" / "facebook_live_sellers_thailand" / "Live.csv").drop_duplicates()
    posts["week"] = (
        pd.to_datetime(posts["status_published"], format="%m/%d/%Y %H:%M").dt.to_period("W").dt.start_time
    )
    posts["late"] = (posts[LATE] > 0).any(axis=1)
    posts["page"] = posts["status_id"].str.partition("_")[0]
    table = weekly().set_index("week")
    inside = posts[posts["week"].between(table.index[0], table.index[-1])].groupby("week")
    assert table["posts"].to_dict() == inside.size().to_dict()
    assert table["with_late_reactions"].to_dict() == inside["late"].sum().to_dict()
    assert table["reactions"].to_dict() == inside["num_reactions"].sum().to_dict()
    assert table["pages"].to_dict() == inside["page"].nunique().to_dict()


def test_no_post_has_a_reaction_that_did_not_exist_yet():
    table = weekly()
    assert (table.loc[table["week"] < "2016-02-22", "with_late_reactions"] == 0).all()
    assert (table.loc[table["week"] == "2016-02-22", "with_late_reactions"] > 0).all()


def test_the_weekly_count_is_described():
    text = (ROOT / "datasets" / "README.md").read_text(encoding="utf-8")
    section = text[text.index("## A real series") :]
    assert all(f"| `{column}` |" in section for column in weekly().columns)
    assert f"{len(weekly())} rows" in section


def test_orders_of_the_shop_are_counted_right_by_day(shared):
    orders = pd.read_csv(shared / "data" / "tmall_orders_2020_02" / "tmall_order_report.csv")
    days = pd.to_datetime(orders["订单创建时间"]).dt.normalize().value_counts().sort_index().asfreq("D")
    cells = nbformat.read(ROOT / "notebooks" / "05_double_eleven.ipynb", as_version=4).cells
    source = next(cell.source for cell in cells if cell.source.startswith("counts ="))
    entered = ast.literal_eval(source[source.index("'''") : source.rindex("'''") + 3]).split()
    assert entered == ["-" if pd.isna(n) else f"{n:.0f}" for n in days]
    assert [day for day, n in zip(days.index.day, entered, strict=True) if n == "-"] == [8, 16]
