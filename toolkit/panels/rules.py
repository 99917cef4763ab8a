"""`RulesPanel`: a rule's conditions for creators as controls, who qualifies and what they hold as the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import ipywidgets as widgets
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toolkit.panels.calls import Call
from toolkit.panels.controls import choice, stops, switch
from toolkit.panels.faces import painted
from toolkit.panels.panel import Panel
from toolkit.scenarios.creators import Eligible, eligible, plots
from toolkit.scenarios.creators.rules import SWITCHES, Rule, met, published, rule_of
from toolkit.wording import count, percent, percent_interval, unknown

OWN: Final = "own conditions"
#: The numbers that a rule may set, with what a reader sees and the largest that the control offers.
LEAST: Final = {
    "fans": ("fans, at least", 50_000),
    "mean_exposure": ("exposures a note, at least", 100_000),
    "notes_over_2000_reads": ("notes over 2,000 reads, at least", 30),
}
SAID: Final = {
    "mcn": "contract with an agency (MCN)",
    "real_name": "real name",
    "no_violation": "no violation",
}
#: Inches of the figure for each band and around them, and its margins.
BAND, AROUND = 0.3, 4.4
POINTS = 60


class RulesPanel(Panel):
    """Choose a published rule or set conditions of one's own, and see who qualifies and what they hold.

    Parameters
    ----------
    creators : DataFrame
        As for `toolkit.scenarios.creators.eligible`, with the column fans. Conditions whose column it lacks are not
        offered, nor published rules that need them.
    rule, against : date, str, dict or Rule
        The rule to begin with, and the one to compare with, as for `eligible`; the latter among the published.
    bands : str or dict of band to least fans, optional
        As for `eligible`: a bar for each in the figure.
    of : list of str
        Columns whose kept share is wanted.
    creator : str
        The column of names.
    sampled : bool
        Whether the creators are a sample of more: adds intervals.
    source : str
        What the creators are, such as "Simulated creators": it stands in the figure's title.

    Attributes
    ----------
    rule, against : RadioButtons
        Names of published rules; `rule` also "own conditions", which it turns to once a condition is moved.
    least : dict of str to SelectionSlider
        Least values by field; 0 asks nothing.
    switches : dict of str to Checkbox
        Conditions that are met by yes.
    gained, lost : int
        Creators who qualify under this rule only, and under the one it is compared with only.
    result : Eligible

    Raises
    ------
    ValueError
        For creators without fans, and a rule to compare with that is not published or needs an absent column.

    Examples
    --------
    >>> rows = {"creator": ["a", "b", "c"], "fans": [800, 5000, 9000], "mean_exposure": [2000, 12000, 900]}
    >>> panel = RulesPanel(pd.DataFrame(rows), rule={"fans": 5000}, against="2019-05-09")
    >>> panel.least["mean_exposure"].value = 10000
    >>> panel
    RulesPanel: own rule, 1 of 3 qualifies, 0 gained and 0 lost
    >>> panel.code.value
    "eligible(creators, rule={'fans': 5000, 'mean_exposure': 10000})"
    """

    question = "Who qualifies under which rule, and how much of reach and sales do they hold?"
    result: Eligible
    gained: int
    lost: int

    def __init__(
        self,
        creators: pd.DataFrame,
        *,
        rule: str | date | Mapping[str, Any] | Rule = "2019-05-10",
        against: str | date | Rule = "2019-05-09",
        bands: str | Mapping[str, float] | None = None,
        of: Sequence[str] = ("reach", "gmv"),
        creator: str = "creator",
        sampled: bool = False,
        source: str = "",
    ) -> None:
        if "fans" not in creators:
            raise ValueError(unknown("column", "fans", creators.columns, of="the creators"))
        self._creators, self._source = creators, source
        self._options = {"bands": bands, "of": of, "creator": creator, "sampled": sampled}
        fields = {*creators.columns} | ({"no_violation"} if "violations" in creators else set())
        self._published = {one.name: one for one in published() if set(one.conditions) <= fields}
        first, other = rule_of(rule), rule_of(against)
        if other.name not in self._published:
            raise ValueError(unknown("published rule of these columns", other.name, self._published))
        if missing := [name for name in first.conditions if name not in fields]:
            raise ValueError(unknown("field", missing[0], sorted(fields), of="the creators"))
        self._first, self._other = first, other.name
        self._compared = {
            name: eligible(creators, one, of=(), creator=creator) for name, one in self._published.items()
        }
        self._known = creators.dropna(subset=["fans"])
        if self._known.empty:
            raise ValueError("nobody's number of fans is known: there is nothing to set a rule for")
        least, most = np.quantile(self._known["fans"], [0.01, 1.0]).clip(1.0)
        self._grid = np.unique(np.geomspace(least, max(most, 2 * least), POINTS))
        self._all = self._at_least(self._known["fans"])

        rules = {**self._published, OWN: first}
        self.rule = choice("rule", list(rules))
        self.least = {
            name: stops(said, [*_stops(most), *(one.conditions.get(name, 0) for one in rules.values())])
            for name, (said, most) in LEAST.items()
            if name in fields
        }
        self.switches = {name: switch(SAID[name]) for name in SWITCHES if name in fields}
        self.against = choice("compared with", list(self._published), self._other)
        boxes = widgets.HBox(
            [*self.switches.values()], layout={"flex_flow": "row wrap", "margin": "0 0 0 11.5em"}
        )
        super().__init__([self.rule, *self.least.values(), boxes, self.against])

    def _begin(self) -> None:
        self.rule.value = self._first.name if self._first.name in self._published else OWN
        self.against.value = self._other
        self._show(self._first)

    def _show(self, rule: Rule) -> None:
        for name, control in self.least.items():
            control.value = rule.conditions.get(name, 0)
        for name, box in self.switches.items():
            box.value = bool(rule.conditions.get(name, False))

    def _follow(self, moved: widgets.Widget) -> None:
        """A published rule brings its conditions; conditions that are a published rule's bring its name."""
        if moved is self.rule and moved.value in self._published:
            self._show(self._published[moved.value])
        elif moved is not self.rule and moved is not self.against:
            asked = self._conditions()
            named = [name for name, one in self._published.items() if one.conditions == asked]
            self.rule.value = named[0] if named else OWN

    def _conditions(self) -> dict[str, Any]:
        least = {name: one.value for name, one in self.least.items() if one.value}
        return least | {name: True for name, one in self.switches.items() if one.value}

    def _call(self) -> Call:
        rule = self._conditions() if self.rule.value == OWN else self.rule.value
        return Call(eligible, self._creators, "creators", {"rule": rule, **self._options})

    def _take(self, result: Eligible) -> None:
        changed = result.against(self._compared[self.against.value])
        self.gained, self.lost = len(changed["gained"]), len(changed["lost"])
        self.result = result

    def _numbers(self) -> list[tuple[str, str]]:
        row = self.result.table.iloc[0]
        limits = f", {percent_interval(row['low'], row['high'])}" if self.result.sampled else ""
        kept = f"of creators qualify ({count(row['eligible'])} of {count(row['n'])}{limits})"
        held = [
            (percent(row[name]), f"of {name.removeprefix('share_of_')} is theirs")
            for name in self.result.table.columns
            if name.startswith("share_of_")
        ]
        moved = [
            (f"+{count(self.gained)} / −{count(self.lost)}", f"gained and lost against {self.against.value}")
        ]
        return [(percent(row["estimate"]), kept), *held, *moved]

    def _at_least(self, fans: pd.Series) -> np.ndarray:
        """How many stand at or above each number of fans of the grid."""
        return len(fans) - np.searchsorted(np.sort(fans.to_numpy(float)), self._grid)

    def _draw(self) -> tuple[bytes, str]:
        """Creators at or above each number of fans, all and those who meet the other conditions; below, the bands."""
        rule, rows = self.result.rule, self._known
        rest = Rule(rule.name, {name: least for name, least in rule.conditions.items() if name != "fans"})
        curves = pd.DataFrame({"at": self._grid, "all creators": self._all})
        if rest.conditions:
            kept = rows.loc[met(rows, rest).fillna(False).to_numpy(bool), "fans"]
            curves["who meet the other conditions"] = self._at_least(kept)
        table = self.result.table
        bands = table.iloc[1:] if len(table) > 1 else table
        total = table.iloc[0]
        title = f"{count(total['eligible'])} of {count(total['n'])} creators qualify"
        if self._source:
            title = f"{self._source}: {title}"
        height = AROUND + BAND * len(bands)

        def paint(figure: Figure) -> Axes:
            axes = figure.subplots(2, height_ratios=[3.0, BAND * len(bands)])
            cut = float(rule.conditions.get("fans", 0))
            return plots.rule(curves, bands, cut, title.replace("$", r"\$"), tuple(axes))

        margins = {"left": 0.17, "right": 0.97, "top": 1 - 0.4 / height, "bottom": 0.55 / height}
        return painted(paint, height, margins={**margins, "hspace": 0.5})

    def __repr__(self) -> str:
        row = self.result.table.iloc[0]
        verb = "qualifies" if row["eligible"] == 1 else "qualify"
        return (
            f"RulesPanel: {self.result.rule.name}, {count(row['eligible'])} of {count(row['n'])} {verb}, "
            f"{count(self.gained)} gained and {count(self.lost)} lost"
        )


def _stops(most: int) -> list[int]:
    """Round numbers up to the most: each whole one of few, two to five a decade of many."""
    if most <= 50:
        return list(range(1, most + 1))
    found = [lead * 10**power for power in range(2, 6) for lead in (1, 2, 3, 5, 7)]
    return [one for one in found if one <= most]
