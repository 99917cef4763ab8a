"""What a user is to a platform or a brand: new or old, a fan or not, and the stages AIPL, O-5A and AIPS.

relations          what makes a user new or old, a fan or not
stages             a platform's stages with the events of each
stage_steps        stages with their events as pairs, for a funnel
event_stages       the same the other way round: the stage of each event
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Literal

import pandas as pd

from toolkit.sources import definitions
from toolkit.wording import unknown

#: The published schemes of stages: Alibaba's, Douyin's, Xiaohongshu's.
Scheme = Literal["aipl", "o5a", "aips"]


def relations() -> pd.DataFrame:
    """What makes a user new or old, a fan or not: column, value, header, definition, days, as_of, source."""
    blank = {"value": "", "header": "", "definition": "", "days": pd.NA, "as_of": "", "source": ""}
    return definitions.table("relations", "column", blank).astype({"days": "Int64"})


def stages(scheme: Scheme) -> pd.DataFrame:
    """Stages of a user's relation to a brand, lowest first.

    Parameters
    ----------
    scheme
        "aipl" (Alibaba), "o5a" (Douyin) or "aips" (Xiaohongshu).

    Returns
    -------
    pandas.DataFrame
        stage, header, definition, days (how far the platform looks back, where it is published), events (those
        that the source names), assumed (those that this toolkit adds) and source.
    """
    schemes = definitions.read("stages")
    if scheme not in schemes:
        raise ValueError(unknown("scheme of stages", scheme, schemes))
    blank = {"stage": "", "header": "", "definition": "", "days": pd.NA}
    rows = [deepcopy(blank | {"events": [], "assumed": []} | row) for row in schemes[scheme]]
    return pd.DataFrame(rows).astype({"days": "Int64"})


def stage_steps(
    mapping: Scheme | Mapping[str, str | Sequence[str]], *, among: Iterable[str] | None = None
) -> list[tuple[str, list[str]]]:
    """Stages in order, each with the events that put a user into it.

    Parameters
    ----------
    mapping
        A published scheme by its name, or one's own: stage to event or events, lowest stage first.
    among
        Names of the events that a log has; others are left out.

    Returns
    -------
    list of (str, list of str)
        For ``[Step(stage, event=events) for stage, events in ...]``. A stage that no event puts a user into
        (O of O-5A: not reached yet) is left out.

    Raises
    ------
    ValueError
        An unknown scheme; a stage without an event, of one's own or because the log has none of them.

    Notes
    -----
    A funnel over these steps counts users who went through the stages in their order. The platforms give a user
    the highest stage met, in whatever order.

    Examples
    --------
    >>> stage_steps("aipl", among=["impression", "enter", "cart", "pay"])
    [('awareness', ['impression']), ('interest', ['cart', 'enter']), ('purchase', ['pay']), ('loyalty', ['pay'])]
    """
    if isinstance(mapping, str):
        rows = stages(mapping).itertuples()
        mapping = {row.stage: found for row in rows if (found := [*row.events, *row.assumed])}
    if isinstance(among, str):
        raise TypeError(f"among is a list of event names, not {among!r}")
    known = None if among is None else set(among)
    steps = []
    for stage, events in mapping.items():
        named = [events] if isinstance(events, str) else list(events)
        if not named or not all(isinstance(event, str) and event for event in named):
            raise ValueError(f"stage {stage!r} needs the name of an event, or several, not {events!r}")
        kept = [event for event in dict.fromkeys(named) if known is None or event in known]
        if not kept:
            raise ValueError(
                f"stage {stage!r} has no event in the log ({', '.join(named)}); give a mapping without it"
            )
        steps.append((stage, kept))
    return steps


def event_stages(
    mapping: Scheme | Mapping[str, str | Sequence[str]], *, among: Iterable[str] | None = None
) -> dict[str, str]:
    """Stage that a first event of each kind puts a user into; arguments as for `stage_steps`.

    Examples
    --------
    >>> event_stages({"saw": "impression", "bought": "pay", "bought again": "pay"})
    {'impression': 'saw', 'pay': 'bought'}
    """
    found: dict[str, str] = {}
    for stage, events in stage_steps(mapping, among=among):
        for event in events:
            found.setdefault(event, stage)
    return found
