"""A step of a funnel: which rows of a log belong to it, and what it is called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MOST_STEPS = 16


@dataclass(frozen=True)
class Step:
    """One step of a funnel: a row whose event is among some names, and for which a condition holds.

    Parameters
    ----------
    name
        What the step is called in tables and figures.
    event
        Name of the event, or several. The step's own name if neither `event` nor `where` is given.
    where
        One boolean SQL expression over the log's columns, such as ``"amount > 100"``. A row for which it is
        null does not match.

    Raises
    ------
    ValueError, TypeError
        For a name that is empty or no text, and for events that are not names.

    Examples
    --------
    >>> Step("interest", event=["cart", "fav"])
    Step(name='interest', event=('cart', 'fav'), where=None)
    """

    name: str
    event: str | Sequence[str] | None = None
    where: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"a step's name is a text, not {self.name!r}")
        if not self.name:
            raise ValueError("a step's name is empty; say what the step is called")
        events = self.event
        if events is None and self.where is None:
            events = self.name
        if events is not None:
            events = (events,) if isinstance(events, str) else events
            if not isinstance(events, Iterable):
                raise TypeError(f"step {self.name!r}: event is a name or a list of names, not {self.event!r}")
            events = tuple(events)
            if not events:
                raise ValueError(f"step {self.name!r}: event is an empty list; name an event, or give where=")
            if not all(isinstance(event, str) for event in events):
                raise TypeError(f"step {self.name!r}: event is a name or a list of names, not {self.event!r}")
        object.__setattr__(self, "event", events)

    @property
    def events(self) -> tuple[str, ...]:
        """Names of the events that match; empty where the condition alone decides."""
        return tuple(self.event or ())


def step_of(step: str | Step) -> Step:
    """A step, whether given as one or as an event's name."""
    if isinstance(step, Step):
        return step
    if isinstance(step, str):
        return Step(step)
    raise TypeError(f"a step is an event's name or a Step, not {step!r}")


def steps_of(steps: Sequence[str | Step]) -> tuple[Step, ...]:
    """The steps of a funnel, checked: enough, not too many, and each with a name of its own."""
    if isinstance(steps, str | Step):
        raise TypeError(f"steps is a list of two or more steps, not {steps!r} alone")
    if not isinstance(steps, Iterable):
        raise TypeError(f"steps={steps!r} is no list of steps; write ['enter', 'pay']")
    chosen = tuple(step_of(step) for step in steps)
    # A lone name is a slip; a lone Step was meant, and counts who did one thing.
    if not chosen or (len(chosen) == 1 and isinstance(next(iter(steps)), str)):
        raise ValueError(
            f"a funnel needs at least two steps; got {[step.name for step in chosen]}. "
            "To count who did one thing, give it as Step(name)"
        )
    if len(chosen) > MOST_STEPS:
        raise ValueError(f"a funnel has at most {MOST_STEPS} steps; got {len(chosen)}")
    names = [step.name for step in chosen]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"two steps are called {twice[0]!r}; name one of them anew: Step('{twice[0]} again', event={twice[0]!r})"
        )
    return chosen
