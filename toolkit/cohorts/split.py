"""Whether retention changed, or the composition of the active users: a Kitagawa decomposition, and fixed users."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from scipy import special

from toolkit import decompositions
from toolkit.cohorts import bitmaps
from toolkit.cohorts.filters import left_out
from toolkit.cohorts.periods import shown
from toolkit.logs.engines import literal
from toolkit.logs.times import instant
from toolkit.results import Result
from toolkit.wording import count, group_name, interval_level, percent, points, points_interval, some

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.cohorts.question import RetentionQuestion

#: Period numbers kept apart by mix="age"; the last stands for all above.
MOST_APART = 4
MOST_GROUPS = 12


@dataclass(frozen=True, repr=False, eq=False)
class Split(Result):
    """A change of retention as a composition and a rate component. Made by `Retention.split`.

    Attributes
    ----------
    table : DataFrame
        `part`, `group`, `before`, `after`, `estimate` (after - before, or the part of it), `low`, `high`, `n` and
        `n_after` (active users times periods, before and after). Parts: "change" of retention; "mix" (composition
        component) and "rate" (rate component), which add up to it; "retention" and "share" of each group; "fixed
        users": those whose first event is before the span `before`, in both spans.
    mix : str
    period : str
    confidence : float

    Notes
    -----
    Retention of a span: of the users active in each of its periods, the share active in the next period too. Where
    retention moves one way and that of every group the other (Simpson's paradox), the composition component is the
    larger one. A group that one span lacks has no rate there to differ, so that it counts as composition alone.
    Intervals: delta method, with the second moments of sums over users, so that users are the clusters.

    References
    ----------
    Kitagawa (1955), JASA 50, 1168-1194.

    Examples
    --------
    >>> import pandas as pd
    >>> from toolkit import read_events, retention
    >>> rows = [(user, day) for user in range(8) for day in range(1, 15) if day < 8 or user % 2]
    >>> log = pd.DataFrame(rows, columns=["user_id", "day"]).assign(event="open")
    >>> log["timestamp"] = pd.Timestamp("2019-11-01") + pd.to_timedelta(log.pop("day"), "D")
    >>> split = retention(read_events(log), period="day").split(before=("2019-11-04", "2019-11-07"),
    ...         after=("2019-11-07", "2019-11-12"))
    >>> split.table[["part", "estimate", "n"]].head(3).round(3)
         part  estimate   n
    0  change    -0.143  24
    1     mix     0.000  24
    2    rate    -0.143  24
    """

    table: pd.DataFrame
    mix: str
    period: str
    confidence: float
    notes: tuple[str, ...] = field(default=(), repr=False)

    rates: ClassVar = frozenset({"before", "after", "estimate", "low", "high"})

    def part(self, name: str) -> pd.Series:
        """The row of a part of the whole: "change", "mix", "rate" or "fixed users"."""
        return self.table[(self.table["part"] == name) & self.table["group"].isna()].iloc[0]

    def sentence(self) -> str:
        """The change, its two components, and what fixed users did."""
        change, fixed = self.part("change"), self.part("fixed users")
        level = interval_level(self.confidence)
        text = (
            f"Retention of active users to the next {self.period} went from {percent(change['before'])} to "
            f"{percent(change['after'])}, {_points(change, level)}, n = {count(change['n'])} and "
            f"{count(change['n_after'])} active user {self.period}s); Kitagawa decomposition: composition (mix) "
            f"{_points(self.part('mix'))}), rate {_points(self.part('rate'))}); "
        )
        if np.isnan(fixed["estimate"]):
            text += "no user from before the first span is active in both spans"
        else:
            text += (
                f"users from before the first span: {_points(fixed)}, n = {count(fixed['n'])} and "
                f"{count(fixed['n_after'])}), of whom the loyal ones remain"
            )
        return f"{text}{''.join(f'; {note}' for note in self.notes)}."

    def plot(self, ax: Axes | None = None) -> Axes:
        """The change, its components, and the fixed users, each with its interval."""
        from toolkit.cohorts import plots

        shown_rows = self.table[self.table["part"].isin(["change", "mix", "rate", "fixed users"])]
        return plots.estimates(shown_rows, ["part"], "change of retention, points", ax, points=True)


def split(question: RetentionQuestion, mix: str, before: tuple[Any, Any], after: tuple[Any, Any]) -> Split:
    """See `Retention.split`."""
    if mix not in ("new_or_old", "age", *question.by):
        known = ", ".join(map(repr, ("new_or_old", "age", *question.by)))
        raise ValueError(f"mix={mix!r}; use one of {known}, or ask retention with by={mix!r}")
    # Who is new must be known of all users, also of those whom `born_from` leaves out.
    asked = replace(question, born_from=None, by=(mix,) if mix in question.by else ())
    spans = {name: _span(asked, span, name) for name, span in (("before", before), ("after", after))}
    if spans["after"][0] < spans["before"][1]:
        raise ValueError(
            f"after={after!r} begins before the end of before={before!r}; the two spans must not overlap"
        )
    if spans["before"][0] <= asked.first and mix != "age" and mix not in question.by:
        later = asked.calendar.first_day(asked.first + 1)
        raise ValueError(
            f"before={before!r} holds the log's first {asked.calendar.unit}, in which every user looks new; "
            f"begin at {later} or later"
        )
    groups, totals, moments = _moments(asked, mix, spans)
    table = _table(groups, totals, moments, question.confidence)
    began = asked.calendar.first_day(asked.first)
    notes = (f"users from before the log ({began}) count as new when first seen", *left_out(question.log))
    return Split(
        table,
        mix,
        question.calendar.unit,
        question.confidence,
        notes if mix not in question.by else notes[1:],
    )


def _span(question: RetentionQuestion, span: tuple[Any, Any], option: str) -> tuple[int, int]:
    """Numbers of the periods in a span (the last excluded) whose following period is observed."""
    if isinstance(span, str) or len(span) != 2:
        raise ValueError(f"{option}={span!r}; give (from, to)")
    low, high = (instant(end, question.log.timezone, option) for end in span)
    days = question.calendar
    first, last = days.first_whole(low), days.number(high)
    last = min(last, days.number(question.until) - 1)
    if first >= last:
        raise ValueError(
            f"{option}={span!r} holds no whole {days.unit} of which the next one is observed; observation ends "
            f"{shown(question.until, question.log.timezone)}"
        )
    return first, last


def _moments(
    question: RetentionQuestion, mix: str, spans: dict[str, tuple[int, int]]
) -> tuple[list[Any], np.ndarray, np.ndarray]:
    """Groups; totals (span x group x active and retained); sums over users of products of any two of these.

    The last group of each span are the fixed users.
    """
    value = {"new_or_old": "least(p - c, 1)", "age": f"least(p - c, {MOST_APART})"}.get(mix, "b0")
    values = ", born.b0" if mix in question.by else ""
    inside = " OR ".join(f"(p >= {low} AND p < {high})" for low, high in spans.values())
    active = (
        f"SELECT r.u AS u, r.p AS p, born.c AS c{values} FROM ({bitmaps.returning(question)}) r JOIN "
        f"({bitmaps.first_events(question)}) born ON r.u = born.u WHERE r.t >= born.born "
        f"GROUP BY r.u, r.p, born.c{values}"
    )
    kept = (
        f"SELECT *, coalesce(lead(p) OVER (PARTITION BY u ORDER BY p) = p + 1, FALSE) AS kept FROM ({active})"
    )
    base = f"SELECT u, p, c, kept, {value} AS g FROM ({kept}) WHERE {inside}"
    found = [row[0] for row in question.tuples(f"SELECT g FROM ({base}) GROUP BY g ORDER BY g NULLS LAST")]
    if len(found) > MOST_GROUPS:
        raise ValueError(
            f"mix={mix!r} has {len(found)} groups; {MOST_GROUPS} at most can be told apart: {some(found)}"
        )
    names = _names(mix, found)
    columns = []
    for low, high in spans.values():
        here = f"p >= {low} AND p < {high}"
        same = [f"g IS NOT DISTINCT FROM {_literal(group)}" for group in found]
        for group in [*same, f"c < {spans['before'][0]}"]:
            columns += [
                f"count(*) FILTER ({here} AND {group})",
                f"count(*) FILTER ({here} AND {group} AND kept)",
            ]
    size = len(columns)
    own = ", ".join(f"CAST({sql} AS DOUBLE) AS v{i}" for i, sql in enumerate(columns))
    pairs = [(i, j) for i in range(size) for j in range(i, size)]
    chosen = ", ".join([f"sum(v{i})" for i in range(size)] + [f"sum(v{i} * v{j})" for i, j in pairs])
    row = question.tuples(f"SELECT {chosen} FROM (SELECT u, {own} FROM ({base}) GROUP BY u)")[0]
    numbers = np.array([0.0 if number is None else number for number in row])
    moments = np.zeros((size, size))
    for (i, j), product in zip(pairs, numbers[size:], strict=True):
        moments[i, j] = moments[j, i] = product
    return names, numbers[:size].reshape(2, len(found) + 1, 2), moments


def _literal(value: Any) -> str:
    return (
        literal(value)
        if value is None or isinstance(value, str | int | float | bool)
        else literal(str(value))
    )


def _names(mix: str, found: list[Any]) -> list[str]:
    if mix == "new_or_old":
        return ["old" if group else "new" for group in found]
    if mix == "age":
        return [f"age {group}{'+' * (group == MOST_APART)}" for group in found]
    return [group_name([group]) for group in found]


def components(totals: np.ndarray) -> np.ndarray:
    """Composition and rate component of a change (Kitagawa), from totals of span x group x (active, retained)."""
    n, y = totals[..., 0], totals[..., 1]
    some_active = n.real > 0
    rate = np.where(some_active, y / np.where(some_active, n, 1), 0)
    # A group that one span lacks has no rate there to differ: it is all composition.
    rate = np.where(some_active, rate, rate[::-1])
    by_group, _ = decompositions.kitagawa(rate, n / n.sum(-1, keepdims=True))
    return np.asarray(by_group.sum(-1))


def _table(names: list[str], totals: np.ndarray, moments: np.ndarray, confidence: float) -> pd.DataFrame:
    z = float(special.ndtri((1 + confidence) / 2))

    def line(
        part: str, group: str | None, of: Callable[[np.ndarray], Any], levels: Any, sizes: Any
    ) -> list[Any]:
        estimate = float(np.real(of(totals.astype(complex))))
        if np.isnan(estimate):
            return [part, group, *levels, np.nan, np.nan, np.nan, *sizes]
        # These functions do not change when all totals grow alike, so the second moments over users are their variance.
        slope = decompositions.complex_step(of, totals)
        half = z * float(np.sqrt(max(slope @ moments @ slope, 0.0)))
        return [part, group, *levels, estimate, max(estimate - half, -1.0), min(estimate + half, 1.0), *sizes]

    inner = totals[:, :-1]
    n = inner[..., 0].sum(-1)

    def whole(t: np.ndarray) -> Any:
        own = t[:, :-1].sum(1)
        return own[1, 1] / own[1, 0] - own[0, 1] / own[0, 0]

    def share(g: int) -> Callable[[np.ndarray], Any]:
        return lambda t: t[1, g, 0] / t[1, :-1, 0].sum() - t[0, g, 0] / t[0, :-1, 0].sum()

    def rate(g: int) -> Callable[[np.ndarray], Any]:
        return lambda t: t[1, g, 1] / t[1, g, 0] - t[0, g, 1] / t[0, g, 0]

    if not n.all():
        raise ValueError("no user was active in one of the two spans; choose spans with rows in them")
    blended = inner[..., 1].sum(-1) / n
    none = (np.nan, np.nan)
    lines = [
        line("change", None, whole, blended, n),
        line("mix", None, lambda t: components(t[:, :-1])[0], none, n),
        line("rate", None, lambda t: components(t[:, :-1])[1], none, n),
    ]
    with np.errstate(invalid="ignore", divide="ignore"):
        for g, name in enumerate([*names, None]):
            own = totals[:, g]
            part = "retention" if name is not None else "fixed users"
            lines.append(line(part, name, rate(g), own[:, 1] / own[:, 0], own[:, 0]))
            if name is not None:
                lines.append(line("share", name, share(g), own[:, 0] / n, n))
    table = pd.DataFrame(
        lines, columns=["part", "group", "before", "after", "estimate", "low", "high", "n", "n_after"]
    )
    return table.astype({"n": "int64", "n_after": "int64", "group": "str"})


def _points(row: pd.Series, level: str = "") -> str:
    """A difference in points and its interval, the bracket still open."""
    limits = points_interval(row["low"], row["high"])
    return f"{points(row['estimate'])} ({level}{' ' if level else ''}{limits}"
