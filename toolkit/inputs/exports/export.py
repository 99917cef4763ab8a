"""Exports of dashboards, read as they are: tidy tables, a definition on every column, and what was met on the way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from toolkit.inputs.contrasts import Contrast, contrast
from toolkit.inputs.definitions import Definition
from toolkit.inputs.exports.downloads import joined, period_of, read_download, read_folder
from toolkit.inputs.exports.frames import Table, finished
from toolkit.inputs.exports.kinds import kinds
from toolkit.inputs.faults import MEANINGS, Problem, codes
from toolkit.inputs.measures import Measures, measure
from toolkit.inputs.orders import repurchase_of
from toolkit.inputs.predictions import OwnPast, own_past
from toolkit.inputs.series import series_of
from toolkit.inputs.steps import funnel_of, steps_of
from toolkit.results import Result, html_table
from toolkit.wording import counted, some, unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.cohorts import Repurchase
    from toolkit.funnels import Funnel

#: Tables in the order in which one stands for the whole export.
_FIRST = ("session", "day", "order", "hour", "channel", "item", "note", "creator", "ad", "sku")


@dataclass(frozen=True, repr=False, eq=False)
class Export(Result):
    """What a dashboard's files say: tables by name, also as attributes, and what each column means.

    Made by `read_export`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from toolkit import read_export
    >>> rows = {"主播抖音号": list("甲甲乙乙"), "直播开始时间": [f"2026/3/{day} 19:30" for day in (1, 2, 1, 3)],
    ...         "直播间观看人数": [1000, 1200, 900, 1100], "直播间成交人数": [40, 60, 27, 50]}
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "直播明细.csv"
    >>> pd.DataFrame(rows).to_csv(file, index=False)
    >>> export = read_export(file)
    >>> export.session["viewers"].tolist(), export.definition("viewers").unit
    ([1000, 1200, 900, 1100], 'people')
    """

    kind: str
    platform: str
    period: tuple[date, date] | None
    tables: dict[str, pd.DataFrame]
    totals: dict[str, pd.DataFrame]
    told: tuple[Problem, ...]
    files: tuple[str, ...]
    defined_by: str
    parts: dict[str, Table] = field(repr=False)
    _draft: str = ""

    def __getattr__(self, name: str) -> pd.DataFrame:
        tables = self.__dict__.get("tables", {})
        if name in tables:
            return tables[name]
        raise AttributeError(unknown("table or attribute", name, tables, of="the export"))

    @cached_property
    def table(self) -> pd.DataFrame:
        """The table that the export is about."""
        return self.tables[self.main]

    @property
    def main(self) -> str:
        """The name of that table."""
        return min(self.tables, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))

    @cached_property
    def definitions(self) -> pd.DataFrame:
        """One row per column of each table: what it measures, over what, within what, and under which header."""
        rows = [
            {"table": table.name, "column": one.name, **one.as_dict()}
            for table in self.parts.values()
            for one in table.definitions.values()
        ]
        return pd.DataFrame(rows).drop(columns="name")

    @cached_property
    def problems(self) -> pd.DataFrame:
        """What a reader of the numbers must know: code, file, sheet, cell, and a text that says what it means."""
        rows = [(one.code, one.file, one.sheet, one.cell, _said(one)) for one in self.told]
        return pd.DataFrame(rows, columns=["code", "file", "sheet", "cell", "text"])

    def definition(self, column: str, table: str | None = None) -> Definition:
        """The definition of a column, of the main table unless another is named.

        Raises
        ------
        ValueError
            For a table or a column that is not there.
        """
        name = self.main if table is None else table
        if name not in self.parts:
            raise ValueError(unknown("table", name, self.parts, of="the export"))
        known = self.parts[name].definitions
        if column not in known:
            raise ValueError(unknown("column", column, known, of=f"the table {name}"))
        return known[column]

    def rounding(self, column: str, table: str | None = None) -> pd.Series:
        """Half the width that each value of a column was rounded to; 0 where it is exact."""
        self.definition(column, table)
        part = self.parts[self.main if table is None else table]
        exact = pd.Series(0.0, index=part.frame.index, name=column)
        return part.rounding.get(column, exact)

    def summary(self) -> pd.DataFrame:
        """One row per table: rows, columns, totals set aside, and cells without a value."""
        rows = [
            {
                "table": name,
                "key": ", ".join(self.parts[name].key),
                "rows": len(frame),
                "columns": frame.shape[1],
                "totals": len(self.totals.get(name, ())),
                "missing": int(frame.isna().to_numpy().sum()),
            }
            for name, frame in self.tables.items()
        ]
        return pd.DataFrame(rows)

    def sentence(self) -> str:
        """What was read, from where, and what must be known of it."""
        held = some(
            [counted(len(frame), f"row of {name}", f"rows of {name}") for name, frame in self.tables.items()]
        )
        when = f", {self.period[0]} to {self.period[1]}" if self.period else ", no period told"
        aside = sum(map(len, self.totals.values()))
        parts = [f"{held} from {counted(len(self.files), 'file')} of {self.kind} ({self.platform}{when})"]
        if aside:
            parts.append(f"{counted(aside, 'total')} set aside in .totals")
        grave = [code for code in codes(self.told) if code not in _QUIET]
        if grave:
            parts.append(f"read .problems: {some(grave)}")
        if self.defined_by != "the toolkit":
            parts.append(f"headers defined by {self.defined_by}")
        return "; ".join(parts) + "."

    def _repr_html_(self) -> str:
        told = html_table(self.problems) if self.told else ""
        return f"<p>{escape(self.sentence())}</p>\n{html_table(self.summary())}\n{told}"

    def draft_definition(self) -> str:
        """A definition of this kind to start from: headers that were not known, with the nearest metric beside each."""
        return self._draft

    # Questions that the export answers itself.

    def measure(
        self,
        name: str,
        *,
        table: str | None = None,
        by: str | Sequence[str] | None = None,
        confidence: float = 0.95,
    ) -> Measures:
        """A ratio made from counts, such as "GPM", "客单价" or "buyers_per_viewer", with sessions or days as units.

        Parameters
        ----------
        name : str
            A metric of the dictionary (see `metric`), or `numerator_per_denominator` of two columns.
        table : str, optional
            The main table if not given.
        by : str or list of str, optional
            Columns that group rows; one of your own may be added to the table first.
        """
        caveats = self._caveats(table)
        return measure(self._part(table), name, by=by, confidence=confidence, caveats=caveats)

    def funnel(
        self,
        steps: Sequence[str] | None = None,
        *,
        table: str | None = None,
        by: str | Sequence[str] | None = None,
        confidence: float = 0.95,
    ) -> Funnel:
        """The steps that the export counts, added up over sessions or days, which are the units of the intervals.

        A step that the export lacks is left out and said. People are counted once per session. That counts are
        rounded is in the intervals, since sessions differ by it too.
        """
        return funnel_of(self._part(table), steps, by=by, confidence=confidence)

    def steps_by_day(
        self,
        steps: Sequence[str] | None = None,
        *,
        table: str | None = None,
        by: str | Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """The counts behind `funnel`, by day: `by`, `day`, `step`, `n`.

        `what_changed` reads them. Days of several exports, each with a column that names it, are one table for
        `Funnel.from_counts` and `compare` with cluster="day".
        """
        return steps_of(self._part(table), steps, by=by).by_day()

    def against_own(
        self,
        at: str | None = None,
        *,
        among: str | Sequence[str] | None = None,
        steps: Sequence[str] | None = None,
        confidence: float = 0.95,
    ) -> OwnPast:
        """Where one session lost people, against what the same account's other sessions predict for one of its size.

        Parameters
        ----------
        at : str, optional
            The session's start, to the minute or the day; the latest if not given.
        among : str or list of str, optional
            Columns that say whose a session is; account_id or account if not given.
        steps : list of str, optional
            Those of `funnel` that are one path; all if not given.
        """
        return own_past(self._part(None), at, among=among, steps=steps, confidence=confidence)

    def compare(
        self,
        other: Export,
        name: str,
        against: str | None = None,
        *,
        table: str | None = None,
        allow: str | Sequence[str] = (),
        confidence: float = 0.95,
    ) -> Contrast:
        """A ratio of this export beside one of another, if both mean the same by it.

        Parameters
        ----------
        name, against : str
            The ratio here, and the one there if it has another name.
        allow : str or list of str
            Aspects of the definitions that may differ, such as "window"; the difference goes into the caveat.

        Raises
        ------
        DefinitionMismatch
            With both definitions, their difference, and the nearest pair that can be compared.
        """
        if not isinstance(other, Export):
            raise TypeError(f"an export is compared with an export, not with {type(other).__name__}")
        allowed = [allow] if isinstance(allow, str) else list(allow)
        theirs = other._part(table)
        return contrast(self._part(table), theirs, name, against, allow=allowed, confidence=confidence)

    def series(self, column: str, *, table: str | None = None) -> pd.Series:
        """A column by day, gaps missing: what `interrupted_time_series` takes.

        Amounts and times are added up over a day's rows; people and rates are not, and are refused where they would be.
        """
        return series_of(self._part(table), column)

    def repurchase(self, **options: Any) -> Repurchase:
        """Who buys again, from order lines with a usable buyer; `options` as in `toolkit.repurchase`.

        Raises
        ------
        ValueError
            Where the export has no order lines, no buyer, or buyers' names that are starred out.
        """
        return repurchase_of(self._part("order"), **options)

    def _part(self, name: str | None) -> Table:
        chosen = self.main if name is None else name
        if chosen not in self.parts:
            raise ValueError(unknown("table", chosen, self.parts, of="the export"))
        return self.parts[chosen]

    def _caveats(self, table: str | None) -> tuple[str, ...]:
        """What a ratio of this export must be told with."""
        found = codes(self.told)
        said = []
        if "window_open" in found:
            said.append("some windows were not over at the download: amounts are lower bounds")
        if "estimates" in found:
            said.append("a third party's estimates")
        return tuple(said)

    def plot(self, ax: Axes | None = None) -> Axes:
        """The amount paid, or the first measure there is, by row of the main table, in order of time where told."""
        from toolkit.inputs import plots

        known = self.parts[self.main].definitions
        measures = [name for name, one in known.items() if one.measures and one.bound is None]
        measure = next((name for name in ("gmv", "ad_gmv", "payable", *measures) if name in measures), None)
        time = next((name for name in ("start", "date", "published", "paid_at") if name in known), None)
        if measure is None:
            raise ValueError(f"the table {self.main} has no measure to draw")
        columns = [name for name in (time, measure) if name is not None]
        return plots.values(self.table[columns], measure, time, known[measure].said(), ax)


#: Problems that the sentence says in another way, or that change no number.
_QUIET = frozenset({"encoding", "lines_before_header", "header_normalised", "total_row", "subtotal_rows"})


def read_export(
    path: str | Path, *, definitions: str | Path | dict[str, Any] | Sequence[str | Path | dict[str, Any]] = ()
) -> Export:
    r"""Read what a dashboard exports, as it is: a file, or a folder of files of one kind.

    Parameters
    ----------
    path : str or Path
        .xlsx, .xls, .csv, .tsv, .txt or .html; what the file is counts, not what its name says.
    definitions : path, list of paths, optional
        Definitions of your own (TOML). One wins over the built-in one of the same kind.

    Returns
    -------
    Export
        Missing is never 0, totals stand apart, people are never added, and every column has its definition.

    Raises
    ------
    ExportError
        A ValueError with `.code`: empty_file, not_an_export, password, corrupt, too_large, unknown_kind (with
        `.draft`), ambiguous_kind, year_missing.
    FileNotFoundError
        No such file.

    Notes
    -----
    The kind is told by the headers. A header that is not known is told with the nearest known one, which is never
    used in its place. In a folder the latest download of a session is kept and the others are named.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "直播明细.csv"
    >>> text = "主播抖音号,直播开始时间,直播间观看人数\n0072,2026/3/1 19:30,1.2万\n合计,,1.2万\n"
    >>> _ = file.write_text(text, encoding="utf-8")
    >>> export = read_export(file)
    >>> export.kind, export.session["viewers"].tolist(), len(export.totals["session"])
    ('douyin.session_list', [12000], 1)
    """
    if not isinstance(path, str | Path):
        raise TypeError(f"path is a str or a Path, not {type(path).__name__}")
    given = [definitions] if isinstance(definitions, str | Path | dict) else list(definitions)
    known = kinds(given)
    place = Path(path)
    found, skipped = read_folder(place, known) if place.is_dir() else ([read_download(place, known)], [])
    kept, tables, problems = joined(found)
    if skipped:
        problems.append(Problem("files_skipped", "", text=some(skipped), more={"files": skipped}))
    parts = {name: finished(table) for name, table in tables.items()}
    return Export(
        kind=found[0].kind.name,
        platform=found[0].kind.platform,
        period=period_of(kept),
        tables={name: table.frame for name, table in parts.items()},
        totals={name: pd.DataFrame(table.totals) for name, table in parts.items() if table.totals},
        told=tuple(problems),
        files=tuple(one.name for one in kept),
        defined_by=found[0].kind.whose,
        parts=parts,
        _draft="\n".join(dict.fromkeys(one.draft for one in kept)),
    )


def _said(problem: Problem) -> str:
    """What a problem means, then what it is about."""
    more = problem.more
    about = [str(more[name]) for name in ("header", "column") if name in more][:1]
    headers = more.get("headers") or more.get("candidates")
    parts: Iterable[Any] = (
        *about,
        some(list(dict.fromkeys(headers))) if headers else "",
        f"nearest {more['nearest']}" if more.get("nearest") else "",
        problem.text,
        more.get("action", "") if problem.code in ("ambiguous_header", "two_headers_one_meaning") else "",
        f"row {more['row']}" if "row" in more else "",
    )
    meaning = MEANINGS.get(problem.code, problem.code)
    told = "; ".join(dict.fromkeys(str(part) for part in parts if part))
    return f"{meaning} ({told})" if told else meaning
