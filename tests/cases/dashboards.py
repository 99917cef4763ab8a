"""Writes the cases of `tests/cases/exports`: files as dashboards and hands leave them, and what must be read from them.

uv run python -m tests.cases.dashboards

Names, ids and numbers are made up; what a case wants is written here by hand, never taken from the reader's own answer.
"""

import csv
import io
import json
import shutil
from pathlib import Path

import openpyxl

FOLDER = Path(__file__).parent / "exports"


def text(rows, encoding="utf-8", separator=","):
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode(encoding)


def book(**sheets):
    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def ids(*names):
    return {name: {"metric": name, "unit": "id"} for name in names}


def column(metric, header, unit, **more):
    return {"metric": metric, "unit": unit, "source_header": header, **more}


def people(metric, header):
    return column(metric, header, "people", counts="people", additive=False, over=None)


def amount(metric, header, basis="paid", refunds="gross"):
    return column(metric, header, "CNY", additive=True, over=None, basis=basis, refunds=refunds)


def ratio(metric, header, over):
    return column(metric, header, "ratio", additive=False, over=over)


def table(key, columns, rows):
    return {"key": key, "order": list(columns), "columns": columns, "rows": rows}


def read(path, kind=None, platform=None, period=None, tables=None, totals=None, problems=(), error=None):
    return {
        "read": path,
        "kwargs": {},
        "error": error and {"code": error},
        "platform": platform,
        "kind": kind,
        "period": period,
        "tables": tables or {},
        "totals": totals or {},
        "problems": list(problems),
    }


def label(metric, header, unit="text"):
    return {"metric": metric, "unit": unit, "source_header": header}


def douyin_list():
    """A list of sessions: totals, thousands set apart, ids as formulas, a rounded count, a dash and a zero."""
    rows = [
        [
            "主播昵称",
            "主播抖音号",
            "直播开始时间",
            "直播时长(分钟)",
            "直播间观看人数",
            "直播间成交人数",
            "直播间成交金额",
        ],
        ["山茶铺", '="00510023"', "2026/4/1 20:00:05", 90, "1.5万", "120", "12,345.60"],
        ["山茶铺", '="00510023"', "2026/4/2 20:00:05", 60, "8,002", "-", "0.00"],
        ["合计", "", "-", 150, "22,000", "120", "12,345.60"],
    ]
    columns = {
        "account_id": label("account_id", "主播抖音号", "id"),
        "start": label("start", "直播开始时间", "datetime"),
        "duration_s": column("duration_s", "直播时长(分钟)", "seconds", additive=True),
        "viewers": people("viewers", "直播间观看人数"),
        "buyers": people("buyers", "直播间成交人数"),
        "gmv": amount("gmv", "直播间成交金额"),
    }
    wanted = [
        ["00510023", "2026-04-01 20:00:05", 5400, 15000, 120, 12345.6],
        ["00510023", "2026-04-02 20:00:05", 3600, 8002, None, 0],
    ]
    name = "直播明细_2026-04-01_2026-04-02.csv"
    problems = [
        {"code": "total_row", "row": 4, "table": "session"},
        {"code": "rounded", "column": "viewers", "cells": ["E2"]},
    ]
    one = read(
        name,
        "douyin.session_list",
        "douyin",
        ["2026-04-01", "2026-04-02"],
        {"session": table(["account_id", "start"], columns, wanted)},
        {"session": [{"label": "合计", "viewers": 22000, "gmv": 12345.6}]},
        problems,
    )
    return {name: text(rows, "utf-8-sig")}, [one]


def taobao_sessions():
    """Live sessions: numbers as text, 成交转化率 over product clickers, dashes, an older name of a header."""
    rows = [
        [
            "直播标题",
            "场次id",
            "开播时间",
            "直播间访问人数",
            "商品点击人数",
            "成交转化率",
            "成交人数",
            "成交金额",
            "达人备注",
        ],
        ["新茶", "880011", "2026-04-01 19:30:00", "2438", "702", "0.01567", "11", "990.00", "x"],
        ["旧茶", "880012", "2026-04-02 19:30:00", "900", "200", "-", "-", "-", "y"],
    ]
    columns = {
        "session_id": label("session_id", "场次id", "id"),
        "viewers": people("viewers", "直播间访问人数"),
        "product_clickers": people("product_clickers", "商品点击人数"),
        "buyers_per_product_clicker": ratio("buyers_per_product_clicker", "成交转化率", "product_clickers"),
        "buyers": people("buyers", "成交人数"),
        "gmv": amount("gmv", "成交金额"),
    }
    wanted = [["880011", 2438, 702, 0.01567, 11, 990], ["880012", 900, 200, None, None, None]]
    problems = [
        {"code": "older_header", "sheet": "场次", "cell": "D1", "header": "直播间访问人数"},
        {"code": "unknown_header", "sheet": "场次", "cell": "I1", "header": "达人备注"},
    ]
    tables = {"session": table(["session_id"], columns, wanted)}
    one = read("场次.xlsx", "sycm.live_sessions", "taobao_live", None, tables, problems=problems)
    return {"场次.xlsx": book(场次=rows)}, [one]


def xiaohongshu_overview():
    """Days of a shop: a measure in columns by carrier, refunds dated by payment and by refund."""
    rows = [
        [
            "时间",
            "支付金额",
            "笔记支付金额",
            "直播支付金额",
            "支付买家数",
            "商品访客数",
            "退款金额（支付时间）",
            "退款金额（退款时间）",
        ],
        [20260401, "3,000.00", "1,000.00", "2,000.00", 30, "600", "200.00", "50.00"],
        [20260402, "5,000.00", "1,500.00", "3,500.00", 41, "700", "100.00", "250.00"],
    ]
    day = {
        "date": label("date", "时间", "date"),
        "gmv": amount("gmv", "支付金额"),
        "buyers": people("buyers", "支付买家数"),
        "refund_amount_by_pay": amount(
            "refund_amount_by_pay", "退款金额（支付时间）", "refunded, dated by payment", None
        ),
        "refund_amount_by_refund": amount(
            "refund_amount_by_refund", "退款金额（退款时间）", "refunded, dated by refund", None
        ),
    }
    channel = {
        "carrier": label("carrier", "(prefix of the header)"),
        "date": label("date", "时间", "date"),
        "gmv": amount("gmv", ["笔记支付金额", "直播支付金额"]),
    }
    by_carrier = [["note", "2026-04-01", 1000], ["live", "2026-04-01", 2000]]
    by_carrier += [["note", "2026-04-02", 1500], ["live", "2026-04-02", 3500]]
    tables = {
        "day": table(["date"], day, [["2026-04-01", 3000, 30, 200, 50], ["2026-04-02", 5000, 41, 100, 250]]),
        "channel": table(["date", "carrier"], channel, by_carrier),
    }
    one = read("商家.xlsx", "qianfan.overview", "xiaohongshu", None, tables)
    return {"商家.xlsx": book(概览=rows)}, [one]


def kuaishou_windows():
    """Plans by day in GB18030: amounts within days of which some are not over at the download."""
    rows = [
        [
            "日期",
            "计划ID",
            "计划名称",
            "花费",
            "封面曝光数",
            "当日累计GMV",
            "投后7日累计GMV",
            "投后30日累计GMV",
        ],
        ["2026-03-01", "771", "春茶", "100.5", "2000", "300", "320", "330"],
        ["2026-03-20", "771", "春茶", "90", "1800", "280", "300", "310"],
    ]
    columns = {
        "date": label("date", "日期", "date"),
        "campaign_id": label("campaign_id", "计划ID", "id"),
        "ad_spend": amount("ad_spend", "花费", None, None),
        "gmv_t0": amount("gmv_t0", "当日累计GMV"),
        "gmv_t7": amount("gmv_t7", "投后7日累计GMV"),
        "gmv_t30": amount("gmv_t30", "投后30日累计GMV"),
    }
    wanted = [["2026-03-01", "771", 100.5, 300, 320, 330], ["2026-03-20", "771", 90, 280, 300, 310]]
    name = "报表_下载于2026-03-25.csv"
    problems = [{"code": "window_open", "cells": ["G3", "H2", "H3"]}, {"code": "encoding"}]
    tables = {"ad": table(["date", "campaign_id"], columns, wanted)}
    one = read(name, "kuaishou.ad_report", "kuaishou", None, tables, problems=problems)
    return {name: text(rows, "gb18030")}, [one]


def session_workbooks():
    """A folder: one session downloaded twice, of which the later is kept; a lock file and a table of something else."""

    def one(downloaded, refunds):
        name = f"直播间详情页_整场数据下载_{downloaded}(山茶铺_2026-04-01_22-00-00).xlsx"
        basic = [["直播时间", "千次观看成交金额"], ["2026-04-01_19-30-00~2026-04-01_22-00-00", "¥500.00"]]
        steps = [["直播间曝光人数", "直播间观看人数", "成交人数"], [9000, 2000, 40]]
        after = [["新增粉丝数", "退款人数"], [12, refunds]]
        return name, book(基本信息=basic, 漏斗=steps, 互动=after, 空=[["暂无数据"]])

    first, second = one("2026-04-02_09-00-00", 1), one("2026-04-05_09-00-00", 6)
    files = {f"folder/{name}": content for name, content in (first, second)}
    files |= {"folder/~$直播.xlsx": b"lock", "folder/other.csv": text([["姓名", "编号"], ["甲", "1"]])}
    columns = {
        "account": label("account", "(file name)"),
        "start": label("start", "直播时间", "datetime"),
        "end": label("end", "直播时间", "datetime"),
        "viewers": people("viewers", "直播间观看人数"),
        "buyers": people("buyers", "成交人数"),
        "refund_users": people("refund_users", "退款人数"),
    }
    wanted = [["山茶铺", "2026-04-01 19:30:00", "2026-04-01 22:00:00", 2000, 40, 6]]
    problems = [
        {"code": "duplicate_session", "kept": second[0], "dropped": [first[0]]},
        {"code": "files_skipped"},
        {"code": "sheet_without_table", "sheet": "空"},
        {"code": "sheet_without_table", "sheet": "空"},
    ]
    tables = {"session": table(["account", "start"], columns, wanted)}
    return files, [read("folder", "douyin.session_workbook", "douyin", None, tables, problems=problems)]


def estimates():
    """A third party's tables, one under the other: ranges stay ranges, open ends stay open."""
    rows = [
        ["日榜"],
        ["排名", "商品", "佣金比例", "周销量", "近30天销量"],
        ["1", "绿茶", "20.00%", "7.5w~10w", "1000w以上"],
        [],
        ["周榜"],
        ["排名", "商品", "佣金比例", "周销量"],
        ["1", "乌龙", "10.00%", "5~10万"],
    ]
    ranged = {
        f"{name}_{bound}": column(name, header, "units", additive=True, estimate=True, bound=bound)
        for name, header in (("sales_7d", "周销量"), ("sales_30d", "近30天销量"))
        for bound in ("low", "high")
    }
    columns = {"list": label("list", "(line above the header)"), "item": label("item", "商品")} | ranged
    wanted = [["日榜", "绿茶", 75000, 100000, 10000000, None], ["周榜", "乌龙", 50000, 100000, None, None]]
    problems = [{"code": "stacked_tables"}, {"code": "estimates", "columns": ["sales_7d", "sales_30d"]}]
    tables = {"item": table(["list", "item"], columns, wanted)}
    one = read("榜单.csv", "chanmama.stacked", "douyin", None, tables, problems=problems)
    return {"榜单.csv": text(rows)}, [one]


def refused():
    """What is no export: nothing, a page, a picture, another table, days without a year, a cut workbook."""
    files = {
        "empty.csv": b"",
        "login.xls": b"<html><body>log in</body></html>",
        "picture.xlsx": b"\x89PNG\r\n\x1a\n",
        "staff.csv": text([["姓名", "部门"], ["甲", "仓储"]]),
        "days.csv": text([["开播时间", "场次标题"], ["04-01 20:00", "新茶"]]),
        "cut.xlsx": book(场次=[["直播标题", "场次id"]])[:900],
    }
    wanted = ["empty_file", "not_an_export", "not_an_export", "unknown_kind", "year_missing", "corrupt"]
    return files, [read(name, error=code) for name, code in zip(files, wanted, strict=True)]


CASES = (
    douyin_list,
    taobao_sessions,
    xiaohongshu_overview,
    kuaishou_windows,
    session_workbooks,
    estimates,
    refused,
)


def write(folder):
    shutil.rmtree(folder, ignore_errors=True)
    for case in CASES:
        files, reads = case()
        for name, content in files.items():
            path = folder / case.__name__ / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        about = {"case": case.__name__, "about": case.__doc__, "reads": reads}
        text_ = json.dumps(about, ensure_ascii=False, indent=1)
        (folder / case.__name__ / "expected.json").write_text(text_ + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(FOLDER)
