"""A bar over work that takes long: JupyterLab's own or one of text, gone at the end, and none where bars are off."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

Item = TypeVar("Item")
#: Seconds before a bar appears.
PATIENCE = 2.0


def followed(items: Iterable[Item], what: str) -> Iterable[Item]:
    """The items, with a bar over them from the third second on.

    The variable TQDM_DISABLE turns bars off. It is tqdm's own, but its bar for notebooks does not heed it, and a slow
    machine would keep bars among a notebook's outputs.

    Parameters
    ----------
    items
        Of known length, if the bar is to say how much is left.
    what
        What they are, in a word or two. Without it there is no bar.

    Examples
    --------
    >>> list(followed(range(3), "dates"))
    [0, 1, 2]
    """
    from tqdm.auto import tqdm

    hidden = not what or bool(os.environ.get("TQDM_DISABLE"))
    bar: Iterable[Item] = tqdm(items, desc=what, delay=PATIENCE, leave=False, disable=hidden)
    return bar
