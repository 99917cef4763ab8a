"""Published and independently computed interrupted time series, through the public function."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.diagnostic import acorr_breusch_godfrey, acorr_ljungbox
from statsmodels.stats.stattools import durbin_watson

from tests.conftest import ALONE
from toolkit import Level, Pulse, Slope, interrupted_time_series

FOLDER = Path(__file__).parents[2] / "shared" / "reference" / "its"


class Answer:
    """A result, read as the checks read theirs: a term is a contrast of coefficients."""

    def __init__(self, result, terms):
        self.result, self.terms = result, terms
        self.fit = result.parts[0].fit

    def weights(self, term):
        made = self.terms[term]
        made = {made: 1.0} if isinstance(made, str) else made
        assert set(made) <= set(self.result.design.names)
        return np.array([[made.get(name, 0.0) for name in self.result.design.names]])

    def estimate(self, term):
        return self.result.contrast(self.weights(term))[0][0, 0]

    def se(self, term):
        # Without the adjustment of Kenward and Roger, which the peers do not make.
        w = self.weights(term)[0]
        return np.sqrt(w @ self.fit.vcov()[0] @ w)

    def limits(self, term):
        estimate, error, df = (found[0, 0] for found in self.result.contrast(self.weights(term)))
        return estimate + np.array([-1, 1]) * stats.t.ppf(0.975, df) * error

    def parameter(self, name):
        return self.fit.parameters[name][0]

    def effect(self, estimand):
        return self.result.effect().value(estimand)


def numbers(frame, column):
    return frame.set_index("t" if "t" in frame else "month")[column].astype(float)


def green(folder, errors):
    outcome = numbers(pd.read_csv(folder / "data.csv"), "outcome")
    result = interrupted_time_series(
        outcome, {"break": [Level(13), Slope(13)]}, season=None, scale="identity", errors=errors
    )
    terms = {"const": "constant", "t": "trend", "level": "break: level", "slope": "break: slope"}
    terms |= {"(Intercept)": {"constant": 1, "trend": -1}, "month": "trend", "monthpost": "break: slope"}
    return Answer(result, terms | {"post": {"break: level": 1, "break: slope": -1}})


def barium(folder, errors):
    data = pd.read_csv(folder / "data.csv").set_index("t")
    windows = {}
    for name in ("befile6", "affile6", "afdec6"):
        months = data.index[data[name] == 1]
        windows[name] = Pulse(months[0], months[-1])
    drivers = ["lchempi", "lgas", "lrtwex"]
    result = interrupted_time_series(
        data["lchnimp"],
        windows,
        season=None,
        trend=False,
        covariates=data[drivers],
        scale="identity",
        errors=errors,
    )
    terms = {"const": "constant"} | {name: name for name in drivers}
    return Answer(result, terms | {name: f"{name}: pulse" for name in windows})


def school(folder, errors):
    data = pd.read_csv(folder / "data.csv", parse_dates=["Date"])
    scores = data.pivot(index="Date", columns="group_var", values="score")
    # Counted 1 from the week of the change on: 0 in the week before.
    changes = {"r1": Slope("2025-08-29"), "r2": Slope("2026-02-27")}
    result = interrupted_time_series(
        scores["treatment"],
        changes,
        season=None,
        controls=scores["control"],
        scale="identity",
        errors=errors,
    )
    # Its t is 1 in the first week, where our trend is 0.
    terms = {"const": {"constant (all)": 1, "trend (all)": -1}, "t": "trend (all)"}
    terms |= {"x": {"constant": 1, "trend": -1}, "x:t": "trend"}
    for name in changes:
        terms |= {name: f"{name}: slope (all)", f"x:{name}": f"{name}: slope"}
    first = {"trend": 1.0, "r1: slope": 1.0}
    terms["slope difference treatment - control, period 1"] = first
    terms["slope difference treatment - control, period 2"] = first | {"r2: slope": 1.0}
    return Answer(result, terms)


def sicily(folder, errors, *, ramp=False, season=None):
    data = pd.read_csv(folder / "data.csv")
    data.index = pd.PeriodIndex.from_fields(year=data["year"], month=data["month"], freq="M")
    ban = [Level("2005-01"), Slope("2004-12")] if ramp else [Level("2005-01")]
    result = interrupted_time_series(
        data["aces"], {"ban": ban}, season=season, errors=errors, offset=np.log(data["stdpop"])
    )
    return Answer(result, {"smokban": "ban: level", "time": "trend", "ramp": "ban: slope"})


def forecast(data, outcome, first, errors):
    """From the periods before alone: every period from the first on has a term to itself."""
    days = data.index[data.index >= first]
    result = interrupted_time_series(
        data[outcome],
        {"event": [Pulse(day, day) for day in days]},
        season=None,
        trend=False,
        covariates=data.drop(columns=outcome),
        scale="identity",
        errors=errors,
    )
    return Answer(result, {})


def three(folder, errors):
    data = pd.read_csv(folder / "data.csv", parse_dates=["DATE"], index_col="DATE")
    return forecast(data, "CHANGED", "2019-07-15", errors)


def volkswagen(folder, errors):
    data = pd.read_csv(folder / "data.csv", sep=" ", parse_dates=["Date"], index_col="Date")
    return forecast(data, "VolksWagen", "2015-09-20", errors)


WAVES = {"period": 12, "pairs": 2}
HAC = "OLS, Newey-West Bartlett lag {}, n/(n-k)"
BSTS = "BSTS (local level + regression)"
QUASI = "quasi-Poisson, offset, step + trend"
#: For every case and estimator of a check: who answers, and by which errors=.
ASKED = {
    "green_24_months": {
        "OLS": (green, "ols"),
        "OLS, published coding": (green, "ols"),
        "OLS residuals": (green, "ols"),
        "GLS AR(1) REML": (green, "ar1"),
        "GLS AR(1) ML": (green, "arima"),
        "ARIMA(1,0,0) with regressors, ML": (green, "arima"),
        "GLSAR(1) iterated Cochrane-Orcutt": (green, "cochrane_orcutt"),
        "CausalPy InterruptedTimeSeries (pre-period OLS forecast)": (green, "ols"),
    }
    | {HAC.format(lag): (green, f"hac:{lag}") for lag in (1, 2, 4)},
    "barium_chloride_antidumping": {
        "OLS": (barium, "ols"),
        "OLS residuals": (barium, "ols"),
        "Prais-Winsten iterated": (barium, "prais_winsten"),
        "GLS AR(1) REML": (barium, "ar1"),
    },
    "school_two_interruptions_control": {
        "OLS": (school, "ols"),
        "controlled ITS": (school, "auto"),
        "controlled ITS, GLS AR(1) REML": (school, "ar1"),
        "GLS AR(1) REML": (school, "ar1"),
    },
    "sicily_smoking_ban": {
        "Poisson, offset, step + trend": (sicily, "poisson"),
        QUASI: (sicily, "quasi_poisson"),
        f"{QUASI} + 2 harmonics": (sicily, "quasi_poisson", {"season": WAVES}),
        f"{QUASI} + ramp + 2 harmonics": (sicily, "quasi_poisson", {"season": WAVES, "ramp": True}),
        "F test model 3 vs 4": (sicily, "quasi_poisson", {"season": WAVES, "ramp": True}),
        "negative binomial, offset, step + trend + 2 harmonics": (
            sicily,
            "negative_binomial",
            {"season": WAVES},
        ),
    },
    "three_controls_daily_108": {
        BSTS: (three, "structural"),
        "pre-period local level + controls (ML)": (three, "structural"),
        "pre-period OLS on the three controls": (three, "ols"),
    },
    "volkswagen_weekly": {BSTS: (volkswagen, "structural")},
}


def checks():
    for case in ASKED:
        file = FOLDER / case / "expected.json"
        for check in json.loads(file.read_text())["checks"] if file.is_file() else []:
            yield pytest.param(case, check, id=check["id"])


ANSWERS = {}


def answer(case, estimator):
    """Each model is fitted once."""
    who, errors, *options = ASKED[case][estimator]
    key = (who, errors, str(options))
    if key not in ANSWERS:
        ANSWERS[key] = who(FOLDER / case, errors, **(options[0] if options else {}))
    return ANSWERS[key]


def f_test(model):
    """The ramp against the model without it, as R's anova has it for quasi-Poisson."""
    smaller = answer("sicily_smoking_ban", f"{QUASI} + 2 harmonics")

    def deviance(one):
        y, mean = (one.result.counterfactual[name].to_numpy(float) for name in ("observed", "fitted"))
        return 2 * (y * np.log(y / mean) - (y - mean)).sum()

    f = (deviance(smaller) - deviance(model)) / model.fit.scale[0]
    return stats.f.sf(f, 1, model.fit.n - model.fit.k)


def rho(parameters):
    return parameters["ar1" if "ar1" in parameters else "rho"][0]


def log_likelihood(fit):
    if hasattr(fit, "log_likelihood"):
        return fit.log_likelihood[0]
    # At its maximum the variance has no degrees of freedom taken off.
    covariance = fit.errors(fit.at, fit.at)[0] * (fit.n - fit.k) / fit.n
    return stats.multivariate_normal.logpdf(fit.residuals[:, 0], cov=covariance)


def residual_test(fit, name):
    residuals = fit.residuals[:, 0]
    if name == "durbin_watson":
        return durbin_watson(residuals)
    if name == "ljung_box_lag10":
        return acorr_ljungbox(residuals, lags=[10])["lb_stat"].iloc[0]
    return acorr_breusch_godfrey(OLS(residuals, fit.design).fit(), nlags=1, result_object=False)[0]


def found(case, check):
    """What we say, for what the check says."""
    model, term, field = answer(case, check["estimator"]), check["term"], check["field"]
    if check["estimator"] == "F test model 3 vs 4":
        return f_test(model)
    if check["estimator"] == "OLS residuals":
        return residual_test(model.fit, term)
    if term == "average_actual":
        return actual(model)
    if term == "average_prediction":
        return actual(model) - model.effect("average")[0]
    if term == "average_relative_effect":
        return model.effect("relative")[0]
    if term in ("average_effect", "cumulative_effect"):
        value, low, high = model.effect(term.removesuffix("_effect"))
        return (low, high) if field == "interval" else low if field.startswith("ci_low") else value
    if term == "sigma":
        return np.sqrt(model.fit.scale[0])
    if term == "loglik":
        return log_likelihood(model.fit)
    if term == "rho":
        return model.fit.rho[0] if hasattr(model.fit, "rho") else rho(model.fit.parameters)
    if term in ("dispersion", "theta"):
        return model.parameter(term)
    return {
        "estimate": lambda: model.estimate(term),
        "se": lambda: model.se(term),
        "exp": lambda: np.exp(model.estimate(term)),
        "rate_ratio": lambda: np.exp(model.estimate(term)),
        "exp_lo": lambda: np.exp(model.limits(term)[0]),
        "exp_hi": lambda: np.exp(model.limits(term)[1]),
        "ci_low": lambda: np.exp(model.limits(term)[0]),
        "ci_high": lambda: np.exp(model.limits(term)[1]),
    }[field]()


def actual(model):
    """Mean of what was observed from the first interruption on."""
    table = model.result.counterfactual
    first = min(model.result.series.clock.place(term.at) for term in model.result.interruptions["event"])
    return table["observed"].iloc[first:].mean()


@pytest.mark.parametrize(("case", "check"), list(checks()))
def test_the_number_is_the_published_one(case, check):
    ours = found(case, check)
    if check.get("rtol") is not None or check.get("atol") is not None:
        assert ours == pytest.approx(check["value"], rel=check.get("rtol") or 0, abs=check.get("atol") or 0)
    elif "NOT to be matched" in check["field"]:
        assert ours < check["value"] - 0.5
    else:
        assert check["field"] == "interval"
        assert (ours[0] < 0 < ours[1]) == (check["value"][0] < 0 < check["value"][1])


def test_every_case_is_asked():
    if not FOLDER.is_dir():
        pytest.skip(ALONE)
    assert {file.parent.name for file in FOLDER.glob("*/expected.json")} == set(ASKED)
