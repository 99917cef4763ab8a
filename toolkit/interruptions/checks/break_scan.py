"""How much better a series is explained by a break at each date, whatever its errors' (rho, lam): a likelihood profile.

broken      columns of a break at each of many dates
apart       dates whose columns the rest of the model does not make up
gains       twice the gain in log-likelihood, at every date
largest     the largest such gain
simulated   series of errors, drawn from a fit
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from toolkit.interruptions.errors.ar1_noise import Correlation, Structure
from toolkit.interruptions.errors.profile_likelihood import AR1_NOISE
from toolkit.interruptions.errors.reml import Kind, RemlFit
from toolkit.progress import followed


def broken(at: np.ndarray, starts: np.ndarray, shape: str) -> np.ndarray:
    """Columns of a break at every start, starts x columns x points."""
    since = at[None] - starts[:, None]
    after = (since >= 0).astype(float)
    return np.stack([after] if shape == "level" else [after, np.maximum(since, 0) / len(at)], axis=1)


def apart(base: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Dates whose columns the rest of the model does not make up."""
    basis = np.linalg.qr(base)[0]
    rest = columns - (columns @ basis) @ basis.T
    size = (columns**2).sum(2)
    unit = rest / np.sqrt(size)[..., None]
    return np.linalg.eigvalsh(unit @ unit.transpose(0, 2, 1))[:, 0] > 1e-9


def gains(
    base: np.ndarray, columns: np.ndarray, values: np.ndarray, at: np.ndarray, kind: Kind
) -> np.ndarray:
    """Twice the gain in log-likelihood by a break at every date, dates x series."""
    n, m = values.shape
    null, best = np.full(m, -np.inf), np.full((len(columns), m), -np.inf)
    for ease, left, explained in _grid(base, columns, values, at, kind, ""):
        null = np.maximum(null, ease - n * np.log(left))
        best = np.maximum(best, ease - n * np.log(_rest(left, explained)))
    return np.asarray(best - null)


def largest(
    base: np.ndarray,
    columns: np.ndarray,
    values: np.ndarray,
    at: np.ndarray,
    kind: Kind,
    tops: np.ndarray,
    said: str,
) -> tuple[np.ndarray, np.ndarray]:
    """The largest such gain of each series, and what it has over the gain by a break at one date, its top."""
    n, m = values.shape
    null, best, there = np.full((3, m), -np.inf)
    for ease, left, explained in _grid(base, columns, values, at, kind, said):
        null = np.maximum(null, ease - n * np.log(left))
        best = np.maximum(best, ease - n * np.log(_rest(left, explained.max(0))))
        there = np.maximum(there, ease - n * np.log(_rest(left, explained[tops, np.arange(m)])))
    return best - null, best - there


def _rest(left: np.ndarray, explained: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(left - explained, 1e-12 * left))


def _grid(
    base: np.ndarray, columns: np.ndarray, values: np.ndarray, at: np.ndarray, kind: Kind, said: str
) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
    """At every (rho, lam): -log|V|, squares that the base leaves, and of these what a break at each date explains."""
    basis = np.linalg.qr(base)[0]
    (q, c, n), m = columns.shape, values.shape[1]
    rest = values - basis @ (basis.T @ values)
    flat = columns.reshape(q * c, n)
    flat = flat - (flat @ basis) @ basis.T
    lams = np.ones(1) if kind == "ar1" else AR1_NOISE.lams
    for rho in followed(AR1_NOISE.rhos, said):
        correlation = Correlation(at, float(rho))
        for lam in lams if rho else lams[:1]:  # without correlation all is noise
            structure = Structure(correlation, float(lam))
            x, y, d = np.split(
                structure.solve(np.column_stack([basis, rest, flat.T])), [len(basis.T), len(basis.T) + m], 1
            )
            from_y, from_d = x.T @ rest, x.T @ flat.T
            onto = np.linalg.solve(basis.T @ x, np.column_stack([from_y, from_d]))
            left = (rest * y).sum(0) - (from_y * onto[:, :m]).sum(0)
            across = flat @ y - from_d.T @ onto[:, :m]
            d = (d - x @ onto[:, m:]).T
            if c == 1:
                yield -structure.log_det, left, across**2 / (flat * d).sum(1)[:, None]
                continue
            across = across.reshape(q, c, m)
            gram = np.einsum("qcn,qdn->qcd", flat.reshape(q, c, n), d.reshape(q, c, n))
            yield -structure.log_det, left, (across * np.linalg.solve(gram, across)).sum(1)


def simulated(rng: np.random.Generator, fit: RemlFit, m: int) -> np.ndarray:
    """Errors of a fit, drawn m times."""
    from scipy.signal import lfilter  # half a second to import

    rho, lam, scale = float(fit.rho[0]), float(fit.lam[0]), float(fit.scale[0])
    places = fit.at - fit.at[0]
    shocks = rng.standard_normal((int(places[-1]) + 1, m)) * np.sqrt(1 - rho**2)
    shocks[0] /= np.sqrt(1 - rho**2)
    state = lfilter([1], [1, -rho], shocks, axis=0)[places]
    unit = np.sqrt(lam) * state + np.sqrt(1 - lam) * rng.standard_normal(state.shape)
    return np.asarray(np.sqrt(scale) * unit)
