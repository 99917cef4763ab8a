"""A bar over work that takes long: JupyterLab's own or one of text, gone at the end, and none where bars are off."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

Item = TypeVar("Item")
#: Seconds before a bar appears.
PATIENCE = 2.0


def hidden() -> bool:
    """Whether bars are off: by TQDM_DISABLE, read anew, since tqdm heeds it as it was when tqdm was loaded.

    Its bar for notebooks does not heed it at all, and a slow machine would keep bars among a notebook's outputs.
    """
    return bool(os.environ.get("TQDM_DISABLE"))


def followed(items: Iterable[Item], what: str) -> Iterable[Item]:
    """The items, with a bar over them from the third second on.

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

    off = not what or hidden()
    bar: Iterable[Item] = tqdm(items, desc=what, delay=PATIENCE, leave=False, disable=off)
    return bar
