"""What a column of an export measures, and which two may stand side by side."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from toolkit.sources import definitions

#: What must agree before two columns are compared, and how a difference is said.
ASPECTS = {
    "metric": "measure",
    "over": "denominator",
    "counts": "people or times",
    "scope": "scope",
    "window": "window",
    "basis": "basis of the amount",
    "refunds": "refunds",
    "estimate": "estimate of a third party",
}
NOT_TOLD = "not told"
#: Another quantity altogether: nothing that is allowed makes these comparable.
_OTHER = (frozenset({"metric"}), frozenset({"over"}), frozenset({"counts"}))


@dataclass(frozen=True)
class Definition:
    """What one column measures.

    `over` is a ratio's denominator; `window` what an outcome is attributed within, or when a count was seen;
    `basis` and `refunds` say which money an amount is; None stands for "the file does not tell" and for what does
    not apply. People are never additive.
    """

    name: str
    metric: str
    unit: str
    meaning: str
    source_header: str | tuple[str, ...] = ""
    platform: str | None = None
    kind: str = ""
    counts: str | None = None
    additive: bool = False
    over: str | None = None
    scope: str | None = None
    window: str | None = None
    basis: str | None = None
    refunds: str | None = None
    estimate: bool = False
    bound: str | None = None

    @property
    def measures(self) -> bool:
        """Whether the column holds a quantity, not a name, an id or a time."""
        return self.unit not in LABELS

    def said(self) -> str:
        """The definition in words."""
        headers = (
            self.source_header if isinstance(self.source_header, str) else " / ".join(self.source_header)
        )
        parts = [
            f"over {self.over}" if self.over else "",
            self.scope or "",
            f"within {self.window}" if self.window else "",
            self.basis or "",
            self.refunds or "",
            "estimate" if self.estimate else "",
        ]
        told = ", ".join(part for part in parts if part)
        said = f"{headers or self.name} of {self.platform or 'no platform'}: {self.metric}"
        return f"{said} ({told})" if told else said

    def as_dict(self) -> dict[str, Any]:
        """The definition as a row; several headers as a list."""
        row = asdict(self)
        if not isinstance(self.source_header, str):
            row["source_header"] = list(self.source_header)
        return row


LABELS = frozenset({"text", "id", "datetime", "date", "hour"})


class DefinitionMismatch(ValueError):
    """Two columns of unlike definition met in one comparison.

    Attributes
    ----------
    first, second : Definition
    differences : dict
        Aspect to its two values.
    nearest : str
        The nearest pair that can be compared.
    """

    def __init__(
        self, first: Definition, second: Definition, differences: Mapping[str, tuple[Any, Any]], nearest: str
    ) -> None:
        self.first, self.second = first, second
        self.differences = dict(differences)
        self.nearest = nearest
        told = "; ".join(
            f"{ASPECTS[name]}: {one or NOT_TOLD} against {other or NOT_TOLD}"
            for name, (one, other) in differences.items()
        )
        super().__init__(
            f"{first.said()} cannot be compared with {second.said()}. They differ in {told}. {nearest}"
        )


def differences(first: Definition, second: Definition) -> dict[str, tuple[Any, Any]]:
    """Where two definitions differ; "not told" differs from everything, itself too where it is a denominator."""
    found = {}
    for aspect in ASPECTS:
        one, other = getattr(first, aspect), getattr(second, aspect)
        if one != other or (aspect == "over" and one == NOT_TOLD):
            found[aspect] = (one, other)
    return found


def comparable(
    first: Definition,
    second: Definition,
    *,
    allow: Collection[str] = (),
    others: tuple[Collection[Definition], Collection[Definition]] = ((), ()),
) -> list[str]:
    """Check that two columns may be compared; what was allowed comes back as caveats.

    Parameters
    ----------
    allow
        Aspects that may differ: "window", "scope", "basis", "refunds", "estimate". A measure and a denominator make
        another quantity and are never allowed.
    others
        All definitions of both files, from which the nearest comparable pair is offered.

    Raises
    ------
    DefinitionMismatch
        Where they differ in what is not allowed.
    ValueError
        For an aspect that is not known.
    """
    for aspect in allow:
        if aspect not in ASPECTS:
            raise ValueError(f"allow={aspect!r}; a definition has {', '.join(ASPECTS)}")
        if frozenset({aspect}) in _OTHER:
            raise ValueError(
                f"allow={aspect!r}: another {ASPECTS[aspect]} is another quantity; nothing allows that"
            )
    found = differences(first, second)
    if any(aspect not in allow for aspect in found):
        raise DefinitionMismatch(first, second, found, _nearest(first, second, *others))
    return [
        f"{first.platform} and {second.platform} differ in {ASPECTS[aspect]} ({one or NOT_TOLD} against "
        f"{other or NOT_TOLD})"
        for aspect, (one, other) in found.items()
    ]


def _nearest(
    first: Definition, second: Definition, ours: Collection[Definition], theirs: Collection[Definition]
) -> str:
    """The ratio nearest to what was asked for that both files can make, and what it takes to compare it."""
    if {first.metric.partition("_")[0], second.metric.partition("_")[0]} == {"refund"}:
        return "Nearest: refunds from order lines, dated by payment, with the same days passed; nothing allows more"
    counts = [{one.metric: one for one in side if one.bound is None} for side in (ours, theirs)]
    shared = [name for name in counts[0] if name in counts[1]]
    pairs = []
    for order, over in enumerate(dict.fromkeys([first.over, second.over, "viewers", "buyers"])):
        for head in dict.fromkeys(one.metric.partition("_per_")[0] for one in (first, second)):
            if head in shared and over in shared and head != over:
                found = differences(counts[0][head], counts[1][head])
                if not set(found) & {"metric", "over", "counts"}:
                    pairs.append(
                        (order, len(found), f"{head}_per_{str(over).removesuffix('s')}", sorted(found))
                    )
    if not pairs:
        return "No ratio can be made from counts that both have"
    _, _, name, left = min(pairs)
    allowed = f", with allow={left!r}, which puts the difference into the caveat" if left else ""
    return f"Nearest: {name} on both{allowed}"


def canonical() -> dict[str, dict[str, Any]]:
    """Every column that a table read from an export may have, by name."""
    return definitions.read("columns")


def define(name: str, *, metric: str | None = None, **told: Any) -> Definition:
    """A canonical column's definition, with what a kind of export knows better.

    Examples
    --------
    >>> define("buyers", platform="douyin").additive, define("gmv").basis
    (False, 'paid')
    """
    metric = metric or name
    about = canonical()[metric]
    unit = about["unit"]
    own: dict[str, Any] = {"counts": unit if unit in ("people", "times") else None}
    own |= {key: about[key] for key in ("additive", "over", "basis", "refunds") if key in about}
    own |= {key: None if value == "none" else value for key, value in told.items()}
    return Definition(name=name, metric=metric, unit=unit, meaning=about["meaning"], **own)
