"""The registry of error models: a name, what it is in words, and the function that fits it.

ErrorModel    an entry of the registry
error_model   adds a fitting function to the registry
find          the entry that a name asks for
fit           fits one design to one or many series by name

Each model lives in a file of this folder that registers it; the folder's door loads them all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from toolkit.interruptions.errors.fitted import Fit, Regression
from toolkit.wording import unknown

#: From a regression and the option after the colon (empty if none) to its fit.
Fitter = Callable[[Regression, str], Fit]
F = TypeVar("F", bound=Fitter)
#: The model that `errors="auto"` stands for.
DEFAULT = "ar1_noise"


@dataclass(frozen=True)
class ErrorModel:
    """A model of the errors' covariance, under the name that `errors=` takes.

    Attributes
    ----------
    name
        As `errors=` takes it.
    words
        As a sentence says it.
    fitter
        Fits a regression.
    linked
        Whether it is for counts, models the logarithm of their mean, and takes an offset.
    option
        An example of what may follow a colon, such as "hac:4"; empty where nothing may.
    """

    name: str
    words: str
    fitter: Fitter
    linked: bool = False
    option: str = ""


MODELS: dict[str, ErrorModel] = {}


def error_model(name: str, words: str, *, linked: bool = False, option: str = "") -> Callable[[F], F]:
    """Register the function that fits an error model; the words are those of a sentence."""

    def registered(fitter: F) -> F:
        if name in MODELS:
            raise ValueError(f"two error models are called {name!r}; rename one")
        MODELS[name] = ErrorModel(name, words, fitter, linked, option)
        return fitter

    return registered


def find(errors: str) -> tuple[ErrorModel, str]:
    """The error model that `errors=` names, and the option after its colon.

    Raises
    ------
    TypeError
        For what is no text.
    ValueError
        For an unknown name, or an option of a model that has none.
    """
    if not isinstance(errors, str):
        raise TypeError(f"errors= is the name of an error model, such as 'auto', not {errors!r}")
    word, colon, option = errors.partition(":")
    model = MODELS.get(DEFAULT if word == "auto" else word)
    if model is None:
        raise ValueError(unknown("error model", word, ["auto", *sorted(MODELS)], most=len(MODELS) + 1))
    if colon and not model.option:
        having = ", ".join(repr(one.option) for one in MODELS.values() if one.option)
        raise ValueError(f"errors={errors!r}: {word!r} has no option; those that have one: {having}")
    return model, option


def fit(errors: str, design: Any, values: Any, at: Any = None, *, offset: Any = None, unit: str = "") -> Fit:
    """Fit a design to one or many series by the error model that is named.

    Parameters
    ----------
    errors : str
        A name of the registry; an option follows a colon: "hac:4" is a lag of 4 periods, "arima:2,0,1" the order.
    design : (n, k) array
        Of full column rank, n > k.
    values : (n,) or (n, m) array
        One series, or m that share the design; without missing values: leave such rows out.
    at : (n,) array of int, optional
        Positions in periods, ascending; a missing period is a gap. 0 to n-1 if not given.
    offset : (n,) array, optional
        Logarithm of the exposure, for count models only.
    unit : {"D", "W", "M", ""}
        Length of a period.

    Raises
    ------
    ValueError
        For an unknown name or option, too few points, an offset without counts, or gaps that the model refuses.

    Notes
    -----
    Contrasts of linear models use t quantiles with n - k degrees of freedom, where statsmodels uses the normal
    distribution for arima and structural; the REML models use Satterthwaite's, count models the normal distribution.
    """
    model, option = find(errors)
    design, values = np.asarray(design, float), np.asarray(values, float)
    values = values[:, None] if values.ndim == 1 else values
    at = np.arange(len(design)) if at is None else np.asarray(at, np.int64)
    n, k = design.shape
    if n <= k:
        raise ValueError(f"{n} points cannot tell {k} columns apart; give a longer series, or drop terms")
    if offset is not None and not model.linked:
        counting = ", ".join(repr(name) for name, one in MODELS.items() if one.linked)
        raise ValueError(f"offset= is for counts, errors={errors!r} is not; those that are: {counting}")
    return model.fitter(Regression(design, values, at, offset, unit), option)
