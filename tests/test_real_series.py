"""Real series of notebooks 04 and 05: those shown are those of their files, and 04 answers on others by parameters."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient

from toolkit import Level, Slope, interrupted_time_series

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


INTERRUPTIONS = ROOT / "notebooks" / "04_interruptions.ipynb"
OWN = {"SPAN": (None, None), "BESIDE": {}, "OPTIONS": {}}
FOUND = """
import json
print(json.dumps({
    "effect": {what: effect.value(what) for what in ("average", "relative")},
    "n": int(answer.table["n"].iloc[0]),
    "table": answer.table[["term", "estimate", "low", "high"]].to_numpy().tolist(),
    "dates": found_dates.reset_index().to_numpy().tolist(),
    "placebos": len(placebo.placebos) if placebo else 0,
    "panel": panel.effect.value("relative"),
}, default=int))
"""


def answered(path: Path, folder: Path = INTERRUPTIONS.parent, figures: int = 2, **values) -> tuple[dict, str]:
    """What notebook 04 finds in another series by its parameters alone, and all that it shows of it."""
    notebook = nbformat.read(INTERRUPTIONS, as_version=4)
    place = next(i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    given = {"SOURCE": str(path.resolve()), **OWN, **values}
    # As papermill does: the new values in a cell behind the one with the old.
    source = "\n".join(f"{name} = {value!r}" for name, value in given.items())
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(source))
    notebook.cells.append(nbformat.v4.new_code_cell(FOUND))
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    bundled = next(i for i, cell in enumerate(notebook.cells) if "## In the bundled series" in cell.source)
    outputs = [output for cell in notebook.cells[place:bundled] for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= figures
    seen = "".join(
        output.get("data", {}).get("text/markdown", "") + output.get("data", {}).get("text/plain", "")
        for output in outputs
    )
    for word in ("imulated", "removal", "Xiaohongshu"):
        assert word not in seen
    return json.loads(notebook.cells[-1].outputs[0].text), seen


def test_notebook_04_finds_the_published_rate_ratio_of_sicilys_smoking_ban(shared, tmp_path):
    months = pd.read_csv(shared / "data" / "its_sicily_smoking_ban" / "sicily.csv")
    months["month"] = months["year"].astype(str) + "-" + months["month"].astype(str).str.zfill(2)
    path = tmp_path / "months.csv"
    months.assign(people=np.log(months["stdpop"])).to_csv(path, index=False)
    found, seen = answered(
        path,
        READ={"value": "aces", "time": "month"},
        NAME="Sicily: admissions a month",
        INTERRUPTIONS={"ban": [Level("2005-01")]},
        ASKED={"ban": ["2005-01"]},
        OPTIONS={"season": None, "errors": "quasi_poisson"},
        BESIDE={"offset": ["people"]},
    )
    # Lopez Bernal, Cummins and Gasparrini (2017); the interval is quasi-Poisson's, of the data's own README.
    ratio, low, high = 1 + np.array(found["effect"]["relative"])
    assert ratio == pytest.approx(0.894, abs=0.0005)
    assert (low, high) == pytest.approx((0.8392, 0.9532), abs=0.002)
    assert found["n"] == 59
    assert found["panel"] == pytest.approx(found["effect"]["relative"])
    assert found["placebos"] == 13
    assert "Residuals are correlated" in seen


def test_notebook_04_finds_volkswagens_fall_within_the_published_interval(shared, tmp_path):
    weeks = pd.read_csv(shared / "reference" / "its" / "volkswagen_weekly" / "data.csv", sep=" ")
    path = tmp_path / "weeks.csv"
    weeks.to_csv(path, index=False)
    found, _ = answered(
        path,
        READ={"value": "VolksWagen"},
        NAME="Volkswagen: price",
        INTERRUPTIONS={"scandal": [Level("2015-09-20")]},
        ASKED={"scandal": ["2015-09-13", "2015-09-20"]},
        OPTIONS={"trend": False, "season": None, "scale": "identity"},
        BESIDE={"covariates": ["BMW", "Allianz"]},
    )
    # R CausalImpact: -44 a week, -55 to -33.
    average = found["effect"]["average"]
    assert -55 < average[0] < -33
    assert average[1] < -44 < average[2]
    assert found["n"] == 325
    assert [row[0] for row in found["dates"]] == ["2015-09-13", "2015-09-20"]
    assert found["dates"][1][1] == pytest.approx(found["effect"]["relative"][0])


def test_notebook_04_finds_the_published_level_and_slope_of_two_years_of_months(shared, tmp_path):
    months = pd.read_csv(shared / "reference" / "its" / "green_24_months" / "data.csv")
    path = tmp_path / "months.csv"
    months.assign(month=pd.date_range("2020-01-01", periods=24, freq="MS")).to_csv(path, index=False)
    found, seen = answered(
        path,
        figures=1,
        READ={"value": "outcome"},
        NAME="outcome in 24 months",
        INTERRUPTIONS={"policy": [Level("2021-01"), Slope("2021-01")]},
        ASKED={"policy": ["2021-01"]},
        OPTIONS={"season": None, "scale": "identity", "errors": "ols"},
    )
    # Published with the slope counted 1 in the first month: 9.6876 and 1.7832.
    level, slope = (row[1] for row in found["table"])
    assert slope == pytest.approx(1.7832, abs=6e-5)
    assert level - slope == pytest.approx(9.6876, abs=6e-5)
    assert found["placebos"] == 0
    assert "a placebo needs a longer series" in seen
    assert "No sensitivity: sensitivity() weighs models by AR(1) errors, and these are 'ols'" in seen


def test_notebook_04_reads_a_dashboards_own_columns_and_dates_without_hyphens(tmp_path):
    days = pd.date_range("2019-05-01", periods=100).delete(40)
    paid = np.where(days < "2019-07-01", 300.0, 240.0) * np.exp(
        np.random.default_rng(1).normal(0, 0.01, len(days))
    )
    frame = pd.DataFrame({"日期": days.strftime("%Y%m%d"), "支付买家数": 50, "客单价": paid})
    path = tmp_path / "own.csv"
    frame.to_csv(path, index=False, sep=";", encoding="utf-8-sig")
    found, seen = answered(
        path,
        folder=ROOT,
        READ={"value": "客单价"},
        NAME="yuan a buyer",
        INTERRUPTIONS={"prices": [Level("2019-07-01")]},
        ASKED={"prices": ["2019-06-30", "2019-07-01"]},
    )
    effect, low, high = found["effect"]["relative"]
    assert low < -0.2 < high
    assert effect == pytest.approx(-0.2, abs=0.01)
    assert found["n"] == 99
    assert "1 of 100 days are missing" in seen
    assert "averaged over" in seen


def test_the_niles_fall_in_the_notebook_is_that_of_the_file(shared):
    flow = pd.read_csv(shared / "data" / "its_nile_flow" / "Nile.csv").set_index("time")["value"]
    fallen = interrupted_time_series(flow, {"dam": Level(1899)}, trend=False, scale="identity").effect()
    _, low, high = fallen.value("average")
    assert low < 849.97 - 1097.75 < high
    text = "".join(
        output.get("data", {}).get("text/markdown", "")
        for cell in nbformat.read(INTERRUPTIONS, as_version=4).cells
        for output in cell.get("outputs", [])
    )
    assert fallen.sentence() in text
    assert "on 1899, after 1898" in text


FESTIVAL = ROOT / "notebooks" / "05_double_eleven.ipynb"


def test_notebook_05_follows_its_windows_from_the_root():
    notebook = nbformat.read(FESTIVAL, as_version=4)
    place = next(i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    notebook.cells.insert(
        place + 1, nbformat.v4.new_code_cell("LATER = ('2019-11-12', '2019-11-25')\nNARROW = 7")
    )
    asked = "import json\nprint(json.dumps([each.table['n'].tolist() for each in (net, narrow)]))"
    notebook.cells.append(nbformat.v4.new_code_cell(asked))
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(ROOT)}}).execute()
    assert json.loads(notebook.cells[-1].outputs[0].text) == [[1, 21, 14, 36], [1, 7, 7, 15]]
