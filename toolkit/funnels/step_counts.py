"""Who reached each step, by group: counts, rates and sums over users, which tiers and scenarios read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from toolkit.clusters import Clusters
from toolkit.intervals import Rate, UserSums
from toolkit.propagation import Moments
from toolkit.wording import NULL, counted, unknown

if TYPE_CHECKING:
    from toolkit.funnels.counting_units import CountingUnits

Unit = Literal["users", "pairs", "entries", "counts"]
EVERY = slice(None)
#: What an interval of sums over days or sessions without their names leaves out.
ALONE = (
    "only the chance of single people: if days or sessions differ they are too narrow and p values too small (give "
    "the counts by day, and cluster=)"
)
#: Groups that a figure shows one by one; all others are one line.
MOST_DRAWN = 12
#: Sums over users by step, where one may count more than once.
SUMS = ("users", "squares", "fourths", "largest", "with_first", "with_previous", "per_first", "per_previous")


@dataclass(frozen=True, eq=False)
class StepCounts:
    """How many reached each step in each group, and how users repeat among them. Made by `funnel`.

    Attributes
    ----------
    steps : tuple of str
    by : tuple of str
        What the counts are broken down by.
    unit : {"users", "pairs", "entries", "counts"}
        What was counted; "counts" where only a table of counts is known.
    groups : DataFrame
        One row per group, the `by` columns.
    texts : tuple of tuples
        Each group's values as text, None for a missing one.
    reached : array of groups x steps
    in_window : array of groups x steps
        Those at their furthest step whose window is not over (right-censored); nan where that is not known.
    sums : dict of str to array of groups x steps
        Where a user may count more than once, sums over users of products of a user's counts: see
        `toolkit.funnels.sums.reduce`.
    attribution : str or int
        The row that gives a unit its group: "entry", "last", or a step's position from 1 on.
    hold : tuple of str
        Properties held constant.
    notes : tuple of str
        What a reader must know of how the counts came about.
    clusters : Clusters or None
        The counts day by day, or session by session, where they were given so.

    Examples
    --------
    >>> from toolkit import Funnel
    >>> counts = Funnel.from_counts(pd.DataFrame({"step": ["enter", "pay"], "n": [200, 20]})).step_counts
    >>> counts.reached.tolist(), counts.rate("pay").estimate.tolist()
    ([[200, 20]], [0.1])
    """

    steps: tuple[str, ...]
    by: tuple[str, ...]
    unit: Unit
    groups: pd.DataFrame = field(repr=False)
    texts: tuple[tuple[str | None, ...], ...] = field(repr=False)
    reached: np.ndarray = field(repr=False)
    in_window: np.ndarray = field(repr=False)
    sums: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    attribution: str | int = "entry"
    hold: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    units: CountingUnits | None = field(default=None, repr=False)
    clusters: Clusters | None = None

    @classmethod
    def of_units(cls, units: CountingUnits) -> StepCounts:
        """Counted where the units lie."""
        question, frame = units.question, units.counts()
        size, groups = question.size, len(question.by)

        def by_step(name: str, missing: float = 0) -> np.ndarray:
            values = np.full((len(frame), size), np.nan)
            known = [j for j in range(size) if f"{name}_{j + 1}" in frame]
            values[:, known] = frame[[f"{name}_{j + 1}" for j in known]].to_numpy(float, na_value=missing)
            return values

        texts = frame[[f"l{i}" for i in range(groups)]].itertuples(index=False, name=None)
        facts = question.log.facts
        left = f"{counted(facts.unusable, 'row')} without a user or a time {'is' if facts.unusable == 1 else 'are'}"
        return cls(
            steps=question.names,
            by=question.by,
            unit=question.count,
            groups=frame[[f"b{i}" for i in range(groups)]].set_axis([*question.by], axis=1),
            texts=tuple(tuple(None if pd.isna(text) else str(text) for text in line) for line in texts)
            if groups
            else ((),) * len(frame),
            reached=by_step("reached").astype(np.int64),
            in_window=by_step("open", 0 if question.mode == "ordered" else np.nan),
            sums={}
            if question.count == "users"
            else {name: by_step(name, np.nan if name.startswith("per") else 0) for name in SUMS},
            attribution=question.attribution,
            hold=question.hold,
            notes=(*([f"{left} left out"] if facts.unusable else []), *question.lacking, *units.notes),
            units=units,
        )

    def position(self, step: str) -> int:
        """The place of a step, from 0 on."""
        if step not in self.steps:
            raise ValueError(unknown("step", step, self.steps, of="the funnel"))
        return self.steps.index(step)

    def labels(self, column: str) -> list[str]:
        """Each group's value of one `by` column as text; a missing one is "<null>"."""
        at = self.by.index(column)
        return [_shown(text[at]) for text in self.texts]

    @property
    def names(self) -> list[str]:
        """Groups as text, in their order."""
        return [" ".join(map(_shown, text)) for text in self.texts]

    def place(self, group: Any) -> int:
        """The place of a group: a value of `by`, or a tuple of values where there are several columns."""
        if not self.by:
            raise ValueError("the funnel has no groups; ask it with by=")
        values = group if isinstance(group, tuple) else (group,)
        if len(values) != len(self.by):
            raise ValueError(
                f"a group here is {' and '.join(self.by)}: give {len(self.by)} values, not {group!r}"
            )
        same = np.ones(len(self.groups), dtype=bool)
        for name, wanted in zip(self.by, values, strict=True):
            column = self.groups[name]
            equal = column.isna() if pd.isna(wanted) else column.eq(wanted).fillna(False)
            same &= equal.to_numpy(dtype=bool)
        if not same.any():
            raise ValueError(unknown("group", group, self.names))
        return int(np.flatnonzero(same)[0])

    def places(self, texts: pd.DataFrame) -> np.ndarray:
        """The places of groups, from their values as text in columns l0.. , as an engine gives them."""
        if not self.by:
            return np.zeros(len(texts), np.int64)
        place = {text: at for at, text in enumerate(self.texts)}
        columns = texts[[f"l{i}" for i in range(len(self.by))]].astype(object)
        lines = columns.where(columns.notna(), None).itertuples(index=False, name=None)
        return np.fromiter((place[line] for line in lines), np.int64, len(texts))

    @cached_property
    def clustered(self) -> bool:
        """Whether some user counts more than once in a group, so that intervals must allow for it."""
        return bool(self.sums) and bool((self.sums["squares"][:, 0] != self.reached[:, 0]).any())

    @property
    def largest_shares(self) -> np.ndarray:
        """By group, the share of its counting units that its most frequent user makes; 0 where each counts once."""
        if not self.sums:
            return np.zeros(len(self.groups))
        most, entered = self.sums["largest"][:, 0], self.reached[:, 0]
        return np.asarray(np.divide(most, entered, out=np.zeros(len(most)), where=(most > 1) & (entered > 0)))

    def rate(self, step: str, base: str | None = None, at: Any = EVERY) -> Rate:
        """By group, the share of those at `base` (the step before, if not given) who reached a step.

        Parameters
        ----------
        at
            Places of groups; all, if not given.
        """
        j = self.position(step)
        b = j - 1 if base is None else self.position(base)
        if self.clusters is not None:
            return self.clusters.rate(j, b).at(at)
        if not self.sums:
            return Rate.of_counts(self.reached[at, j], self.reached[at, b])
        return Rate.of_users(self.user_sums(step, base, at), self.sums["fourths"][at, b])

    def user_sums(self, step: str, base: str | None = None, at: Any = EVERY) -> UserSums:
        """By group, the sums over users behind a rate over the first step or the one before."""
        j = self.position(step)
        b = j - 1 if base is None else self.position(base)
        if b not in (0, j - 1):
            raise ValueError(f"sums over users are kept for the first step and the one before, not {base!r}")
        side = "first" if b == 0 else "previous"
        return UserSums(
            users=self.sums["users"][at, b],
            x=self.reached[at, b],
            y=self.reached[at, j],
            xx=self.sums["squares"][at, b],
            xy=self.sums[f"with_{side}"][at, j],
            yy=self.sums["squares"][at, j],
            yy_per_x=self.sums[f"per_{side}"][at, j],
        )

    def places_drawn(self, always: int | None = None) -> np.ndarray | None:
        """Where each group is drawn: the largest have a place of their own, all others share the last; None for few.

        Parameters
        ----------
        always
            The place of a group that keeps its own and is not counted among the largest.
        """
        size = self.reached[:, 0].astype(float)
        kept = MOST_DRAWN
        if always is not None:
            size[always], kept = np.inf, kept + 1
        if len(size) <= kept:
            return None
        largest = np.sort(np.argsort(-size, kind="stable")[:kept])
        places = np.full(len(size), kept)
        places[largest] = np.arange(kept)
        return places

    def drawn(self, places: np.ndarray) -> StepCounts:
        """The counts as a figure shows them, the groups of the last place added up as others.

        A user who is in several of these counts in each, so that the interval of the others is slightly too short.
        """
        rest = int((places == places.max()).sum())
        names = [name for name, place in zip(self.names, places, strict=True) if place < places.max()]
        names.append(f"{rest} other groups")
        return replace(
            self,
            by=("group",),
            groups=pd.DataFrame({"group": names}),
            texts=tuple((name,) for name in names),
            reached=added_up(self.reached, places),
            in_window=added_up(self.in_window, places),
            sums={
                name: added_up(values, places, np.maximum if name == "largest" else np.add)
                for name, values in self.sums.items()
            },
            units=None,
            clusters=None if self.clusters is None else self.clusters.grouped(places),
        )

    def need_log(self, what: str) -> CountingUnits:
        """The units behind the counts, or an error that says what needs a log."""
        if self.units is None:
            raise ValueError(f"{what} need a log; a result from counts knows only how many reached each step")
        return self.units

    def moments(
        self, places: Sequence[int], steps: Sequence[str], amount: str | None = None
    ) -> tuple[Moments, np.ndarray]:
        """Sums over users of products of their counts at some steps, and the totals, places x steps.

        Parameters
        ----------
        places
            By group, the place where its users count, from 0 on; -1 leaves the group out.
        steps
            In the funnel's order.
        amount
            A numeric column of the log: what units paid at the last of the steps, as one more value.
        """
        units = self.need_log("sums over users")
        chosen = {text: at for text, at in zip(self.texts, places, strict=True) if at >= 0}
        return units.moments(chosen, [self.position(step) + 1 for step in steps], amount)

    def products(self, reference: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Sums over users (or clusters) of products of their counts at two steps, groups x steps x steps.

        First in each group; then counts in the group times those in the group at a place, 0 where no user is in both.
        None where each user counts once.
        """
        size = len(self.steps)
        shared = np.zeros((len(self.groups), size, size))
        if self.clusters is not None:
            own, shared = self.clusters.products(), self.clusters.products(second=reference)
            shared[reference] = 0
            return own, shared
        if self.unit in ("users", "counts"):
            return None  # a user has one group, and counts there once
        at = np.arange(size)
        # Where a user counts once in a group, the later of two steps says both.
        own = self.reached[:, np.maximum(at, at[:, None])].astype(float)
        places = {text: at for at, text in enumerate(self.texts)}
        found = self.need_log("shared users").products(self.texts[reference])
        for values, known in zip((own, shared), found, strict=True):
            for text, products in known.items():
                values[places[text]] = products
        shared[reference] = 0
        return (own, shared) if self.clustered or shared.any() else None

    def seen_in_several(self, column: str) -> int:
        """How many users (with what is held constant) were seen with several values of a column."""
        return self.need_log("users in several groups").seen_in_several(column)


def added_up(values: np.ndarray, places: np.ndarray, how: np.ufunc = np.add) -> np.ndarray:
    """Values of groups added up by place."""
    found = np.zeros((places.max() + 1, *values.shape[1:]), values.dtype)
    how.at(found, places, values)
    return found


def _shown(text: str | None) -> str:
    return NULL if text is None else text
