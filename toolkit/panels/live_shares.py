"""`LiveSharePanel`: the share of traffic for live and how responses flatten as controls; the total as the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import ipywidgets as widgets
import pandas as pd
from matplotlib.axes import Axes

from toolkit import style
from toolkit.panels.calls import Call, python
from toolkit.panels.controls import share, switch
from toolkit.panels.faces import drawn
from toolkit.panels.panel import Panel
from toolkit.scenarios.assumptions import share as checked
from toolkit.scenarios.economics import Allocation, Power, allocate
from toolkit.scenarios.economics.responses import Response
from toolkit.wording import count, percent

LEAST_ELASTICITY: Final = 0.1
MARGINS: Final = {"left": 0.12, "right": 0.97, "top": 0.9, "bottom": 0.14}


class LiveSharePanel(Panel):
    """Move the share of traffic that live gets, and see the total, both parts and how far the best share is.

    Parameters
    ----------
    responses : dict of carrier to response
        As for `toolkit.scenarios.economics.allocate`: two, live first. A `Power` has a slider for its elasticity.
    traffic : float
        In all.
    live_share : float
        Of the traffic that live gets today, 0 to 1: the share to begin with. Another elasticity keeps the response
        that a carrier has there, and changes how it goes on from it.
    cannibalisation : float
        Further traffic that each unit of live takes from the other carrier, 0 to 1, to begin with.
    hours : DataFrame, optional
        As for `allocate`: adds a switch for live in whole blocks only.
    source : str
        What the responses are, such as "Simulated days": it stands in the figure's title.

    Attributes
    ----------
    live_share, cannibalisation : FloatSlider
    elasticities : dict of str to FloatSlider
        By carrier, of those whose response is a `Power`.
    blocks : Checkbox
        Whether live fits into the given hours in whole blocks only; hidden without `hours`.
    chosen : DataFrame
        Traffic, response and marginal of each carrier at the share set: `result.at(live_share)`.
    result : Allocation

    Raises
    ------
    ValueError
        For a live share that leaves nothing to divide, and what `allocate` refuses.

    Examples
    --------
    >>> from toolkit.scenarios.economics import Power
    >>> panel = LiveSharePanel({"live": Power(3, 0.5), "notes": Power(2, 0.5)}, 100, live_share=0.2)
    >>> panel.live_share.value = 0.5
    >>> panel
    LiveSharePanel: 50.0 % to live brings 35, 98.1 % of the most, which 69.2 % to live would bring
    >>> panel.code.value
    'allocate(responses, traffic=100)'
    >>> panel.elasticities["notes"].value = 0.8
    >>> panel.code.value
    "allocate({**responses, 'notes': Power(scale=0.5371591767636876, elasticity=0.8)}, traffic=100)"
    """

    question = "How much of the traffic should go to live?"
    result: Allocation
    chosen: pd.DataFrame

    def __init__(
        self,
        responses: Mapping[str, Response],
        traffic: float,
        *,
        live_share: float,
        cannibalisation: float = 0.0,
        hours: pd.DataFrame | None = None,
        source: str = "",
    ) -> None:
        self._responses, self._traffic, self._hours, self._source = responses, traffic, hours, source
        today = allocate(responses, traffic, cannibalisation=cannibalisation).at(live_share)
        self._today = dict(zip(today["carrier"], today["traffic"], strict=True))
        self._first = checked("live_share", live_share), checked("cannibalisation", cannibalisation)
        first, second = responses
        self.live_share = share(f"share of traffic to {first}")
        self._powers = {name: one for name, one in responses.items() if isinstance(one, Power)}
        self.elasticities = {name: _elasticity(name, one) for name, one in self._powers.items()}
        self.cannibalisation = share(f"each unit of {first} takes further from {second}")
        self.blocks = switch(f"{first} in whole blocks of the given hours only")
        self.blocks.layout.margin = "0 0 0 11.5em"
        self.blocks.layout.display = "none" if hours is None else ""
        super().__init__([self.live_share, *self.elasticities.values(), self.cannibalisation, self.blocks])

    def _begin(self) -> None:
        self.live_share.value, self.cannibalisation.value = self._first
        for name, control in self.elasticities.items():
            control.value = self._powers[name].elasticity
        self.blocks.value = False

    def _call(self) -> Call:
        # A slider adds its steps up in floating point.
        moved = {
            name: self._through_today(name, round(one.value, 9))
            for name, one in self.elasticities.items()
            if one.value != self._powers[name].elasticity
        }
        written = ", ".join(f"{name!r}: {python(one)}" for name, one in moved.items())
        name = f"{{**responses, {written}}}" if moved else "responses"
        asked = {
            "traffic": self._traffic,
            "cannibalisation": round(self.cannibalisation.value, 9),
            "hours": self._hours if self.blocks.value else None,
        }
        return Call(allocate, {**self._responses, **moved}, name, asked)

    def _through_today(self, name: str, elasticity: float) -> Power:
        """Another elasticity with the response of today; at no traffic, with that of one unit."""
        given, x = self._powers[name], self._today[name] or 1.0
        return Power(given.at(x) / x**elasticity, elasticity)

    def _take(self, result: Allocation) -> None:
        # A share that cannot be had is refused here, before anything is kept.
        self.chosen = result.at(round(self.live_share.value, 9))
        self.result = result

    def _lost(self) -> float:
        """The share of the largest total that the share set does not reach."""
        total = self.result.total
        return 1 - float(self.chosen["response"].sum()) / total if total else 0.0

    def _best(self) -> float:
        return self.result.live / self.result.traffic if self.result.traffic else 0.0

    def _numbers(self) -> list[tuple[str, str]]:
        first, second = self.chosen["carrier"]
        live, notes = self.chosen["marginal"]
        given_up = (1 + self.result.cannibalisation) * notes
        return [
            (count(self.chosen["response"].sum()), f"in all at {percent(self.live_share.value)} to {first}"),
            (
                percent(max(self._lost(), 0.0)),
                f"less than with {percent(self._best())} to {first}, the best share",
            ),
            (_plain(live), f"from the next unit of {first}"),
            (_plain(given_up), f"from what {second} gives up for it"),
        ]

    def _draw(self) -> tuple[bytes, str]:
        first = self.chosen["carrier"].iloc[0]
        title = f"The total is largest with {percent(self._best())} of the traffic to {first}"
        title = f"{self._source}: {title[0].lower()}{title[1:]}" if self._source else title

        def mark(axes: Axes) -> None:
            at, total = self.live_share.value, self.chosen["response"].sum()
            axes.axvline(at, color=style.QUIET, linewidth=1)
            axes.plot(at, total, "D", color=style.PLATFORMS["taobao_live"].colour, markersize=7)
            axes.annotate("set", (at, total), xytext=(6, -14), textcoords="offset points")
            # In a row above the curves: the search for a free corner takes longer than drawing them.
            axes.legend(loc="upper right", ncols=3)
            axes.set_ylim(0, 1.18 * axes.get_ylim()[1])

        return drawn(self.result, title=title, margins=MARGINS, finish=mark)

    def __repr__(self) -> str:
        first = self.chosen["carrier"].iloc[0]
        return (
            f"LiveSharePanel: {percent(self.live_share.value)} to {first} brings "
            f"{count(self.chosen['response'].sum())}, {percent(1 - max(self._lost(), 0.0))} of the most, which "
            f"{percent(self._best())} to {first} would bring"
        )


def _elasticity(name: str, response: Power) -> widgets.FloatSlider:
    control = share(f"elasticity of {name}")
    control.min, control.readout_format = min(LEAST_ELASTICITY, response.elasticity), ".2f"
    return control


def _plain(marginal: float) -> str:
    """A marginal; that of a power at no traffic is above every number."""
    return "∞" if marginal == float("inf") else f"{marginal:,.3g}"
