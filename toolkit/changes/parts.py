"""What each step and each segment adds to a change of a rate, with intervals over days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from toolkit.changes.spans import Spans
from toolkit.clusters import Clusters
from toolkit.decompositions import contribution, kitagawa
from toolkit.intervals import student, two_sided
from toolkit.multiplicity import holm

COLUMNS = [
    "part",
    "property",
    "name",
    "before",
    "after",
    "estimate",
    "low",
    "high",
    "share",
    "n_before",
    "n_after",
    "p",
]
#: Segments with fewer converted on a side are one.
FEW = 10
OTHER = "other"


def parts(
    days: np.ndarray,
    whole: np.ndarray,
    segments: dict[str, tuple[list[str], np.ndarray]],
    steps: Sequence[str],
    spans: Spans,
    confidence: float,
) -> pd.DataFrame:
    """The change end to end, then each step's contribution, then mix, rate and segments of each property.

    Parameters
    ----------
    whole : array of days x steps
    segments : dict of property to names and counts, days x segments x steps

    Notes
    -----
    Steps: Das Gupta's contributions. A segment with shares w of those who enter and rates r adds
    (w1 + w0) / 2 (r1 - r0) by its rate and (w1 - w0) ((r1 + r0) / 2 - R) by its share, R being the mean of the two
    rates end to end: Kitagawa's components, of which the second adds up to the mix.
    """
    lines = list(_steps(_sides(days, whole, spans), steps, confidence))
    for name, (names, counts) in segments.items():
        lines += _segments(days, name, *joined(names, counts, spans), spans, confidence)
    table = pd.DataFrame(lines, columns=COLUMNS)
    table["p_adjusted"] = holm(table["p"].to_numpy(float))
    return table


def joined(names: list[str], counts: np.ndarray, spans: Spans) -> tuple[list[str], np.ndarray]:
    """Segments with too few converted on a side as one."""
    ends = np.array([counts[span].sum(0)[:, -1] for span in spans])
    few = np.asarray((ends < FEW).any(0))
    if few.sum() < 2:
        few[:] = False
    kept = [name for name, left in zip(names, few, strict=True) if not left]
    if not few.any():
        return names, counts
    return [*kept, OTHER], np.concatenate([counts[:, ~few], counts[:, few].sum(1, keepdims=True)], axis=1)


def _sides(days: np.ndarray, columns: np.ndarray, spans: Spans) -> Clusters:
    """Two groups, before and after, each in days of its own; the first column is of all who enter."""
    at = np.concatenate(spans)
    sides = np.zeros((len(at), 2, columns.shape[1]))
    sides[: len(spans.before), 0], sides[len(spans.before) :, 1] = columns[spans.before], columns[spans.after]
    return Clusters("day", sides, days[at])


def _line(
    found: Clusters, estimate: float, slopes: np.ndarray, confidence: float
) -> tuple[float, float, float]:
    """Low, high and p."""
    variance, freedom = found.spread(slopes)
    if not variance > 0 or not np.isfinite(variance):
        return np.nan, np.nan, np.nan
    error = np.sqrt(variance)
    reach = float(student(freedom, confidence)) * error
    return estimate - reach, estimate + reach, float(two_sided(estimate / error, freedom))


def _steps(found: Clusters, steps: Sequence[str], confidence: float) -> Iterator[list[object]]:
    sums = found.counts.sum(0)
    rates = sums[:, 1:] / sums[:, :-1]
    gap = float(rates[1].prod() - rates[0].prod())
    by_sum = np.zeros(sums.shape)
    for side, sign in ((0, -1), (1, 1)):
        by_sum[side, -1], by_sum[side, 0] = sign / sums[side, 0], -sign * rates[side].prod() / sums[side, 0]
    ends = rates.prod(1)
    low, high, p = _line(found, gap, by_sum, confidence)
    yield ["change", "", steps[-1], *ends, gap, low, high, 1.0 if gap else np.nan, *sums[:, 0], p]
    for k, step in enumerate(steps[1:]):
        value, slopes = contribution(rates[1], rates[0], k)
        low, high, p = _line(found, value, _chained(slopes[::-1], rates, sums), confidence)
        share = value / gap if gap else np.nan
        yield ["step", "", step, *rates[:, k], value, low, high, share, *sums[:, k], p]


def _chained(slopes: np.ndarray, rates: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """Slopes by rates as slopes by sums, sides x steps."""
    found = np.zeros(sums.shape)
    found[:, 1:] += slopes / sums[:, :-1]
    found[:, :-1] -= slopes * rates / sums[:, :-1]
    return found


def _segments(
    days: np.ndarray, column: str, names: list[str], counts: np.ndarray, spans: Spans, confidence: float
) -> list[list[object]]:
    size = len(names)
    first, last = counts[:, :, 0], counts[:, :, -1]
    found = _sides(days, np.column_stack([first.sum(1), first, last]), spans)
    sums = found.counts.sum(0)
    n, y = sums[:, 1 : 1 + size], sums[:, 1 + size :]
    if (n == 0).any():
        absent = names[int(np.argwhere(n == 0)[0][1])]
        raise ValueError(
            f"nobody of {column} {absent!r} entered on one side, so its rate there is unknown: leave its rows out, or "
            f"give it the name of another {column}"
        )
    rates, shares = y / n, n / n.sum(1, keepdims=True)
    total = y.sum(1) / n.sum(1)
    gap, mean = float(total[1] - total[0]), total.mean()
    pieces, slopes = kitagawa(rates, shares)
    # Against the mean of both rates end to end: a segment that grows adds only by how far it differs from the others.
    pieces[0] -= mean * (shares[1] - shares[0])
    at = np.arange(size)
    for side, sign in ((1, 1), (0, -1)):
        slopes[0, at, 1, side, at] -= sign * mean

    def by_sums(own: np.ndarray) -> np.ndarray:
        """From slopes by rate and share, sides x segments each."""
        by_rate, by_share = own
        slopes_of = np.zeros(sums.shape)
        # The mean moves too, but what it moves adds up to nothing for the mix, and is of second order for a segment.
        slopes_of[:, 1 : 1 + size] = -by_rate * rates / n + by_share / n.sum(1, keepdims=True)
        slopes_of[:, 0] = -(by_share * shares).sum(1) / n.sum(1)
        slopes_of[:, 1 + size :] = by_rate / n
        return slopes_of

    lines: list[list[object]] = []
    for part, name in enumerate(("mix", "rate")):
        value = float(pieces[part].sum())
        low, high, p = _line(found, value, by_sums(slopes[part].sum(0)), confidence)
        share = value / gap if gap else np.nan
        lines.append([name, column, name, *total, value, low, high, share, *n.sum(1), p])
    own = []
    for g, name in enumerate(names):
        value = float(pieces[:, g].sum())
        low, high, p = _line(found, value, by_sums(slopes[:, g].sum(0)), confidence)
        own.append(
            [
                "segment",
                column,
                name,
                *rates[:, g],
                value,
                low,
                high,
                value / gap if gap else np.nan,
                *n[:, g],
                p,
            ]
        )
    return lines + sorted(own, key=lambda line: -abs(line[5]))


def placebo(whole: np.ndarray, spans: Spans) -> tuple[np.ndarray, float]:
    """Changes of the rate end to end between neighbouring earlier spans as long as the shorter side, and the change.

    Spans of days in a row end where the span after begins, and do not overlap.
    """
    length = min(len(spans.before), len(spans.after))
    end = int(spans.after[0])
    blocks = [whole[stop - length : stop].sum(0) for stop in range(end, length - 1, -length)]
    rates = np.array([block[-1] / block[0] if block[0] else np.nan for block in blocks])
    rate = [whole[span].sum(0) for span in spans]
    change = float(rate[1][-1] / rate[1][0] - rate[0][-1] / rate[0][0])
    return np.abs(np.diff(rates)), change
