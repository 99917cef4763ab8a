"""The default error model: an AR(1) state plus white noise by REML, with Kenward-Roger intervals.

estimate     fits one design to one series, or to many at once
RemlFit      coefficients, error parameters, and contrasts with Satterthwaite degrees of freedom

    V = scale * (lam * R + (1 - lam) * I),   R[i, j] = rho ** |at_i - at_j|

lam is the share of the AR(1) in the variance: 1 is AR(1), 0 independent noise; rho near 1 is a local level. The
inverse T of R is tridiagonal, also where periods are missing, and V = R B with B = lam I + (1 - lam) T: a likelihood
takes time in proportion to the length of the series.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np

from toolkit.counts import one_of
from toolkit.interruptions.errors import model_averaging
from toolkit.interruptions.errors.ar1_noise import Correlation, Structure
from toolkit.interruptions.errors.fitted import Designed, Regression, estimates
from toolkit.interruptions.errors.kenward_roger import Adjustment, adjusted
from toolkit.interruptions.errors.profile_likelihood import AR1, AR1_NOISE, Grid, top
from toolkit.interruptions.errors.registry import error_model
from toolkit.interruptions.errors.variance_inflation import inflation

#: Weak prior precision of (rho, lam): keeps the information matrix invertible where the data do not identify one.
PRIOR = np.diag([0.0, 1 / 0.6**2, 1 / 0.35**2])
Kind = Literal["ar1_noise", "ar1"]
KINDS: tuple[Kind, ...] = get_args(Kind)
GRIDS: dict[Kind, Grid] = {"ar1_noise": AR1_NOISE, "ar1": AR1}
#: Correlation of neighbouring periods beyond which a state is all but a level that walks.
WALK = 0.99
#: Periods after which the errors of a daily series may return.
WEEK = 7
#: Residuals smaller than this share of the series are rounding error: the design fits perfectly.
EXACT = 1e-13


@dataclass(frozen=True, eq=False)
class RemlFit(Designed):
    """One design fitted to m series. Made by `estimate`.

    Attributes
    ----------
    basis : (n, k) array
        Orthonormal columns of the same span.
    back : (k, k) array
        From coefficients of the basis to those of the design.
    coefficients : (m, k) array
    rho, lam, scale : (m,) arrays
        Of the error covariance; `scale` is its variance.
    log_likelihood : (m,) array
        Restricted, at the estimate.
    """

    basis: np.ndarray
    back: np.ndarray
    at: np.ndarray
    kind: Kind
    coefficients: np.ndarray
    residuals: np.ndarray
    rho: np.ndarray
    lam: np.ndarray
    scale: np.ndarray
    log_likelihood: np.ndarray
    period: int = 0

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """Correlation of neighbouring periods, and share of the AR(1) state in the variance."""
        return {"rho": self.rho, "lam": self.lam}

    @property
    def notes(self) -> tuple[str, ...]:
        """None: `boundary` names parameters at their bounds."""
        return ()

    @property
    def boundary(self) -> list[str]:
        """For each series which error parameters lie at the end of their range, as text; empty if none."""
        grid, said = GRIDS[self.kind], []
        for rho, lam in zip(self.rho, self.lam, strict=True):
            low, high = grid.bounds
            parts = [f"rho = {rho:.4g}"] if rho > high - 1e-6 or rho < low + 1e-6 else []
            if self.kind == "ar1_noise" and (lam <= grid.lams[0] or lam >= grid.lams[-1]):
                parts.append(f"lam = {lam:.2f}")
            said.append(" and ".join(parts))
        return said

    @property
    def around(self) -> np.ndarray:
        """Variance of single errors around a fitted mean, m: a state counts as one of rho = .99 with its innovations.

        The variance of a state with rho = 1 is infinite, while that around the mean of some hundred periods is not.
        """
        shrunk = (1 - self.rho**2) / (1 - np.minimum(np.abs(self.rho), WALK) ** 2)
        return np.asarray(self.scale * (self.lam * shrunk + 1 - self.lam))

    def vcov(self) -> np.ndarray:
        """GLS covariance of the coefficients, m x k x k, without the adjustment of `contrast`."""
        adjustment, chosen = self._adjustment
        return np.asarray(self.scale[:, None, None] * (self.back @ adjustment.plain @ self.back.T)[chosen])

    def contrast(self, weights: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Estimates of linear contrasts, their standard errors and degrees of freedom, each m x q.

        Parameters
        ----------
        weights : (q, k) or (m, q, k) array
            One contrast per row, the same for all series or each series' own.

        Notes
        -----
        The variance is adjusted after Kenward and Roger (1997), the degrees of freedom are Satterthwaite's. Both are
        guarded: the variance is never adjusted downwards nor by more than half, and there are 2 degrees of freedom at
        least. In short series with noise both are averaged over a grid of (rho, lam): see `model_averaging`. Where a
        period was given and the innovations are correlated over it, the variance is multiplied by
        `variance_inflation.inflation`.
        """
        weights = np.atleast_2d(np.asarray(weights, float))
        based, (adjustment, chosen) = weights @ self.back, self._adjustment
        variance, df = adjustment.contrast(based, chosen)
        variance = self.scale[:, None] * variance
        part = model_averaging.share(self.n - self.k) if self.kind == "ar1_noise" else 0.0
        if part:
            variance, df = self._averaged.moved(part, based, variance, df)
        if self.period:
            variance = variance * self._inflation(weights)
        return estimates(self.coefficients, weights), np.sqrt(variance), df

    def held(self, design: np.ndarray, values: np.ndarray) -> RemlFit:
        """Another design at the (rho, lam) of one series; intervals still allow for these being estimates."""
        (structure,), _ = self._structures
        basis, back = _based(design)
        moved, rest, quadratic, _ = _solved(structure, basis, values[:, None])
        return replace(
            self,
            design=design,
            basis=basis,
            back=back,
            coefficients=(back @ moved).T,
            residuals=rest,
            scale=quadratic / (len(design) - design.shape[1]),
        )

    def alone(self, series: int) -> RemlFit:
        """The fit of one of the series."""
        names = ("coefficients", "rho", "lam", "scale", "log_likelihood")
        mine: dict[str, Any] = {name: getattr(self, name)[[series]] for name in names}
        return replace(self, residuals=self.residuals[:, [series]], **mine)

    def errors(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Fitted covariance of the errors at two sets of positions, m x a x b."""
        distance = np.abs(np.subtract.outer(np.asarray(first), np.asarray(second)))
        rho, lam, scale = (value[:, None, None] for value in (self.rho, self.lam, self.scale))
        return scale * np.where(distance == 0, 1.0, lam * rho**distance)

    def noise(self, at: np.ndarray) -> np.ndarray:
        """Variance of single errors, the same at every position, m x a."""
        return np.repeat(self.scale[:, None], len(at), 1)

    def whitened(self) -> np.ndarray:
        """Innovations, n x m: each point less its prediction from earlier ones, in standard deviations."""
        found, (structures, chosen) = np.empty_like(self.residuals), self._structures
        for place, structure in enumerate(structures):
            mine = chosen == place
            found[:, mine] = structure.innovations(self.residuals[:, mine])
        return found / np.sqrt(np.where(self.scale > 0, self.scale, 1.0))

    @cached_property
    def _structures(self) -> tuple[tuple[Structure, ...], np.ndarray]:
        """The distinct error covariances, and the number of each series' own."""
        return _structures(self.at, self.rho, self.lam)

    @cached_property
    def _adjustment(self) -> tuple[Adjustment, np.ndarray]:
        """The adjustment for contrasts of the basis at each error covariance, and the covariance of each series."""
        structures, chosen = self._structures
        return _adjustment(structures, self.basis, self.kind), chosen

    @cached_property
    def _averaged(self) -> model_averaging.Averaged:
        basis, structures = self.basis, model_averaging.possible(self.at)
        weights = model_averaging.weighed(structures, basis, self.residuals)
        return model_averaging.Averaged(_adjustment(structures, basis, self.kind), *weights)

    def _inflation(self, weights: np.ndarray) -> np.ndarray:
        found, (structures, chosen) = np.empty((len(self.rho), weights.shape[-2])), self._structures
        for place, structure in enumerate(structures):
            alike = np.flatnonzero(chosen == place)
            # Contrasts of their own are weighed one series at a time.
            for mine in [alike] if weights.ndim == 2 else alike[:, None]:
                own = weights if weights.ndim == 2 else weights[mine[0]]
                found[mine] = inflation(structure, self.design, self.residuals[:, mine], own, self.period)
        return found


@error_model("ar1_noise", "AR(1) and noise by REML")
def ar1_noise(asked: Regression, option: str) -> RemlFit:
    """The default: an AR(1) state plus white noise; for days with variance inflation for memory of a week or two."""
    return estimate(asked.design, asked.values, asked.at, period=WEEK if asked.unit == "D" else 0)


@error_model("ar1", "AR(1) by REML")
def ar1_alone(asked: Regression, option: str) -> RemlFit:
    """AR(1) errors without noise, by restricted maximum likelihood."""
    return estimate(asked.design, asked.values, asked.at, kind="ar1")


def estimate(
    design: Any, values: Any, at: Any = None, *, kind: Kind = "ar1_noise", period: int = 0
) -> RemlFit:
    """Fit a linear model whose errors are an AR(1) state plus white noise, by restricted maximum likelihood.

    Parameters
    ----------
    design : (n, k) array
        Of full column rank, n > k.
    values : (n,) or (n, m) array
        One series, or m of them that share the design.
    at : (n,) array of int, optional
        Positions in periods, ascending; a missing period is a gap. 0 to n-1 if not given.
    kind : {"ar1_noise", "ar1"}
        With or without the white noise.
    period : int
        Lag at which further autocorrelation is sought, 7 for daily series: if it is there, intervals are wider. 0 for
        none.

    Returns
    -------
    RemlFit

    Notes
    -----
    The likelihood is looked at on a coarse grid, then on finer ones around its highest point; the top of the parabola
    through the highest point there and its neighbours is rounded far below what any series tells, so that series of
    a batch share their work, and each is fitted as it would be alone. With noise: to 0.01 in rho and 0.02 in lam;
    near rho = 1, where one step of lam may be all the noise of a walk, to 5 % of 1 - rho and of the noise's variance
    over that of the innovations. That lies 0.03 (median; at most 0.5) below the top of the restricted log-likelihood in
    120 walks of 730 points. Without noise, after more grids: to 0.0001 in rho. rho ends at 0.996 with noise, at 0.9999
    without.

    References
    ----------
    Kenward and Roger (1997), Biometrics 53:983, for `RemlFit.contrast`.
    """
    one_of("kind", kind, KINDS)
    design = np.asarray(design, float)
    values = np.asarray(values, float)
    values = values[:, None] if values.ndim == 1 else values
    at = np.arange(len(design)) if at is None else np.asarray(at, np.int64)
    (n, k), m = design.shape, values.shape[1]
    basis, back = _based(design)
    inside = basis.T @ values
    residuals = np.asfortranarray(values - basis @ inside)
    total = (values**2).sum(0)
    exact = (residuals**2).sum(0) <= EXACT**2 * np.where(total > 0, total, 1.0)
    spread = np.where(exact, 1.0, np.sqrt((residuals**2).mean(0)))
    rho, lam = top(basis, residuals / spread, at, GRIDS[kind])
    moved, quadratic, dets = np.empty((k, m)), np.empty(m), np.empty(m)
    structures, chosen = _structures(at, rho, lam)
    for place, structure in enumerate(structures):
        mine = np.flatnonzero(chosen == place)
        moved[:, mine], residuals[:, mine], quadratic[mine], dets[mine] = _solved(
            structure, basis, residuals[:, mine]
        )
    scale = np.where(exact, 0.0, quadratic / (n - k))
    with np.errstate(divide="ignore"):
        free = (n - k) * (1 + np.log(2 * np.pi * scale))
    height = -0.5 * (free + dets) + np.linalg.slogdet(back)[1]
    coefficients = (back @ (inside + moved)).T
    return RemlFit(design, basis, back, at, kind, coefficients, residuals, rho, lam, scale, height, period)


def _based(design: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal columns, and the matrix that turns their coefficients into those of the design."""
    # Columns of very different sizes, such as days and powers of them, would spoil the triangle.
    size = np.sqrt((design**2).sum(0))
    basis, triangle = np.linalg.qr(design / size)
    return basis, np.linalg.inv(triangle) / size[:, None]


def _structures(at: np.ndarray, rho: np.ndarray, lam: np.ndarray) -> tuple[tuple[Structure, ...], np.ndarray]:
    pairs, chosen = np.unique(np.column_stack([rho, lam]), axis=0, return_inverse=True)
    return tuple(Structure(Correlation(at, float(r)), float(la)) for r, la in pairs), chosen.ravel()


def _solved(
    structure: Structure, basis: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Coefficients of the basis, k x m; residuals r; r'V^-1 r; log|V| + log|X'V^-1 X|."""
    solved = structure.solve(basis)
    normal = basis.T @ solved
    b = np.linalg.solve(normal, solved.T @ values)
    rest = values - basis @ b
    quadratic = np.maximum((rest * structure.solve(rest)).sum(0), 0.0)
    return b, rest, quadratic, float(structure.log_det + np.linalg.slogdet(normal)[1])


def _adjustment(structures: Sequence[Structure], basis: np.ndarray, kind: Kind) -> Adjustment:
    """What contrasts of the basis need at each (rho, lam); without noise lam is known."""
    parameters = 3 if kind == "ar1_noise" else 2
    normal, p, q, twice, mixed = [], [], [], [], []
    for structure in structures:
        solved = structure.solve(basis)
        by_rho = structure.by_rho(solved)
        # dV_a V^-1 X for a in (scale, rho, lam).
        moved = [basis, structure.lam * by_rho]
        if parameters == 3:
            moved.append(structure.correlate(solved) - solved)
        unmoved = [structure.solve(one) for one in moved]
        normal.append(basis.T @ solved)
        p.append([-solved.T @ one for one in moved])
        q.append([[one.T @ other for other in unmoved] for one in moved])
        twice.append(structure.lam * solved.T @ structure.by_rho_twice(solved))
        mixed.append(solved.T @ by_rho)
    by_one, by_two = np.moveaxis(np.array(p), 1, 0), np.moveaxis(np.array(q), 0, 2)
    bent = {(0, 1): -by_one[1], (1, 1): np.array(twice)}
    if parameters == 3:
        bent |= {(0, 2): -by_one[2], (1, 2): np.array(mixed)}
    traces = np.array([structure.traces(parameters) for structure in structures])
    prior = PRIOR[:parameters, :parameters]
    return adjusted(np.array(normal), list(by_one), [list(row) for row in by_two], bent, traces, prior)
