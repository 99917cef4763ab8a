"""Error models of interrupted series: the covariance of the errors, and of the coefficients that follow.

name                errors                                     missing periods
auto, ar1_noise     AR(1) state + white noise, REML            exact (real distances)
ar1                 AR(1), REML                                exact
ar2                 AR(2), REML                                exact
weekly              e(t) = s e(t-7) + AR(1) state + noise      without points that lack the day a week before
prais_winsten       AR(1), iterated regression of residuals    exact; rho from neighbouring periods only
cochrane_orcutt     the same without the first point           refused
ols                 independent                                of no account
hac, hac:4          any, up to the lag                         exact: absent periods have score 0
arima, arima:1,0,1  ARMA(p, q), maximum likelihood             exact (state space)
structural          random walk + white noise                  exact (state space)
poisson, quasi_poisson, negative_binomial                      of no account

A model is a file of this folder whose function is registered by `registry.error_model`; opening the folder loads
all of its files, so that one more model is one more file.
"""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
