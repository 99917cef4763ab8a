"""The toolkit's SQL as other engines spell it: parsed once as DuckDB reads it, and written anew for each.

Local times, which have no zone, are instants in UTC where an engine has no type for them: only their fields count.
What a dialect cannot say raises an error; nothing is written that would mean something else there.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, ClassVar

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, UnsupportedError
from sqlglot.generator import Generator
from sqlglot.generators.clickhouse import ClickHouseGenerator
from sqlglot.generators.postgres import PostgresGenerator
from sqlglot.generators.spark import SparkGenerator

#: Types of a time without a zone, and of a whole number of 128 bits.
LOCAL, HUGE = exp.DataType.Type.TIMESTAMPNTZ, exp.DataType.Type.INT128


def written(sql: str, dialect: str, *, pretty: bool = False, tables: Mapping[str, str] | None = None) -> str:
    """A query that DuckDB could read, as another engine gets it.

    Parameters
    ----------
    sql
        One query.
    dialect : {"duckdb", "spark", "clickhouse", "postgres"}
    pretty
        In lines, for people.
    tables
        Quoted names of tables in the query, and what these are called there.

    Raises
    ------
    ValueError
        What the engine has no words for.
    """
    tree = sqlglot.parse_one(sql, read="duckdb")
    for table in list(tree.find_all(exp.Table)):
        name = (tables or {}).get(".".join(part.sql(dialect="duckdb") for part in table.parts))
        if name is not None:
            called = exp.to_table(name, dialect="duckdb")
            for place in ("this", "db", "catalog"):
                table.set(place, called.args.get(place))
    spelling = SPELLINGS.get(dialect)
    if spelling is None:
        return tree.sql(dialect=dialect, pretty=pretty)
    # PostgreSQL before 16 refuses a subquery without a name.
    numbers = itertools.count()
    for query in list(tree.find_all(exp.Subquery)):
        if not query.alias and isinstance(query.parent, exp.From | exp.Join):
            query.set("alias", exp.TableAlias(this=exp.to_identifier(f"q{next(numbers)}_")))
    if not spelling.MATERIALIZED:
        for part in tree.find_all(exp.CTE):
            part.set("materialized", None)
    try:
        text = spelling(dialect=dialect, pretty=pretty, unsupported_level=ErrorLevel.RAISE).generate(tree)
    except UnsupportedError as error:
        raise ValueError(f"{spelling.ENGINE} cannot be asked this: {str(error).splitlines()[0]}") from error
    return f"{text}{chr(10) if pretty else ' '}{spelling.BEHIND}" if spelling.BEHIND else text


def _spelled_here(transforms: dict[Any, Any]) -> dict[Any, Any]:
    """A dialect's own ways to write nodes, without those for which there is a method here."""
    own = (exp.ArgMin, exp.IntDiv, exp.TryCast)
    return {node: way for node, way in transforms.items() if node not in own}


class _Spelling(Generator):
    """What the dialects have in common: functions by template, and none that is not listed."""

    ENGINE: ClassVar[str]
    MATERIALIZED: ClassVar[bool] = False
    #: What stands behind each query.
    BEHIND: ClassVar[str] = ""
    #: DuckDB's own functions by name, and what they mean; arguments in braces.
    FUNCTIONS: ClassVar[dict[str, str]]

    def anonymous_sql(self, expression: exp.Anonymous) -> str:
        """A function that sqlglot does not know."""
        name = expression.name.lower()
        if name == "timezone":
            name = "instant" if _local(expression.expressions[1]) else "local"
        return self._called(name, *expression.expressions)

    def argmin_sql(self, expression: exp.ArgMin) -> str:
        """The value in the first row of an order."""
        return self._called("arg_min_null", expression.this, expression.expression)

    def ignorenulls_sql(self, expression: exp.IgnoreNulls) -> str:
        """Any value of a column."""
        called = expression.this
        return self._called("any_value" if isinstance(called, exp.AnyValue) else called.key, called.this)

    def _called(self, name: str, *arguments: exp.Expression) -> str:
        template = self.FUNCTIONS.get(name)
        if template is None:
            self.unsupported(f"it has no function {name}")
            return ""
        return template.format(*map(self._listed, arguments))

    def _listed(self, node: exp.Expression) -> str:
        """An argument; a tuple without its brackets, since each engine calls it by another name."""
        return ", ".join(map(self.sql, node.expressions)) if isinstance(node, exp.Tuple) else self.sql(node)


class SparkSpelling(_Spelling, SparkGenerator):
    """Spark 4, Databricks and Sail. No zone of the session is asked: a local time is an instant in UTC."""

    ENGINE = "Spark"
    #: It reads common tables where they stand; brought to the top, two of one name would be one.
    EXPRESSIONS_WITHOUT_NESTED_CTES: ClassVar = set()
    TRANSFORMS: ClassVar = _spelled_here(SparkGenerator.TRANSFORMS)
    FUNCTIONS: ClassVar = {
        "epoch_us": "unix_micros({0})",
        "make_timestamptz": "timestamp_micros({0})",
        "instant": "to_utc_timestamp({1}, {0})",
        "local": "from_utc_timestamp({1}, {0})",
        "arg_min_null": "min_by({0}, struct({1}))",
        "any_value": "any_value({0}, TRUE)",
        "try_strptime": "CAST(NULL AS TIMESTAMP)",
    }

    def cast_sql(self, expression: exp.Cast, safe_prefix: str | None = None) -> str:
        """A cast; to a local time by way of its text, with UTC behind it."""
        if expression.to.this == HUGE:
            expression = expression.copy()
            expression.set("to", exp.DataType.build("DECIMAL(38, 0)"))
        text = super().cast_sql(expression, safe_prefix)
        return (
            f"CAST(concat(CAST({text} AS STRING), 'Z') AS TIMESTAMP)" if expression.to.this == LOCAL else text
        )

    def intdiv_sql(self, expression: exp.IntDiv) -> str:
        """Division of whole numbers."""
        return f"({self.sql(expression.this)} DIV {self.sql(expression.expression)})"


class ClickHouseSpelling(_Spelling, ClickHouseGenerator):
    """ClickHouse, with the settings that the same counts need. A local time is an instant in UTC."""

    ENGINE = "ClickHouse"
    #: Without these a join fills with zeros, names mean other columns, and sums of nothing are 0.
    BEHIND = (
        "SETTINGS join_use_nulls = 1, prefer_column_name_to_alias = 1, aggregate_functions_null_for_empty = 1, "
        "group_by_use_nulls = 1, session_timezone = 'UTC'"
    )
    TRANSFORMS: ClassVar = _spelled_here(ClickHouseGenerator.TRANSFORMS)
    FUNCTIONS: ClassVar = {
        "epoch_us": "toUnixTimestamp64Micro(toDateTime64({0}, 6))",
        "make_timestamptz": "fromUnixTimestamp64Micro({0}, 'UTC')",
        "instant": "toDateTime64(toString({1}), 6, {0})",
        "local": "addSeconds({1}, timeZoneOffset(toTimeZone({1}, {0})))",
        "arg_min_null": "tupleElement(argMin(tuple({0}), tuple({1})), 1)",
        "any_value": "any({0})",
        "try_strptime": "CAST(NULL AS Nullable(DateTime64(6, 'UTC')))",
    }

    def cast_sql(self, expression: exp.Cast, safe_prefix: str | None = None) -> str:
        """A cast; times keep their microseconds."""
        if expression.to.this == LOCAL:
            return f"toDateTime64({self.sql(expression, 'this')}, 6, 'UTC')"
        return super().cast_sql(expression, safe_prefix)

    def trycast_sql(self, expression: exp.TryCast) -> str:
        """A cast that gives null for what cannot be read."""
        value, kind = self.sql(expression, "this"), expression.to
        if kind.this in (LOCAL, exp.DataType.Type.TIMESTAMPTZ):
            return f"parseDateTime64BestEffortOrNull({value}, 6, 'UTC')"
        name = (
            self.sql(kind)
            .removeprefix("Nullable(")
            .removesuffix(")" if self.sql(kind).startswith("Null") else "")
        )
        return f"accurateCastOrNull({value}, '{name}')"

    def literal_sql(self, expression: exp.Literal) -> str:
        """A value; whole numbers are signed, since large ones would be unsigned and fit no others."""
        text = super().literal_sql(expression)
        return f"toInt64({text})" if expression.is_int and int(text) >= 1 << 31 else text

    def intdiv_sql(self, expression: exp.IntDiv) -> str:
        """Division of whole numbers; the plain sign gives a float, and last microseconds of a day to the next."""
        return self.func("intDiv", expression.this, expression.expression)

    def bitwiseand_sql(self, expression: exp.BitwiseAnd) -> str:
        """Bits of both."""
        return self.func("bitAnd", expression.this, expression.expression)

    def bitwiseleftshift_sql(self, expression: exp.BitwiseLeftShift) -> str:
        """Bits moved up."""
        return self.func("bitShiftLeft", expression.this, expression.expression)

    def bitwiserightshift_sql(self, expression: exp.BitwiseRightShift) -> str:
        """Bits moved down."""
        return self.func("bitShiftRight", expression.this, expression.expression)


class PostgresSpelling(_Spelling, PostgresGenerator):
    """PostgreSQL from 13 on, which reads a common table once only where it is told to."""

    ENGINE = "PostgreSQL"
    TRANSFORMS: ClassVar = _spelled_here(PostgresGenerator.TRANSFORMS)
    MATERIALIZED = True
    FUNCTIONS: ClassVar = {
        "epoch_us": "CAST(EXTRACT(EPOCH FROM {0}) * 1000000 AS BIGINT)",
        "make_timestamptz": "(TIMESTAMPTZ 'epoch' + {0} * INTERVAL '1 microsecond')",
        "instant": "timezone({0}, {1})",
        "local": "timezone({0}, {1})",
        "arg_min_null": "(ARRAY_AGG({0} ORDER BY {1}))[1]",
        "any_value": "(ARRAY_AGG({0}) FILTER (WHERE {0} IS NOT NULL))[1]",
    }

    def cast_sql(self, expression: exp.Cast, safe_prefix: str | None = None) -> str:
        """A cast; whole numbers of 128 bits are decimals."""
        if expression.to.this == HUGE:
            expression = expression.copy()
            expression.set("to", exp.DataType.build("DECIMAL"))
        return super().cast_sql(expression, safe_prefix)

    def trycast_sql(self, expression: exp.TryCast) -> str:
        """PostgreSQL has no cast that passes over what cannot be read."""
        self.unsupported("it has no TRY_CAST")
        return ""

    def intdiv_sql(self, expression: exp.IntDiv) -> str:
        """Division of whole numbers."""
        return f"CAST({self.func('DIV', expression.this, expression.expression)} AS BIGINT)"


SPELLINGS: dict[str, type[_Spelling]] = {
    "spark": SparkSpelling,
    "clickhouse": ClickHouseSpelling,
    "postgres": PostgresSpelling,
}


def _local(node: exp.Expression) -> bool:
    """Whether a time has no zone. Columns are read as instants, unless a cast says otherwise."""
    if isinstance(node, exp.Cast):
        return bool(node.to.this == LOCAL)
    if isinstance(node, exp.Case):
        return _local(node.args["ifs"][0].args["true"])
    if isinstance(node, exp.Coalesce):
        return _local(node.this)
    if isinstance(node, exp.Anonymous) and node.name.lower() == "timezone":
        return not _local(node.expressions[1])
    return False
