"""The simulated world's parameters: read with their reasons, changed by name, turned into step rates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any, Literal

import numpy as np

from toolkit.sources.definitions import platform_funnels, read
from toolkit.wording import nearest

PLATFORMS = ("xiaohongshu", "taobao_live", "douyin", "kuaishou")
TIERS = ("tier_1", "tier_new_1", "tier_2", "tier_3", "tier_4", "tier_5")
TYPES = ("old", "new")
RELATIONS = ("non_fan", "fan")
#: No rate is planted above this, whatever its factors.
HIGHEST_RATE = 0.95

#: What is said about a parameter; `platform` and on say where and when a daily series moves.
_ABOUT = {"unit", "kind", "reason", "source", "platform", "column", "term", "days", "tau"}
_LIMITS = {
    "probability": (0, 1),
    "scale": (0.1, 1_000),
    "count": (1, 90_000),
    "seconds": (1, 600),
    "yuan": (1, 1_000_000),
    "log": (-5, 5),
    "log a day": (-1, 1),
    "logit": (-5, 5),
}


class Mechanisms:
    """Every parameter of the simulated world, with what was changed by the caller.

    Parameters
    ----------
    changes : mapping, optional
        Parameter name to value, such as ``{"steps.enter.douyin": 0.3}``. `toolkit/sources/definitions/mechanisms.toml`
        lists the names with unit, reason and source.
    of
        The file: "mechanisms" for the log, "days" for the daily series.

    Raises
    ------
    ValueError
        A name that does not exist (the nearest is named), or a value outside the range of its unit.
    TypeError
        A value of another shape than the one it replaces.
    """

    def __init__(
        self, changes: Mapping[str, Any] | None = None, of: Literal["mechanisms", "days"] = "mechanisms"
    ) -> None:
        self.file = of
        self.values: dict[str, Any] = {}
        self.about: dict[str, dict[str, str]] = {}
        for name, table in _tables(read(of)):
            for key, value in table.items():
                if key not in _ABOUT:
                    full = name if key == "value" else f"{name}.{key}"
                    self.values[full] = value
                    self.about[full] = {word: table[word] for word in sorted(_ABOUT & table.keys())}
        self.changed = dict(changes or {})
        for name, value in self.changed.items():
            self.values[name] = self._checked(name, value)
        if of == "mechanisms" and not any(self.get("users.share", name) for name in PLATFORMS):
            raise ValueError("parameter 'users.share': at least one platform must have users")

    def get(self, name: str, platform: str, default: Any = None) -> Any:
        """Value of a parameter at a platform: its own, else the one for all, else `default`."""
        return self.values.get(f"{name}.{platform}", self.values.get(name, default))

    def record(self) -> list[dict[str, Any]]:
        """Parameters as rows for the truth: name, value, unit, kind, reason, source; changed ones say so."""
        rows = []
        for name, value in self.values.items():
            about = dict(self.about[name])
            if name in self.changed:
                about |= {"kind": "changed by the caller"}
                about.pop("source", None)
            rows.append({"name": name, "value": value, **about})
        return rows

    def rates(self, platform: str) -> np.ndarray:
        """Planted rate of each step given the one before, in one visit: tier x type x relation x step.

        The rate of the first step is 1: a visit begins with an impression.
        """
        steps = [step["event"] for step in platform_funnels()[platform]]
        rates = np.ones((len(TIERS), len(TYPES), len(RELATIONS), len(steps)))
        for at, step in enumerate(steps[1:], start=1):
            rates[..., at] = self.get(f"steps.{step}", platform)
            tiers = self.get(f"tiers.{step}", platform, [1.0] * len(TIERS))
            rates[..., at] *= np.array(tiers, dtype=float)[:, None, None]
            rates[:, 1, :, at] *= self.get(f"new.{step}", platform, 1.0)
            rates[:, :, 1, at] *= self.get(f"fan.{step}", platform, 1.0)
        rates[..., 1:] = np.minimum(rates[..., 1:], HIGHEST_RATE)
        return rates

    def _checked(self, name: str, value: Any) -> Any:
        if name not in self.values:
            near = nearest(name, self.values)
            raise ValueError(
                f"no parameter {name!r}{near}; toolkit/sources/definitions/{self.file}.toml lists all"
            )
        old, unit = self.values[name], self.about[name]["unit"]
        numbers = value if isinstance(value, list | tuple) else [value]
        if isinstance(old, list) != isinstance(value, list | tuple) or (
            isinstance(old, list) and len(old) != len(numbers)
        ):
            shape = f"{len(old)} numbers" if isinstance(old, list) else "one number"
            raise TypeError(f"parameter {name!r} is {shape}, not {value!r}")
        if not all(isinstance(x, Real) and not isinstance(x, bool) for x in numbers):
            raise TypeError(f"parameter {name!r} is a number or a list of numbers, not {value!r}")
        low, high = _LIMITS.get(unit, (0.0, math.inf))
        if not all(math.isfinite(x) and low <= x <= high for x in numbers):
            raise ValueError(f"parameter {name!r} is a {unit} from {low} to {high}, not {value!r}")
        if unit == "count" and not all(float(x).is_integer() for x in numbers):
            raise ValueError(f"parameter {name!r} is a whole number, not {value!r}")
        if unit == "weights" and len(numbers) > 1 and sum(numbers) == 0:
            raise ValueError(f"parameter {name!r}: at least one weight must be above 0")
        return list(value) if isinstance(old, list) else value


def _tables(table: Mapping[str, Any], name: str = "") -> list[tuple[str, dict[str, Any]]]:
    found = []
    for key, value in table.items():
        full = f"{name}.{key}" if name else key
        if "unit" in value:
            found.append((full, value))
        else:
            found.extend(_tables(value, full))
    return found
