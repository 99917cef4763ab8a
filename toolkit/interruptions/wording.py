"""How the errors that an estimate allows for are said in words."""

from __future__ import annotations

ESTIMATORS = {
    "auto": "AR(1) and noise by REML",
    "ar1_noise": "AR(1) and noise by REML",
    "ar1": "AR(1) by REML",
    "ar2": "AR(2) by REML",
    "ols": "least squares, errors taken as independent",
    "hac": "least squares with Newey-West errors",
    "prais_winsten": "Prais-Winsten",
    "cochrane_orcutt": "Cochrane-Orcutt",
    "arima": "ARIMA",
    "structural": "a structural time series",
    "weekly": "AR(1), noise and a memory of last week by REML",
    "poisson": "Poisson",
    "quasi_poisson": "quasi-Poisson",
    "negative_binomial": "negative binomial",
}
