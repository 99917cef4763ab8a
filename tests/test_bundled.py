"""Bundled data sets are found from any folder, and planted truth stands beside the estimates it belongs to."""

import json
from pathlib import Path

import pandas as pd
import pytest

from toolkit.sources.bundled import beside_truth, bundled

ROOT = Path(__file__).parents[1]
RECORDS = [
    {"platform": "douyin", "step": "enter", "share": 0.5},
    {"platform": "douyin", "step": "pay", "share": 0.1},
    {"platform": "kuaishou", "step": "pay", "share": 0.2},
]


@pytest.fixture
def truth(tmp_path):
    path = tmp_path / "truth.json"
    path.write_text(json.dumps({"rates": RECORDS}), encoding="utf-8")
    return path


@pytest.fixture
def found():
    return pd.DataFrame(
        {"step": ["enter", "pay", "refund"], "low": [0.45, 0.12, 0.0], "high": [0.55, 0.15, 0.1]}
    )


@pytest.mark.parametrize(
    ("folder", "path"), [("notebooks", "../datasets/log/*.parquet"), (".", "datasets/log/*.parquet")]
)
def test_a_bundled_file_is_found_from_a_notebooks_folder_and_from_the_root(monkeypatch, folder, path):
    monkeypatch.chdir(ROOT / folder)
    assert bundled("log/*.parquet") == path


def test_a_bundled_file_is_found_from_outside_the_repository(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert Path(bundled("events.csv")).resolve() == ROOT / "datasets" / "events.csv"


def test_a_bundled_file_misspelt_suggests_the_nearest():
    with pytest.raises(ValueError, match=r"no bundled data set 'event.csv' .did you mean 'events.csv'"):
        bundled("event.csv")


def test_planted_values_stand_in_their_rows_and_say_whether_the_interval_holds_them(truth, found):
    table = beside_truth(found, truth, "rates", "share", on="step", platform="douyin")
    assert table["planted"].tolist()[:2] == [0.5, 0.1]
    assert table["inside"].tolist() == [True, False, pd.NA]
    assert table[found.columns.tolist()].equals(found)


def test_planted_values_are_matched_by_columns_of_other_names_and_by_several(truth, found):
    table = found.rename(columns={"step": "name"}).assign(platform="kuaishou")
    table = beside_truth(table, truth, "rates", "share", on={"platform": "platform", "name": "step"})
    assert table["planted"].isna().tolist() == [True, False, True]


def test_planted_values_may_be_calculated_from_the_records_first(truth, found):
    table = beside_truth(
        found,
        truth,
        "rates",
        "mean",
        on="step",
        make=lambda rows: rows.groupby("step")["share"].mean().rename("mean").reset_index(),
    )
    assert table["planted"].tolist()[:2] == pytest.approx([0.5, 0.15])


@pytest.mark.parametrize("platform", ["taobao_live", "my own"])
def test_a_table_of_which_nothing_was_planted_comes_back_unchanged(truth, found, platform):
    assert beside_truth(found, None, "rates", "share", on="step") is found
    assert beside_truth(found, truth, "rates", "share", on="step", platform=platform) is found


def test_records_that_could_belong_to_several_rows_are_refused(truth, found):
    with pytest.raises(ValueError, match="several records of rates belong to one row"):
        beside_truth(found, truth, "rates", "share", on="step")


@pytest.mark.parametrize(
    ("section", "planted", "on", "message"),
    [
        ("rate", "share", "step", "no section of the planted truth 'rate' .did you mean 'rates'"),
        ("rates", "shares", "step", "no column 'shares' in the planted truth .did you mean 'share'"),
        ("rates", "share", "steps", "no column 'steps'"),
    ],
)
def test_a_misspelt_name_in_the_truth_suggests_the_nearest(truth, found, section, planted, on, message):
    with pytest.raises(ValueError, match=message):
        beside_truth(found, truth, section, planted, on=on)
