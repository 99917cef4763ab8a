"""`allocate`: how much traffic to give to live, and how much to notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from toolkit.counts import counts_table, refuse_taken
from toolkit.results import Result
from toolkit.scenarios.assumptions import ARITHMETIC, amount, column, plain, share
from toolkit.scenarios.economics.responses import Response
from toolkit.wording import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: How far from the best live share its loss is shown.
ASIDE = 0.1
#: A loss of less than this is little.
FLAT = 0.02


@dataclass(frozen=True, repr=False, eq=False)
class Allocation(Result):
    """Traffic by carrier where the total response is largest. Made by `allocate`.

    Attributes
    ----------
    table : DataFrame
        `carrier`, `traffic`, `response`, `marginal` (what the next unit brings there).
    curve : DataFrame
        `live_share`, `total` and the response of each carrier.
    by_hour : DataFrame or None
        Where hours were given: `hour`, `traffic`, `live`.
    responses : dict of carrier to response
    """

    table: pd.DataFrame
    traffic: float
    cannibalisation: float
    curve: pd.DataFrame
    corner: str
    by_hour: pd.DataFrame | None
    responses: Mapping[str, Response]

    rates: ClassVar = frozenset({"live_share"})

    @property
    def tie(self) -> bool:
        """Whether all divisions bring the same, so that none is the best."""
        totals = self.curve["total"]
        return bool(len(totals) > 1 and np.ptp(totals) <= 1e-9 * abs(totals).max())

    @property
    def live(self) -> float:
        """Traffic of the first carrier."""
        return float(self.table["traffic"].iloc[0])

    @property
    def total(self) -> float:
        """Response of both."""
        return float(self.table["response"].sum())

    @property
    def marginal(self) -> float:
        """What the next unit brings: inside, the same of both; at a corner, of the carrier that has all."""
        return float(self.table["marginal"].max())

    @property
    def largest_share(self) -> float:
        """The largest live share that can be had: beyond it the other carrier, or an hour, has no traffic left."""
        return float(self.curve["live_share"].max())

    def at(self, live_share: float) -> pd.DataFrame:
        """Traffic, response and marginal of each carrier at another live share; columns as of `table`."""
        wanted = share("live_share", live_share)
        if wanted > self.largest_share * (1 + 1e-12):
            raise ValueError(
                f"live_share={wanted:g} cannot be had: {self.largest_share:.4g} of the traffic is the most that live "
                "can take, with what it takes from the other carrier and the room in the hours"
            )
        live = wanted * self.traffic
        rest = max(self.traffic - (1 + self.cannibalisation) * live, 0.0)
        return _divided(self.responses, live, rest)

    def loss_aside(self) -> dict[str, float]:
        """The share of the total that is lost ten points below and above the best live share."""
        best = self.live / self.traffic if self.traffic else np.nan
        shares, totals = self.curve["live_share"], self.curve["total"]
        sides = {"below": best - ASIDE, "above": best + ASIDE}
        inside = {name: 0 <= at <= shares.max() and self.total > 0 for name, at in sides.items()}
        return {
            name: 1 - float(np.interp(at, shares, totals)) / self.total if inside[name] else np.nan
            for name, at in sides.items()
        }

    def sentence(self) -> str:
        """The best share, and how flat the top is."""
        if not self.traffic:
            return f"Without traffic there is nothing to divide. {ARITHMETIC}"
        names = self.table["carrier"]
        aside = self.loss_aside()
        lost = ", ".join(f"{percent(value)} {name}" for name, value in aside.items() if not np.isnan(value))
        best = f"{percent(self.live / self.traffic)} of the traffic to {names.iloc[0]}"
        marginals = ", ".join(
            f"{row.carrier} {plain(row.marginal, 4) if np.isfinite(row.marginal) else 'without limit'}"
            for row in self.table.itertuples()
        )
        if self.cannibalisation:
            taken = f"{plain(self.cannibalisation)} of {names.iloc[1]}"
            marginals += f" (a unit of {names.iloc[0]} takes {taken} beside itself)"
        little = lost and not any(value > FLAT for value in aside.values())
        flat = " The top is flat: the exact share matters little." if little else ""
        cost = f" Ten points aside cost {lost} of the total." if lost else ""
        if self.tie:
            return (
                f"Every division of the traffic brings the same total, {plain(self.total, 4)}: the next unit brings "
                f"{marginals}. {ARITHMETIC}"
            )
        found = f"The total is largest with {best}{self.corner}"
        return f"{found}; the next unit brings {marginals}.{cost}{flat}{self._beyond()} {ARITHMETIC}"

    def _beyond(self) -> str:
        """Fitted curves that are asked for more than their data hold."""
        ends = {name: getattr(one, "largest", np.inf) for name, one in self.responses.items()}
        given = self.table.set_index("carrier")["traffic"]
        over = [f"{name} ends at {plain(end)}" for name, end in ends.items() if given[name] > end]
        return f" Beyond the data: the curve of {' and that of '.join(over)}." if over else ""

    def plot(self, ax: Axes | None = None) -> Axes:
        """The total and both parts over the live share, with the best one."""
        from toolkit.scenarios import axes

        best = self.live / self.traffic if self.traffic else 0.0
        names = list(self.curve.columns[1:])
        first = self.table["carrier"].iloc[0]
        words = (f"share of traffic to {first}", "response")
        return axes.curves(
            self.curve, "live_share", names, words, marks=[(best, self.total, "largest")], ax=ax
        )


def allocate(
    responses: Mapping[str, Response],
    traffic: float,
    *,
    cannibalisation: float = 0.0,
    hours: pd.DataFrame | None = None,
) -> Allocation:
    """Work out how to divide traffic between two carriers.

    Parameters
    ----------
    responses : dict of carrier to response
        Two: the first is live. `Power`, `Saturating`, a curve that `saturation` fitted, or anything with `at` and
        `marginal`. A fitted curve is taken for certain; the sentence says
        where the answer lies beyond its largest spend.
    traffic : float
        In all.
    cannibalisation : float
        Further traffic that each unit of live takes from the other carrier, 0 to 1: notes get X - (1 + k) x.
    hours : DataFrame, optional
        `hour`, `minutes` that people have in it, and `block`, the minutes that a live session needs; an hour whose
        minutes are fewer than its block takes no live, another one whole blocks only. Traffic falls on hours as
        minutes do.

    Returns
    -------
    Allocation

    Raises
    ------
    ValueError
        For other than two carriers, increasing returns, and hours without minutes.

    Notes
    -----
    Concave responses are largest in sum where marginals are equal, found by bisection; or at a corner, where one stays
    above the other (Boyd & Vandenberghe 2004, example 5.2).

    Examples
    --------
    >>> from toolkit.scenarios.economics import Power
    >>> round(allocate({"live": Power(3, 0.5), "notes": Power(2, 0.5)}, 100).live, 2)
    69.23
    """
    if not isinstance(responses, Mapping):
        raise TypeError(f"responses are a dict of carrier to response, not {type(responses).__name__}")
    if len(responses) != 2:
        raise ValueError(f"{len(responses)} carriers; give two, live first")
    refuse_taken(responses, ("live_share", "total"))
    responses = {name: _response(name, one) for name, one in responses.items()}
    (first, live), (second, notes) = responses.items()
    given, eaten = amount("traffic", traffic), share("cannibalisation", cannibalisation)
    cost = 1 + eaten
    most, by_hour = given / cost, None
    corner = ""
    if hours is not None:
        by_hour = _hours(hours, given)
        most = min(most, float(by_hour["room"].sum()))

    def gain(x: float) -> float:
        return live.marginal(x) - cost * notes.marginal(max(given - cost * x, 0.0))

    x = _root(gain, most)
    if given and x in (0.0, most):
        limited = by_hour is not None and x == most and most < given / cost
        why = "as hours have no more room for its blocks" if limited else "a corner, for marginals never meet"
        corner = f" ({why})"
    table = _divided(responses, x, given - cost * x)
    grid = np.unique(
        np.append(np.linspace(0, most / given if given else 1 / cost, 201), x / given if given else 0.0)
    )
    parts = [
        [one.at(float(at)) for at in amounts]
        for one, amounts in ((live, grid * given), (notes, given * (1 - cost * grid).clip(0)))
    ]
    curve = pd.DataFrame(
        {"live_share": grid, "total": np.sum(parts, axis=0), first: parts[0], second: parts[1]}
    )
    if by_hour is not None:
        by_hour = _filled(by_hour, x)
    return Allocation(table, given, eaten, curve, corner, by_hour, responses)


def _response(name: str, given: Any) -> Response:
    if hasattr(given, "response"):
        given = given.response
    if not isinstance(given, Response):
        raise TypeError(
            f"the response of {name!r} is {given!r}: give Power, Saturating, or what has at and marginal"
        )
    return given


def _divided(responses: Mapping[str, Response], live: float, rest: float) -> pd.DataFrame:
    rows = [
        (name, x, one.at(x), one.marginal(x))
        for (name, one), x in zip(responses.items(), (live, rest), strict=True)
    ]
    return pd.DataFrame(rows, columns=["carrier", "traffic", "response", "marginal"])


def _root(gain: Callable[[float], float], most: float) -> float:
    """Where a falling function of 0 to `most` crosses 0, or the end that it does not reach."""
    if most == 0 or not gain(0.0) > 0:
        return 0.0
    if gain(most) >= 0:
        return most
    low, high = 0.0, most
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if gain(middle) > 0 else (low, middle)
    return (low + high) / 2


def _hours(hours: pd.DataFrame, traffic: float) -> pd.DataFrame:
    counts_table(hours, ["hour", "minutes", "block"])
    if hours["hour"].duplicated().any():
        raise ValueError(
            f"hour {hours['hour'][hours['hour'].duplicated()].iloc[0]} stands twice: add up its minutes"
        )
    minutes, block = column("minutes", hours["minutes"]), column("block", hours["block"])
    if not minutes.sum() or (block == 0).any():
        raise ValueError("hours need minutes in all, and a block above 0 in each")
    fits = np.floor(minutes / block) * block
    per_minute = traffic / minutes.sum()
    return pd.DataFrame(
        {
            "hour": hours["hour"].to_numpy(),
            "traffic": minutes * per_minute,
            "room": fits * per_minute,
            "fits": fits,
        }
    )


def _filled(by_hour: pd.DataFrame, live: float) -> pd.DataFrame:
    """Live goes to the hours with the most whole blocks first."""
    order = by_hour.sort_values("fits", ascending=False, kind="stable")
    before = order["room"].cumsum() - order["room"]
    placed = (live - before).clip(0, order["room"])
    return by_hour.assign(live=placed)[["hour", "traffic", "live"]]
