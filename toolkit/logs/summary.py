"""What is in a log, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from toolkit.logs.engines import identifier, literal
from toolkit.logs.problems import Line, main_days, problems
from toolkit.logs.source import Source
from toolkit.results import Result, html_table
from toolkit.wording import count, counted, some

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: The most frequent values are counted of properties with at most so many distinct ones, and so many are kept.
MOST_VALUES, FREQUENT = 10_000, 5
#: What a column of yes and no holds.
FLAGS = {"0", "1", "0.0", "1.0", "false", "true", "no", "yes", "n", "y", "否", "是"}
#: Properties that have a line in the short form.
PROPERTIES = 5


@dataclass(frozen=True, repr=False)
class Summary(Result):
    """A log's contents and its problems, counted when asked for.

    Attributes
    ----------
    table : DataFrame
        One row per thing counted: `what` ("log", "event", "property", "value" or "problem"), `name`, `value` (the
        count), `note`. A "value" is one of a property's most frequent values: `note` is the value, `value` its rows.
    days : DataFrame
        `day` (in the log's zone), `rows`, `main` (False for a day outside the main span).

    Examples
    --------
    >>> import pandas as pd
    >>> from toolkit import read_events
    >>> rows = {"user_id": [1, 1, 2], "event": ["enter", "pay", "enter"], "platform": ["douyin", "douyin", None]}
    >>> log = read_events(pd.DataFrame(rows).assign(timestamp=pd.to_datetime("2019-11-11 20:00")))
    >>> print(log.summary())
    log       the frame
    rows      3 rows of 2 users
    time      2019-11-11 20:00:00 to 2019-11-11 20:00:00; times without a zone, read in Asia/Shanghai
    events    enter 2, pay 1
    platform  douyin 2; 1 row without a value
    problems  none found
    """

    source: str
    table: pd.DataFrame
    days: pd.DataFrame

    @property
    def problems(self) -> pd.DataFrame:
        """The rows of `table` that name a problem."""
        return self._of("problem").drop(columns="what").reset_index(drop=True)

    @property
    def lines(self) -> pd.DataFrame:
        """The summary in at most ten rows: `about` and `found`, as the display shows it."""
        log = self._of("log").set_index("name")
        rows = [
            ("log", self.source),
            (
                "rows",
                f"{counted(log.at['rows', 'value'], 'row')} of {counted(log.at['users', 'value'], 'user')}",
            ),
            ("time", f"{log.at['first', 'value']} to {log.at['last', 'value']}; {self._clock(log['note'])}"),
            ("events", _listed(self._of("event")[["name", "value"]])),
        ]
        properties = self._of("property")
        # Those whose values are few enough to be listed say most, and come first.
        listed = properties["name"].isin(self._of("value")["name"])
        properties = pd.concat([properties[listed], properties[~listed]])
        # The line that names those left out takes the place of one.
        shown = properties.head(PROPERTIES if len(properties) <= PROPERTIES else PROPERTIES - 1)
        rows += [(name, self._property(name)) for name in shown["name"]]
        if len(left := properties.iloc[len(shown) :]):
            rows.append(("distinct", _listed(left[["name", "value"]], most=12)))
        rows.append(("problems", _listed(self.problems[["name", "value"]]) or "none found"))
        return pd.DataFrame(rows, columns=["about", "found"])

    def sentence(self) -> str:
        """What the log holds, and how many kinds of problem."""
        log = self._of("log").set_index("name")["value"]
        kinds = self.problems["name"].tolist()
        found = f"problems: {some(kinds)}" if kinds else "no problem found"
        return (
            f"{self.source}: {counted(log['rows'], 'row')} of {counted(log['users'], 'user')}, "
            f"{log['first']} to {log['last']}; {found}."
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Rows per day; days outside the main span are marked."""
        from toolkit.logs.plots import days

        return days(self.days, ax)

    def __str__(self) -> str:
        rows = self.lines.itertuples(index=False, name=None)
        wide = max(map(len, self.lines["about"]))
        return "\n".join(f"{about:<{wide}}  {found}" for about, found in rows)

    def _repr_html_(self) -> str:
        return html_table(self.lines)

    def _of(self, what: str) -> pd.DataFrame:
        return self.table[self.table["what"] == what]

    def _clock(self, notes: pd.Series[str]) -> str:
        read, shown = str(notes["first"]), str(notes["last"])
        return read if shown.removeprefix("shown in ") in read else f"{read}, {shown}"

    def _property(self, name: str) -> str:
        lines = self.table[self.table["name"] == name]
        distinct, note = lines.loc[lines["what"] == "property", ["value", "note"]].iloc[0]
        values = lines.loc[lines["what"] == "value", ["note", "value"]]
        said = _listed(values, distinct) or counted(distinct, "distinct value")
        return f"{said}; {note}" if note else said


def _listed(counts: pd.DataFrame, of: int | None = None, most: int = FREQUENT) -> str:
    """Names with their counts, and how many more there are."""
    said = ", ".join(f"{name} {count(value)}" for name, value in counts.head(most).itertuples(index=False))
    left = (len(counts) if of is None else of) - min(len(counts), most)
    return f"{said} and {count(left)} more" if said and left else said


def summarise(log: Source, *, duplicates: bool) -> Summary:
    """Count what is in a log. See `EventLog.summary`."""
    facts, engine = log.facts, log.engine
    user, zone = identifier(log.user), literal(log.timezone)
    usable = f"(SELECT {user} AS u, {log.at} AS t FROM {engine.table}) WHERE u IS NOT NULL AND t IS NOT NULL"
    users = engine.rows(f"SELECT count(DISTINCT u) FROM {usable}")[0][0]
    days = engine.frame(
        f"SELECT CAST(timezone({zone}, make_timestamptz(t)) AS DATE) AS day, count(*) AS rows FROM {usable} "
        "GROUP BY 1 ORDER BY 1"
    )
    days["main"] = main_days(days)
    lines: list[Line] = [
        ("log", "rows", facts.rows, ""),
        ("log", "users", users, log.user),
        ("log", "first", _shown(facts.first, log.timezone), log.clock.said),
        ("log", "last", _shown(facts.last, log.timezone), f"shown in {log.timezone}"),
    ]
    lines += [("event", name, rows, "rows") for name, rows in log.events.items()]
    lines += (properties := _properties(log))
    lines += problems(log, days, users, _flags(properties), duplicates)
    table = pd.DataFrame(lines, columns=["what", "name", "value", "note"])
    return Summary(source=log.source, table=table, days=days)


def _shown(at: int | None, timezone: str) -> str:
    if at is None:
        return "–"
    return str(pd.Timestamp(at, unit="us", tz="UTC").tz_convert(timezone).floor("s").tz_localize(None))


def _properties(log: Source) -> list[Line]:
    """Distinct values of each property, rows without one, and the most frequent values: two passes over the log."""
    if not log.properties:
        return []
    counts = ", ".join(
        f"count(DISTINCT {identifier(name)}), count({identifier(name)})" for name in log.properties
    )
    row = log.engine.rows(f"SELECT {counts} FROM {log.engine.table}")[0]
    distinct, known = row[::2], row[1::2]
    few = [name for name, number in zip(log.properties, distinct, strict=True) if 0 < number <= MOST_VALUES]
    values = _most_frequent(log, few)
    lines: list[Line] = []
    for name, number, rows in zip(log.properties, distinct, known, strict=True):
        missing = log.facts.rows - rows
        lines.append(
            ("property", name, number, f"{counted(missing, 'row')} without a value" if missing else "")
        )
        lines += [("value", name, n, value) for value, n in values.get(name, [])]
    return lines


def _flags(properties: Sequence[Line]) -> list[str]:
    """Columns that hold yes and no."""
    values: dict[str, set[str]] = {}
    for what, name, _, note in properties:
        if what == "value":
            values.setdefault(name, set()).add(note.lower())
    return [name for name, found in values.items() if len(found) == 2 and found <= FLAGS]


def _most_frequent(log: Source, names: list[str]) -> dict[str, list[tuple[str, int]]]:
    """The most frequent values of some columns with their rows, by one pass for all."""
    if not names:
        return {}
    columns = [f"v{at}" for at in range(len(names))]
    texts = ", ".join(f"CAST({identifier(name)} AS VARCHAR) AS v{at}" for at, name in enumerate(names))
    which = " ".join(f"WHEN grouping({column}) = 0 THEN {at}" for at, column in enumerate(columns))
    sets = ", ".join(f"({column})" for column in columns)
    counts = (
        f"SELECT CASE {which} END AS c, coalesce({', '.join(columns)}, NULL) AS v, count(*) AS n "
        f"FROM (SELECT {texts} FROM {log.engine.table}) AS texts GROUP BY GROUPING SETS ({sets})"
    )
    ranked = (
        f"SELECT c, v, n, row_number() OVER (PARTITION BY c ORDER BY n DESC, v) AS place FROM ({counts}) AS counts "
        "WHERE v IS NOT NULL"
    )
    found: dict[str, list[tuple[str, int]]] = {}
    for at, value, rows, _ in log.engine.rows(
        f"SELECT * FROM ({ranked}) AS ranked WHERE place <= {FREQUENT} ORDER BY c, place"
    ):
        found.setdefault(names[at], []).append((value, rows))
    return found
