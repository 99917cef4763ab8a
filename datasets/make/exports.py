"""Rebuild `datasets/exports` and `datasets/public`: the simulated log as dashboards and a public log would show it.

uv run python datasets/make/exports.py
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
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
#: Yuan that an impression costs on Douyin, by hour: the evening is dearer. The log knows no prices; these are planted.
DAY_PRICE, EVENING_PRICE, EVENING = 0.15, 0.30, range(19, 24)
#: Users of Taobao Live in the small log that has the form of a public one.
PUBLIC_USERS = 400


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
    _douyin_weeks(place / "weeks", truth["douyin"])
    _orders(place / "订单_2019-09-30.csv")
    _advertising(place / "千川_2019-09-30.csv")
    said: dict[str, dict[str, float]] = {
        platform: {
            "sessions": len(rows),
            "viewers": int(rows["viewers"].sum()),
            "gmv": round(float(rows["gmv"].sum()), 2),
        }
        for platform, rows in truth.items()
    }
    said["douyin_advertising"] = {"day_price": DAY_PRICE, "evening_price": EVENING_PRICE}
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


def _douyin_weeks(folder: Path, rows: pd.DataFrame) -> None:
    """The same list downloaded once a week, each from the Sunday before on: a session of that day stands in two files.

    In the earlier file the refunds of that Sunday have not come in yet.
    """
    folder.mkdir(exist_ok=True)
    first = pd.Timestamp(PERIOD[:10])
    for week in range(4):
        monday = first + pd.Timedelta(weeks=week)
        sunday = monday + pd.Timedelta(days=6)
        since = max(first, monday - pd.Timedelta(days=1))
        part = rows[(rows["start"] >= since) & (rows["start"] < sunday + pd.Timedelta(days=1))].copy()
        part.loc[part["start"] >= sunday, "refund_amount"] = 0.0
        _douyin(folder / f"直播明细_{since.date()}_{sunday.date()}.csv", part)


def _orders(path: Path) -> None:
    """Order lines of all rooms of Douyin in GB18030, downloaded on the day after: ids with a tab, refunds as a status.

    The log knows no products: what an order is of follows from what it cost.
    """
    rows = duckdb.sql(
        f"""SELECT creator_id, order_id, date_trunc('second', min(timestamp) FILTER (event = 'pay')
        AT TIME ZONE 'Asia/Shanghai') AS paid, min(amount) FILTER (event = 'pay') AS amount,
        bool_or(event = 'refund') AS refunded FROM '{HERE / "log" / "douyin"}.parquet'
        WHERE order_id IS NOT NULL GROUP BY ALL HAVING count(*) FILTER (event = 'pay') > 0 ORDER BY paid, order_id"""
    ).df()
    headers = ["主订单编号", "子订单编号", "选购商品", "商品ID", "商品数量", "订单提交时间", "支付完成时间"]
    headers += ["订单状态", "售后状态", "订单应付金额", "达人ID", "达人昵称", "收件人"]
    lines = []
    for number, row in enumerate(rows.to_dict("records"), start=1):
        name, item = next((name, item) for most, name, item in _SHELVES if row["amount"] < most)
        order, paid = f"{6_900_000_000_000_000_000 + number}\t", f"{row['paid']:%Y-%m-%d %H:%M:%S}"
        refund, amount = "退款成功" if row["refunded"] else "-", f"{row['amount']:,.2f}"
        whose = [str(row["creator_id"]), _name(row["creator_id"]), "***"]
        lines.append([order, order, name, f"{item}\t", "1", paid, paid, "已发货", refund, amount, *whose])
    _csv(path, [headers, *lines], "gb18030")


#: What an order is of, by its amount in yuan.
_SHELVES = (
    (50, "模拟商品 小件", 3_600_000_000_000_000_001),
    (150, "模拟商品 中件", 3_600_000_000_000_000_002),
    (float("inf"), "模拟商品 大件", 3_600_000_000_000_000_003),
)


def _advertising(path: Path) -> None:
    """Advertising by hour, as if every impression of Douyin had been bought: a total first, hours as spans."""
    local = "timestamp AT TIME ZONE 'Asia/Shanghai'"
    rows = duckdb.sql(
        f"""SELECT CAST({local} AS DATE) AS day, hour({local}) AS hour,
        count(*) FILTER (event = 'impression') AS impressions, count(*) FILTER (event = 'pay') AS orders,
        coalesce(round(sum(amount) FILTER (event = 'pay'), 2), 0) AS gmv
        FROM (SELECT DISTINCT * FROM '{HERE / "log" / "douyin"}.parquet') GROUP BY ALL ORDER BY day, hour"""
    ).df()
    rows["price"] = [EVENING_PRICE if hour in EVENING else DAY_PRICE for hour in rows["hour"]]
    rows["spend"] = (rows["impressions"] * rows["price"]).round(2)
    headers = ["日期", "时间-小时", "整体消耗", "整体支付ROI", "整体成交金额", "整体成交订单数"]
    lines = [
        [f"{row['day']:%Y-%m-%d}", f"{row['hour']:02}:00 - {row['hour']:02}:59", *_spent(row)]
        for row in rows.to_dict("records")
    ]
    _csv(path, [headers, ["总计", "-", *_spent(rows[["spend", "gmv", "orders"]].sum())], *lines], "utf-8-sig")


def _spent(row: Mapping[str, float] | pd.Series) -> list[str]:
    spend, gmv = float(row["spend"]), float(row["gmv"])
    return [_apart(spend), f"{gmv / spend:.2f}" if spend else "-", _apart(gmv), _apart(int(row["orders"]))]


def write_public(folder: str | Path) -> None:
    """Write a few simulated users in the form of Taobao's UserBehavior: no header, Unix seconds, pv, cart and buy."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    rows = duckdb.sql(
        f"""SELECT user_id, room_id, creator_id, CASE event WHEN 'product_click' THEN 'pv' WHEN 'pay' THEN 'buy'
        ELSE event END AS behavior, CAST(floor(epoch(timestamp)) AS BIGINT) AS second
        FROM (SELECT DISTINCT * FROM '{HERE / "log" / "taobao_live"}.parquet')
        WHERE event IN ('product_click', 'cart', 'pay')
        QUALIFY dense_rank() OVER (ORDER BY user_id) <= {PUBLIC_USERS} ORDER BY user_id, second, behavior"""
    ).fetchall()
    _csv(place / "UserBehavior_simulated.csv", rows, "utf-8")


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


def _csv(path: Path, lines: Sequence[Sequence[object]], encoding: str) -> None:
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
    write_public(HERE / "public")
