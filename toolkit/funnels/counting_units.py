"""The table with one row per counting unit, where it lies, and the sums over it that are brought out.

A counting unit is a user, a pair of a user and a value held constant, or an entry. `toolkit.funnels.sql` defines
the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from toolkit.funnels import sql, sums
from toolkit.funnels.question import Question
from toolkit.logs.engines import identifier
from toolkit.logs.relations import answer
from toolkit.logs.times import INTEGERS
from toolkit.propagation import Moments

if TYPE_CHECKING:
    import pyarrow as pa

    from toolkit.logs.engines import Relation

Path = Literal["auto", "asof", "windows", "stream", "index"]


@dataclass(frozen=True, eq=False)
class CountingUnits:
    """How far each counting unit of a question got; only sums leave the engine.

    Attributes
    ----------
    question : Question
    path : str
        How they were found.
    sql : str
        The table, over the log's own rows, or over `memory` where there is a table in memory.
    notes : tuple of str
        What a reader must know of the path.
    table : pyarrow.Table or None
        The units, where a compiled loop found them.
    """

    question: Question = field(repr=False)
    path: str
    sql: str = field(repr=False)
    notes: tuple[str, ...] = ()
    table: pa.Table | None = field(default=None, repr=False)

    @property
    def counted(self) -> str:
        """The table as it is counted: for users with values held constant, each user's best unit."""
        return sums.counted(self.question, self.sql)

    def relation(self, query: str) -> Relation:
        """A lazy relation of a query over the table."""
        engine = self.question.log.engine
        found = engine.relation(query) if self.table is None else engine.over(self.table, query)
        return answer(engine, found)

    def frame(self, query: str) -> pd.DataFrame:
        """The answer to a query over the table, for a few rows of sums."""
        return self.question.log.engine.frame(query) if self.table is None else self.relation(query).df()

    def counts(self) -> pd.DataFrame:
        """Counts and sums over users by group, as `toolkit.funnels.sums.reduce` names them; groups in order."""
        groups = sql.grouped(self.question)
        if self.table is None:
            frame = self.frame(sums.reduce(self.question, self.sql))
        else:
            from toolkit.funnels.kernels.unit_table import reduce

            frame = reduce(self.question, self.table)
        return frame.sort_values(groups, na_position="last", ignore_index=True) if groups else frame

    def behind(self, other: CountingUnits) -> int:
        """How many counting units got less far here than in another table of the same units in the same place."""
        columns = [*sums.keys(self.question), "level"]
        if self.table is None or other.table is None:
            shown = ", ".join(columns)
            both = " UNION ALL ".join(
                f"SELECT {shown}, {side} AS side FROM ({units.sql})"
                for side, units in enumerate((self, other))
            )
            found = self.frame(sums.behind(self.question, both))
        else:
            import pyarrow as pa

            parts = [units.select(columns) for units in (self.table, other.table)]
            sides = [pa.array(np.full(len(part), side, np.int8)) for side, part in enumerate(parts)]
            table = pa.concat_tables(
                [part.append_column("side", side) for part, side in zip(parts, sides, strict=True)]
            )
            query = sums.behind(self.question, "SELECT * FROM memory")
            found = self.question.log.engine.over(table, query).df()
        return int(np.nan_to_num(found["n"].iloc[0]))

    def products(self, reference: sums.Text) -> list[dict[sums.Text, np.ndarray]]:
        """By group, sums over its users of products of their counts at two steps: here, and here with there.

        There is the reference group; only groups that share users with it are in the second.
        """
        size, keys = self.question.size, len(self.question.by)
        found: list[dict[sums.Text, np.ndarray]] = [{}, {}]
        for shared, *line in self.frame(sums.products(self.question, self.sql, reference)).itertuples(
            index=False, name=None
        ):
            found[shared][_text(line[:keys])] = np.reshape(np.array(line[keys:], float), (size, size))
        return found

    def moments(
        self, places: Mapping[sums.Text, int], levels: Sequence[int], amount: str | None = None
    ) -> tuple[Moments, np.ndarray]:
        """Sums over users by place: of products of their counts (and amounts), and the totals, places x values.

        Parameters
        ----------
        places
            Where the users of a group count, from 0 on; groups that share a place are one.
        levels
            Steps, from 1 on.
        amount
            A column of the log: what rows of the last step say at the moment a unit completes it.
        """
        size = len(levels) + (amount is not None)
        units, extra = self, ""
        if amount is not None:
            units = self._with_amount(amount, levels[-1])
            extra = f"CASE WHEN level >= {levels[-1]} THEN coalesce(paid, 0) ELSE 0 END"
        own = sums.own_counts(self.question, units.sql, places, levels, extra=extra)
        groups = max(places.values()) + 1
        products = np.zeros((groups, size) * 2)
        for here, there, *line in units.frame(sums.products_by_place(own, size)).itertuples(
            index=False, name=None
        ):
            products[here, :, there, :] = np.reshape(line, (size, size))
        users, shares, totals = np.zeros((3, groups, size))
        for place, *line in units.frame(sums.alone(own, size)).itertuples(index=False, name=None):
            users[place], shares[place], totals[place] = np.split(np.array(line, float), 3)
        return Moments(users, products, shares), totals

    def seen_in_several(self, column: str) -> int:
        """Users (with what is held constant) whose rows of steps have several values of a column."""
        log = self.question.log
        unit = ", ".join(identifier(name) for name in (log.user, *self.question.hold))
        steps = " OR ".join(f"({predicate.sql})" for predicate in self.question.predicates)
        rows = log.engine.rows(
            f"SELECT count(*) FROM (SELECT 1 FROM {log.engine.table} WHERE ({steps}) AND {identifier(log.user)} "
            f"IS NOT NULL GROUP BY {unit} HAVING count(DISTINCT {identifier(column)}) > 1)"
        )
        return int(rows[0][0])

    def _with_amount(self, amount: str, level: int) -> CountingUnits:
        """The units with `paid`: the sum of the amounts of a step's rows at the moment a unit completes it."""
        question, log = self.question, self.question.log
        log.column(amount, "amount column")
        if level != question.size or question.mode == "any":
            raise ValueError("amount= is of the last step of an ordered funnel")
        if question.hold and question.count == "users":
            raise ValueError("amount= with held columns needs units that are counted: ask with count='pairs'")
        kind = log.columns[amount]
        if kind not in (*INTEGERS, "DOUBLE", "FLOAT") and not kind.startswith("DECIMAL"):
            raise ValueError(f"amount column {amount!r} is {kind}, not a number; convert it in the source")
        held = {name: f"pay_{name}" for name in sql.held(question)}
        keys = {"u": "pay_u", "ended": "pay_t", **held}
        columns = [f"{identifier(log.user)} AS pay_u", f"{log.at} AS pay_t"]
        columns += [
            f"{identifier(name)} AS {h}" for name, h in zip(question.hold, held.values(), strict=True)
        ]
        source = log.engine.table
        if question.dedupe is not None:
            key = identifier(question.dedupe)
            first = f"row_number() OVER (PARTITION BY {key} ORDER BY {log.at})"
            source = (
                f"(SELECT * FROM (SELECT *, {first} AS copy FROM {source}) WHERE {key} IS NULL OR copy = 1)"
            )
        paid = (
            f"SELECT {', '.join(keys.values())}, sum(CAST(amount AS DOUBLE)) AS paid FROM (SELECT "
            f"{', '.join(columns)}, {identifier(amount)} AS amount FROM {source} "
            f"WHERE {question.predicates[level - 1].sql}) GROUP BY ALL"
        )
        same = " AND ".join(f"{ours} = {theirs}" for ours, theirs in keys.items())
        if self.table is None:
            return replace(self, sql=f"SELECT * FROM ({self.sql}) LEFT JOIN ({paid}) ON {same}")
        # Units in memory and the log's rows may live on two connections.
        rows = log.engine.relation(paid).to_arrow_table()
        return replace(self, table=log.engine.beside(self.table, rows, same))


def _text(values: Sequence[Any]) -> sums.Text:
    return tuple(None if pd.isna(value) else str(value) for value in values)
