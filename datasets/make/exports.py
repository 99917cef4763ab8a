"""Rebuild `datasets/exports`: what dashboards would show of some rooms of the simulated log, in their own forms.

uv run python datasets/make/exports.py
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import duckdb
import openpyxl
import pandas as pd

HERE = Path(__file__).parents[1]
PERIOD = "2019-09-02_2019-09-29"
#: Rooms of these creators; the two head creators of a platform are left to it.
ROOMS = {
    "douyin": (300003, 300004, 300005),
    "taobao_live": (200003, 200004, 200005),
    "xiaohongshu": (100003, 100004, 100005),
    "kuaishou": (400003, 400004, 400005),
}


def sessions(platform: str) -> pd.DataFrame:
    """The truth: one row per room of the log, people once per room, and what they did.

    A row that the client sent twice counts once, as everywhere a dashboard counts.
    """
    creators = ", ".join(map(str, ROOMS[platform]))
    people = {
        "impression_users": "impression",
        "viewers": "enter",
        "product_shown_users": "product_shown",
        "product_clickers": "product_click",
        "cart_users": "cart",
        "buyers": "pay",
    }
    times = {
        "impressions": "impression",
        "views": "enter",
        "product_impressions": "product_shown",
        "product_clicks": "product_click",
        "comments": "comment",
        "new_followers": "follow",
        "orders": "pay",
    }
    counted = [
        f"count(DISTINCT user_id) FILTER (event = '{event}') AS {name}" for name, event in people.items()
    ]
    counted += [f"count(*) FILTER (event = '{event}') AS {name}" for name, event in times.items()]
    local = "timestamp AT TIME ZONE 'Asia/Shanghai'"
    return duckdb.sql(
        f"""SELECT creator_id, room_id, date_trunc('second', min({local})) AS start,
        date_trunc('second', max({local}) FILTER (event IN ('enter', 'leave'))) AS "end", {", ".join(counted)},
        coalesce(round(sum(amount) FILTER (event = 'pay'), 2), 0) AS gmv,
        coalesce(round(sum(amount) FILTER (event = 'refund'), 2), 0) AS refund_amount
        FROM (SELECT DISTINCT * FROM '{HERE / "log" / platform}.parquet' WHERE creator_id IN ({creators}))
        GROUP BY ALL ORDER BY start, room_id"""
    ).df()


def write_exports(folder: str | Path) -> dict[str, dict[str, float]]:
    """Write one file a platform, as its dashboard writes it, and say what is in the rooms."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    truth = {platform: sessions(platform) for platform in ROOMS}
    _douyin(place / f"直播明细_{PERIOD}.csv", truth["douyin"])
    _taobao(place / f"直播分场次_{PERIOD}.xlsx", truth["taobao_live"])
    _xiaohongshu(place / f"直播场次明细_{PERIOD}.xlsx", truth["xiaohongshu"])
    _kuaishou(place / f"快分销_{PERIOD}.csv", truth["kuaishou"])
    said = {
        platform: {
            "sessions": len(rows),
            "viewers": int(rows["viewers"].sum()),
            "gmv": round(float(rows["gmv"].sum()), 2),
        }
        for platform, rows in truth.items()
    }
    (place / "truth.json").write_text(json.dumps(said, indent=1) + "\n")
    return said


def _name(creator: int) -> str:
    return f"模拟直播间{creator}"


def _douyin(path: Path, rows: pd.DataFrame) -> None:
    """A list of sessions: byte order mark, thousands set apart, ids as formulas, a total at the end."""
    headers = ["主播昵称", "主播抖音号", "直播开始时间", "直播结束时间", "直播间曝光人数"]
    headers += ["直播间曝光次数", "直播间观看人数"]
    headers += ["直播间观看次数", "评论次数", "新增粉丝数", "直播间商品曝光人数", "直播间商品点击人数"]
    headers += ["直播间商品点击次数"]
    headers += ["直播间成交订单数", "直播间成交金额", "直播间成交人数", "直播间退款金额"]
    columns = ["impression_users", "impressions", "viewers", "views", "comments", "new_followers"]
    columns += [
        "product_shown_users",
        "product_clickers",
        "product_clicks",
        "orders",
        "gmv",
        "buyers",
        "refund_amount",
    ]
    lines = [
        [
            _name(row["creator_id"]),
            f'="00{row["creator_id"]}"',
            *(f"{time.year}/{time.month}/{time.day} {time:%H:%M:%S}" for time in (row["start"], row["end"])),
            *(_apart(row[name]) for name in columns),
        ]
        for row in rows.to_dict("records")
    ]
    total = ["合计", "", "-", "-", *(_apart(rows[name].sum()) for name in columns)]
    _csv(path, [headers, *lines, total], "utf-8-sig")


def _taobao(path: Path, rows: pd.DataFrame) -> None:
    """Live sessions: numbers as text, rates as fractions without a sign, dashes where nothing sold."""
    headers = ["直播标题", "场次id", "开播时间", "直播间观看次数", "直播间观看人数"]
    headers += ["新增粉丝数", "商品点击人数", "商品点击次数"]
    headers += ["商品点击率", "商品加购人数", "成交转化率", "成交人数", "成交笔数"]
    headers += ["成交金额"]
    lines = []
    for row in rows.to_dict("records"):
        sold = row["buyers"] > 0
        over = row["buyers"] / row["product_clickers"] if sold else 0
        lines.append(
            [
                f"{_name(row['creator_id'])} 直播",
                str(row["room_id"]),
                f"{row['start']:%Y-%m-%d %H:%M:%S}",
                *(
                    str(row[name])
                    for name in ("views", "viewers", "new_followers", "product_clickers", "product_clicks")
                ),
                str(row["product_clickers"] / row["viewers"]),
                str(row["cart_users"]),
                *(
                    [str(over), str(row["buyers"]), str(row["orders"]), f"{row['gmv']:.2f}"]
                    if sold
                    else ["-"] * 4
                ),
            ]
        )
    _workbook(path, "直播分场次", [headers, *lines])


def _xiaohongshu(path: Path, rows: pd.DataFrame) -> None:
    """Live sessions: numbers as numbers, rates with a sign, brackets in full width."""
    headers = ["主播昵称", "直播开始时间", "直播间曝光人数", "直播间曝光次数", "直播间观看人数"]
    headers += ["直播间观看次数", "新增粉丝数"]
    headers += ["商品曝光人数", "商品点击人数", "商品点击次数", "商品点击率（人数）", "支付金额"]
    headers += ["支付人数", "支付订单数"]
    headers += ["观看支付率", "退款金额"]
    lines = [
        [
            _name(row["creator_id"]),
            f"{row['start']:%Y-%m-%d %H:%M:%S}",
            *(row[name] for name in ("impression_users", "impressions", "viewers", "views", "new_followers")),
            *(row[name] for name in ("product_shown_users", "product_clickers", "product_clicks")),
            f"{row['product_clickers'] / row['product_shown_users']:.2%}"
            if row["product_shown_users"]
            else "-",
            *(row[name] for name in ("gmv", "buyers", "orders")),
            f"{row['buyers'] / row['viewers']:.2%}" if row["viewers"] else "-",
            row["refund_amount"],
        ]
        for row in rows.to_dict("records")
    ]
    _workbook(path, "直播场次", [headers, *lines])


def _kuaishou(path: Path, rows: pd.DataFrame) -> None:
    """Products by day and creator in GB18030; a creator sells one product, since the log knows none."""
    headers = ["日期", "商品id", "商品名称", "达人id", "达人名称"]
    headers += ["pv", "uv", "支付笔数", "支付gmv"]
    lines = [
        [
            f"{row['start']:%Y-%m-%d}",
            str(21700000000000 + row["creator_id"]),
            "模拟商品",
            str(row["creator_id"]),
            _name(row["creator_id"]),
            *(str(row[name]) for name in ("product_clicks", "product_clickers", "orders")),
            f"{row['gmv']:.2f}",
        ]
        for row in rows.to_dict("records")
    ]
    _csv(path, [headers, *lines], "gb18030")


def _apart(number: float) -> str:
    return f"{number:,.2f}" if isinstance(number, float) else f"{number:,}"


def _csv(path: Path, lines: Sequence[Sequence[str]], encoding: str) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(lines)
    path.write_bytes(text.getvalue().encode(encoding))


def _workbook(path: Path, title: str, lines: Sequence[Sequence[object]]) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(title)
    for line in lines:
        sheet.append(list(line))
    book.save(path)


if __name__ == "__main__":
    print(write_exports(HERE / "exports"))
