"""One look for each platform, everywhere: colour, marker, labels; and the font that draws their names.

Look        colour, marker and labels of one group
look        the look of one name
looks       the looks of the names of one figure, all different
label       the name that a reader sees
drawn       the same, safe as text of a figure
axes        the axes to draw on: those given, or those of a new figure
picture     a figure as PNG, closed
context     draw in this style inside a `with` block
use         draw in this style from here on
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from toolkit.wording import NULL

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from matplotlib.axes import Axes

INK, QUIET = "#222222", "#6B6B6B"
FONT = "Live Commerce Sans"
SETTINGS: Any = {
    # DejaVu comes with matplotlib and draws what GB 2312 lacks; an absent family would flood stderr.
    "font.family": [FONT, "DejaVu Sans"],
    "figure.figsize": (6.4, 4.0),
    "figure.dpi": 100,
    "savefig.dpi": 100,
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titlepad": 10,
    "axes.axisbelow": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.8,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
}


class Look(NamedTuple):
    """How one group is drawn and called."""

    colour: str
    marker: str
    label: str
    english: str


PLATFORMS = {
    "xiaohongshu": Look("#0072B2", "o", "小红书", "Xiaohongshu"),
    "taobao_live": Look("#D55E00", "s", "淘宝直播", "Taobao Live"),
    "douyin": Look("#009E73", "^", "抖音", "Douyin"),
    "kuaishou": Look("#CC79A7", "D", "快手", "Kuaishou"),
}
NULLS = {"None", "nan", "<NA>", "NaT"}
#: Apart from the platforms' four, from each other also for most of the colour-blind, and at least 4:1 on white.
COLOURS = (
    *("#332288", "#882255", "#7A7A1F", "#4D4D4D", "#AA4CF4", "#6B2305"),
    *("#2222E6", "#C800A8", "#B8001F", "#00707A", "#1B5E20", "#8A6100"),
)
MARKERS = "vPX<>hp*"
#: Looks of all other groups in the order in which they are given out: colours first, which also differ in marker.
OTHERS = [
    (COLOURS[at % len(COLOURS)], MARKERS[(at + at // len(COLOURS)) % len(MARKERS)])
    for at in range(len(COLOURS) * len(MARKERS))
]


def looks(names: Iterable[object]) -> dict[object, Look]:
    """Looks for the groups of one figure: a colour of its own for each, and markers where colours run out.

    A platform always has its own. The other names take the next free ones in the order of the alphabet, so that
    the same set of names is drawn alike in every figure, in whatever order they come.

    Examples
    --------
    >>> found = looks(["iOS", "Android", "douyin"])
    >>> [found[name].colour for name in ("Android", "iOS", "douyin")]
    ['#332288', '#882255', '#009E73']
    """
    wanted = list(dict.fromkeys(names))
    others = sorted((name for name in wanted if not _is_platform(name)), key=_text)
    places = {name: at % len(OTHERS) for at, name in enumerate(others)}
    return {name: _look(name, places.get(name, 0)) for name in wanted}


def look(name: object) -> Look:
    """The look of one name alone: a platform's own, or one that depends on the name.

    A figure of several groups asks `looks`, where no two share a colour.
    """
    return _look(name, zlib.crc32(_text(name).encode("utf-8", "surrogatepass")) % len(OTHERS))


def _is_platform(name: object) -> bool:
    return isinstance(name, str) and name in PLATFORMS


def _text(name: object) -> str:
    return NULL if not isinstance(name, str) and str(name) in NULLS else str(name)


def _look(name: object, place: int) -> Look:
    text = _text(name)
    return PLATFORMS[text] if _is_platform(name) else Look(*OTHERS[place], text, text)


def label(name: object, *, english: bool = True) -> str:
    """The name that a reader sees.

    Parameters
    ----------
    name
        A platform's id, or any other group's name, which is its own label.
    english
        Whether a platform's English name follows its Chinese one. False where there is room for one only.

    Examples
    --------
    >>> label("douyin"), label("douyin", english=False), label("tier 1")
    ('抖音 Douyin', '抖音', 'tier 1')
    """
    shown = look(name)
    return f"{shown.label} {shown.english}" if english and shown.english != shown.label else shown.label


def drawn(name: object, *, english: bool = True) -> str:
    """The label as text of a figure: a dollar in a name is a dollar, not the start of a formula."""
    return label(name, english=english).replace("$", r"\$")


def axes(ax: Axes | None = None, *, width: float = 6.4, height: float = 4.0) -> Axes:
    """The axes to draw on: those given, or those of a new figure in this style.

    Parameters
    ----------
    ax
        Axes of a figure that is there. None makes a new figure with pyplot, which a notebook shows at the
        end of the cell, also where the cell's last line ends in a semicolon.
    width, height
        Size of a new figure in inches, at 100 dots an inch.

    Examples
    --------
    >>> ax = axes(height=2.5)
    >>> ax.figure.get_size_inches().tolist(), ax is axes(ax)
    ([6.4, 2.5], True)
    """
    if ax is not None:
        return ax
    with context():
        import matplotlib.pyplot as plt

        return plt.subplots(figsize=(width, height))[1]


def picture(ax: Axes, dots: int = 200) -> tuple[bytes, int, int]:
    """The figure of some axes as PNG, with its width and height at 100 dots an inch; the figure is closed.

    Closed, it is not shown a second time at the end of a notebook's cell.
    """
    import matplotlib.pyplot as plt

    figure, file = ax.get_figure(root=True), io.BytesIO()
    if figure is None:
        raise ValueError("the axes are of no figure any more")
    with context():
        figure.savefig(file, format="png", dpi=dots, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    data = file.getvalue()
    wide, high = (int.from_bytes(data[at : at + 4]) * 100 // dots for at in (16, 20))
    return data, wide, high


def context() -> AbstractContextManager[None]:
    """Draw in this style inside a `with` block and leave the session's own style as it was."""
    import matplotlib.pyplot as plt
    from matplotlib import rc_context

    # A notebook's backend switches interactive mode on when pyplot first needs it. Inside rc_context that
    # would be undone at the end of the block, and only the first figure of a kernel would appear.
    plt.draw_if_interactive()  # type: ignore[no-untyped-call]
    _add_font()
    return rc_context(SETTINGS)


def use() -> None:
    """Draw in this style from here on. The only function of the toolkit that changes global state."""
    from matplotlib import rcParams

    _add_font()
    rcParams.update(SETTINGS)


@cache
def _add_font() -> None:
    from matplotlib.font_manager import fontManager

    fontManager.addfont(Path(__file__).parent / "fonts" / "LiveCommerceSans.otf")
