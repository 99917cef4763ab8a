"""Kinds of exports: which headers each has and what stands under them. They are data, one TOML file a kind."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from toolkit.inputs.definitions import Definition, canonical, define
from toolkit.wording import unknown

#: Columns about a receiver or a buyer: never read.
PERSONAL = frozenset(
    {
        "收件人",
        "收件人手机号",
        "收件人电话",
        "收货人",
        "收货人姓名",
        "收货电话",
        "手机号",
        "手机",
        "电话",
        "联系电话",
        "姓名",
    }
    | {
        "街道",
        "详细地址",
        "收货地址",
        "地址",
        "身份证号",
        "真实姓名",
        "买家手机号",
        "收件地址",
        "收货人手机号",
    }
)
_UNIT = re.compile(r"\((万元|万|元|分钱|分钟|小时|秒|分|人|次|单|件|个|%)\)$")
#: What a header says behind its name: money and counts are scaled, times are read in that unit.
SCALES = {"万元": 10_000.0, "万": 10_000.0, "分钱": 0.01}
SECONDS = {"分钟": 60.0, "分": 60.0, "小时": 3600.0, "秒": 1.0}
_OPTIONS = {"metric", "form", "range", "span", "matures", "unit"} | {
    "over",
    "window",
    "scope",
    "basis",
    "refunds",
    "estimate",
}


@dataclass(frozen=True)
class Column:
    """What stands under one header: a canonical metric, how its cells are written, and its definition."""

    header: str
    metric: str
    told: tuple[tuple[str, Any], ...] = ()
    form: Literal["fraction", "percent"] = "fraction"
    form_told: bool = False
    ranged: bool = False
    span: tuple[str, ...] = ()
    matures: int | None = None
    unit: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the table that this header fills."""
        if self.span:
            return self.span
        return (f"{self.metric}_low", f"{self.metric}_high") if self.ranged else (self.metric,)

    def define(self, platform: str, kind: str, header: str | tuple[str, ...]) -> list[Definition]:
        """The definitions of those columns; `header` is the header as the file writes it."""
        said: dict[str, Any] = {"platform": platform, "kind": kind, "source_header": header}
        if self.span:
            return [define(name, **said) for name in self.span]
        told = dict(self.told) | said
        if self.ranged:
            ends = zip(self.names, ("low", "high"), strict=True)
            return [define(name, metric=self.metric, bound=bound, **told) for name, bound in ends]
        return [define(self.metric, **told)]


@dataclass(frozen=True)
class Meaning:
    """What a header of a file turned out to be."""

    what: Literal["column", "older", "ambiguous", "ignored", "personal", "unknown"]
    column: Column | None = None
    now: str = ""
    normalised: bool = False
    scale: float = 1.0
    seconds: float = 1.0
    prefix: str = ""
    candidates: tuple[str, ...] = ()
    beside: str = ""


@dataclass(frozen=True)
class Part:
    """One table of a kind: the headers that give it away, its key, and its columns."""

    table: str
    key: tuple[str, ...]
    found_by: tuple[tuple[str, ...], ...]
    columns: dict[str, Column]
    older: dict[str, dict[str, str]] = field(default_factory=dict)
    ambiguous: dict[str, dict[str, Any]] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    split: dict[str, Any] = field(default_factory=dict)
    stacked: str = ""
    under: str = ""
    carried: tuple[str, ...] = ()
    total_to: str = ""

    @cached_property
    def _normal(self) -> dict[str, str]:
        known = [*self.columns, *self.older, *self.ambiguous, *self.ignored]
        return {normal(header): header for header in reversed(known)}

    @cached_property
    def _bare(self) -> dict[str, str]:
        return {_UNIT.sub("", normal(header)): header for header in reversed([*self.columns])}

    def found(self, headers: Sequence[str]) -> bool:
        """Whether all headers of one of the lists that give the table away stand in a line, older names too."""
        there = {normal(header) for header in headers}
        there |= {normal(self.older[old]["now"]) for old in self.older if normal(old) in there}
        return any(all(normal(one) in there for one in group) for group in self.found_by)

    def meaning(self, header: str) -> Meaning:
        """What a header means here."""
        if header in PERSONAL:
            return Meaning("personal")
        exact = self._known(header)
        if exact is not None:
            return exact
        folded = normal(header)
        if folded in {normal(one) for one in PERSONAL}:
            return Meaning("personal")
        for prefix, _ in sorted(self.split.get("prefixes", {}).items(), key=lambda pair: -len(pair[0])):
            if header.startswith(prefix) and (base := self._known(header.removeprefix(prefix), prefix)):
                return base if base.what == "column" else Meaning("unknown")
        if folded in self._normal:
            found = self._known(self._normal[folded], normalised=True)
            return found or Meaning("unknown")
        bare = _UNIT.sub("", folded)
        unit = _UNIT.search(folded)
        if unit is not None and bare in self._bare:
            return self._column(self._bare[bare], normalised=True, unit=unit[1])
        return Meaning("unknown")

    def _known(self, header: str, prefix: str = "", *, normalised: bool = False) -> Meaning | None:
        if header in self.columns:
            return self._column(header, prefix=prefix, normalised=normalised)
        if header in self.older:
            now = self.older[header]["now"]
            found = self._column(now)
            return Meaning("older", found.column, now, normalised, found.scale, found.seconds)
        if header in self.ambiguous:
            about = self.ambiguous[header]
            return Meaning("ambiguous", candidates=tuple(about["candidates"]), beside=about.get("beside", ""))
        if header in self.ignored:
            return Meaning("ignored")
        return None

    def _column(self, header: str, *, prefix: str = "", normalised: bool = False, unit: str = "") -> Meaning:
        column = self.columns[header]
        bracket = _UNIT.search(normal(header))
        unit = unit or column.unit or (bracket[1] if bracket else "")
        about = canonical()[column.metric]["unit"] if not column.span else "datetime"
        scale = SCALES.get("分钱" if unit == "分" else unit, 1.0) if about != "seconds" else 1.0
        return Meaning(
            "column",
            column,
            header,
            normalised,
            scale,
            SECONDS.get(unit, 1.0) if about == "seconds" else 1.0,
            prefix,
        )


@dataclass(frozen=True)
class Kind:
    """A kind of export: its platform, its tables, and where its headers were read."""

    name: str
    platform: str
    parts: tuple[Part, ...]
    source: str
    file_name: str = ""
    by: str = ""
    wide: bool = False
    shared: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    not_final: tuple[str, ...] = ()
    whose: str = "the toolkit"

    @cached_property
    def headers(self) -> frozenset[str]:
        """All headers that the kind knows, in their normal form."""
        known: set[str] = set()
        for part in self.parts:
            known |= {normal(one) for one in (*part.columns, *part.older, *part.ambiguous, *part.ignored)}
            for prefix in part.split.get("prefixes", {}):
                known |= {normal(prefix + one) for one in part.columns}
        return frozenset(known)


@lru_cache(maxsize=10_000)
def normal(header: str) -> str:
    """A header in half-width characters, without blanks, in lower case."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", header)).casefold()


@cache
def built_in() -> tuple[Kind, ...]:
    """The kinds that come with the toolkit."""
    return tuple(made(about, f"{name}.toml") for name, about in _written().items())


@cache
def _written() -> dict[str, dict[str, Any]]:
    """Their definitions as written, by kind."""
    folder = files("toolkit.sources.definitions").joinpath("exports")
    texts = sorted(
        (one.name, one.read_text(encoding="utf-8")) for one in folder.iterdir() if one.name.endswith("toml")
    )
    return {name.removesuffix(".toml"): tomllib.loads(text) for name, text in texts}


def kinds(definitions: Sequence[str | Path | dict[str, Any]] = ()) -> tuple[Kind, ...]:
    """All kinds that a file may be of; a definition of the reader's own wins over the built-in one of its name.

    One that says `extends` is that built-in kind with its own columns added.
    """
    own = []
    for one in definitions:
        if isinstance(one, dict):
            given = _extended(one, "the definition given")
            own.append(made(given, "the definition given", whose="the definition given"))
            continue
        path = Path(one)
        try:
            about = _extended(tomllib.loads(path.read_text(encoding="utf-8")), str(path))
            own.append(made(about, str(path), whose=str(path)))
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{path} is no TOML ({error})") from error
    names = {kind.name for kind in own}
    return (*own, *(kind for kind in built_in() if kind.name not in names))


def _extended(about: dict[str, Any], where: str) -> dict[str, Any]:
    """A definition with what it takes over from a built-in kind, if it says that it extends one."""
    if "extends" not in about:
        return about
    base = _written().get(about["extends"])
    if base is None:
        raise ValueError(f"{where}: extends: " + unknown("kind", about["extends"], _written()))
    parts = base.get("part") or [base]
    table = about.get("table", parts[0]["table"])
    if table not in [part["table"] for part in parts]:
        tables = [part["table"] for part in parts]
        raise ValueError(f"{where}: " + unknown("table", table, tables, of=about["extends"]))
    found = [
        {**part, "columns": {**part["columns"], **about.get("columns", {})}}
        if part["table"] == table
        else part
        for part in parts
    ]
    whole = {**base, "source": about.get("source", base["source"])}
    return {**whole, "part": found} if "part" in base else {**whole, "columns": found[0]["columns"]}


def made(about: dict[str, Any], where: str, *, whose: str = "the toolkit") -> Kind:
    """A kind from its TOML, checked.

    Raises
    ------
    ValueError
        For a field that is missing, and for a metric, a table or an option that is not known.
    """
    for name in ("kind", "platform", "source"):
        if not isinstance(about.get(name), str):
            raise ValueError(f"{where}: {name!r} is missing; a definition says its kind, platform and source")
    parts = about.get("part") or [about]
    file_name = about.get("file_name", "")
    try:
        re.compile(file_name)
    except re.error as error:
        raise ValueError(f"{where}: file_name is no pattern ({error})") from error
    return Kind(
        name=about["kind"],
        platform=about["platform"],
        parts=tuple(_part(part, about, where) for part in parts),
        source=about["source"],
        file_name=file_name,
        by=about.get("by", ""),
        wide=about.get("wide", False),
        shared=tuple(about.get("shared", ())),
        masked=tuple(about.get("masked", ())),
        not_final=tuple(about.get("not_final", ())),
        whose=whose,
    )


def _part(part: dict[str, Any], about: dict[str, Any], where: str) -> Part:
    for name in ("table", "key", "found_by", "columns"):
        if not part.get(name):
            raise ValueError(f"{where}: {name!r} is missing; a table has table, key, found_by and columns")
    groups = part["found_by"] if isinstance(part["found_by"][0], list) else [part["found_by"]]
    defaults = about.get("defaults", {})
    columns = {header: _column(header, told, defaults, where) for header, told in part["columns"].items()}
    older = part.get("older", {})
    for header, one in older.items():
        if one.get("now") not in columns:
            raise ValueError(
                f"{where}: older header {header!r}: " + unknown("column", one.get("now"), columns)
            )
    ambiguous = {
        header: {"candidates": one} if isinstance(one, list) else one
        for header, one in part.get("ambiguous", {}).items()
    }
    return Part(
        part["table"],
        tuple(part["key"]),
        tuple(tuple(group) for group in groups),
        columns,
        older,
        ambiguous,
        tuple(part.get("ignored", ())),
        part.get("split", {}),
        part.get("stacked", ""),
        part.get("under", ""),
        tuple(part.get("carried", ())),
        part.get("total_to", ""),
    )


def _column(header: str, told: str | dict[str, Any], defaults: dict[str, str], where: str) -> Column:
    given: dict[str, Any] = {"metric": told} if isinstance(told, str) else dict(told)
    if odd := set(given) - _OPTIONS:
        raise ValueError(f"{where}: {header!r}: " + unknown("option", sorted(odd)[0], sorted(_OPTIONS)))
    if "span" in given:
        return Column(header, given["span"][0], span=tuple(given["span"]))
    metric = given.pop("metric", None)
    if metric not in canonical():
        raise ValueError(f"{where}: {header!r}: " + unknown("metric", metric, canonical()))
    form = given.pop("form", None)
    if form not in (None, "fraction", "percent"):
        raise ValueError(f"{where}: {header!r}: form={form!r}; use 'fraction' or 'percent'")
    ranged, matures, unit = given.pop("range", False), given.pop("matures", None), given.pop("unit", "")
    told_all = _defaults(metric, defaults) | given
    return Column(
        header,
        metric,
        tuple(told_all.items()),
        form or "fraction",
        form is not None,
        ranged,
        matures=matures,
        unit=unit,
    )


def _defaults(metric: str, defaults: dict[str, str]) -> dict[str, str]:
    """What a kind says of all its columns, as far as it applies to this one."""
    about = canonical()[metric]
    if about["unit"] in ("text", "id", "datetime", "date", "hour"):
        return {}
    told = {"scope": defaults["scope"]} if "scope" in defaults else {}
    seen = defaults.get("window" if about.get("outcome") else "seen")
    if seen is not None:
        told["window"] = seen
    if about.get("basis") == "paid":
        told |= {name: defaults[name] for name in ("basis", "refunds") if name in defaults and name in about}
    return told
