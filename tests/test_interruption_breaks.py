"""Where a series breaks: planted dates are found, rivals are named, and a stretch without change is said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from toolkit import Level, interrupted_time_series
from toolkit.interruptions.checks import break_scan
from toolkit.interruptions.checks.breaks import Break, where_is_the_break
from toolkit.interruptions.errors import reml
from toolkit.interruptions.errors.profile_likelihood import AR1_NOISE

DAYS = pd.date_range("2019-05-01", periods=100)
REMOVED = "2019-06-20"


def dropping(level: float = -20.0, seed: int = 1) -> pd.Series:
    noise = np.random.default_rng(seed).standard_normal(len(DAYS))
    return pd.Series(np.where(DAYS < REMOVED, 100.0, 100.0 + level) + noise, index=DAYS, name="visits")


def looked(series: pd.Series | None = None, **options: object) -> Break:
    options.setdefault("replicates", 99)
    return where_is_the_break(
        dropping() if series is None else series, season=None, scale="identity", **options
    )


def test_a_planted_break_is_found_on_its_date():
    found = looked()
    assert (found.date, found.before) == ("2019-06-20", "2019-06-19")
    assert found.low <= found.date <= found.high
    assert found.p == 0.01
    assert found.size["low"] < -20 < found.size["high"]


def test_without_a_break_none_is_claimed():
    found = looked(dropping(level=0.0))
    assert found.p > 0.05
    assert "no break is shown" in found.sentence()


def test_a_small_break_leaves_more_dates_open():
    assert looked(dropping(-1.5)).table["inside"].sum() > looked(dropping(-20)).table["inside"].sum() == 1


def test_a_lower_confidence_leaves_no_date_that_a_higher_one_rules_out():
    wide, narrow = (looked(dropping(-1.5), confidence=level).table["inside"] for level in (0.95, 0.5))
    assert not (narrow & ~wide).any()
    assert narrow.sum() < wide.sum()


def test_a_turn_is_found_where_the_trend_may_change():
    t = np.arange(len(DAYS))
    noise = np.random.default_rng(3).standard_normal(len(DAYS))
    turned = pd.Series(t + 2.0 * np.maximum(t - 60, 0) + noise, index=DAYS)
    found = looked(turned, shape="trend", trend=True)
    assert found.low <= str(DAYS[60].date()) <= found.high


def test_a_result_is_asked_without_the_interruption_that_it_was_told():
    told = interrupted_time_series(dropping(), {"wrong": Level("2019-07-20")}, scale="identity", season=None)
    assert told.where_is_the_break(replicates=99).date == "2019-06-20"


def test_units_move_no_date():
    one, thousand = looked(dropping(-2.0)), looked(1000 * dropping(-2.0))
    assert one.table["f"].to_numpy() == pytest.approx(thousand.table["f"].to_numpy(), rel=1e-6)
    assert one.table["inside"].tolist() == thousand.table["inside"].tolist()


def test_missing_days_are_no_dates():
    gap = dropping()
    gap["2019-06-01":"2019-06-05"] = np.nan
    found = looked(gap)
    assert "2019-06-03" not in set(found.table["date"])
    assert found.date == "2019-06-20"
    assert set(found.table["n"]) == {95}


@pytest.mark.parametrize("extra", [1, 2])
def test_a_gain_is_that_of_two_gaussian_likelihoods(extra):
    rng, n = np.random.default_rng(5), 30
    at = np.delete(np.arange(n + 3), [7, 8, 20])
    base = np.column_stack([np.ones(n), rng.standard_normal(n)])
    values = rng.standard_normal(n).cumsum()
    columns = break_scan.broken(at, at[[9, 15]], "level" if extra == 1 else "trend")

    def height(x: np.ndarray) -> float:
        tops = []
        for rho in AR1_NOISE.rhos:
            for lam in AR1_NOISE.lams:
                v = lam * rho ** np.abs(np.subtract.outer(at, at)) + (1 - lam) * np.eye(n)
                solved = np.linalg.solve(v, np.column_stack([x, values]))
                b = np.linalg.solve(x.T @ solved[:, :-1], x.T @ solved[:, -1])
                rest = values - x @ b
                tops.append(-n * np.log(rest @ np.linalg.solve(v, rest)) - np.linalg.slogdet(v)[1])
        return max(tops)

    expected = [height(np.column_stack([base, one.T])) - height(base) for one in columns]
    found = break_scan.gains(base, columns, values[:, None], at, "ar1_noise")
    assert found[:, 0] == pytest.approx(expected, rel=1e-6)
    most, over = break_scan.largest(base, columns, values[:, None], at, "ar1_noise", np.zeros(1, int), "")
    assert most[0] == pytest.approx(max(expected), rel=1e-6)
    assert over[0] == pytest.approx(max(expected) - expected[0], rel=1e-6, abs=1e-9)


def test_errors_are_drawn_with_the_covariance_that_was_fitted():
    fit = reml.estimate(np.ones((60, 1)), np.random.default_rng(4).standard_normal(60).cumsum(), kind="ar1")
    drawn = break_scan.simulated(np.random.default_rng(1), fit, 20_000)
    expected = fit.errors(fit.at[:4], fit.at[:4])[0]
    assert np.cov(drawn[:4]) == pytest.approx(expected, rel=0.06)


def test_the_nile_breaks_after_1898(shared):
    flow = pd.read_csv(shared / "data" / "its_nile_flow" / "Nile.csv").set_index("time")["value"]
    found = where_is_the_break(flow, scale="identity")
    assert found.before == "1898"
    assert int(found.low) >= 1895
    assert int(found.high) <= 1903
    assert found.p < 0.05


def facebook(column: str) -> pd.Series:
    from pathlib import Path

    path = Path(__file__).parents[1] / "datasets" / "facebook_live_sellers_weekly.csv"
    table = pd.read_csv(path, parse_dates=["week"]).set_index("week")
    return (table[column] / table["posts"]).rename(column)


def test_mean_reactions_of_sellers_break_in_late_2015():
    found = where_is_the_break(facebook("reactions"), replicates=99)
    assert "2015-10" <= found.low <= found.date <= found.high <= "2015-12-31"


def test_a_share_that_could_not_be_measured_is_said_to_be_constant():
    found = where_is_the_break(facebook("with_late_reactions"), replicates=99)
    assert found.date == "2016-02-22"
    assert "constant at 0 from 2015-01-05 to 2016-02-15" in found.sentence()
    assert "began to be counted" in found.sentence()


def test_a_series_named_like_code_is_shown_as_text():
    html = looked(dropping().rename("<script>"))._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_a_figure_names_the_date():
    ax = looked().plot()
    assert [text.get_text() for text in ax.texts] == ["2019-06-20"]


@pytest.mark.parametrize(
    ("series", "options", "words"),
    [
        (dropping() * 0, {}, "never varies"),
        (dropping()[:8], {}, "too few"),
        (dropping(), {"shape": "bend"}, "'bend'"),
        (dropping(), {"trim": 0.5}, "trim"),
        (dropping(), {"confidence": 1.0}, "confidence"),
        (dropping(), {"replicates": 10}, "replicates=10"),
        (pd.DataFrame({"a": dropping(), "b": dropping()}), {}, "one series"),
    ],
)
def test_wrong_questions_name_the_thing(series, options, words):
    with pytest.raises(ValueError, match=words):
        looked(series, **options)
