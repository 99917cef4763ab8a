"""CSV files as a log's rows, and what is wrong with those that cannot be read: file, line, column, value, fix.

CsvFiles        CSV files in UTF-8, unread
DecodedFiles    CSV files in another encoding, read by pandas
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import duckdb
import pandas as pd

from toolkit.logs import files
from toolkit.logs.duckdb_engine import Reader, readable


@dataclass(frozen=True)
class CsvFiles(Reader):
    """CSV files in UTF-8, whose columns are matched by name; `names` are those of files without a header row."""

    paths: tuple[str, ...]
    shown: str
    roles: tuple[str, ...]
    names: tuple[str, ...] | None

    def relation(self, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        """The rows, unread."""
        there = files.matching(self.paths)
        # A sniffer that sees no quotes in the first rows would leave those of later ones in the values.
        options: dict[str, Any] = {"header": self.names is None, "quotechar": files.quote(there)}
        if len(there) == 1 and files.is_gzip(there[0]):
            options["compression"] = "gzip"
        if self.names is None:
            options["union_by_name"] = len(there) != 1
        read: Any = connection.read_csv  # its stubs take fewer kinds of path than it does
        with readable(self.shown, self.explained):
            if self.names is not None:
                found = len(read(list(self.paths), **options).columns)
                if found != len(self.names):
                    raise ValueError(f"{self.shown} has {found} columns, and names= has {len(self.names)}")
                options["names"] = list(self.names)
            sniffed: duckdb.DuckDBPyRelation = read(list(self.paths), **options)
            # Ids and times stay text: a sniffer would read user 00123 as 123, and would drop a time's zone.
            as_text = {name: "VARCHAR" for name in self.roles if name in sniffed.columns}
            if not as_text:
                return sniffed
            typed: duckdb.DuckDBPyRelation = read(list(self.paths), dtype=as_text, **options)
            return typed

    def state(self) -> object:
        """Names, sizes and times of the files."""
        return files.state(self.paths)

    def explained(self, error: Exception) -> str:
        """File, line, column, value and fix, of what DuckDB's error tells and the file shows."""
        text = str(error)
        line, file = re.search(r"CSV Error on Line: (\d+)", text), re.search(r"^\s*file = (.*)$", text, re.M)
        path = file[1] if file else self.shown
        row = re.search(r"Original Line: (.*)", text)
        if wide := re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", text):
            number = int(line[1]) if line else 0
            return files.ragged(path, number, int(wide[1]), int(wide[2]), row[1] if row else "")
        value = re.search(
            r'Error when converting column "(.*)"\. Could not convert string "(.*)" to \'(.*)\'', text
        )
        if value and line:
            return (
                f"{path}, line {line[1]}: {value[1]} is {value[2]!r}, and the rows above it hold {_kind(value[3])}; "
                f"leave the field empty, or give pd.read_csv({path!r}, na_values=[{value[2]!r}])"
            )
        for one in files.matching(self.paths):
            if bad := files.not_utf8(one):
                return f"{one} is not UTF-8 text (line {bad}); Chinese Windows writes GBK: pass encoding='gb18030'"
            if self.names is None and (said := files.fault(one, self.roles)):
                return said if said.startswith(one) else f"{one}: {said}"
        if "Error when sniffing" in text:
            return (
                f"{path} is no table as it stands: its lines end in two ways, or no delimiter divides them; save it "
                f"anew, or give pd.read_csv({path!r})"
            )
        return f"{path}, line {line[1]}: {_said(text)}" if line else ""


@dataclass(frozen=True)
class DecodedFiles(Reader):
    """CSV files in another encoding than UTF-8, which pandas reads once into memory."""

    paths: tuple[str, ...]
    shown: str
    roles: tuple[str, ...]
    names: tuple[str, ...] | None
    encoding: str

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The rows."""
        there = files.matching(self.paths)
        if not there:
            raise FileNotFoundError(f"no file matches {self.shown}")
        return pd.concat([self._read(path) for path in there], ignore_index=True)

    def relation(self, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        """The rows."""
        return connection.from_df(self.frame)

    def _read(self, path: str) -> pd.DataFrame:
        wrong = f"{path} cannot be read with encoding={self.encoding!r}"
        try:
            first = next(iter(files.top(path, self.encoding)), "")
            return pd.read_csv(
                path,
                encoding=self.encoding,
                names=None if self.names is None else list(self.names),
                header=0 if self.names is None else None,
                sep=files.delimiter(first),
                dtype=dict.fromkeys(self.roles, str),
                compression="gzip" if files.is_gzip(path) else "infer",
                low_memory=False,
            )
        except (UnicodeError, LookupError) as error:
            raise ValueError(f"{wrong} ({error}); Chinese Windows writes 'gb18030'") from error
        except pd.errors.ParserError as error:
            raise ValueError(f"{path}: rows of unlike length ({error}); correct or delete them") from error

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "frame"}


def _kind(sql: str) -> str:
    """A type of SQL in a reader's words."""
    words = {"BIGINT": "whole numbers", "DOUBLE": "numbers", "BOOLEAN": "true and false", "DATE": "dates"}
    return words.get(sql, "times" if sql.startswith("TIME") else sql)


def _said(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[1] if lines[0].endswith(tuple("0123456789")) and len(lines) > 1 else lines[0]
