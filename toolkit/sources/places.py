"""Places: the cities of prefecture level, found in text as exports write it, and never guessed."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib.resources import files

import pandas as pd

from toolkit.sources import definitions

_BLANK = {"na", "n/a", "#n/a", "null", "none", "nan", "暂无", "未知", "不详", "无"}
_SEPARATORS = re.compile(r"[\s\u200b\ufeff\-—–_/\\|,、;:>·.。()\[\]【】]+")
_PROVINCE_ENDINGS = "省|特别行政区|(?:壮族|回族|维吾尔)?自治区"
#: 西安区 and 长沙县 are not the cities of that name, and 南京东路 is a street.
_NO_CITY = re.compile(r"[区县旗镇乡村道]|\S*?(?:路|街(?!道)|大道)")
#: Districts named like a city or province elsewhere, for text that leaves 区 or 县 out.
_NAMESAKES = {
    ("北京", "朝阳"),
    ("长春", "朝阳"),
    ("天津", "河北"),
    ("大连", "中山"),
    ("大庆", "大同"),
    ("牡丹江", "西安"),
    ("辽源", "西安"),
    ("鹤岗", "兴安"),
    ("桂林", "兴安"),
    ("乌海", "海南"),
}


class Atlas:
    """Names of the cities in every form, and the province of each.

    Parameters
    ----------
    others
        Names of places below prefecture level that are to be found as well.
    """

    def __init__(self, others: frozenset[str] = frozenset()) -> None:
        rows = read_table("prefectures")
        self._home = dict(zip(rows["city"], rows["province"], strict=True))
        alone = rows["province"].value_counts() == 1
        self._municipalities = set(alone[alone].index)
        provinces = "|".join([*rows["province"].unique(), "台湾"])
        self._province = re.compile(f"({provinces})(?:{_PROVINCE_ENDINGS})?")
        # Each form with its city, and whether it says that a city is meant.
        self._forms = {other + ending: (other, bool(ending)) for other in others for ending in ("", "市")}
        for city, name in zip(rows["city"], rows["name"], strict=True):
            short = f"{city}州" if name.endswith("自治州") else f"{city}市"
            self._forms |= {city: (city, False)} | dict.fromkeys([f"{city}市", short, name], (city, True))
        longest_first = sorted(self._forms, key=len, reverse=True)
        self._city = re.compile("|".join(map(re.escape, longest_first)))

    def city(self, name: str) -> str | None:
        """The city that has this name in one of its forms, where it is known that a city is meant."""
        return self._forms[name][0] if name in self._forms else None

    def read(self, text: str) -> tuple[str | None, str]:
        """City that a text names, and how it was read: city, province, ambiguous, unknown or missing.

        Examples
        --------
        >>> Atlas().read("吉林省吉林市"), Atlas().read("吉林"), Atlas().read("黑龙江省牡丹江市西安区")
        (('吉林', 'city'), (None, 'ambiguous'), ('牡丹江', 'city'))
        """
        text = unicodedata.normalize("NFKC", text).strip()
        if text.casefold() in _BLANK:
            return None, "missing"
        text = _SEPARATORS.sub(" ", text).strip().removeprefix("中国").lstrip()
        if not text:
            return None, "missing"
        province, city = self._province.match(text), self._city.match(text)
        within = None
        # 吉林市 and 海南州 are longer than the province's name they begin with; 吉林省 is longer than the city's.
        longer = province and city and len(city[0]) > len(province[0])
        if province and province[1] not in self._municipalities and not longer:
            within, rest = province[1], text[province.end() :].lstrip()
            if not rest:
                return None, "ambiguous" if province[0] in self._home else "province"
            text, city = rest, self._city.match(rest)
        if not city:
            return None, "unknown"
        name, explicit = self._forms[city[0]]
        rest = text[city.end() :]
        if not explicit and _NO_CITY.match(rest):
            return None, "unknown"
        home = self._home.get(name)
        if (within and home and within != home) or self._elsewhere(name, home, rest.lstrip()):
            return None, "ambiguous"
        return name, "city"

    def _elsewhere(self, name: str, home: str | None, rest: str) -> bool:
        """Whether a second place follows, which is neither the city, nor in it, nor around it."""
        for found in (self._city.match(rest), self._province.match(rest)):
            if found:
                place = self._forms[found[0]][0] if found[0] in self._forms else found[1]
                district = found[0] == place and bool(_NO_CITY.match(rest[found.end() :]))
                if not district and place not in (name, home) and (name, place) not in _NAMESAKES:
                    return True
        return False


@cache
def atlas(others: frozenset[str] = frozenset()) -> Atlas:
    """The atlas with these further places, made once."""
    return Atlas(others)


@cache
def read_table(name: str) -> pd.DataFrame:
    """One CSV file of the definitions; a copy is for the caller to make."""
    with files(definitions).joinpath(f"{name}.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file)
