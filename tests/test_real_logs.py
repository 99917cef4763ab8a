"""Notebooks 00 to 03 answer on real logs by their parameters alone, and plain pandas counts the same."""

import json
import re
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient

from toolkit import read_events, retention

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"
LOGS = {
    "taobao": {
        "file": "data/taobao_userbehavior_sample/UserBehavior_sample.csv",
        "COLUMNS": {
            "user": "user",
            "time": "timestamp",
            "event": "behavior",
            "names": ["user", "item", "category", "behavior", "timestamp"],
        },
        "STEPS": ["pv", "cart", "buy"],
        "unit": "s",
    },
    "retailrocket": {
        "file": "data/retailrocket_sample/sample_events.csv",
        "COLUMNS": {"user": "visitorid", "time": "timestamp", "event": "event"},
        "STEPS": ["view", "addtocart", "transaction"],
        "unit": "ms",
    },
}


def found(notebook, values, expression, folder=NOTEBOOKS):
    """What a notebook finds in another log by its parameters alone, as an expression of its variables."""
    read = nbformat.read(NOTEBOOKS / f"{notebook}.ipynb", as_version=4)
    place = next(i for i, cell in enumerate(read.cells) if "parameters" in cell.metadata.get("tags", []))
    # As papermill does: the new values in a cell behind the one with the old.
    values = {"NAME": "My log", "TRUTH": None} | values
    source = "\n".join(f"{key} = {value!r}" for key, value in values.items())
    read.cells.insert(place + 1, nbformat.v4.new_code_cell(source))
    read.cells.append(nbformat.v4.new_code_cell(f"import json\nprint(json.dumps({expression}))"))
    NotebookClient(read, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in read.cells[place:-1] for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert "Simulated" not in "".join(str(output.get("data", {}).get("text/plain", "")) for output in outputs)
    return json.loads(read.cells[-1].outputs[0].text)


def read_log(path, columns, unit):
    frame = pd.read_csv(path, names=columns.get("names"), header=None if "names" in columns else 0)
    return frame.assign(at=pd.to_datetime(frame[columns["time"]], unit=unit))


def counted_in_pandas(frame, columns, steps, within="1D"):
    """Users by furthest step: from every entry to the next later row of each step, the best entry counts."""
    depths = []
    for _, rows in frame.sort_values("at", kind="stable").groupby(columns["user"]):
        times = [rows.loc[rows[columns["event"]] == step, "at"].to_numpy() for step in steps]
        deepest = 0
        for entry in times[0]:
            depth, now = 1, entry
            for later in times[1:]:
                place = np.searchsorted(later, now)  # rows of one moment are taken in the order of the steps
                if place == len(later) or later[place] - entry > pd.Timedelta(within):
                    break
                depth, now = depth + 1, later[place]
            deepest = max(deepest, depth)
        depths.append(deepest)
    return [sum(depth >= j for depth in depths) for j in range(1, len(steps) + 1)]


@pytest.mark.parametrize("name", LOGS)
def test_notebook_00_runs_on_a_real_log_as_it_is(shared, name):
    log = LOGS[name]
    path = str(shared.resolve() / log["file"])
    reached = found(
        "00_start_here",
        {"SOURCE": path, "COLUMNS": log["COLUMNS"], "STEPS": log["STEPS"]},
        "answer.table['reached'].tolist()",
    )
    frame = read_log(path, log["COLUMNS"], log["unit"])
    assert reached == counted_in_pandas(frame, log["COLUMNS"], log["STEPS"])


@pytest.mark.parametrize("name", LOGS)
def test_notebook_01_compares_weekends_with_weekdays_in_a_real_log(shared, tmp_path, name):
    log = LOGS[name]
    frame = read_log(shared / log["file"], log["COLUMNS"], log["unit"])
    day = (frame["at"] + pd.Timedelta("8h")).dt.day_of_week  # in China, as the notebook reads it
    frame["day"] = np.where(day >= 5, "weekend", "weekday")
    path = tmp_path / "log.parquet"
    frame.drop(columns="at").to_parquet(path)
    columns = {key: log["COLUMNS"][key] for key in ("user", "time", "event")}
    values = {"SOURCE": str(path), "COLUMNS": columns, "STEPS": log["STEPS"], "BY": "day", "TO": "weekday"}
    reached = found("01_funnels", values, "answer.table.groupby('day')['reached'].agg(list).to_dict()")
    assert reached == {
        day: counted_in_pandas(rows, columns, log["STEPS"]) for day, rows in frame.groupby("day")
    }


def test_notebook_02_splits_a_real_randomised_test_read_as_a_log(shared, tmp_path):
    people = pd.read_csv(shared / "data" / "hillstrom_email" / "hillstrom.csv").reset_index(names="customer")
    steps = {"sent": people["customer"] >= 0, "visit": people["visit"] == 1, "buy": people["conversion"] == 1}
    days = pd.date_range("2008-03-01", periods=len(steps))
    rows = [
        people[kept].assign(what=step, at=day) for (step, kept), day in zip(steps.items(), days, strict=True)
    ]
    path = tmp_path / "mail.parquet"
    pd.concat(rows)[["customer", "what", "at", "segment", "zip_code"]].to_parquet(path)
    shown = found(
        "02_tiers",
        {
            "SOURCE": str(path),
            "COLUMNS": {"user": "customer", "time": "at", "event": "what"},
            "STEPS": list(steps),
            "WITHIN": "14d",
            "BY": ["segment", "zip_code"],
            "PAIR": ["Mens E-Mail", "No E-Mail"],
        },
        "[rates.loc[PAIR, ['n', 'converted']].to_numpy().tolist(), gaps.table.query('platform == @platform')"
        ".set_index('part')['estimate'].to_dict(), platform, to]",
    )
    counts, parts = shown[:2]
    visits = people[people["visit"] == 1].groupby(["segment", "zip_code"])["conversion"].agg(["size", "sum"])
    for arm, own in zip(["Mens E-Mail", "No E-Mail"], np.array(counts).reshape(2, -1, 2), strict=True):
        assert own.tolist()[1:] == visits.loc[arm].loc[["Rural", "Surburban", "Urban"]].to_numpy().tolist()
        assert own.tolist()[0] == visits.loc[arm].sum().tolist()
    one, two = (visits.loc[arm]["sum"].sum() / visits.loc[arm]["size"].sum() for arm in shown[2:])
    assert parts["gap"] == pytest.approx(one - two)
    assert parts["mix"] + parts["rate"] == pytest.approx(parts["gap"])


@pytest.fixture
def made(tmp_path):
    """600 people on two apps, in two towns, on three days: a log with columns of its own names, and who got how far."""
    people = np.arange(600)
    depth = np.where(people % 2 == 0, 3, 2) - (people % 5 == 0) - (people % 7 == 0)
    table = pd.DataFrame({"who": people, "depth": depth.clip(1)})
    table["app"] = np.where(people % 3 == 0, "one", "two")
    table["town"] = np.where(people % 4 < 2, "north", "south")
    steps = ["see", "come", "buy"]
    rows = [
        table[table["depth"] > at].assign(
            what=step,
            when=lambda rows, at=at: (
                pd.Timestamp("2024-05-01 20:00")
                + pd.to_timedelta(rows["who"] % 3, "D")
                + pd.Timedelta(at, "min")
            ),
        )
        for at, step in enumerate(steps)
    ]
    path = tmp_path / "made.csv"
    pd.concat(rows)[["who", "what", "when", "app", "town"]].to_csv(path, index=False)
    columns = {"user": "who", "time": "when", "event": "what"}
    return table, {"SOURCE": str(path), "COLUMNS": columns, "STEPS": steps, "WITHIN": "1h"}


def test_notebook_00_runs_from_the_root_on_a_log_with_other_names(made):
    table, values = made
    reached = found("00_start_here", values, "answer.table['reached'].tolist()", ROOT)
    assert reached == [int((table["depth"] > at).sum()) for at in range(3)]


def test_notebook_01_runs_from_the_root_on_a_log_with_other_names(made):
    table, values = made
    expression = "answer.table.query('step == \"buy\"').set_index('app')['reached'].to_dict()"
    reached = found("01_funnels", values | {"BY": "app", "TO": "one"}, expression, ROOT)
    assert reached == table[table["depth"] > 2].groupby("app").size().to_dict()


def test_notebook_02_runs_from_the_root_on_a_log_with_other_names(made):
    table, values = made
    values = values | {"BY": ["app", "town"], "PAIR": ["one", "two"]}
    expression = "rates.loc['one', 'converted'].drop('all').to_dict()"
    converted = found("02_tiers", values, expression, ROOT)
    assert converted == table[(table["depth"] > 2) & (table["app"] == "one")].groupby("town").size().to_dict()


RETURNS = NOTEBOOKS / "03_retention.ipynb"
OWN = {"NAME": "Own log", "BY": None, "TRUTH": None}
REAL = {
    "taobao": {
        "COLUMNS": {
            "user": "user",
            "time": "timestamp",
            "event": "behavior",
            "names": ["user", "item", "category", "behavior", "timestamp"],
        },
        "EVENTS": {"came back": {"event": "pv"}, "bought again": {"event": "buy"}},
        "COHORTS": {"period": "day", "born_from": "2017-11-25", "observed_until": "2017-12-04"},
        "SPANS": {"before": ("2017-11-26", "2017-11-29"), "after": ("2017-11-29", "2017-12-02")},
    },
    "cdnow": {
        "COLUMNS": {"user": "customer_id", "time": "date", "event": "event"},
        "EVENTS": {"came back": {"event": "pay"}, "bought again": {"event": "pay"}},
        "COHORTS": {"period": "month", "born_from": "1997-01-01", "observed_until": "1998-07-01"},
        "SPANS": {"before": ("1997-02-01", "1997-03-01"), "after": ("1997-05-01", "1997-06-01")},
    },
}
PRINTED = """
import json
found = {
    "months": months.cohorts["size"].tolist(),
    "month_1": months.table.query("age == 1 and status != 'future'")["retained"].tolist(),
    "next_day": daily.d1.table[["retained", "n"]].to_numpy().tolist(),
    "split": [split.part("change")[end] for end in ("before", "after")],
    "again": again.table.loc[0, ["repurchased", "n", "repurchased_all", "buyers"]].tolist(),
    "growth": growth.table[["active", "new", "retained"]].iloc[-1].tolist(),
    "warnings": [*daily.warnings],
}
print(json.dumps(found, default=int))
"""


def told(path, values, folder=RETURNS.parent):
    """What notebook 03 finds on another log, by its parameters alone."""
    notebook = nbformat.read(RETURNS, as_version=4)
    place = next(i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    source = "\n".join(f"{key} = {value!r}" for key, value in {"SOURCE": path, **OWN, **values}.items())
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(source))
    notebook.cells.append(nbformat.v4.new_code_cell(PRINTED))
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in _own(notebook.cells[place:-1]) for output in cell.get("outputs", [])]
    seen = "".join(str({**output, "data": {**output.get("data", {}), "image/png": ""}}) for output in outputs)
    for word in ("imulated", "planted", "relation", "xiaohongshu", "kuaishou", "nan%"):
        assert word not in seen
    return json.loads(notebook.cells[-1].outputs[0].text)


def _own(cells):
    """The code cells that are not below a heading that names the bundled log."""
    bundled = False
    for cell in cells:
        if cell.cell_type == "code" and not bundled:
            yield cell
        for heading in (
            re.findall("^#+ .*", cell.source, re.MULTILINE) if cell.cell_type == "markdown" else []
        ):
            bundled = heading.endswith("in the bundled log")


def followed_in_pandas(frame, values):
    """The same numbers from sets of users and of days, without the package."""
    until, period = values["COHORTS"]["observed_until"], values["COHORTS"]["period"]
    days = frame[(frame["day"] < until)]
    visit, purchase = (event["event"] for event in values["EVENTS"].values())
    opens = days[days["event"] == visit]
    first = opens.groupby("user")["at"].min()
    born = first[first >= values["COHORTS"]["born_from"]]
    month = opens["day"].dt.to_period("M")
    age = month.astype("int64") - opens["user"].map(first.dt.to_period("M").astype("int64"))
    own = opens[opens["user"].isin(born.index)]
    back = own[age[own.index] == 1].groupby(own["user"].map(first.dt.to_period("M")))["user"].nunique()
    sizes = born.dt.to_period("M").value_counts().sort_index()
    active = set(zip(opens["user"], opens["day"], strict=True))
    later = {(user, day + pd.Timedelta(days=1)) for user, day in active}
    last = pd.Timestamp(until) - pd.Timedelta(days=1)
    begun = born.dt.normalize()
    new = {(user, day) for user, day in begun.items() if day < last}
    old = {(user, day) for user, day in active if day < last}
    kept = {(user, day - pd.Timedelta(days=1)) for user, day in active & later}
    spans = [
        {(user, day) for user, day in active if pd.Timestamp(start) <= day < pd.Timestamp(end)}
        for start, end in values["SPANS"].values()
    ]
    buys = days[days["event"] == purchase].sort_values("at", kind="stable")
    order = buys.groupby("user").cumcount()
    one, two = (buys[order == n].set_index("user")["at"] for n in (0, 1))
    soon = (two - one.reindex(two.index)) <= pd.Timedelta(days=30)
    ripe = one + pd.Timedelta(days=30) < pd.Timestamp(until)
    periods = opens["day"].dt.to_period("M") if period == "month" else opens["day"].dt.to_period("D")
    seen = {name: set(rows) for name, rows in opens["user"].groupby(periods)}
    end = max(seen)
    before = set().union(*(users for name, users in seen.items() if name < end))
    return {
        "months": sizes.tolist(),
        "month_1": back.reindex(sizes.index, fill_value=0).tolist(),
        "next_day": [[len(new & kept), len(new)], [len(old & kept), len(old)]],
        "split": [len(span & kept) / len(span) for span in spans],
        "again": [int(soon[ripe.reindex(soon.index)].sum()), int(ripe.sum()), int(soon.sum()), len(one)],
        "growth": [len(seen[end]), len(seen[end] - before), len(seen[end] & seen[end - 1])],
    }


def test_notebook_03_runs_on_taobaos_log_and_warns_of_its_last_two_days(shared):
    path = str(shared.resolve() / LOGS["taobao"]["file"])
    frame = pd.read_csv(path, names=REAL["taobao"]["COLUMNS"]["names"])
    at = pd.to_datetime(frame["timestamp"], unit="s") + pd.Timedelta(hours=8)
    frame = pd.DataFrame(
        {"user": frame["user"], "event": frame["behavior"], "at": at, "day": at.dt.normalize()}
    )
    found = told(path, REAL["taobao"])
    expected = followed_in_pandas(frame, REAL["taobao"])
    # Over seven days the intervals of the two late cohorts still overlap those of earlier days.
    assert found.pop("warnings") == []
    cohorts = {**REAL["taobao"]["COHORTS"], "period": "day"}
    whole = retention(read_events(path, **REAL["taobao"]["COLUMNS"]), **cohorts)
    assert "warning: retention rises with age: 99.1 %" in whole.sentence()
    # December has not begun for the cohort of November to be seen in full.
    assert found.pop("month_1")[:1] == expected.pop("month_1")[:1]
    assert found.pop("split") == pytest.approx(expected.pop("split"))
    assert found == expected


def test_notebook_03_finds_cdnows_published_repeat_buying(shared, tmp_path):
    table = pd.read_csv(shared / "data" / "cdnow" / "CDNOW_master.txt", sep=r"\s+", dtype=str)
    table = table.assign(event="pay", date=pd.to_datetime(table["date"]))
    path = tmp_path / "cdnow.csv"
    table[["customer_id", "date", "event"]].to_csv(path, index=False)
    frame = pd.DataFrame({"user": table["customer_id"], "event": "pay", "at": table["date"]})
    found = told(str(path), REAL["cdnow"])
    # 23,570 customers in three cohorts, and how many of January's came back in February: the data's own README.
    assert found["months"] == [7846, 8476, 7248]
    assert found["month_1"][0] == 1157
    assert found["again"][3] == 23_570
    expected = followed_in_pandas(frame.assign(day=frame["at"]), REAL["cdnow"])
    del found["warnings"]
    assert found.pop("split") == pytest.approx(expected.pop("split"))
    assert found.pop("next_day")[1] == expected.pop("next_day")[1]
    assert found == expected


def test_notebook_03_runs_on_a_small_log_of_other_words_from_the_root(tmp_path):
    rows = [
        (f"u{i}", pd.Timestamp("2026-03-02 12:00") + pd.Timedelta(days=day), what)
        for i in range(60)
        for day in range(i % 14, 56, 1 + i % 5)
        for what in (("看播", "下单") if (i + day) % 3 == 0 else ("看播",))
    ]
    frame = pd.DataFrame(rows, columns=["用户", "时间", "行为"])
    path = tmp_path / "own.csv"
    frame.to_csv(path, index=False)
    values = {
        "COLUMNS": {"user": "用户", "time": "时间", "event": "行为"},
        "EVENTS": {"watched again": {"event": "看播"}, "bought again": {"event": "下单"}},
        "COHORTS": {"period": "week", "born_from": "2026-03-03", "observed_until": "2026-04-27"},
        "SPANS": {"before": ("2026-03-09", "2026-03-23"), "after": ("2026-03-30", "2026-04-13")},
    }
    found = told(str(path), values, folder=RETURNS.parents[1])
    frame = frame.set_axis(["user", "at", "event"], axis=1)
    frame["day"] = frame["at"].dt.normalize()
    expected = followed_in_pandas(frame, values)
    assert found["split"] == pytest.approx(expected["split"])
    assert found["next_day"] == expected["next_day"]
    assert found["again"] == expected["again"]
