"""`MixPanel`: a platform's mix of tiers and its tiers' rates as sliders, the gap and its components as the answer."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import ipywidgets as widgets
import numpy as np

from toolkit import style
from toolkit.panels.calls import Call
from toolkit.panels.controls import choice, fit, slider
from toolkit.panels.faces import WIDTH, drawn, wide
from toolkit.panels.panel import Panel
from toolkit.scenarios import plots
from toolkit.scenarios.mixes import WhatIfMix, pairs, what_if_mix
from toolkit.wording import count, counted, points, points_interval, unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

    from toolkit.tiers import Gaps

#: Inches of the figure for each row and around them; above (title and key), for each further line of the title,
#: below and at the right.
ROW, AROUND = 0.42, 1.2
TOP, LINE, FOOT, RIGHT = 0.6, 0.18, 0.52, 0.08
#: Points of the names at the left and of a line of them, and from those to the axis; the part of the figure's width
#: that they take at most.
SIZE, LEADING, GAP, MOST = 9, 11, 5, 0.7
TITLE = style.SETTINGS["axes.titlesize"]


class MixPanel(Panel):
    """Move a platform's mix of tiers, or a tier's rate, and see the gap, its two components and the order follow.

    Shares always add up to 100 %: when one is moved, the others give way in proportion.

    Parameters
    ----------
    gaps : Gaps
        As for `toolkit.scenarios.what_if_mix`.
    platform, to : str, optional
        The pair to begin with; the first one if not given.
    source : str
        What the counts are, such as "Simulated log": it stands in the figure's title.

    Attributes
    ----------
    pair : RadioButtons, or SelectionSlider through many
        Its values are (platform, reference).
    mix, rates : dict of str to FloatSlider
        The platform's, by tier.
    result : WhatIfMix

    Raises
    ------
    ValueError
        For a pair that was not compared.

    Examples
    --------
    >>> import pandas as pd
    >>> from toolkit.tiers import compare
    >>> rows = pd.DataFrame({"platform": ["A", "A", "B", "B"], "city_tier": ["small", "large"] * 2,
    ...                      "n": [87, 263, 270, 80], "converted": [81, 192, 234, 55]})  # Charig et al. (1986)
    >>> panel = MixPanel(compare(rows))
    >>> panel.mix["small"].value = 0.75
    >>> panel
    MixPanel: A against B, gap +5.5 points (observed −4.6 points), mix −0.41 points, rate +5.9 points
    >>> panel.code.value
    "what_if_mix(gaps, platform='A', to='B', mix={'small': 0.75, 'large': 0.25})"
    """

    question = "What would the gap between two platforms be at another mix of tiers, or at other rates?"
    result: WhatIfMix

    def __init__(
        self, gaps: Gaps, *, platform: str | None = None, to: str | None = None, source: str = ""
    ) -> None:
        self._gaps, self._source = gaps, source
        there = pairs(gaps)
        asked = [pair for pair in there if platform in (None, pair[0]) and to in (None, pair[1])]
        if not asked:
            names = [" to ".join(pair) for pair in there]
            asked_for = f"{platform or 'any'} to {to or 'any'}"
            raise ValueError(unknown("comparison", asked_for, names))
        self._observed = {pair: what_if_mix(gaps, platform=pair[0], to=pair[1]) for pair in there}
        tiers = gaps.counts.tiers

        self.pair = choice(
            "platforms", [(answer.pair, pair) for pair, answer in self._observed.items()], asked[0]
        )
        self.mix = {tier: slider(str(tier), ()) for tier in tiers}
        self.rates = {tier: slider(str(tier), ()) for tier in tiers}
        self._heads = widgets.HTML(), widgets.HTML()
        columns = []
        for head, sliders in zip(self._heads, (self.mix, self.rates), strict=True):
            for one in sliders.values():
                one.layout.width = "29em"
            columns.append(widgets.VBox([head, *sliders.values()], layout={"margin": "0 2em 0 0"}))
        # Beside each other in a wide window, one below the other in a narrow one.
        beside = widgets.HBox(columns, layout={"flex_flow": "row wrap"})
        super().__init__([self.pair, beside])

    def _begin(self) -> None:
        """Put the pair's observed mix and rates into the sliders."""
        answer = self._observed[self.pair.value]
        whose = html.escape(style.label(answer.platform))
        mix, rates = self._heads
        mix.value = f"<b>Mix of {whose}</b>, % of its users (others give way in proportion)"
        rates.value = f"<b>Rates of {whose}</b>, % ({html.escape(answer.question)})"
        own, other = answer.of(answer.platform), answer.of(answer.reference)
        # One range for all tiers, so that handles compare as the rates do; the reference's rates are within reach.
        seen = [*own["rate"].iloc[:-1], *(0.6 * other["rate"].iloc[:-1])]
        for control, share in zip(self.mix.values(), own["share"].iloc[:-1], strict=True):
            control.value = share
        for control, rate in zip(self.rates.values(), own["rate"].iloc[:-1], strict=True):
            fit(control, seen)
            control.value = rate

    def _follow(self, moved: widgets.Widget) -> None:
        """Another pair brings its own numbers; of a mix, the other shares are scaled so that all add up to 1."""
        if moved is self.pair:
            self._begin()
        if not any(moved is one for one in self.mix.values()):
            return
        others = [tier for tier, one in self.mix.items() if one is not moved]
        shares = np.array([self.mix[tier].value for tier in others])
        if not shares.sum():
            # Nothing to scale: the proportions observed come back.
            own = self._observed[self.pair.value].of(self.pair.value[0]).set_index("tier")["share"]
            shares = own.loc[others].to_numpy()
        if not shares.sum():
            shares = np.ones(len(others))
        for tier, share in zip(others, shares * (1 - moved.value) / shares.sum(), strict=True):
            self.mix[tier].value = share

    def _call(self) -> Call:
        platform, to = self.pair.value
        own = self._observed[self.pair.value].of(platform).iloc[:-1]
        mix = {tier: one.value for tier, one in self.mix.items()}
        same = np.allclose(list(mix.values()), own["share"], rtol=0, atol=1e-12)
        rates = {
            tier: one.value
            for (tier, one), rate in zip(self.rates.items(), own["rate"], strict=True)
            if one.value != rate
        }
        asked = {"mix": None if same else mix, "rates": rates or None, "source": self._source}
        return Call(what_if_mix, self._gaps, "gaps", {"platform": platform, "to": to, **asked})

    def _numbers(self) -> list[tuple[str, str]]:
        answer, numbers = self.result, []
        for part, value in (("gap", answer.gap), ("mix", answer.mix), ("rate", answer.rate)):
            seen = answer.now(part)
            now = points(seen["estimate"]).removesuffix(" points")
            name = part if part == "gap" else f"{part} component"
            numbers.append(
                (points(value), f"{name} (observed {now}, {points_interval(seen['low'], seen['high'])})")
            )
        was = "" if answer.reverses == answer.reverses_now else f"; observed {_flag(answer.reverses_now)}"
        numbers.append((_flag(answer.reverses), f"order reverses inside tiers (Simpson's paradox{was})"))
        return numbers

    def _caveat(self) -> str:
        """What is assumed, in a line: the sliders and the figure show the numbers."""
        answer, changed = self.result, self.result.changed
        what = []
        if changed["share"].any():
            what.append("another mix")
        if (other := int(changed["rate"].sum())) > 0:
            what.append(f"other rates in {counted(other, 'tier')}")
        n = " and ".join(count(one) for one in answer.table["n"].iloc[-2:])
        said = f"with {' and '.join(what)}" if what else "as observed"
        caveat = (
            " This is arithmetic on assumed numbers and has no interval: it is no forecast." if what else ""
        )
        return (
            f"{answer.name}, {answer.question}, {said}: the gap is the sum of the mix and the rate component; "
            f"{answer.turn}. {answer.confidence * 100:g} % intervals, n = {n}.{caveat}"
        )

    def _draw(self) -> tuple[bytes, str]:
        lines = self.result.reverses  # the title then says so in a second line
        height = AROUND + ROW * len(self.result.parts) + LINE * lines
        inside = {
            "top": 1 - (TOP + LINE * lines) / height,
            "bottom": FOOT / height,
            "right": 1 - RIGHT / WIDTH,
        }

        def finish(axes: Axes) -> None:
            _place(axes, inside, height)

        return drawn(self.result, height, margins=inside, finish=finish)

    def __repr__(self) -> str:
        answer = self.result
        turned = ", the order reverses" if answer.reverses else ""
        return (
            f"MixPanel: {answer.name}, gap {points(answer.gap)} (observed {points(answer.now('gap')['estimate'])}), "
            f"mix {points(answer.mix)}, rate {points(answer.rate)}{turned}"
        )


def _place(axes: Axes, inside: Mapping[str, float], height: float) -> None:
    """Room for the names at the left and a place for each axis's label, from the texts themselves.

    matplotlib finds both too, by laying out everything twice, which takes half as long as the drawing.
    """
    names = axes.yaxis.get_major_formatter().format_ticks(list(axes.get_yticks()))
    label = LEADING * (1 + axes.get_ylabel().count("\n"))
    to_label = wide(names, SIZE) + 2 * GAP / 72
    left = min((to_label + (label + GAP) / 72) / WIDTH, MOST)
    width = WIDTH * (inside["right"] - left)
    axes.figure.subplots_adjust(left=left)
    axes.yaxis.set_label_coords(-to_label / width, 0.5)
    # Where they are long, the title and the label below reach over the names' place at the left.
    title = axes.get_title(loc="left")
    axes.set_title(title, pad=plots.PAD, y=1.0, x=min(0.0, 1 - wide([title], TITLE) / width))
    axes.xaxis.label.set_horizontalalignment("right")
    axes.xaxis.set_label_coords(1, -0.3 / (height * (inside["top"] - inside["bottom"])))


def _flag(reverses: bool) -> str:
    return "yes" if reverses else "no"
