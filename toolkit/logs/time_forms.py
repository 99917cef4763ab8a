"""Forms in which files write times, how each is told from the others, and what to say of those that are none."""

from __future__ import annotations

import datetime as dt
import re

# A zone is read only behind a time of day: the end of 2019-01-01 is not one.
ZONED = r":\d{2}(\.\d+)?\s*(Z|z|UTC|GMT|[+-]\d{2}(:?\d{2})?)$"
# A text without a zone is a year, a month, a day and perhaps a time of day, and nothing behind it. DuckDB's own cast
# takes more, and wrongly: 24-06-18 is the year 24 to it, 10:30 PM is half past ten in the morning.
PLAIN = r"^\d{4}([-/.年]|\d{4} )[-0-9:./月日 ]*(T[-0-9:.]*)?$"
# Forms that DuckDB's own cast does not read; Chinese exports use the slashes, Tianchi's logs the bare hour.
FORMATS = (
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y-%m-%d %H",
    "%Y/%m/%d",
    "%Y.%m.%d %H:%M:%S",
    "%Y.%m.%d %H:%M",
    "%Y.%m.%d",
    "%Y年%m月%d日 %H:%M:%S",
    "%Y年%m月%d日 %H:%M",
    "%Y年%m月%d日",
    "%Y%m%d %H:%M:%S",
    "%Y%m%d %H:%M",
)
# Times written as digits alone, by how many there are.
COMPACT = {8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S", 17: "%Y%m%d%H%M%S%g"}
#: A column is of a form where so large a share of its first values has it.
NEARLY_ALL = 0.95
#: A text whose year does not come first, and what a reader can name its form by.
YEAR_LAST = re.compile(r"^\s*(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})\b(.*)$")


def is_compact(value: object) -> bool:
    """Whether a value is a time of 1990 to 2100 written as digits alone, such as 20240618 or 20240618193000."""
    digits = re.sub(r"\.0+$", "", str(value).strip())
    if isinstance(value, float) and value.is_integer():
        digits = str(int(value))
    if len(digits) not in COMPACT or not digits.isascii() or not digits.isdigit():
        return False
    try:
        moment = dt.datetime.strptime(digits[:14].ljust(14, "0"), "%Y%m%d%H%M%S")
    except ValueError:
        return False
    # Read as Unix times such numbers lie before 1990 or in the future, with any unit: the two readings never meet.
    return 1990 <= moment.year < 2100


def form_of(values: list[str]) -> str:
    """What a reader can do about texts that are no ISO times: the form they have, and how it is named."""
    found = [match for value in values if (match := YEAR_LAST.match(value))]
    if not found:
        if any(re.search(r"\d\s*[AaPp]\.?[Mm]", value) for value in values):
            return "name the form of times with AM and PM: time_format='%Y-%m-%d %I:%M %p'"
        if any(re.search(r":\d\d\S*\s+\S", value) for value in values):
            return "write the zone behind a time as +08:00, or leave it out and name it with timezone="
        if all(re.fullmatch(r"\s*\d{1,2}:\d{2}(:\d{2})?\s*", value) for value in values):
            return "a time of day has its day in another column: time=[DATE, TIME]"
        return "name their form with time_format=, such as time_format='%d %b %Y %H:%M'"
    first, second = (max(int(match[group]) for match in found) for group in (1, 3))
    between, year = found[0][2], "%Y"
    if len(found[0][4]) < 4:
        short = [
            between.join(order) for order in (("%y", "%m", "%d"), ("%d", "%m", "%y"), ("%m", "%d", "%y"))
        ]
        return f"a year has two digits: name which part it is with time_format={', '.join(map(repr, short))}"
    rest = found[0][5]
    clock = " %H:%M:%S" if rest.count(":") == 2 else " %H:%M" if rest.count(":") == 1 else ""
    clock = clock.replace("%H", "%I") + " %p" if re.search("[AaPp][Mm]", rest) else clock
    day_first, month_first = (between.join([*order, year]) + clock for order in (("%d", "%m"), ("%m", "%d")))
    if first > 12 and second > 12:
        return "some have the day first and some the month first: write them as 2019-07-01"
    if first > 12:
        return f"the day comes first: time_format={day_first!r}"
    if second > 12:
        return f"the month comes first: time_format={month_first!r}"
    return (
        f"the day or the month may come first: name which with time_format={day_first!r} or {month_first!r}"
    )
