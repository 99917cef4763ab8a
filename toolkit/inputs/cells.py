"""What a cell says: numbers with units, percentages, ranges, durations, ids and carriers.

Each reader takes a raw value and gives what was read (`Cell`). What cannot be read is missing and told, never 0.
"""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple

from toolkit.inputs.files.sheets import Raw

#: What stands in a cell that holds nothing.
MISSING = frozenset(
    {
        "",
        "-",
        "--",
        "---",
        "—",
        "——",
        "–",
        "/",
        "暂无",
        "暂无数据",
        "无数据",
        "N/A",
        "n/a",
        "NA",
        "null",
        "None",
        "NaN",
    }
    | {"#DIV/0!", "#N/A", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!"}
)
_SCALES = {"": 1, "万": 10_000, "w": 10_000, "W": 10_000, "亿": 100_000_000, "k": 1000, "K": 1000, "千": 1000}
_NUMBER = re.compile(
    r"[¥$≈约]*\s*(?P<sign>[+-]?)\s*[¥$]?\s*(?P<digits>\d{1,3}(?:,\d{3})+|\d+)?(?P<point>\.\d+)?(?P<power>[eE][+-]?\d+)?"
    r"\s*(?P<scale>[万wW亿kK千]?)\s*(?:元|人|次|件|单|个|名|场)?\s*(?P<percent>%?)"
)
_SPREAD = re.compile(r"(?<=[\d万wW亿kK千%元])\s*(?:~|-|至|到)\s*(?=[¥\d.])")
_WORDS = re.compile(
    r"(?:(?P<d>\d+(?:\.\d+)?)(?:天|d))?(?:(?P<h>\d+(?:\.\d+)?)(?:小时|时|h))?"
    r"(?:(?P<m>\d+(?:\.\d+)?)(?:分钟|分|min|m))?(?:(?P<s>\d+(?:\.\d+)?)(?:秒钟|秒|s))?"
)
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{2})")
_EXPONENT = re.compile(r"\d(?:\.\d+[eE]\+?\d+|[eE]\+\d+)")
_HOUR = re.compile(
    r"(?:.*\s)?(\d{1,2})(?:时|点|:\d{2}(?::\d{2})?)?(?:\s*[-~至]\s*\d{1,2}(?:时|点|:\d{2}(?::\d{2})?)?)?"
)
_CARRIERS = {"直播": "live", "短视频": "video", "视频": "video", "图文": "note", "笔记": "note"} | {
    "商品卡": "card",
    "商卡": "card",
    "其他": "other",
}


class Cell(NamedTuple):
    """A value as read, half the width of what it was rounded to, and what is wrong with it."""

    value: Any
    half: float = 0.0
    #: unreadable, damaged (an id that lost digits), was_number (an id kept as a number), or nothing.
    fault: str = ""
    #: Whether a percentage had its sign.
    signed: bool = True


EMPTY = Cell(None)
#: Beyond it no number is a count, an amount or a duration.
LARGEST = 1e300


def plain(raw: Raw) -> str:
    """A cell as text in half-width characters, dashes and signs told apart, without blanks around it.

    Examples
    --------
    >>> plain("（１２％）")
    '(12%)'
    """
    text = (
        unicodedata.normalize("NFKC", str(raw))
        .replace("−", "-")
        .replace("〜", "~")
        .strip(" \t\r\n'\"`\ufeff\u200b")
    )
    if text.startswith('="') and text.endswith('"'):
        text = text[2:-1]
    return text.removeprefix('="').strip()


def is_missing(raw: Raw) -> bool:
    """Whether a cell holds nothing, or a sign that stands for nothing."""
    if raw is None:
        return True
    if isinstance(raw, float):
        return math.isnan(raw)
    return isinstance(raw, str) and (raw.strip() in MISSING or plain(raw) in MISSING)


def number(raw: Raw, *, scale: float = 1.0) -> Cell:
    """A count or an amount.

    Examples
    --------
    >>> number("1.2万")
    Cell(value=12000.0, half=500.0, fault='', signed=True)
    >>> number("-").value is None, number("0").value
    (True, 0.0)
    """
    if is_missing(raw):
        return EMPTY
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return Cell(float(raw) * scale) if _is_sized(raw) else Cell(None, fault="unreadable")
    read = _number(plain(raw)) if isinstance(raw, str) else None
    if read is None or read[2]:
        return Cell(None, fault="unreadable")
    value, half, _ = read
    return Cell(value * scale, half * scale)


def ratio(raw: Raw, form: str) -> Cell:
    """A ratio as a fraction of one: its sign decides, without one the form that the kind declares.

    Parameters
    ----------
    form : {"fraction", "percent"}

    Examples
    --------
    >>> ratio("0.85", "percent").value
    0.0085
    """
    if is_missing(raw):
        return EMPTY
    per_cent = 0.01 if form == "percent" else 1.0
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        if not _is_sized(raw):
            return Cell(None, fault="unreadable", signed=False)
        return Cell(float(raw) * per_cent, signed=False)
    read = _number(plain(raw)) if isinstance(raw, str) else None
    if read is None:
        return Cell(None, fault="unreadable")
    value, half, signed = read
    factor = 0.01 if signed else per_cent
    # Rates are shown rounded everywhere; only shortened counts carry a half width.
    return Cell(_tidy(value * factor), half * factor, signed=signed)


def bounds(raw: Raw, form: str, is_ratio: bool, *, scale: float = 1.0) -> tuple[Cell, Cell]:
    """Both ends of a range; an exact value is both, an open end is missing, and one written backwards unreadable.

    Examples
    --------
    >>> [end.value for end in bounds("7.5w~10w", "fraction", False)]
    [75000.0, 100000.0]
    >>> [end.value for end in bounds("10%以下", "fraction", True)]
    [None, 0.1]
    """

    def one(text: str) -> Cell:
        return ratio(text, form) if is_ratio else number(text, scale=scale)

    if is_missing(raw):
        return EMPTY, EMPTY
    if not isinstance(raw, str):
        exact = ratio(raw, form) if is_ratio else number(raw, scale=scale)
        return exact, exact
    text = plain(raw)
    for ending, is_low in (("以上", True), ("+", True), ("以下", False), ("以内", False)):
        if text.endswith(ending):
            end = one(text.removesuffix(ending))
            return (end, _none(end)) if is_low else (_none(end), end)
    for opening, is_low in (
        (">=", True),
        ("≥", True),
        (">", True),
        ("<=", False),
        ("≤", False),
        ("<", False),
    ):
        if text.startswith(opening):
            end = one(text.removeprefix(opening))
            return (end, _none(end)) if is_low else (_none(end), end)
    parts = _SPREAD.split(text)
    if len(parts) == 2:
        low, high = one(_with_unit(*parts)), one(parts[1])
        if low.value is not None and high.value is not None and low.value > high.value:
            return Cell(None, fault="unreadable"), Cell(None, fault="unreadable")
        return low, high
    exact = one(text)
    return exact, exact


def seconds(raw: Raw, unit: float = 1.0) -> Cell:
    """A duration in seconds: words and clocks say their unit, bare numbers have the header's.

    Examples
    --------
    >>> seconds("1小时2分钟5秒").value, seconds("00:12:33").value, seconds("1.5", unit=60).value
    (3725.0, 753.0, 90.0)
    """
    if is_missing(raw):
        return EMPTY
    if isinstance(raw, timedelta):
        return Cell(raw.total_seconds())
    if isinstance(raw, time):
        return Cell(float(raw.hour * 3600 + raw.minute * 60 + raw.second))
    if isinstance(raw, str):
        text = plain(raw).replace(" ", "")
        if clock := _CLOCK.fullmatch(text):
            hours, minutes, left = (int(part or 0) for part in clock.groups())
            return Cell(float(hours * 3600 + minutes * 60 + left))
        words = _WORDS.fullmatch(text)
        if words and any(words.groups()):
            days, hours_, minutes_, left_ = (float(part or 0) for part in words.groups())
            return Cell(days * 86400 + hours_ * 3600 + minutes_ * 60 + left_)
    read = number(raw, scale=unit)
    return read if read.value is None else Cell(_tidy(read.value), read.half)


def identifier(raw: Raw) -> Cell:
    """An id as text. A number of 16 digits or more, or one in E notation, has lost some and is missing.

    Examples
    --------
    >>> identifier('="00720416853"').value, identifier("6.91741E+18").fault
    ('00720416853', 'damaged')
    """
    if is_missing(raw):
        return EMPTY
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        if not _is_sized(raw) or float(raw) != int(raw):
            return Cell(None, fault="unreadable")
        text = str(int(raw))
        return Cell(None, fault="damaged") if len(text) >= 16 else Cell(text, fault="was_number")
    text = plain(raw)
    if _EXPONENT.fullmatch(text):
        return Cell(None, fault="damaged")
    return Cell(text) if text else EMPTY


def words(raw: Raw) -> Cell:
    """A name or a title as it stands: full-width characters stay, a leading sign of equality too."""
    if is_missing(raw):
        return EMPTY
    if isinstance(raw, float) and raw.is_integer():
        return Cell(str(int(raw)))
    return Cell(str(raw).strip(" \t\r\n\ufeff\u200b"))


def carrier(raw: Raw) -> Cell:
    """A form of content as live, note, video, card or other."""
    if is_missing(raw):
        return EMPTY
    return Cell(_CARRIERS.get(plain(raw), "other"))


def hour(raw: Raw) -> Cell:
    """The number of an hour of the day: "14:00 - 14:59" is 14."""
    if is_missing(raw):
        return EMPTY
    if isinstance(raw, time | datetime):
        return Cell(raw.hour)
    text = str(int(raw)) if isinstance(raw, float) and raw.is_integer() else plain(raw)
    found = _HOUR.fullmatch(text)
    if found is None or int(found[1]) > 23:
        return Cell(None, fault="unreadable")
    return Cell(int(found[1]))


def _number(text: str) -> tuple[float, float, bool] | None:
    """A number, the half width of what it was rounded to, and whether it is a percentage."""
    found = _NUMBER.fullmatch(text)
    if found is None or not (found["digits"] or found["point"]):
        return None
    scale = _SCALES[found["scale"]]
    value = float(f"{(found['digits'] or '0').replace(',', '')}{found['point'] or ''}{found['power'] or ''}")
    if not _is_sized(value * scale):
        return None
    decimals = len(found["point"]) - 1 if found["point"] else 0
    half = 0.5 * scale * 10.0**-decimals if scale > 1 else 0.0
    return _tidy((-1 if found["sign"] == "-" else 1) * value * scale), half, bool(found["percent"])


def _with_unit(low: str, high: str) -> str:
    """The lower end of "5~10万" is in 万 too; that of "5000~1万" is not."""
    first, last = _NUMBER.fullmatch(low.strip()), _NUMBER.fullmatch(high.strip())
    if first is None or last is None:
        return low
    unit = f"{last['scale'] if not first['scale'] and _size(first) < _size(last) else ''}"
    sign = "%" if last["percent"] and not first["percent"] else ""
    return f"{low.strip()}{unit}{sign}"


def _size(found: re.Match[str]) -> float:
    return float(f"{(found['digits'] or '0').replace(',', '')}{found['point'] or ''}")


def _is_sized(value: float) -> bool:
    """Whether a number is one that can be counted with: neither infinite nor so large that a unit would make it so."""
    return -LARGEST < value < LARGEST


def _none(end: Cell) -> Cell:
    """The open end of a range: unreadable where the other one is."""
    return Cell(None, fault=end.fault)


def _tidy(value: float) -> float:
    """A product of decimals without the noise of binary fractions."""
    return float(f"{value:.15g}")


def is_day(raw: Raw) -> bool:
    """Whether a cell is a day or a time of its own kind, not text."""
    return isinstance(raw, date)
