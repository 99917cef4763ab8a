"""From a check's estimator to a public call: one function an estimator, named in CALLS."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toolkit.scenarios.creators import (
    bands,
    bunching,
    chains,
    concentration,
    eligible,
    fit,
    inequality,
    jump,
    leave,
    moves,
    persistence,
    shrink,
    supply,
    tail,
)
from toolkit.scenarios.creators.jumps import Cutoff
from toolkit.scenarios.economics import (
    LogNormal,
    NegativeBinomial,
    Poisson,
    Power,
    Saturating,
    acquisition_cost,
    allocate,
    fees,
    lifetime_value,
    models,
    order,
    payback,
)
from toolkit.scenarios.promotion import (
    adjustments,
    arms,
    holdout,
    newcomer,
    plan,
    saturation,
    sequences,
    watched,
    without_holdout,
)

if TYPE_CHECKING:
    from tests.scenarios import Check


class NotExpressible(Exception):
    """The toolkit has no call for what a check asks, and need not."""


ORDER = {
    "price": 100, "cost": 45, "platform_fee": 0.05, "commission": 0.2, "slot_fee": 2000, "orders": 200,
    "return_rate": 0.3, "shipping": 6, "return_shipping": 8, "salvage": 0.9, "ads": 4,
}  # fmt: skip
MAILED, NOT_MAILED = "Mens E-Mail", "No E-Mail"
BEFORE = ["recency", "history", "mens", "womens", "newbie", "zip_code", "channel"]
MEN = ["age", "educ", "black", "hisp", "marr", "nodegree", "re74", "re75"]


#: Numbers that stand in words in a term.
WORDS = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
}


def numbers_in(text: str) -> list[float]:
    """The numbers of a term, in words or in digits."""
    found = [str(WORDS[one]) if one in WORDS else one for one in text.replace(",", "").split()]
    return [float(one) for one in re.findall(r"-?\d+(?:\.\d+)?", " ".join(found))]


def answer(check: Check) -> Any:
    """What the toolkit answers."""
    if check.estimator not in CALLS:
        raise NotExpressible("the toolkit has no such estimator")
    return CALLS[check.estimator](check)


def _eligible(check: Check) -> Any:
    table = check.table
    damage = check.given.get("_table", "")
    if "one row with fans -1" in damage:
        table.loc[0, "fans"] = -1
    if "twice" in damage:
        table = pd.concat([table, table.head(1)])
    if "one exposure missing" in damage:
        table = table.astype({"mean_exposure": float})
        table.loc[2, "mean_exposure"] = np.nan
    rule = {name: value for name, value in check.given.items() if name != "_table"}
    if check.field == "share_cut":
        raise NotExpressible("arithmetic on two published counts")
    if " against " in check.term:
        new, old = (eligible(table, _day(one)) for one in check.term.split(" against "))
        return new.against(old)[check.field]
    found = eligible(table, rule, bands="ijunjun")
    if _day(check.term.split(" by ")[0]) and check.field == "creators":
        assert found.creators == eligible(table, _day(check.term)).creators
    rows = found.table.set_index("band")
    if check.field == "count_of":
        return rows.loc[check.term.split("band ")[1], ["eligible", "n"]].astype(int).tolist()
    if check.field.startswith("share_of"):
        return rows.loc["all", check.field]
    return {"creators": found.creators, "count": len(found.creators), "unknown": found.unknown}.get(
        check.field
    )


def _day(text: str) -> str:
    if text in ("before 2019-05-10", "before"):
        return "2019-05-09"
    return text if text[:4] in ("2019", "2020") else ""


def _supply(check: Check) -> Any:
    if check.field == "elasticity":
        return supply(check.table, at=[check.given["from"], check.given["to"]]).table["elasticity"].iloc[1]
    return supply(check.table, at=[check.given["fans"]]).table["estimate"].iloc[0]


def _concentration(check: Check) -> Any:
    given = check.given
    options = {name: given[name] for name in ("negatives", "weights", "orders") if name in given}
    if check.field.startswith("top"):
        size = numbers_in(check.field)[0]
        options["top"] = size / 100 if check.field.endswith("%") else size
    found = concentration(given["values"], question="this set", **options)
    if check.field in ("raises", "says"):
        return found
    return found.table["n"].iloc[0] if check.field == "n" else found.value(check.field)


def _hhi_of_orders(check: Check) -> Any:
    found = concentration(check.given["orders"], orders=check.given["orders"], question="this set")
    return found.value("hhi_of_orders" if check.field == "hhi" else "hhi")


def _lorenz(check: Check) -> Any:
    curve = concentration(check.given["values"], question="this set").lorenz().table
    at, of = numbers_in(check.field)
    return np.interp(at / of, curve["creators"], curve["held"])


def _share(check: Check) -> Any:
    part, whole = check.given["part"], check.given["whole"]
    # The rest in so many equal parts that none is as large.
    many = int(2 * (whole - part) / part) + 2
    return concentration([part, *[(whole - part) / many] * many], question="this set").value("top1")


def _lognormal(check: Check) -> Any:
    if check.field == "gini":
        return inequality.lognormal_gini(check.given["sigma"])
    return inequality.lognormal_top(check.given["sigma"], check.given["share"])


def _pareto(check: Check) -> Any:
    if check.field == "gini":
        return inequality.pareto_gini(check.given["a"])
    return inequality.pareto_top(check.given["a"], check.given["share"])


@cache
def _of_file(path: Path, unit: float) -> Any:
    return tail(np.loadtxt(path) * unit)


def _tail(check: Check) -> Any:
    if check.given.get("counts"):
        values = [float(size) for size, many in check.given["counts"].items() for _ in range(many)]
        found = tail(
            values, xmin=check.given.get("xmin", "auto"), discrete=check.given.get("discrete", "auto")
        )
    elif "values" in check.given:
        options = {name: check.given[name] for name in ("xmin", "discrete") if name in check.given}
        found = tail(check.given["values"], **options)
    else:
        found = _of_file(check.files[0], 0.001 if check.case == "tail_blackouts" else 1.0)
    if check.field in ("raises", "says"):
        return found
    return {
        "alpha": found.law.alpha,
        "xmin": found.law.xmin,
        "n_tail": found.law.n,
        "n": found.n,
        "ks": found.law.ks,
        "se": found.se,
        "survival_exponent": found.table.set_index("measure").loc["survival_exponent", "estimate"],
        "statistic": found.against.statistic,
        "verdict": found.verdict,
    }[check.field]


def _bands(check: Check) -> Any:
    found = bands(check.given["edges"], check.given["counts"])
    if check.estimator == "supply from bands":
        return supply(found, at=[check.given["fans"]]).table["estimate"].iloc[0]
    if check.field in ("raises", "says"):
        return found
    if check.term == "gini of fans":
        gini = found.gini
        return gini["estimate"] if check.field == "estimate" else [gini["low"], gini["high"]]
    if check.term.startswith("share of fans"):
        return found.share_above(numbers_in(check.term)[-1])["estimate"].iloc[0]
    return getattr(found, check.field)


def _exit(check: Check) -> Any:
    given = {"sales": [5, 4], "spillover": 0.0} | check.given
    found = leave(given.pop("sales"), given.pop("who"), **given)
    if check.field in ("raises", "says"):
        return found
    if check.field in ("spillover", "drainage"):
        return getattr(found, f"break_even_{check.field}")
    if hasattr(found, check.field):
        return getattr(found, check.field)
    measure, _, when = check.field.rpartition("_")
    return found.table.set_index("measure").loc[measure, when]


@cache
def _senate(path: Path, bandwidth: Any, kernel: str, cutoff: float) -> Any:
    frame = pd.read_csv(path)
    x, y = _axes(frame)
    return jump(frame, x=x, y=y, cutoff=cutoff, bandwidth=bandwidth, kernel=kernel)


def _axes(frame: pd.DataFrame) -> tuple[str, str]:
    """What a rule looks at, and the outcome: by their names in the case, else the first two columns."""
    return ("margin", "vote") if {"margin", "vote"} <= set(frame.columns) else tuple(frame.columns[:2])


def _jump(check: Check) -> Any:
    if check.field == "says" and isinstance(check.given.get("x"), str):
        rng = np.random.default_rng(0)
        fans = rng.integers(2, 9, 400) * 1000
        frame = pd.DataFrame({"fans": fans, "income": rng.normal(fans / 1000)})
        return jump(frame, x="fans", y="income", cutoff=5000, bandwidth=3500.0)
    cutoff, kernel = check.given.get("cutoff", 0), check.given.get("kernel", "triangular")
    if "x" in check.given and check.field == "n":
        frame = pd.DataFrame({"x": check.given["x"], "y": check.given["y"]})
        return list(Cutoff.of(frame, "x", "y", cutoff).n)
    h, b = (check.given.get(name) for name in "hb")
    bandwidth = "mse" if h is None else h if b is None else (h, b)
    if "x" in check.given:
        frame = pd.DataFrame({"x": check.given["x"], "y": check.given["y"]})
        found = jump(frame, x="x", y="y", cutoff=cutoff, bandwidth=bandwidth, kernel=kernel)
    else:
        found = _senate(check.files[0], bandwidth, kernel, cutoff)
    if check.field in ("raises", "says"):
        return found
    if check.field in found.table:
        return found.table[check.field].iloc[0]
    return getattr(found.fit, {"bias_corrected": "corrected"}.get(check.field, check.field))


def _bunching(check: Check) -> Any:
    if "window" not in check.given:
        raise NotExpressible(
            "the local polynomial density test is left out: binomial windows answer the question"
        )
    values = check.given.get("values")
    values = check.table[_axes(check.table)[0]] if values is None else values
    found = bunching(values, check.given.get("cutoff", 0), window=check.given["window"])
    row = found.table.iloc[0]
    if check.field in ("raises", "says"):
        return found
    return row[["below", "above"]].tolist() if check.field == "counts" else row[check.field]


def _time_to(check: Check) -> Any:
    given = check.given
    if "P" in given:
        return chains.mean_time(np.array(given["P"], float), given["absorbing"])[given["start"]]
    found = moves(given["counts"], prior=given.get("prior", "1/K")).time_to(str(given["to"]))
    if check.field == "median":
        return found.table.set_index("start").loc[str(given["start"]), "median"]
    return found if check.field in ("raises", "says") else found.value(str(given["start"]))


def _reach(check: Check) -> Any:
    given = check.given
    if "counts" in given:
        found = moves(given["counts"], prior=given.get("prior", "1/K")).reach(
            str(given["to"]), given.get("within")
        )
        return found.value(str(given["start"]))
    named = re.search(r"reaches (\d+)", check.term)
    to = given.get("to", int(named[1]) if named else given["absorbing"][-1])
    return chains.reach(np.array(given["P"], float), [to], given.get("within"))[given["start"]]


def _move(check: Check) -> Any:
    found = moves(check.given["counts"], prior=check.given.get("prior", "1/K"))
    if check.field in ("raises", "says"):
        return found
    table = found.table.set_index(["from", "to"])
    return table.loc[(str(check.given["from"]), str(check.given["to"])), check.field]


def _batters(check: Check) -> Any:
    table = check.table
    return table, shrink(table["conversions"], table["n"], anchor=table["anchor"], method="james_stein")


def _shrink(check: Check) -> Any:
    if check.given.get("k"):
        return shrink(
            [10, 12, 20, 17, 9][: check.given["k"]], [45] * check.given["k"], method="james_stein"
        ).factor
    table, found = _batters(check)
    if check.term in ("grand mean", "factor c"):
        return found.mean if check.term == "grand mean" else found.factor
    if check.term == "all":
        column = "rate" if check.field.endswith("raw") else "estimate"
        return ((found.table[column].to_numpy() - table["later"].to_numpy()) ** 2).sum()
    return found.value(check.term)


def _overdispersion(check: Check) -> Any:
    found = _batters(check)[1]
    return {"chi2": found.chi2, "p": found.p}[check.field]


def _persistence(check: Check) -> Any:
    if check.given.get("n") == 2:
        return persistence([0.1, 0.2], [0.2, 0.1])
    table, shrunk = _batters(check)
    found = persistence(table["conversions"] / table["n"], table["later"], reliability=shrunk.factor)
    if check.estimator == "regression to the mean":
        return found.best(int(numbers_in(check.term)[0]))[check.field]
    measure = "corrected for noise" if check.term.startswith("corrected") else check.term
    return found.table.set_index("measure").loc[measure, check.field]


def _fit(check: Check) -> Any:
    label = check.given["label"]
    found = fit(label, check.given.get("goods", label))
    return found if check.field in ("raises", "says") else found.value(check.field)


@cache
def _mailing(path: Path, outcome: str, adjust: str | None, treated: str = MAILED) -> Any:
    covariates = {None: [], "lin": BEFORE, "cuped": ["history"]}[adjust]
    return holdout(
        pd.read_csv(path), arm="segment", outcome=outcome, held=NOT_MAILED, treated=treated, adjust=adjust or "lin",
        covariates=covariates, measured=dict.fromkeys(BEFORE, "2008-03-01"), start="2008-03-02",
    )  # fmt: skip


def _mailed(check: Check) -> str:
    """Which mailing a term speaks of."""
    return next((one for one in ("Womens E-Mail", MAILED) if check.term.startswith(one)), MAILED)


def _holdout(check: Check) -> Any:
    given = check.given
    if "arms" in given:
        frame = pd.DataFrame(given["arms"], columns=["arm", "n", "y", "squares"][: len(given["arms"][0])])
        squares = "squares" if "squares" in frame else None
        options = {name: given[name] for name in ("cost", "margin", "planned") if name in given}
        found = holdout(frame, arm="arm", outcome="y", n="n", squares=squares, held=given["held"], **options)
        if check.field in ("raises", "says"):
            return found
        return found.table.set_index("quantity").loc[check.term, check.field]
    if "sum_of_squares" in given:
        row = {"arm": "held", "n": given["n"], "y": given["sum"], "yy": given["sum_of_squares"]}
        frame = pd.DataFrame([row, {"arm": "treated", "n": 10, "y": 100, "yy": 2000}])
        return holdout(frame, arm="arm", outcome="y", n="n", squares="yy", held="held")
    if "held" in given:
        frame = pd.DataFrame(
            {"arm": ["treated", "held"], "n": [given["treated"], given["held"]], "y": [10, 0]}
        )
        return holdout(frame, arm="arm", outcome="y", n="n", held="held")
    if "converted" in given:
        frame = pd.DataFrame(
            {"arm": ["treated", "held"], "n": [given["n"]] * 2, "y": [given["converted"], 1]}
        )
        return holdout(frame, arm="arm", outcome="y", n="n", held="held")
    if "spend" in given:
        frame = pd.DataFrame({"arm": ["a", "b"] * 2, "y": [1.0, 2.0, given["spend"], 4.0]})
        return holdout(frame, arm="arm", outcome="y", held="a")
    if check.term == "rates":
        frame = check.table
        others = ["Mens E-Mail", "Womens E-Mail"]
        found = [
            holdout(frame, arm="segment", outcome="visit", held=NOT_MAILED, treated=one) for one in others
        ]
        return [*(one.treated.mean for one in found), found[0].held.mean]
    treated = _mailed(check)
    outcome = check.term.split()[-1] if check.term != treated else "visit"
    found = _mailing(check.files[0], outcome, None, treated)
    if check.field == "n":
        return [found.treated.n, found.held.n]
    if check.field in ("relative",):
        return found.value("relative")
    return found.se if check.field == "se" else getattr(found.difference, check.field)


def _adjusted(check: Check) -> Any:
    adjust = "cuped" if check.estimator.startswith("cuped") else "lin"
    return getattr(
        _mailing(check.files[0], check.term.split()[-1], adjust, _mailed(check)).adjusted, check.field
    )


def _return(check: Check) -> Any:
    found = _mailing(check.files[0], "spend", None, _mailed(check))
    if check.field == "reported_over_incremental":
        return found.value(check.field)
    return 1000 * found.value(check.field.split("_")[0])


def _sample_ratio(check: Check) -> Any:
    return _mailing(check.files[0], "visit", None).sample_ratio_p


def _cuped(check: Check) -> Any:
    given = check.given
    if "covariate" in given:
        frame = pd.DataFrame({"arm": ["a", "b"] * 4, "y": range(8), given["covariate"]: range(8)})
        measured = {given["covariate"]: "2020-02-01"}
        return holdout(
            frame,
            arm="arm",
            outcome="y",
            held="a",
            covariates=[given["covariate"]],
            measured=measured,
            start="2020-01-01",
        )
    x, arm, y = (np.array(given[name], float) for name in ("x", "arm", "y"))
    return adjustments.cuped(y, arm == 1, x, 0.95).estimate


def _relative(check: Check) -> Any:
    return arms.relative(*(check.given[name] for name in ("treated", "held", "se_treated", "se_held")))[1]


def _did(check: Check) -> Any:
    rows = [(1, *pair) for pair in check.given["treated"]] + [(0, *pair) for pair in check.given["other"]]
    frame = pd.DataFrame(rows, columns=["treated", "before", "y"])
    changes = [
        arms.Arm.of("", (frame["y"] - frame["before"])[frame["treated"] == side].to_numpy(float))
        for side in (1, 0)
    ]
    found = without_holdout(frame, treated="treated", outcome="y", before="before")
    gap = arms.gap(*(replace(one, rate=False) for one in changes), confidence=0.95)
    assert abs(found.value("difference in differences") - gap.estimate) < 1e-12
    return gap.se


def _matching(check: Check) -> Any:
    rng = np.random.default_rng(0)
    x = np.append(rng.normal(0, 1, 200), [6.0, 7.0])
    treated = np.append(rng.random(200) < 0.3, [True, True]).astype(int)
    frame = pd.DataFrame({"treated": treated, "y": x + rng.normal(size=202), "x": x})
    kept = frame.copy()
    found = without_holdout(frame, treated="treated", outcome="y", covariates=["x"])
    assert frame.equals(kept), "the frame was changed"
    return found


def _rows(check: Check) -> Any:
    return [int((check.table["group"] == name).sum()) for name in ("treated", "control", "cps")]


def _experiment(check: Check) -> Any:
    table = check.table
    frame = table[table["group"] != "cps"]
    shares = (frame["group"].value_counts() / len(frame)).to_dict()
    found = holdout(frame, arm="group", outcome="re78", held="control", planned=shares)
    return found.se if check.field == "se" else found.value("incremental")


@cache
def _men(path: Path) -> Any:
    table = pd.read_csv(path)
    table = table[table["group"] != "control"]
    table = table.assign(
        treated=(table["group"] == "treated").astype(int),
        age2=table["age"] ** 2,
        educ2=table["educ"] ** 2,
        none74=(table["re74"] == 0).astype(int),
        none75=(table["re75"] == 0).astype(int),
    )
    return without_holdout(
        table, treated="treated", outcome="re78", before="re75", covariates=MEN,
        propensity_covariates=[*MEN, "age2", "educ2", "none74", "none75"],
    )  # fmt: skip


def _no_holdout(check: Check) -> Any:
    if check.field == "text":
        raise NotExpressible("a sentence in plain words; the function's own gives the range")
    methods = {
        "raw": "raw",
        "diff": "difference in differences",
        "regr": "regression",
        "weig": "weighting",
        "near": "matching",
    }
    found = _men(check.files[0])
    method = methods[check.term.removeprefix("cps, ")[:4]]
    return found.table.set_index("method").loc[method, check.field]


def _power(check: Check) -> Any:
    given = check.given
    if check.term.startswith("Evan Miller"):
        raise NotExpressible("another calculator's approximation: information")
    if check.estimator == "detectable":
        return plan(**given).detectable
    found = plan(**given)
    return found.power if check.estimator == "power" else found.n


def _watched(check: Check) -> Any:
    given = check.given
    if "of" in given:
        return watched([0.0, 1.0] * 100, None, tuned_for=100)
    if check.term.startswith("asymptotic"):
        return sequences.asymptotic(given["t"], given["s"], given["q"], given["alpha"])
    if check.term.startswith("stitched"):
        return sequences.stitched(given["t"], given["alpha"])
    if check.field == "q":
        return sequences.narrowest(given["t"], given["alpha"])
    return sequences.over_fixed(given["t"], given["alpha"])


def _saturation(check: Check) -> Any:
    given = check.given
    form = given.get("form", "michaelis_menten")
    if isinstance(given.get("x"), list):
        found = saturation(given["x"], given.get("y", [1.0, 2.0, 3.0, 4.0]), form=form)
        if check.field in ("raises", "says"):
            return found
    else:
        found = saturation(check.table["spend"], check.table["response"], form=form)
    at = given.get("at", given.get("x") if not isinstance(given.get("x"), list) else None)
    if check.field == "says" or check.term.startswith("asked at"):
        return found.at(0 if at is None else at)["estimate"]
    if "marginal" in given:
        return found.spend_for(given["marginal"])
    if check.term.startswith("marginal"):
        return found.marginal(at)["estimate"]
    if check.field == "se":
        return found.se[check.term]
    column = {"exact": "estimate"}.get(check.field, check.field)
    return found.table.set_index("parameter").loc[check.term, column]


def _newcomer(check: Check) -> Any:
    given = check.given
    follow = given["p"] if "p" in given else (given["a"], given["b"])
    found = newcomer(
        given["fans"],
        given["threshold"],
        given["views"],
        cost_per_view=1,
        follow=follow,
        organic=given.get("organic", 0),
    )
    return found.probability


def _contribution(check: Check) -> Any:
    found = order(**(ORDER | check.given))
    return found if check.field in ("raises", "says") else found.value(check.field)


def _break_even(check: Check) -> Any:
    if "cpm" in check.given:
        steps = check.given["steps"]
        return acquisition_cost(check.given["cpm"], steps).break_even(
            len(steps) - 1, check.given["contribution"]
        )
    return order(**(ORDER | check.given)).break_even("return_rate" if check.field == "rate" else check.field)


def _split(check: Check) -> Any:
    given = dict(check.given)
    kept = given.pop("mcn_share", 0.0)
    found = order(**(ORDER | given)).split(mcn_share=kept)
    return found.table["amount"].sum() if check.field == "sum" else found.value(check.term)


def _cac(check: Check) -> Any:
    found = acquisition_cost(check.given["cpm"], check.given["steps"])
    if check.field in ("raises", "says"):
        return found
    if check.field.startswith("posterior_"):
        return getattr(found.posterior(), check.field.removeprefix("posterior_"))
    if check.field in ("low", "high"):
        if "Monte Carlo" in check.term:
            return getattr(found.posterior(), check.field)
        if "delta" in check.term:
            return found.delta()[check.field == "high"]
        return found.table[check.field].iloc[0]
    return getattr(found, check.field)


def _ltv(check: Check) -> Any:
    given = check.given
    first = "end of period" if "end" in str(given["first"]) else "now"
    found = lifetime_value(given.get("margin", 1.0), given["retention"], given["discount"], first=first)
    if check.field in ("raises", "says"):
        return found
    if check.field == "multiple" and "not counted" in str(given["first"]):
        return found.multiple - 1  # theirs counts from the second margin on
    return found.multiple if check.field.startswith("multiple") else found.value


def _payback(check: Check) -> Any:
    given = check.given
    found = payback(given["cac"], given["margin"], given["retention"], given.get("discount", 0.0))
    return found if check.field in ("raises", "says") else found.periods


def _fees(check: Check) -> Any:
    given = check.given
    if check.field == "note":
        raise NotExpressible("a sentence in plain words; the function's own says the same")
    if check.estimator == "fees":
        demand: Any = Poisson(given["mean"])
        return fees(
            demand, margin=30, commission=given["commission_per_order"], deal="commission"
        ).equal_slot_fee
    if "gmv" in given:
        demand = LogNormal(given["mean"], given["cv"])
        found = fees(demand, margin=given["margin_rate"], slot_fee=given["slot_fee"])
        return found.value(*check.field.split("_", 1))
    law = Poisson if given["orders"].startswith("Poisson") else NegativeBinomial
    demand = law(*numbers_in(given["orders"]))
    deal = {"slot fee": "slot", "mixed": "mixed"}.get(check.estimator, "commission")
    found = fees(
        demand,
        margin=given["margin"],
        slot_fee=given.get("slot_fee", 0),
        commission=given.get("commission_per_order", 0),
        deal=deal,
    )
    if check.field in ("raises", "says"):
        return found
    return found.value(*check.field.split("_", 1))


def _allocate(check: Check) -> Any:
    given = check.given
    if "scale" in given:
        pairs = [Power(*pair) for pair in zip(given["scale"], given["elasticity"], strict=True)]
    else:
        pairs = [Saturating(*pair) for pair in zip(given["top"], given["half"], strict=True)]
    cannibalisation = given.get("cannibalisation", 0.0)
    found = allocate(
        dict(zip(("live", "notes"), pairs, strict=True)), given["traffic"], cannibalisation=cannibalisation
    )
    if check.field in ("raises", "says"):
        return found
    if isinstance(check.value, str) and check.field == "live":
        return "all to the steeper" if found.live == given["traffic"] else found.live
    return getattr(found, check.field.removesuffix("_exact"))


def _models(check: Check) -> Any:
    found = models(**({"merchant_share": 0.3} | check.given))
    if check.field in ("raises", "says"):
        return found
    if check.field == "gross_margin":
        return found.break_even("self-operated", "marketplace")
    return found.value(check.term)


def _left_out(reason: str) -> Callable[[Check], Any]:
    def call(check: Check) -> Any:
        raise NotExpressible(reason)

    return call


CALLS: dict[str, Callable[[Check], Any]] = {
    "eligible": _eligible,
    "supply": _supply,
    "concentration": _concentration,
    "hhi_of_orders": _hhi_of_orders,
    "lorenz": _lorenz,
    "share": _share,
    "lognormal": _lognormal,
    "pareto": _pareto,
    "tail": _tail,
    "tail against log-normal": _tail,
    "bands": _bands,
    "supply from bands": _bands,
    "exit": _exit,
    "jump": _jump,
    "bunching": _bunching,
    "time_to": _time_to,
    "reach": _reach,
    "move": _move,
    "shrink": _shrink,
    "beta_binomial": _left_out("a sentence in plain words: information"),
    "overdispersion": _overdispersion,
    "persistence": _persistence,
    "regression to the mean": _persistence,
    "fit": _fit,
    "holdout": _holdout,
    "cuped on history": _adjusted,
    "regression adjusted (Lin 2013)": _adjusted,
    "return": _return,
    "sample ratio": _sample_ratio,
    "cuped": _cuped,
    "relative": _relative,
    "did": _did,
    "matching": _matching,
    "rows": _rows,
    "experiment": _experiment,
    "no holdout": _no_holdout,
    "power": _power,
    "sample size": _power,
    "detectable": _power,
    "watched": _watched,
    "fixed": _left_out("an interval that is read once: information"),
    "peeking": _left_out(
        "false alarms of repeated looks: information; benchmarks/scenarios.md measures ours"
    ),
    "uplift": _left_out("curves of uplift are no part of the toolkit: it asks for average effects"),
    "saturation": _saturation,
    "newcomer": _newcomer,
    "contribution": _contribution,
    "break_even": _break_even,
    "split": _split,
    "cac": _cac,
    "ltv": _ltv,
    "payback": _payback,
    "slot fee": _fees,
    "commission": _fees,
    "mixed": _fees,
    "fees": _fees,
    "allocate": _allocate,
    "models": _models,
    "bgnbd": _left_out("models of a buyer base are left for later"),
}
