"""One session beside what the account's own other sessions predict for a session of its size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from toolkit import wording
from toolkit.counts import confidence_level
from toolkit.inputs.exports.frames import Table
from toolkit.inputs.measures import ROWS
from toolkit.inputs.steps import STEPS
from toolkit.intervals import student
from toolkit.multiplicity import holm
from toolkit.results import Result
from toolkit.wording import counted, some, unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Columns that say whose a row is, the surest first; without one all rows are one account's.
OWNERS = ("account_id", "account")
#: With fewer others a prediction says nothing.
FEW = 2
#: People from which on the binomial part is as good as continuous.
MANY = 2_000


@dataclass(frozen=True, repr=False, eq=False)
class OwnPast(Result):
    """Steps' rates in one session, and where the others say that they should lie. Made by `Export.against_own`.

    `table` has step, n (people at the step before), observed, expected, low, high, p, p_adjusted (Holm).

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from toolkit import read_export
    >>> rows = {"主播抖音号": "甲", "直播开始时间": [f"2026/3/{day} 19:30" for day in range(1, 10)],
    ...         "直播间观看人数": 1000, "直播间成交人数": [48, 46, 50, 48, 46, 50, 48, 46, 10]}
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "直播明细.csv"
    >>> pd.DataFrame(rows).to_csv(file, index=False)
    >>> read_export(file).against_own().table[["step", "observed", "expected", "low", "high"]].round(3)
      step  observed  expected    low   high
    0  pay      0.01     0.048  0.032  0.066

    """

    table: pd.DataFrame
    when: str
    others: int
    row: str
    whose: str
    left_out: tuple[str, ...]
    confidence: float

    rates: ClassVar[frozenset[str]] = frozenset({"observed", "expected", "low", "high"})

    def sentence(self) -> str:
        """The steps that lie outside, with what was to be expected; else that none does."""
        said = [
            f"{row['step']} {wording.percent(row['observed'])} of {wording.count(row['n'])} people, where "
            f"{wording.percent_interval(row['low'], row['high'])} was to be expected "
            f"(p {wording.p_value(row['p_adjusted'])})"
            for row in self._far()
        ]
        tests = counted(len(self.table), "step")
        found = f"{'; '.join(said)}; Holm over {tests}" if said else f"no step stands out (Holm over {tests})"
        level_said = wording.interval_level(self.confidence).replace("interval", "prediction intervals")
        closing = f"; not both known for {some(self.left_out)}" if self.left_out else ""
        return (
            f"The {self.row} of {self.when} against {counted(self.others, f'other {self.row}')}{self.whose}: {found}"
            f"{closing}. {level_said} for one {self.row} of its size; weekday "
            "and season are not taken out."
        )

    def _far(self) -> list[dict[str, Any]]:
        far: list[dict[str, Any]] = self.table[self.table["p_adjusted"] < 1 - self.confidence].to_dict(
            "records"
        )
        return far

    def plot(self, ax: Axes | None = None) -> Axes:
        """The rate of each step, on the range that was to be expected."""
        from toolkit.inputs import plots

        shown = self.table.rename(columns={"step": "name"})
        far = [row["step"] for row in self._far()]
        title = f"{self.when}: {some(far) or 'no step'} {'stand' if len(far) > 1 else 'stands'} out"
        return plots.predicted(shown, title, "share of the step before", ax)


def own_past(
    table: Table,
    at: str | None = None,
    *,
    among: str | Sequence[str] | None = None,
    steps: Sequence[str] | None = None,
    confidence: float = 0.95,
) -> OwnPast:
    """Say at which steps one session differs from the account's own others.

    Raises
    ------
    ValueError
        Where no session or more than one is at that time, fewer than two others are there, or the table counts no two
        steps.

    Notes
    -----
    Sessions vary more than chance alone lets them: the overdispersion of the others' counts is estimated by moments
    (Williams 1982, Applied Statistics 31:144), as an intraclass correlation. A new session's count is beta-binomial
    with it, widened by what the others leave unsure of the mean and by Student's factor: a control chart for
    proportions that allows for overdispersion (Laney 2002, Quality Engineering 14:531), with the session's own n.
    In simulations of 5 to 28 others the 95 % intervals held 92 to 100 % of new sessions (few people make them wide,
    since counts are whole), and 88 % where the rate walks from session to session (`benchmarks/sessions.md`).
    """
    confidence = confidence_level(confidence)
    frame = table.frame
    time = next((name for name in ("start", "date") if name in frame), None)
    if table.name not in ("session", "day") or time is None:
        raise ValueError(
            f"a session is set against others in a table of sessions or days with their time, not in {table.name}"
        )
    row = ROWS[table.name]
    groups = _owners(table, among)
    place = _place(frame, time, groups, at, row)
    same = (frame[groups].fillna(wording.NULL) == frame.loc[place, groups].fillna(wording.NULL)).all(axis=1)
    others = frame[same].drop(index=place)
    known = {name: column for name, column in STEPS.items() if column in frame}
    for name in steps or ():
        if name not in known:
            raise ValueError(unknown("step", name, known, of=f"the table {table.name}"))
    chosen = list(known if steps is None else steps)
    if len(chosen) < 2:
        raise ValueError(f"two steps are needed; the table {table.name} counts {some(chosen) or 'none'}")
    rows, left_out, most = [], [], 0
    for before, step in pairwise(chosen):
        pair = [known[before], known[step]]
        n, y = frame.loc[place, pair].to_numpy(dtype=float, na_value=np.nan)
        past = others[pair].to_numpy(dtype=float, na_value=np.nan)
        past = past[~np.isnan(past).any(axis=1) & (past[:, 0] > 0)]
        if np.isnan([n, y]).any() or n <= 0:
            left_out.append(step)
            continue
        if len(past) < FEW:
            raise ValueError(
                f"{counted(len(past), f'other {row}')} with {before} and {step}: at least {FEW} are needed"
            )
        if y > n or (past[:, 1] > past[:, 0]).any():
            rest = [one for one in chosen if one != before]
            raise ValueError(
                f"in some {row}s {step} counts more people than {before}: not one path; name the steps "
                f"that are, as steps={rest}"
            )
        most = max(most, len(past))
        rows.append({"step": step, "n": n, "observed": y / n, **predicted(n, y, past, confidence)})
    found = pd.DataFrame(rows, columns=["step", "n", "observed", "expected", "low", "high", "p"])
    found = found.assign(p_adjusted=holm(found["p"].to_numpy(float)))
    owner = " and ".join(wording.group_name([value]) for value in frame.loc[place, groups])
    when = f"{frame.loc[place, time]:%Y-%m-%d %H:%M}".removesuffix(" 00:00")
    return OwnPast(found, when, most, row, f" of {owner}" if owner else "", tuple(left_out), confidence)


def _owners(table: Table, among: str | Sequence[str] | None) -> list[str]:
    if among is None:
        return [name for name in OWNERS if name in table.frame][:1]
    chosen = [among] if isinstance(among, str) else list(among)
    for name in chosen:
        if name not in table.frame:
            raise ValueError(unknown("column", name, table.frame.columns, of=f"the table {table.name}"))
    return chosen


def _place(frame: pd.DataFrame, time: str, groups: list[str], at: str | None, row: str) -> int:
    """The index of the row asked for: the latest, or the one at a time."""
    if frame[time].notna().sum() == 0:
        raise ValueError(f"no {row} has a {time}")
    if at is None:
        return int(frame[time].idxmax())
    try:
        asked = pd.Timestamp(at)
    except ValueError:
        raise ValueError(f"at={at!r} is no time; write it as 2026-03-05 20:00") from None
    local = frame[time].dt.tz_localize(None)
    step = "D" if asked == asked.normalize() else "min"
    found = frame.index[local.dt.floor(step) == asked.floor(step)]
    if len(found) == 1:
        return int(found[0])
    if not len(found):
        near = (local - asked).abs().idxmin()
        raise ValueError(f"no {row} at {at}; the nearest is that of {local[near]:%Y-%m-%d %H:%M}")
    listed = [
        f"{local[one]:%Y-%m-%d %H:%M} {wording.group_name(frame.loc[one, groups])}".strip() for one in found
    ]
    raise ValueError(f"{len(found)} {row}s at {at}: {some(listed)}; give the minute")


def predicted(n: float, y: float, past: np.ndarray, confidence: float) -> dict[str, float]:
    """What the others predict for a session with n people at the step before, and how far out y of them is."""
    from scipy import stats

    sizes, passed = past.T
    total, sessions = sizes.sum(), len(past)
    mean = passed.sum() / total
    # No or all of few people passed: half a person either way keeps a rate that can be missed.
    rate = (passed.sum() + 0.5) / (total + 1)
    spread = rate * (1 - rate)
    pearson = ((passed - sizes * rate) ** 2 / (sizes * spread)).sum()
    room = (sizes - 1).sum() - (sizes * (sizes - 1)).sum() / total
    shared = max(0.0, (pearson - (sessions - 1)) / room) if room > 0 else 0.0
    of_mean = (sizes * (1 + (sizes - 1) * shared)).sum() / total**2
    reach = float(student(sessions - 1, confidence)) / float(stats.norm.ppf((1 + confidence) / 2))
    # The variance of a rate of n people, over rate (1 - rate): 1/n were they independent, at most 1.
    variance = min(((1 + (n - 1) * shared) / n + of_mean) * reach**2, 0.999)
    tail = (1 - confidence) / 2
    if n > MANY:
        size = 1 / variance - 1
        belief = stats.beta(rate * size, (1 - rate) * size)
        low, high, below = belief.ppf(tail), belief.ppf(1 - tail), belief.cdf(y / n)
        p = 2 * min(below, 1 - below)
    else:
        # A single person has no room for overdispersion.
        shared = min(max((n * variance - 1) / (n - 1), 1e-9), 0.999) if n > 1 else 1e-9
        size = 1 / shared - 1
        counts = stats.betabinom(int(n), rate * size, (1 - rate) * size)
        low, high = counts.ppf(tail) / n, counts.ppf(1 - tail) / n
        p = 2 * min(counts.cdf(y), counts.sf(y - 1))
    return {"expected": float(mean), "low": float(low), "high": float(high), "p": min(float(p), 1.0)}
