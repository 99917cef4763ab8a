"""Did retention change, or did the mix of those who were active: Kitagawa's split, and fixed users beside it."""

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
from toolkit.wording import counted, group_name, interval_level, some

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.cohorts.question import RetentionQuestion

#: Ages kept apart by mix="age"; the last stands for all above.
AGES = 4
MOST_GROUPS = 12


@dataclass(frozen=True, repr=False, eq=False)
class Split(Result):
    """A change of retention in two parts. Made by `Retention.split`.

    Attributes
    ----------
    table : DataFrame
        `part`, `group`, `before`, `after`, `estimate` (after - before, or the part of it), `low`, `high`, `n` and
        `n_after` (active users times periods). Parts: "change" of retention; "mix" and "rate", which add up to it;
        "retention" and "share" of each group; "fixed users": those born before the span `before`, in both spans.
    mix : str
    period : str
    confidence : float
    """

    table: pd.DataFrame
    mix: str
    period: str
    confidence: float
    notes: tuple[str, ...] = field(default=(), repr=False)

    rates: ClassVar = frozenset({"before", "after", "estimate", "low", "high"})

    def part(self, name: str) -> pd.Series:
        """The row of a part of the whole."""
        return self.table[(self.table["part"] == name) & self.table["group"].isna()].iloc[0]

    def sentence(self) -> str:
        """The change, its two parts, and what fixed users did."""
        change, fixed = self.part("change"), self.part("fixed users")
        level = f"{interval_level(self.confidence)}s"
        said = [f"{name} {_points(self.part(name))}" for name in ("mix", "rate")]
        text = (
            f"Retention of active users to the next {self.period} went from {change['before'] * 100:.1f} % to "
            f"{change['after'] * 100:.1f} %, {_points(change)}: {' and '.join(said)} ({level}); "
        )
        if np.isnan(fixed["estimate"]):
            text += "nobody who was there before is active in both spans"
        else:
            text += f"users who were there before the first span: {_points(fixed)}, of whom only the faithful are left"
        return f"{text}{''.join(f'; {note}' for note in self.notes)}."

    def plot(self, ax: Axes | None = None) -> Axes:
        """The change, its parts, and the fixed users, each with its interval."""
        from toolkit.cohorts import plots

        shown_rows = self.table[self.table["part"].isin(["change", "mix", "rate", "fixed users"])]
        return plots.estimates(shown_rows, ["part"], "points of retention", ax, points=True)


def split(question: RetentionQuestion, mix: str, before: tuple[Any, Any], after: tuple[Any, Any]) -> Split:
    """See `Retention.split`."""
    if mix not in ("new_or_old", "age", *question.by):
        known = ", ".join(map(repr, ("new_or_old", "age", *question.by)))
        raise ValueError(f"mix={mix!r}; use one of {known}, or ask retention with by={mix!r}")
    # Who is new must be known of everybody, also of those who are left out as born too early.
    asked = replace(question, born_from=None, by=(mix,) if mix in question.by else ())
    spans = {name: _span(asked, span, name) for name, span in (("before", before), ("after", after))}
    if spans["after"][0] < spans["before"][1]:
        raise ValueError(
            f"after={after!r} begins before the end of before={before!r}; the two spans must not overlap"
        )
    if spans["before"][0] <= asked.first and mix != "age" and mix not in question.by:
        later = asked.calendar.first_day(asked.first + 1)
        raise ValueError(
            f"before={before!r} holds the log's first {asked.calendar.unit}, in which everybody looks new; "
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
    age = "p - c"
    value = {"new_or_old": f"least({age}, 1)", "age": f"least({age}, {AGES})"}.get(mix, "b0")
    values = ", born.b0" if mix in question.by else ""
    inside = " OR ".join(f"(p >= {low} AND p < {high})" for low, high in spans.values())
    active = (
        f"SELECT r.u AS u, r.p AS p, born.c AS c{values} FROM ({bitmaps.returning(question)}) r JOIN "
        f"({bitmaps.first_events(question)}) born USING (u) WHERE r.t >= born.born GROUP BY ALL"
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
        return [f"age {group}{'+' * (group == AGES)}" for group in found]
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
        raise ValueError("nobody was active in one of the two spans; choose spans with rows in them")
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


def _points(row: pd.Series) -> str:
    numbers = [f"{row[name] * 100:+.1f}".replace("-", "−") for name in ("estimate", "low", "high")]
    return f"{numbers[0]} points ({numbers[1]} to {numbers[2]}, n = {counted(row['n'], 'active period')})"
