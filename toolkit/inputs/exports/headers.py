"""Where the headers stand in a sheet, and which kind of export they give away."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from toolkit.inputs.cells import is_missing
from toolkit.inputs.exports.kinds import Kind, Part, normal
from toolkit.inputs.faults import ExportError
from toolkit.inputs.files.sheets import Row, Sheet, blank
from toolkit.inputs.times import moment
from toolkit.wording import some

#: Rows in which the first header line of a sheet is looked for.
LOOKED_AT = 300
#: The header of the days, where they run across.
DAY = "日期"


@dataclass(frozen=True)
class Line:
    """A line of headers: its place, whether it is two lines merged, and the table it opens."""

    row: int
    lines: int
    headers: tuple[str, ...]
    part: Part
    known: int

    @property
    def last(self) -> int:
        """The place of its last row."""
        return self.row + self.lines - 1


def headers_of(row: Row) -> tuple[str, ...]:
    """The cells of a row as headers; what is blank or a dash names nothing."""
    return tuple("" if is_missing(raw) else str(raw).strip(" \t\r\n\ufeff\u200b") for raw in row)


def below(upper: Sequence[str], lower: Sequence[str]) -> tuple[str, ...]:
    """Two lines of headers as one: where the lower one is blank, as under a merged cell, the upper one names."""
    size = max(len(upper), len(lower))
    pairs = zip(_padded(tuple(upper), size), _padded(tuple(lower), size), strict=True)
    return tuple(under or over for over, under in pairs)


def line_at(rows: Sequence[Row], at: int, kind: Kind) -> Line | None:
    """The header line that begins at a row, one row high or two."""
    one = _line(headers_of(rows[at]), at, 1, kind)
    if at + 1 < len(rows):
        upper, lower = headers_of(rows[at]), headers_of(rows[at + 1])
        both = _line(below(upper, lower), at, 2, kind)
        below_alone = _line(lower, at + 1, 1, kind)
        best = max(line.known for line in (one, below_alone) if line is not None) if one or below_alone else 0
        grouped = below_alone is not None and one is None and _groups(rows[at])
        if both is not None and any(upper) and (both.known > best or (both.known == best and grouped)):
            return both
    return one


def kind_of(sheets: Sequence[Sheet], kinds: Iterable[Kind], where: str) -> Kind:
    """The kind that the headers of a file give away.

    Raises
    ------
    ExportError
        unknown_kind with the headers found and the nearest kinds; ambiguous_kind where two fit equally.
    """
    kinds = tuple(kinds)
    every = frozenset().union(*(kind.headers for kind in kinds))
    scores: dict[str, int] = {}
    for sheet in sheets:
        for rows in (sheet.rows, *([sheet.turned().rows] if _may_turn(sheet) else [])):
            for at in range(min(len(rows), LOOKED_AT)):
                if sum(normal(header) in every for header in headers_of(rows[at]) if header) < 1:
                    continue
                for kind in kinds:
                    if rows is not sheet.rows and not kind.wide:
                        continue
                    line = line_at(rows, at, kind)
                    if line is not None:
                        scores[kind.name] = scores.get(kind.name, 0) + line.known
    if not scores:
        raise _unknown(sheets, kinds, every, where)
    most = max(scores.values())
    best = [kind for kind in kinds if scores.get(kind.name) == most]
    if len(best) > 1:
        names = some([kind.name for kind in best])
        raise ExportError(
            "ambiguous_kind",
            f"{where} fits {names} equally; give the right one alone with definitions=, under a name of its own and "
            "with the headers that tell it apart in found_by",
            found=names,
        )
    return best[0]


def laid_out(sheet: Sheet, kind: Kind) -> Sheet:
    """The sheet as the kind reads it: turned, where its days run across."""
    if not kind.wide or any(line_at(sheet.rows, at, kind) for at in range(min(len(sheet.rows), LOOKED_AT))):
        return sheet
    turned = sheet.turned()
    for at in range(min(len(turned.rows), LOOKED_AT)):
        if line_at(turned.rows, at, kind) is None:
            continue
        below = turned.rows[at + 1 :]
        days = [sum(_is_day(row, column) for row in below) for column in range(len(turned.rows[at]))]
        if max(days, default=0) > 0:
            turned.rows[at][days.index(max(days))] = DAY
            return turned
    return sheet


def nearest(header: str, kind: Kind) -> str:
    """The known header that is most like one that is not known; offered, never used."""
    known = [one for part in kind.parts for one in part.columns]
    for part in kind.parts:
        known += [prefix + one for prefix in part.split.get("prefixes", {}) for one in part.columns]
    swapped = normal(header).replace("支付", "成交").replace("uv", "人数").replace("pv", "次数")

    def like(one: str) -> float:
        other = normal(one)
        return max(difflib.SequenceMatcher(None, name, other).ratio() for name in (normal(header), swapped))

    return max(known, key=like) if known else ""


def _line(headers: tuple[str, ...], at: int, lines: int, kind: Kind) -> Line | None:
    texts = [header for header in headers if header]
    if not texts:
        return None
    lines_found = [
        Line(at, lines, headers, part, sum(part.meaning(header).what != "unknown" for header in texts))
        for part in kind.parts
        if part.found(texts)
    ]
    return max(lines_found, key=lambda line: line.known) if lines_found else None


def _groups(row: Row) -> bool:
    """Whether a row above the headers may be their groups: several labels, none of them a number."""
    cells = [raw for raw in row if not blank(raw)]
    return len(cells) >= 2 and all(
        isinstance(raw, str) and not any(c.isdigit() for c in raw) for raw in cells
    )


def _padded(cells: tuple[str, ...], size: int) -> tuple[str, ...]:
    return cells + ("",) * (size - len(cells))


def _may_turn(sheet: Sheet) -> bool:
    return sheet.rest is None or len(sheet.rows) <= LOOKED_AT


def _is_day(row: Row, column: int) -> bool:
    raw = row[column] if column < len(row) else None
    try:
        return moment(raw).value is not None
    except ValueError:  # a day without a year is a day
        return True


def _unknown(
    sheets: Sequence[Sheet], kinds: tuple[Kind, ...], every: frozenset[str], where: str
) -> ExportError:
    rows = [[headers_of(row) for row in islice(sheet.rows, LOOKED_AT)] for sheet in sheets]
    lines = [
        (below(own[at - 1], line) if at and not all(line) else line, line)
        for own in rows
        for at, line in enumerate(own)
        if sum(map(bool, line)) >= 2
    ]
    if not lines:
        return ExportError(
            "not_an_export",
            f"{where} holds no table: no row has two cells. Download the table itself from the dashboard",
            found="no table",
        )
    known = [sum(normal(cell) in every for cell in line if cell) for _, line in lines]
    best = lines[known.index(max(known))][0]
    found = [header for header in best if header]

    def share(kind: Kind) -> int:
        return sum(normal(header) in kind.headers for header in found)

    near = [kind for kind in sorted(kinds, key=share, reverse=True)[:3] if share(kind)]
    offered = f"; nearest: {some([kind.name for kind in near])}" if near else "; no kind knows any of them"
    offered += f". {near[0].name} is told by {_lacking(near[0], found)}" if near else ""
    return ExportError(
        "unknown_kind",
        f"{where} is of no known kind. Its headers: {some(found)}{offered}. Start a definition from the error's "
        ".draft, and give it with definitions=; for one column of it read_series(path, column) is enough",
        found=", ".join(found),
        draft=draft(found, kinds),
    )


def _lacking(kind: Kind, found: Sequence[str]) -> str:
    """Which headers would tell that a file is of a kind, and what the file has like them."""
    there = {normal(header) for header in found}
    groups = [
        [one for one in group if normal(one) not in there] for part in kind.parts for group in part.found_by
    ]
    said = []
    for header in min(groups, key=len):
        like = difflib.get_close_matches(header, found, 1, 0.5)
        said.append(f"{header} (now {like[0]}?)" if like else header)
    return f"{some(said)}, which {'is' if len(said) == 1 else 'are'} not here"


def draft(headers: Sequence[str], kinds: Iterable[Kind], *, named: Kind | None = None) -> str:
    """A definition to start from: the headers met, the nearest known metric beside each, commented out."""
    known = {
        normal(header): column
        for kind in kinds
        for part in kind.parts
        for header, column in part.columns.items()
    }

    def quoted(text: str) -> str:
        escaped = "".join(
            f"\\u{ord(c):04x}" if ord(c) < 32 or c in '"\\' or ord(c) == 127 else c for c in text
        )
        return f'"{escaped}"'

    met = {column.metric for header in headers if (column := known.get(normal(header))) is not None}
    table, key = ("day", "date") if "date" in met and "start" not in met else ("session", "start")
    lines = [
        'kind = "mine.table"',
        'platform = "douyin"  # or taobao_live, kuaishou, xiaohongshu',
        f'table = "{table}"  # one of session, day, hour, item, sku, channel, order, note, creator, ad',
        f'key = ["{key}"]  # the columns that tell rows apart',
        f"found_by = [{', '.join(quoted(header) for header in headers[:3])}]  # headers that give it away",
        'defaults = {scope = "room", seen = "session", window = "session"}',
        'source = "where these headers were read"',
        "",
    ]
    if named is not None:
        lines = [
            f"extends = {quoted(named.name)}  # all that is known there stays",
            f"table = {quoted(named.parts[0].table)}",
            'source = "where these headers were read"',
            "",
        ]
    lines += [
        "[columns]  # take out the # where the metric is right; see toolkit/sources/definitions/columns.toml",
    ]
    for header in dict.fromkeys(headers):
        near = difflib.get_close_matches(normal(header), known, 1, 0.0)
        metric = known[near[0]].metric if near else "gmv"
        lines.append(f"# {quoted(header)} = {quoted(metric)}")
    return "\n".join(lines) + "\n"
