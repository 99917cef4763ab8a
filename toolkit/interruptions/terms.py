"""Terms: what an interruption may do to a series, each a column of the design.

Level   a jump that stays: a removal, a ban
Slope   a change of trend: growth that speeds up or slows down
Pulse   a lift or dip with an end: a campaign, an outage
Ramp    a gradual change that then stays: a roll-out
Decay   a jump that fades: a launch's novelty
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from toolkit.interruptions.series import Clock


@dataclass(frozen=True)
class Level:
    """A jump that stays, such as a removal from the app stores or a ban: 1 from the date on, 0 before.

    Its estimate is the size of the jump, on the log scale as a share: -0.2 is 20 % less.

    Parameters
    ----------
    at : date
        First period of the new level; a whole number for a series of numbered periods.

    Examples
    --------
    >>> import pandas as pd
    >>> from toolkit.interruptions.series import read
    >>> clock = read(pd.Series(1.0, index=pd.date_range("2019-07-29", periods=5))).clock
    >>> Level("2019-07-31").column(clock)
    array([0., 0., 1., 1., 1.])
    """

    at: Any
    name: ClassVar[str] = "level"

    def column(self, clock: Clock) -> np.ndarray:
        """The term at every period of the clock."""
        return (clock.periods >= clock.place(self.at)).astype(float)


@dataclass(frozen=True)
class Slope:
    """A change of trend, such as growth that slows after a rule: 0 on the date, then one more with every period.

    Its estimate is what each period adds to the change. Give it together with a `Level` where the series may also
    jump: ``[Level(date), Slope(date)]``.

    Parameters
    ----------
    at : date
        Period from which the trend differs.

    Examples
    --------
    >>> import pandas as pd
    >>> from toolkit.interruptions.series import read
    >>> clock = read(pd.Series(1.0, index=pd.date_range("2019-07-29", periods=5))).clock
    >>> Slope("2019-07-31").column(clock)
    array([0., 0., 0., 1., 2.])
    """

    at: Any
    name: ClassVar[str] = "slope"

    def column(self, clock: Clock) -> np.ndarray:
        """The term at every period of the clock."""
        return np.asarray(np.maximum(clock.periods - clock.place(self.at), 0).astype(float))


@dataclass(frozen=True)
class Pulse:
    """A lift or dip with an end, such as a festival or an outage: 1 from start to end, both included, 0 elsewhere.

    Its estimate is the average change over those periods. For a festival that also borrows from the days around it,
    ask the result for `.net(...)`.

    Parameters
    ----------
    at, end : date
        First and last period.

    Examples
    --------
    >>> import pandas as pd
    >>> from toolkit.interruptions.series import read
    >>> clock = read(pd.Series(1.0, index=pd.date_range("2019-11-09", periods=5))).clock
    >>> Pulse("2019-11-10", "2019-11-11").column(clock)
    array([0., 1., 1., 0., 0.])
    """

    at: Any
    end: Any
    name: ClassVar[str] = "pulse"

    def column(self, clock: Clock) -> np.ndarray:
        """The term at every period of the clock."""
        start, end = _span(self, clock)
        return ((clock.periods >= start) & (clock.periods <= end)).astype(float)


@dataclass(frozen=True)
class Ramp:
    """A gradual change that then stays, such as a feature rolled out over two weeks: rises evenly from 0 to 1.

    Its estimate is the whole change, reached on the last period. A roll-out that is modelled as a `Level` is
    estimated too small, by an interval that misses it.

    Parameters
    ----------
    at, end : date
        Last period without the change, and first period with all of it.

    Examples
    --------
    >>> import pandas as pd
    >>> from toolkit.interruptions.series import read
    >>> clock = read(pd.Series(1.0, index=pd.date_range("2019-11-09", periods=5))).clock
    >>> Ramp("2019-11-10", "2019-11-12").column(clock)
    array([0. , 0. , 0.5, 1. , 1. ])
    """

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
    """A jump that fades, such as the novelty of a launch: exp(-periods since the date / tau) from the date on.

    Its estimate is the jump on the first period; after tau periods 37 % of it are left, after 3 tau 5 %. tau is given,
    not estimated: ask with several.

    Parameters
    ----------
    at : date
        First period of the jump.
    tau : float
        Periods after which the jump has fallen to 37 %, above 0.

    Examples
    --------
    >>> import pandas as pd
    >>> from toolkit.interruptions.series import read
    >>> clock = read(pd.Series(1.0, index=pd.date_range("2019-11-09", periods=5))).clock
    >>> Decay("2019-11-10", tau=2).column(clock).round(2)
    array([0.  , 1.  , 0.61, 0.37, 0.22])
    """

    at: Any
    tau: float
    name: ClassVar[str] = "decay"

    def column(self, clock: Clock) -> np.ndarray:
        """The term at every period of the clock."""
        if isinstance(self.tau, bool) or not isinstance(self.tau, Real):
            raise TypeError(f"tau is a number of periods above 0, not {self.tau!r}")
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
    TypeError
        For interruptions without names, or a term that is none, such as a bare date.
    ValueError
        For no interruption, a name without terms, or one with the same term twice.
    """
    example = '{"removed": Level("2019-07-31")}'
    if not isinstance(interruptions, Mapping):
        raise TypeError(f"interruptions= names what happened, {example}, not {type(interruptions).__name__}")
    if not interruptions:
        raise ValueError(f"interruptions= is empty; name what happened: {example}")
    found: dict[str, tuple[Term, ...]] = {}
    for name, given in interruptions.items():
        terms = (given,) if isinstance(given, Term) else given
        if not isinstance(terms, Sequence) or not all(isinstance(one, Term) for one in terms):
            raise TypeError(
                f"interruption {name!r} is {given!r}; say what it does: Level(date), Slope(date), "
                "Pulse(start, end), Ramp(start, end) or Decay(date, tau), or a list of these"
            )
        if not terms:
            raise ValueError(f"interruption {name!r} has no term; say what it does, such as Level(date)")
        if twice := [term for at, term in enumerate(terms) if term in terms[:at]]:
            raise ValueError(f"interruption {name!r} has {twice[0]} twice; give it once")
        found[str(name)] = tuple(terms)
    return found
