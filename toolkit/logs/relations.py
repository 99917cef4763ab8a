"""An answer that stays in its engine until it is asked for; whatever goes wrong then names the source and the fix."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from toolkit.logs.engines import DuckDB, Engine, Relation, first_line, readable
from toolkit.logs.progress import Progress

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

T = TypeVar("T")


class Answer:
    """A lazy relation of DuckDB's, used as one: `.df()`, `.to_arrow_table()`, `.fetchall()` bring it out.

    A bar shows an answer that takes longer than two seconds, and Ctrl+C stops it. What DuckDB's relations offer
    besides, such as `.filter("depth > 1")` or `.limit(10)`, works too and gives another `Answer`.

    Parameters
    ----------
    relation
        Of DuckDB.
    engine
        Whose rows the relation reads.

    Examples
    --------
    >>> import pandas as pd
    >>> from toolkit import funnel, read_events
    >>> rows = {"user_id": [1, 1, 2], "event": ["enter", "pay", "enter"],
    ...         "timestamp": pd.date_range("2019-11-11 20:00", periods=3, freq="min")}
    >>> users = funnel(read_events(pd.DataFrame(rows)), ["enter", "pay"], within="1h").users()
    >>> users.filter("depth = 2").project("user_id").fetchall()
    [(1,)]
    """

    def __init__(self, relation: duckdb.DuckDBPyRelation, engine: DuckDB) -> None:
        self.relation, self._engine = relation, engine

    @property
    def columns(self) -> list[str]:
        """Names of the answer's columns."""
        return list(self.relation.columns)

    def df(self) -> pd.DataFrame:
        """The answer as a frame."""
        return self._fetched(self.relation.df)

    def to_arrow_table(self) -> pa.Table:
        """The answer as an Arrow table."""
        return self._fetched(self.relation.to_arrow_table)

    def fetchall(self) -> list[Any]:
        """The answer as tuples."""
        return self._fetched(self.relation.fetchall)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        with self._errors():
            found = getattr(self.relation, name)
        if not callable(found):
            return found

        def asked(*given: Any, **options: Any) -> Any:
            with self._errors():
                answer = found(*given, **options)
            return Answer(answer, self._engine) if isinstance(answer, duckdb.DuckDBPyRelation) else answer

        return asked

    def __repr__(self) -> str:
        with self._errors():
            return str(self.relation)

    def _fetched(self, ask: Callable[[], T]) -> T:
        # Rows of a caller's connection are fetched in the calling thread.
        shared = self._engine.reader.shared
        with self._errors(), Progress(self._engine.connection if shared else None) as progress:
            return progress.answer(ask)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Whatever DuckDB says, as an error of the source; a caller's own condition that is none is one too."""
        try:
            with readable(self._engine.source, self._engine.reader.explained):
                yield
        except duckdb.Error as error:
            raise ValueError(f"{self._engine.source}: {first_line(error)}") from error


def answer(engine: Engine, relation: Relation) -> Relation:
    """A relation of an engine, with errors in words where it is DuckDB's; other engines word their own."""
    if isinstance(engine, DuckDB) and isinstance(relation, duckdb.DuckDBPyRelation):
        return Answer(relation, engine)
    return relation
