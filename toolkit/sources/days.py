"""`simulate_days` makes daily series of the four platforms, 2018 to 2020, through the public anchor points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from toolkit.sources.definitions import read
from toolkit.sources.dice import Dice
from toolkit.sources.festivals import calendar
from toolkit.sources.mechanisms import PLATFORMS, Mechanisms

Floats = npt.NDArray[np.float64]

FIRST, LAST, SEED = "2018-01-01", "2020-12-31", 2019
#: Days before the first that are simulated and thrown away, so that it has users of every age.
LEAD = 60
#: Days after the first on which an account counts as new.
NEW = 30
COUNTS = ("dau", "installs", "new_active", "new_returned", "old_active", "old_returned")


def simulate_days(*, seed: int = SEED, parameters: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Daily users, installs, returns and sales of four platforms, simulated, calibrated to public anchor points.

    Parameters
    ----------
    seed
        The same seed and parameters give the same rows on every machine.
    parameters
        Changes by name, such as ``{"effect.xiaohongshu.removal": 0}``; `definitions/days.toml` lists the names.

    Returns
    -------
    pandas.DataFrame
        One row per platform and day: platform, date, dau, installs, new_active (users in their first 30 days),
        new_returned (of them, active the next day too), old_active, old_returned; gmv and head_gmv (of the two
        head creators) in yuan for Taobao Live, missing for the others.

    Raises
    ------
    ValueError, TypeError
        A parameter that does not exist or does not fit.

    Notes
    -----
    log y = baseline + planted effects + weekday + holidays + AR(1) + white noise. The noise is drawn as a bridge:
    its straight line between anchor days is taken off, so that the series meets the anchors whatever the seed. Users
    and returns are planted side by side; no stock of accounts is followed, so returns do not make up the users.
    From 2020 on gmv counts a presale when it is booked, before when it is paid, as the published counts do.

    Examples
    --------
    >>> from toolkit.sources.days import simulate_days
    >>> days = simulate_days().set_index(["platform", "date"])
    >>> round(days.loc[("xiaohongshu", "2019-09-06"), "dau"] / 1e6)
    20
    """
    return _Days(seed, Mechanisms(parameters, "days")).frame()


def anchors() -> pd.DataFrame:
    """The public figures that the series meet: platform, column, start, end, of, value, bound, source."""
    return pd.DataFrame(read("anchors")["anchor"])


class _Days:
    def __init__(self, seed: int, mechanisms: Mechanisms) -> None:
        self.seed, self.of = seed, mechanisms
        self.days = pd.date_range(pd.Timestamp(FIRST) - pd.Timedelta(days=LEAD), LAST, freq="D", unit="us")
        self.number = np.arange(len(self.days))
        self.events = calendar(self.days[0], self.days[-1])

    def frame(self) -> pd.DataFrame:
        parts = [self.platform(name, code) for code, name in enumerate(PLATFORMS)]
        return pd.concat(parts, ignore_index=True)

    def platform(self, name: str, code: int) -> pd.DataFrame:
        draw = {
            kind: Dice(self.seed, code, at) for at, kind in enumerate(("dau", "new", "old", "gmv", "head"))
        }
        dau = self.level(name, "dau", self.of.values[f"week.{name}"], draw["dau"])
        wanted = self.of.values[f"installs.share.{name}"] * dau * np.exp(self.planted(name, "installs"))
        installs = np.rint(wanted * 1e6)
        a, b = self.of.values["installs.stay"]
        stay = np.concatenate([[1.0], a * np.arange(1.0, NEW) ** -b])
        new = np.rint(np.convolve(installs, stay)[: len(installs)])
        old = np.rint(dau * 1e6) - new
        table = {
            "platform": name,
            "date": self.days,
            "dau": new + old,
            "installs": installs,
            "new_active": new,
            "new_returned": np.rint(new * self.share(name, "new", draw["new"])),
            "old_active": old,
            "old_returned": np.rint(old * self.share(name, "old", draw["old"])),
            "gmv": np.nan,
            "head_gmv": np.nan,
        }
        frame = pd.DataFrame(table)
        if f"baseline.{name}.gmv" in self.of.values:
            gmv = self.level(name, "gmv", self.of.values["week.gmv"], draw["gmv"])
            frame["gmv"] = np.rint(gmv * 1e9)
            base = _logit(self.of.values["head.share"]) + self.planted(name, "head_gmv")
            head = _share(base + self.noise("head", draw["head"], name, "head_gmv"))
            frame["head_gmv"] = np.rint(frame["gmv"] * head)
        return frame.astype(dict.fromkeys(COUNTS, "int64")).iloc[LEAD:]

    def level(self, name: str, column: str, week: list[float], dice: Dice) -> Floats:
        """A column on its own scale: baseline, effects, weekday, holidays and noise."""
        parameter = f"baseline.{name}.{column}"
        at = self.days.get_indexer(pd.DatetimeIndex(self.of.about[parameter]["days"]))
        logs = np.interp(self.number, at, np.log(np.array(self.of.values[parameter], dtype=float)))
        logs += self.planted(name, column) + np.array(week)[self.days.day_of_week] + self.holidays(column)
        values: Floats = np.exp(logs + self.noise(column, dice, name, column))
        return values

    def planted(self, name: str, column: str) -> Floats:
        """Sum of the effects on a column."""
        total = np.zeros(len(self.days))
        for parameter, about in self.of.about.items():
            if (about.get("platform"), about.get("column")) == (name, column):
                total += self.of.values[parameter] * self.term(about)
        return total

    def term(self, about: Mapping[str, Any]) -> Floats:
        """The regressor that an effect stands on."""
        first = self.days.get_loc(about["days"][0])
        since: Floats = (self.number - first).astype(float)
        begun: npt.NDArray[np.bool_] = since >= 0
        if about["term"] == "level":
            return begun.astype(float)
        if about["term"] == "slope":
            return np.maximum(since, 0.0)
        if about["term"] == "decay":
            return np.where(begun, np.exp(-np.maximum(since, 0.0) / float(about["tau"])), 0.0)
        last = int(self.days.get_loc(about["days"][1]))
        return (begun & (self.number <= last)).astype(float)

    def holidays(self, column: str) -> Floats:
        """What the calendar's events do to a column; where windows overlap, the event's own days come first."""
        total = np.zeros(len(self.days))
        for event in self.events["event"].unique():
            if (values := self.of.values.get(f"holiday.{column}.{event}")) is None:
                continue
            phase = np.full(len(self.days), -1)
            for row in self.events[self.events["event"] == event].itertuples():
                before, after = pd.Timedelta(days=row.before), pd.Timedelta(days=row.after)
                phase[(self.days >= row.start - before) & (self.days < row.start)] = 0
                phase[(self.days > row.end) & (self.days <= row.end + after)] = 2
                phase[(self.days >= row.start) & (self.days <= row.end)] = 1
            total += np.append(values, 0.0)[phase]
        return total

    def share(self, name: str, kind: str, dice: Dice) -> Floats:
        """Share of new or old users who are active the next day too."""
        base = _logit(self.of.values[f"return.{kind}.{name}"]) + self.planted(name, f"{kind}_returned")
        return _share(base + self.noise("return", dice, name, f"{kind}_returned"))

    def noise(self, kind: str, dice: Dice, name: str, column: str) -> Floats:
        """AR(1) and white noise, tied down to 0 on the days of the column's anchors."""
        rho, spread, white = self.of.values[f"noise.{kind}"]
        size = len(self.days)
        shocks, other = _normal(dice, size), _normal(dice, size)
        state = np.empty(size)
        state[0] = shocks[0]
        for at in range(1, size):
            state[at] = rho * state[at - 1] + np.sqrt(1 - rho * rho) * shocks[at]
        total: Floats = spread * state + white * other
        table = anchors()
        columns = [column, f"head_{column}"]
        own = table[(table["platform"] == name) & table["column"].isin(columns) & (table["of"] == "day")]
        if own.empty:
            return total
        ties = np.sort(self.days.get_indexer(pd.DatetimeIndex(own["start"])))
        line: Floats = np.interp(self.number, ties, total[ties])
        return total - line


def _normal(dice: Dice, size: int) -> Floats:
    """Nearly normal draws, of sums alone: twelve uniform ones less six (variance 1, no tail beyond 6)."""
    draws: Floats = dice.words(12 * size).astype(float).reshape(12, size).sum(axis=0) / 2**32
    return draws - 6


def _logit(share: float) -> float:
    return float(np.log(share / (1 - share)))


def _share(logits: Floats) -> Floats:
    return 1 / (1 + np.exp(-logits))
