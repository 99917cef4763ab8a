"""What an interruption can do to a series: five terms, named by the analyst, turned into columns.

Level   jumps and stays
Slope   bends the trend
Pulse   lifts or lowers while it lasts
Ramp    changes little by little, then stays
Decay   jumps, and fades
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from toolkit.interruptions.series import Clock


@dataclass(frozen=True)
class Level:
    """A jump that stays: 1 from the date on.

    Examples
    --------
    >>> Level("2019-07-31")
    Level(at='2019-07-31')
    """

    at: Any
    name: ClassVar[str] = "level"

    def column(self, clock: Clock) -> np.ndarray:
        """The term at every period of the clock."""
        return (clock.periods >= clock.place(self.at)).astype(float)


@dataclass(frozen=True)
class Slope:
    """A change of trend: 0 on the date, then one more with every period."""

    at: Any
    name: ClassVar[str] = "slope"

    def column(self, clock: Clock) -> np.ndarray:
        """The term at every period of the clock."""
        return np.asarray(np.maximum(clock.periods - clock.place(self.at), 0).astype(float))


@dataclass(frozen=True)
class Pulse:
    """Something that ends: 1 from start to end, both included."""

    at: Any
    end: Any
    name: ClassVar[str] = "pulse"

    def column(self, clock: Clock) -> np.ndarray:
        """The term at every period of the clock."""
        start, end = _span(self, clock)
        return ((clock.periods >= start) & (clock.periods <= end)).astype(float)


@dataclass(frozen=True)
class Ramp:
    """A roll-out: 0 on the start, rising evenly to 1 on the end, then 1."""

    at: Any
    end: Any
    name: ClassVar[str] = "ramp"

    def column(self, clock: Clock) -> np.ndarray:
        """The term at every period of the clock."""
        start, end = _span(self, clock)
        if start == end:
            raise ValueError(f"{self} starts and ends in one period; use Level({self.at!r})")
        return np.clip((clock.periods - start) / (end - start), 0, 1)


@dataclass(frozen=True)
class Decay:
    """A novelty that fades: exp(-periods since the date / tau) from the date on; tau in periods, given."""

    at: Any
    tau: float
    name: ClassVar[str] = "decay"

    def column(self, clock: Clock) -> np.ndarray:
        """The term at every period of the clock."""
        if not self.tau > 0:
            raise ValueError(f"tau is a number of periods above 0, not {self.tau}")
        since = clock.periods - clock.place(self.at)
        return np.where(since >= 0, np.exp(-np.maximum(since, 0) / self.tau), 0.0)


Term = Level | Slope | Pulse | Ramp | Decay


def _span(term: Pulse | Ramp, clock: Clock) -> tuple[int, int]:
    start, end = clock.place(term.at), clock.place(term.end)
    if end < start:
        raise ValueError(f"{term} ends before it starts; swap the dates")
    return start, end


def listed(interruptions: Mapping[str, Term | Sequence[Term]]) -> dict[str, tuple[Term, ...]]:
    """Every interruption's terms, checked.

    Raises
    ------
    ValueError
        For no interruption, a bare date, or a name without terms.
    """
    if not isinstance(interruptions, Mapping) or not interruptions:
        raise ValueError('interruptions= names what happened: {"removed": Level("2019-07-31")}')
    found: dict[str, tuple[Term, ...]] = {}
    for name, given in interruptions.items():
        terms = (given,) if isinstance(given, Term) else tuple(given) if isinstance(given, Sequence) else ()
        wrong = [one for one in terms if not isinstance(one, Term)]
        if isinstance(given, str | pd.Timestamp) or wrong or not terms:
            raise ValueError(
                f"interruption {name!r} is {given!r}; say what it does: Level(date), Slope(date), "
                "Pulse(start, end), Ramp(start, end) or Decay(date, tau), or a list of these"
            )
        found[str(name)] = terms
    return found
