"""Notebook 09 answers on others' exports, logs and series by its parameters alone, and plain pandas counts the same."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient

from tests.test_exports import LIST, csv
from toolkit import Level, interrupted_time_series

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "09_your_own_data.ipynb"
FOUND = """
import json
print(json.dumps({
    "kind": export.kind,
    "rows": len(export.table),
    "steps": last.table["step"].tolist(),
    "gpm": [row["ratio"].tolist() for row in halves],
    "gap": hosts.table["estimate"].tolist(),
    "days": len(weeks.series("gmv")),
    "roi": hours.table["estimate"].tolist(),
    "refunds": back["reached"].tolist(),
    "users": int(passed.table["reached"].iloc[0]),
    "level": answer.table["estimate"].tolist(),
    "changed": [panel.result.table["estimate"].iloc[0], int(panel.result.table["n_before"].iloc[0])],
}))
"""


def answered(**values):
    """What the notebook finds with other parameters, and the titles and sentences that it shows."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    place = next(i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    # As papermill does: the new values in a cell behind the one with the old.
    source = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(source))
    notebook.cells.append(nbformat.v4.new_code_cell(FOUND))
    resources = {"metadata": {"path": str(NOTEBOOK.parent)}}
    NotebookClient(notebook, timeout=300, resources=resources).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 5
    return json.loads(notebook.cells[-1].outputs[0].text)


def sessions(folder, name, days, hosts=("青禾", "白露")):
    """Sessions of two hosts, of whom the second sells twice as much a viewer; an evening each, none on one day."""
    rows = []
    for number, day in enumerate(days):
        for place, host in enumerate(hosts):
            viewers = 1000 + 37 * ((number * 7 + place) % 11)
            clickers, buyers = viewers // 4, viewers // 40 + number % 3
            gmv = buyers * 50 * (1 + place)
            counts = [viewers * 10, viewers, viewers + 100, clickers, buyers, buyers, gmv]
            rows.append([host, f"00{place}", f"{day:%Y-%m-%d} 20:00:00", *map(str, counts)])
    headers = [*LIST[:3], "直播间曝光人数", "直播间观看人数", "直播间观看次数", "直播间商品点击人数"]
    headers += ["直播间成交人数", "直播间成交订单数", "直播间成交金额"]
    total = ["合计", "", "-", *["9999999"] * 7]
    return csv(folder, [headers, *rows, total], name), pd.DataFrame(rows, columns=headers)


def downloads(folder, days):
    """A folder of two overlapping downloads and the lock of an open workbook."""
    folder.mkdir()
    sessions(folder, "a.csv", days[:25])
    sessions(folder, "b.csv", days[22:])
    (folder / "~$b.xlsx").write_bytes(b"lock")
    return str(folder)


@pytest.fixture
def own(tmp_path):
    """A small made file of each sort."""
    days = pd.date_range("2026-01-05", periods=42).delete(20)
    one, table = sessions(tmp_path, "直播.csv", days)
    spent = [
        [f"2026-01-{day:02}", f"{hour}:00 - {hour}:59", "100", str(100 * hour + day)]
        for day in range(5, 12)
        for hour in (9, 21)
    ]
    ads = csv(tmp_path, [["日期", "时间-小时", "整体消耗", "整体成交金额"], *spent], "ads.csv")
    times = [f"2026-01-{5 + n % 20:02} 20:00:00" for n in range(200)]
    lines = [
        [str(n), str(n), "茶", time, time, "退款成功" if n % 4 == 0 else "-"] for n, time in enumerate(times)
    ]
    headers = ["主订单编号", "子订单编号", "选购商品", "订单提交时间", "支付完成时间", "售后状态"]
    orders = csv(tmp_path, [headers, *lines], "orders.csv")
    # Five users a day, a third of whom buy.
    starts = [1511712000 + 86_400 * (user // 5) for user in range(30)]
    rows = [[user, 1, 1, "pv", start] for user, start in enumerate(starts)]
    rows += [[user, 1, 1, "buy", start + 60] for user, start in enumerate(starts) if user % 3 == 0]
    (tmp_path / "log").mkdir()
    log = csv(tmp_path / "log", rows, "UserBehavior.csv")
    values = np.where(days < "2026-02-01", 3000.0, 2400.0) + np.arange(len(days)) % 5
    amounts = [[f"{day:%Y%m%d}", f"{value:,.2f}"] for day, value in zip(days, values, strict=True)]
    series = csv(tmp_path, [["日期", "支付金额"], *amounts], "series.csv", "gb18030")
    return table, {
        "EXPORT": str(one),
        "FOLDER": downloads(tmp_path / "weeks", days),
        "MORE": {"ads": str(ads), "orders": str(orders)},
        "PUBLIC": ("taobao_userbehavior", str(log.parent), ["pv", "buy"]),
        "SERIES": (str(series), "支付金额", "2026-02-01"),
        "CHANGE": "2026-01-26",
        "NAME": "Own rooms",
    }


def test_notebook_09_answers_on_made_files(own):
    table, values = own
    found = answered(**values)
    numbers = table.iloc[:, 3:].astype(float)
    assert (found["kind"], found["rows"], found["days"]) == ("douyin.session_list", 82, 42)
    assert found["steps"] == ["enter", "product_click", "pay"]
    after = table["直播开始时间"] >= "2026-01-26"
    gmv, views, orders = (numbers[f"直播间{name}"] for name in ("成交金额", "观看次数", "成交订单数"))
    ratios = [
        (top[after].sum() / low[after].sum()) / (top[~after].sum() / low[~after].sum())
        for top, low in ((gmv, views), (orders, views), (gmv, orders))
    ]
    assert [one for [one] in found["gpm"]] == pytest.approx(ratios)
    assert ratios[0] == pytest.approx(ratios[1] * ratios[2])
    viewers, host = numbers["直播间观看人数"], table["主播昵称"]
    first, second = (gmv[host == one].sum() / viewers[host == one].sum() for one in ("青禾", "白露"))
    assert found["gap"] == pytest.approx([second - first])
    assert found["roi"] == pytest.approx([(900 + 8) / 100, (2100 + 8) / 100])
    assert sum(found["refunds"]) == 50
    assert found["users"] == 30
    # Of the first two days 4 of 10 buy, of the next two 3 of 10; later windows are not over.
    assert found["changed"] == pytest.approx([-0.1, 10])
    assert found["level"] == pytest.approx([2400 / 3000 - 1], abs=0.01)


@pytest.mark.parametrize("case", ["xhs_live_sessions", "douyin_session_list", "douyin_session_list_xlsx"])
def test_notebook_09_answers_on_a_dashboards_sessions(shared, own, tmp_path, case):
    _, values = own
    place = shared.resolve() / "reference" / "exports" / case
    [read] = json.loads((place / "expected.json").read_text(encoding="utf-8"))["reads"]
    session = read["tables"]["session"]
    starts = sorted(row[session["order"].index("start")] for row in session["rows"])
    change = starts[len(starts) // 2][:10]
    days = pd.date_range(end=pd.Timestamp(change) + pd.Timedelta(days=20), periods=42)
    values |= {"EXPORT": str(place / read["read"]), "FOLDER": downloads(tmp_path / case, days)}
    found = answered(**values | {"BY": "half", "CHANGE": change})
    assert (found["kind"], found["rows"]) == (read["kind"], len(starts))


def test_notebook_09_reads_real_logs_orders_hours_and_a_real_series(shared, own):
    _, values = own
    place = shared.resolve()
    exports, daily = (place / "reference" / name for name in ("exports", "its/three_controls_daily_108"))
    values |= {
        "MORE": {
            "ads": str(next((exports / "qianchuan_hourly").glob("*.xlsx"))),
            "orders": str(next((exports / "doudian_orders_gb18030").glob("*.csv"))),
        },
        "PUBLIC": ("retailrocket", str(place / "data" / "retailrocket_sample"), ["view", "addtocart"]),
        "SERIES": (str(daily / "data.csv"), "CHANGED", "2019-07-14"),
    }
    found = answered(**values)
    raw = pd.read_csv(place / "data" / "retailrocket_sample" / "sample_events.csv")
    assert found["users"] == raw.loc[raw["event"] == "view", "visitorid"].nunique()
    assert found["roi"][0] == pytest.approx(4098.62 / 1899.85)  # 21:00, the first hour of the file
    series = pd.read_csv(daily / "data.csv", index_col="DATE", parse_dates=True)["CHANGED"]
    fit = interrupted_time_series(series, {"event": Level("2019-07-14")})
    assert found["level"] == pytest.approx(fit.table["estimate"].tolist())


def test_notebook_09_keeps_what_it_says_of_the_bundled_files():
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    shown = "".join(
        str(output.get("data", {}).get("text/plain", ""))
        for cell in cells
        for output in cell.get("outputs", [])
    )
    assert "1 total set aside" in shown
    assert "no step stands out" in shown
