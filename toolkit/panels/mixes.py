"""`MixPanel`: a platform's mix of tiers and its tiers' rates as sliders, the gap and its parts as the answer."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import numpy as np

from toolkit import style
from toolkit.panels import pieces
from toolkit.scenarios.mixes import WhatIfMix, pairs, what_if_mix
from toolkit.wording import points, points_interval

if TYPE_CHECKING:
    from toolkit.tiers import Gaps

#: Pixels of the figure for each row and around them.
ROW, AROUND = 42, 120


class MixPanel(widgets.VBox):
    """Move a platform's mix of tiers, or a tier's rate, and see the gap, its two parts and the order follow.

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
    pair : Dropdown
        Its values are (platform, reference).
    mix, rates : dict of str to FloatSlider
        The platform's, by tier.
    reset : Button
        Back to what was observed.
    answer : HTML
        Gap, mix part, rate part, whether the order reverses, and what they rest on.
    figure : Image
    result : WhatIfMix
        The same answer as plain data.

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
    """

    def __init__(
        self, gaps: Gaps, *, platform: str | None = None, to: str | None = None, source: str = ""
    ) -> None:
        self._gaps, self._source, self._settling = gaps, source, False
        there = pairs(gaps)
        first = there[0]
        if platform is not None or to is not None:
            chosen = what_if_mix(gaps, platform=platform, to=to)
            first = chosen.platform, chosen.reference
        self._observed = {pair: what_if_mix(gaps, platform=pair[0], to=pair[1]) for pair in there}
        tiers = gaps.counts.tiers

        self.pair = widgets.Dropdown(
            options=[(answer.pair, pair) for pair, answer in self._observed.items()],
            value=first,
            description="platforms",
            style={"description_width": "9em"},
            layout={"width": "32em"},
        )
        self.reset = widgets.Button(description="as observed", layout={"width": "9.5em"})
        # One range for all tiers of all platforms, so that handles compare as the rates do.
        seen = gaps.counts.rates.ravel()
        self.mix = {tier: pieces.rate_slider(tier, (1.0,), width="29em") for tier in tiers}
        self.rates = {tier: pieces.rate_slider(tier, seen, width="29em") for tier in tiers}
        self.answer = widgets.HTML()
        self.figure = widgets.Image(format="png", layout={"width": "640px"})
        self._heads = widgets.HTML(), widgets.HTML()
        columns = [
            widgets.VBox([head, *sliders.values()], layout={"margin": "0 1em 0 0"})
            for head, sliders in zip(self._heads, (self.mix, self.rates), strict=True)
        ]
        top = widgets.HBox([self.pair, self.reset])
        super().__init__([top, widgets.HBox(columns), self.answer, self.figure])

        self.pair.observe(self._start_again, "value")
        self.reset.on_click(self._start_again)
        for slider in self.mix.values():
            slider.observe(self._give_way, "value")
        for slider in self.rates.values():
            slider.observe(self._update, "value")
        self._start_again()

    def _start_again(self, _: object = None) -> None:
        """Put the pair's observed mix and rates into the sliders."""
        answer = self._observed[self.pair.value]
        whose = html.escape(style.label(answer.platform, english=True))
        mix, rates = self._heads
        mix.value = f"<b>Mix of {whose}</b> (the others give way in proportion)"
        rates.value = f"<b>Rates of {whose}</b> ({html.escape(answer.question)})"
        own = answer.of(answer.platform)
        self._settle(own["share"], self.mix)
        self._settle(own["rate"], self.rates)
        self._update()

    def _give_way(self, change: Any) -> None:
        """Scale the other shares so that all add up to 1 again."""
        if self._settling:
            return
        others = [slider for slider in self.mix.values() if slider is not change["owner"]]
        shares = np.array([slider.value for slider in others])
        if not shares.sum():
            # Nothing to scale: the proportions observed come back.
            answer = self._observed[self.pair.value]
            observed = answer.of(answer.platform)["share"]
            shares = np.array(
                [
                    share
                    for share, slider in zip(observed, self.mix.values(), strict=False)
                    if slider is not change["owner"]
                ]
            )
        self._settle(shares * (1 - change["new"]) / shares.sum(), dict(enumerate(others)))
        self._update()

    def _settle(self, values: Iterable[float], sliders: Mapping[Any, widgets.FloatSlider]) -> None:
        """Set sliders without an answer to each."""
        self._settling = True
        try:
            for value, slider in zip(values, sliders.values(), strict=False):
                slider.value = value
        finally:
            self._settling = False

    def _update(self, _: object = None) -> None:
        if self._settling:
            return
        observed = self._observed[self.pair.value]
        tiers = observed.of(observed.platform).iloc[:-1].set_index("tier")
        mix = {tier: slider.value for tier, slider in self.mix.items()}
        rates = {tier: slider.value for tier, slider in self.rates.items()}
        moved = any(share != tiers["share"][tier] for tier, share in mix.items())
        self.result = what_if_mix(
            self._gaps,
            platform=observed.platform,
            to=observed.reference,
            mix=mix if moved else None,
            rates={tier: rate for tier, rate in rates.items() if rate != tiers["rate"][tier]},
            source=self._source,
        )
        self.answer.value = _told(self.result)
        self.figure.value = pieces.drawn(self.result, (ROW * len(self.result.parts) + AROUND) / 100)

    def __repr__(self) -> str:
        answer = self.result
        turned = ", the order reverses" if answer.reverses else ""
        return (
            f"MixPanel: {answer.name}, gap {points(answer.gap)} (observed {points(answer.now('gap')['estimate'])}), "
            f"mix {points(answer.mix)}, rate {points(answer.rate)}{turned}"
        )


def _told(answer: WhatIfMix) -> str:
    """Three large numbers, the flag, and the sentence."""
    numbers = []
    for part, value in (("gap", answer.gap), ("mix", answer.mix), ("rate", answer.rate)):
        seen = answer.now(part)
        interval = points_interval(seen["low"], seen["high"])
        name = part if part == "gap" else f"{part} part"
        numbers.append((points(value), f"{name} (observed {points(seen['estimate'])}, {interval})"))
    was = "" if answer.reverses == answer.reverses_now else f" (observed {_flag(answer.reverses_now)})"
    numbers.append((_flag(answer.reverses), f"order reverses inside tiers{was}"))
    return pieces.told(numbers, answer.sentence())


def _flag(reverses: bool) -> str:
    return "yes" if reverses else "no"
