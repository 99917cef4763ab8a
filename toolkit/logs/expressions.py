"""A user's condition on a row: one scalar SQL expression, parsed, checked and written anew, never pasted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from toolkit.logs.engines import WHOLE
from toolkit.logs.source import Source
from toolkit.wording import unknown

if TYPE_CHECKING:
    from sqlglot import exp


def condition(log: Source, text: str, owner: str) -> tuple[str, set[str]]:
    """The SQL of a condition and the columns that it reads.

    Parameters
    ----------
    text
        One boolean expression over the log's columns, such as ``amount > 100 AND city_tier = 'tier_1'``.
    owner
        Whose condition it is, for errors: "step 'pay'".

    Raises
    ------
    ValueError
        Not one expression, not boolean, a column that is not there, types that do not fit, or more than a scalar
        over one row.
    TypeError
        A condition that is no text.
    """
    if not isinstance(text, str):
        raise TypeError(f'{owner}: where={text!r} is no text; write a condition such as "amount > 100"')
    if text in log.engine.conditions:
        return log.engine.conditions[text]
    import sqlglot
    from sqlglot import exp

    try:
        parsed = sqlglot.parse(text, read="duckdb")
    except sqlglot.errors.SqlglotError as error:
        raise ValueError(
            f'{owner}: where={text!r} is no complete SQL expression; write one such as "amount > 100"'
        ) from error
    if len(parsed) != 1 or not isinstance(parsed[0], exp.Condition) or isinstance(parsed[0], exp.Query):
        raise ValueError(f'{owner}: where={text!r} must be one condition on a row, such as "amount > 100"')
    tree = parsed[0]
    columns = set()
    for node in tree.walk():
        if isinstance(
            node, exp.Query | exp.AggFunc | exp.Window | exp.Placeholder | exp.Parameter | exp.Star
        ):
            raise ValueError(f"{owner}: where={text!r} may only combine columns and values of one row")
        if isinstance(node, exp.Rand | exp.Randn | exp.Uuid):
            raise ValueError(f"{owner}: where={text!r} draws at random, so no count could be repeated")
        if isinstance(node, exp.Anonymous | exp.UDTF):
            # A function that the parser does not know may do more than compute, and would not travel.
            raise ValueError(
                f"{owner}: where={text!r} calls {node.name or 'a function'}, which is not a known one"
            )
        if isinstance(node, exp.Column):
            if node.table:
                raise ValueError(f"{owner}: where={text!r} names a table; write {node.name!r} alone")
            name = _spelled(node.name, log)
            columns.add(name)
            node.set("this", exp.to_identifier(name, quoted=True))
    if not log.engine.here:
        _refuse_fractions(tree, log, owner, text)
    sql = tree.sql(dialect="duckdb", comments=False)
    try:
        kind = next(iter(log.engine.types(f"SELECT ({sql}) AS c FROM {log.engine.table} LIMIT 0").values()))
    except (ValueError, duckdb.Error) as error:
        cause = str(error.__cause__ or error).strip().splitlines()[0]
        texts = [name for name in sorted(columns) if log.columns[name] == "VARCHAR"]
        number = f"{'TRY_CAST' if log.engine.tries else 'CAST'}({texts[0]} AS DOUBLE)" if texts else ""
        fix = f"; {texts[0]} is text: {number} is its number" if texts else ""
        raise ValueError(f"{owner}: where={text!r} cannot be computed on this log: {cause}{fix}") from error
    if kind not in log.engine.conditional:
        raise ValueError(f"{owner}: where={text!r} is {kind}, not true or false; compare it with something")
    log.engine.conditions[text] = f"({sql})", columns
    return log.engine.conditions[text]


def _refuse_fractions(tree: exp.Condition, log: Source, owner: str, text: str) -> None:
    """Refuse `//` of what are no whole numbers: DuckDB keeps a fraction, other engines cut it off."""
    from sqlglot import exp

    for node in tree.find_all(exp.IntDiv):
        kinds = {log.columns[column.name] for column in node.find_all(exp.Column)}
        numbers = [one.this for one in node.find_all(exp.Literal) if not one.is_string]
        if kinds - WHOLE or any(not number.isdecimal() for number in numbers):
            raise ValueError(
                f"{owner}: where={text!r} divides by // what are no whole numbers, which engines do not do alike: "
                "write / and floor()"
            )


def _spelled(name: str, log: Source) -> str:
    if name in log.columns:
        return name
    folded = [column for column in log.columns if column.lower() == name.lower()]
    if len(folded) == 1:
        return folded[0]
    raise ValueError(unknown("column", name, log.columns, of=log.source))
