"""A funnel's counts by platform and tier: which steps, and where users count who were seen in several tiers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from toolkit.funnels import Funnel, StepCounts
from toolkit.funnels.step_counts import ALONE
from toolkit.wording import counted

#: What `movers` asks for, as a funnel's attribution says it.
MOVERS = {"first": "entry", "last": "last", "split": "split"}
Movers = Literal["first", "last", "split"]


def counts_by(
    funnel: Funnel, platform: str, tier: str, outcome: str | None, of: str | None, movers: Movers | None
) -> tuple[pd.DataFrame, str, str, list[str]]:
    """Counts of a funnel by platform and tier, the names of the two steps, and what a reader must know of them.

    The frame has one row per group with trials: `place` (of the group in the funnel), `platform`, `tier`, `n`
    and `y`.
    """
    counts = funnel.step_counts
    for name in (platform, tier):
        if name not in counts.by:
            raise ValueError(
                f"the funnel is not broken down by {name!r}; ask it with by=[{platform!r}, {tier!r}]"
            )
    base = 0 if of is None else counts.position(of)
    last = len(counts.steps) - 1 if outcome is None else counts.position(outcome)
    if base >= last:
        raise ValueError(f"step {counts.steps[last]!r} does not come after {counts.steps[base]!r}")
    frame = pd.DataFrame({"platform": counts.labels(platform), "tier": counts.labels(tier)})
    frame = frame.assign(
        place=range(len(frame)),
        n=counts.reached[:, base].astype(float),
        y=counts.reached[:, last].astype(float),
    )
    notes = [] if counts.unit == "counts" else _movements(counts, platform, tier, movers)
    if counts.clusters is None:
        notes.append(repeats(counts))
    still = np.nansum(counts.in_window[:, base:last])
    if still:
        notes.append(f"{counted(still, 'unit')} still in window (right-censored)")
    return frame[frame["n"] > 0], counts.steps[base], counts.steps[last], notes + list(counts.notes)


def repeats(counts: StepCounts) -> str:
    """How a user who counts more than once is allowed for."""
    if counts.unit == "counts":
        return f"intervals know {ALONE}"
    return (
        "intervals are clustered by user" if counts.unit in ("pairs", "entries") else "each user counts once"
    )


def _movements(counts: StepCounts, platform: str, tier: str, movers: Movers | None) -> list[str]:
    """Where users count who were seen in several tiers; that must have been chosen."""
    split = tier in counts.hold or counts.unit == "entries"
    counted_at = "split" if split else counts.attribution
    if movers is not None and MOVERS[movers] != counted_at:
        fix = {
            "first": "attribution='entry'",
            "last": "attribution='last'",
            "split": f"hold=[{platform!r}, {tier!r}], count='pairs'",
        }[movers]
        raise ValueError(f"movers={movers!r} is not how this funnel counts; ask it with {fix}")
    notes = []
    if not split and (moved := counts.seen_in_several(tier)):
        said = counted(moved, "user")
        if movers is None and counted_at == "entry":
            raise ValueError(
                f"{said} are seen in several tiers of {tier!r}; the funnel counts each where they entered. Say "
                "movers='first' to keep that, or ask the funnel with attribution='last', or with "
                f"hold=[{platform!r}, {tier!r}] and count='pairs' to count them in each"
            )
        step = {"entry": "entered", "last": "were last"}.get(str(counted_at), "were at a step")
        notes.append(f"{said} of several tiers count{'s' * (moved == 1)} where they {step}")
    if platform not in counts.hold and counts.unit == "users":
        shared = counts.seen_in_several(platform)
        if shared:
            notes.append(
                f"{counted(shared, 'user')} of several platforms count{'s' * (shared == 1)} on one of them only "
                f"(hold={platform!r}, count='pairs' counts them on each)"
            )
    return notes


def places_of(
    frame: pd.DataFrame, names: Sequence[str], known: Sequence[str | tuple[str, ...]], groups: int
) -> list[int]:
    """By group of a funnel, the place of its names among the known ones; -1 for a group that is left out."""
    found = [-1] * groups
    keys = frame[names[0]] if len(names) == 1 else zip(*(frame[name] for name in names), strict=True)
    for place, key in zip(frame["place"], keys, strict=True):
        found[place] = known.index(key) if key in known else -1
    return found
