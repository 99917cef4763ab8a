"""Many series at once are answered as each would be alone; counts keep their noise; thin evidence is said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

from toolkit import Decay, Level, Pulse, Slope, interrupted_time_series, style

DAYS = pd.date_range("2019-07-01", periods=150)
REMOVED = "2019-09-20"


def series(seed: int, drop: float = -0.2) -> pd.Series:
    """About a thousand a day, on the log scale with autocorrelation, less from the removal on."""
    noise = lfilter([1], [1, -0.5], np.random.default_rng(seed).standard_normal(250))[100:]
    return pd.Series(np.exp(7 + 0.05 * noise + drop * (DAYS >= REMOVED)), index=DAYS)


def frame() -> pd.DataFrame:
    """Three series, of which one lacks days before and after the removal."""
    found = pd.DataFrame({"a": series(1), "b": series(2), "c": series(3, drop=0.0)})
    found.loc["2019-08-03":"2019-08-05", "b"] = np.nan
    found.loc["2019-10-10", "b"] = np.nan
    return found


ANSWERS = {
    "effect": lambda result: result.effect().table,
    "effect of a window": lambda result: result.effect(over=("2019-10-01", "2019-10-20"), of="removed").table,
    "counterfactual": lambda result: result.counterfactual,
    "recovery": lambda result: result.recovery().table,
    "gaps": lambda result: result.recovery().gaps,
    "net": lambda result: result.net(("2019-08-18", "2019-08-18")).table,
    "diagnostics": lambda result: result.diagnostics.table,
}


@pytest.mark.parametrize("scale", ["log", "identity"])
@pytest.mark.parametrize("errors", ["auto", "ar1", "weekly", "hac", "structural"])
def test_a_batch_answers_for_each_series_what_it_would_alone(errors, scale):
    def asked(given):
        terms = {"removed": Level(REMOVED), "live": [Level("2019-11-01"), Slope("2019-11-01")]}
        return interrupted_time_series(given, terms, errors=errors, scale=scale)

    as_alone(asked, frame())


def as_alone(asked, given) -> None:
    """Every answer of a batch is the one that each of its series gives alone."""
    batch = asked(given)
    for name, column in given.items():
        alone = asked(column)
        for answer, read in ANSWERS.items():
            together, single = read(batch), read(alone)
            mine = together[together["series"] == name].drop(columns="series").reset_index(drop=True)
            assert list(mine) == list(single), answer
            for key in single:
                if mine[key].dtype.kind == "f":
                    np.testing.assert_allclose(mine[key], single[key], rtol=1e-5, atol=1e-7, err_msg=answer)
                else:
                    assert mine[key].astype(object).tolist() == single[key].astype(object).tolist(), answer


def mixed() -> pd.DataFrame:
    """Users, a rate, orders with days of none, and changes below 0: each asks for a scale of its own."""
    rng = np.random.default_rng(5)
    return frame()[["a"]].assign(
        rate=0.4 + (series(4) / 1100 - 1) / 10,
        orders=rng.poisson(3.0, len(DAYS)).astype(float),
        change=series(6) - 1000,
        late=series(7).where(DAYS != "2019-10-10"),
    )


def test_each_series_of_a_frame_is_on_the_scale_that_it_would_have_alone():
    def asked(given):
        return interrupted_time_series(given, {"removed": Level(REMOVED)})

    as_alone(asked, mixed())
    found = asked(mixed())
    by_name = found.table.set_index("series")["scale"].to_dict()
    assert by_name == {
        "a": "log",
        "rate": "identity",
        "orders": "log(y + 0.5)",
        "change": "identity",
        "late": "log",
    }
    alone = {name: asked(values).table["estimate"].item() for name, values in mixed().items()}
    assert found.table.set_index("series")["estimate"].to_dict() == pytest.approx(alone, rel=1e-5)
    assert "scale of its own (log: a, late; identity: rate, change; log(y + 0.5): orders)" in found.sentence()
    assert "orders modelled as log(y + 0.5), since there are zeros" in found.sentence()
    assert found.rates == frozenset()


def test_a_frame_on_one_scale_does_not_speak_of_scales():
    found = interrupted_time_series(frame(), {"removed": Level(REMOVED)})
    assert "scale" not in found.table
    assert "scale" not in found.sentence()


def test_counts_of_a_batch_are_answered_as_they_would_be_alone():
    rng = np.random.default_rng(1)
    counts = pd.DataFrame({name: rng.poisson(9, 60) for name in "ab"})
    batch = interrupted_time_series(counts, {"removed": Level(30)}, errors="quasi_poisson", season=None)
    alone = interrupted_time_series(counts["b"], {"removed": Level(30)}, errors="quasi_poisson", season=None)
    for read in (lambda r: r.effect().table, lambda r: r.counterfactual, lambda r: r.net((10, 12)).table):
        together = read(batch)
        mine = together[together["series"] == "b"].drop(columns="series").reset_index(drop=True)
        pd.testing.assert_frame_equal(mine, read(alone))


def test_a_series_of_a_batch_that_is_still_below_is_not_said_to_be_back_since_nowhere():
    both = frame()[["a", "c"]]
    result = interrupted_time_series(both, {"removed": Level(REMOVED)}).recovery()
    assert result.table["indistinct"].tolist() == [None, REMOVED]
    assert "a, removed: did not recover to within 5 % by the end of the data; at the end the gap is" in (
        result.sentence()
    )


@pytest.mark.parametrize("scale", ["log", "identity"])
def test_days_without_covariates_are_left_out_of_an_effect_and_said(scale):
    visits = series(1)
    visits.loc["2019-10-05":"2019-10-08"] = np.nan
    ads = pd.Series(np.random.default_rng(9).standard_normal(150), index=DAYS, name="ads")
    gone = ads.where(visits.notna())

    def asked(covariates):
        terms = {"removed": Level(REMOVED)}
        return interrupted_time_series(visits, terms, covariates=covariates, scale=scale)

    (known, lacking), tables = (asked(ads), asked(gone)), []
    for result in (known, lacking):
        tables.append(result.effect().table.set_index("estimand")[["estimate", "low", "high"]])
    assert "4 days whose covariates are missing are left out" in lacking.effect().sentence()
    assert tables[1].notna().to_numpy().all()
    # Of a sum of observed values these days are no part in either.
    assert tables[1].loc["cumulative"].tolist() == pytest.approx(tables[0].loc["cumulative"].tolist())
    assert tables[1].loc["relative"].tolist() == pytest.approx(tables[0].loc["relative"].tolist(), rel=0.01)
    assert known.recovery().table.equals(lacking.recovery().table)
    with pytest.raises(ValueError, match="covariates are missing from 2019-10-06 to 2019-10-07; fill them"):
        lacking.effect(over=("2019-10-06", "2019-10-07"))


# ---- counts vary by themselves


def poisson(mean, replicates, after):
    rates = mean * np.exp(-0.3 * (np.arange(60) >= after))
    drawn = np.random.default_rng(4).poisson(rates, (replicates, 60)).T
    names = [f"s{number}" for number in range(replicates)]
    return pd.DataFrame(drawn, columns=names), rates - mean


@pytest.mark.slow
@pytest.mark.parametrize("mean", [3, 20])
def test_the_cumulative_effect_on_a_count_of_one_period_allows_for_that_counts_own_noise(mean):
    counts, truth = poisson(mean, 60, after=40)
    result = interrupted_time_series(counts, {"removed": Level(40)}, errors="poisson", season=None)
    held = []
    for at in (41, 47, 53):
        rows = result.effect(at=at).table
        rows = rows[rows["estimand"] == "cumulative"]
        held.append((rows["low"] <= truth[at]) & (truth[at] <= rows["high"]))
    # Without that noise it is 60 to 77 %.
    assert 0.9 < np.mean(held) <= 1


def test_the_net_of_counts_is_unbiased_where_days_have_none():
    counts, _ = poisson(3, 60, after=40)
    assert (counts.iloc[23:37] == 0).to_numpy().mean() > 0.02
    result = interrupted_time_series(counts, {"removed": Level(40)}, errors="poisson", season=None)
    rows = result.net((30, 32), 7, 4).table
    rows = rows[rows["what"] == "net"]
    assert abs(rows["estimate"].mean()) < 2.5
    assert ((rows["low"] <= 0) & (rows["high"] >= 0)).mean() > 0.85


# ---- thin evidence


def festival(terms):
    """A festival on 10 to 12 November, and a result asked with other interruptions around it."""
    peaked = series(1, drop=0.0)
    peaked.loc["2019-11-10":"2019-11-12"] *= 1.5
    return interrupted_time_series(peaked, terms)


@pytest.mark.parametrize(
    ("terms", "named"),
    [
        ({"live": Level("2019-11-02"), "rule": Level("2019-11-20")}, "'live: level' rests on 1 day"),
        ({"live": Level("2019-11-03"), "rule": Level("2019-11-20")}, "'rule: level' rests on no day"),
        ({"live": Level("2019-11-18")}, None),
        ({"live": Level("2019-10-02"), "rule": Level("2019-11-20")}, None),
    ],
)
def test_a_net_is_refused_where_a_level_rests_on_a_day_or_none_outside_of_it(terms, named):
    result = festival(terms)
    if named is None:
        assert "the window adds" in result.net(("2019-11-10", "2019-11-12")).sentence()
        return
    with pytest.raises(ValueError, match=f"net: outside the days asked about {named}.*fewer periods before"):
        result.net(("2019-11-10", "2019-11-12"))


def test_a_net_is_refused_rather_than_absurd_where_a_fading_term_is_seen_at_its_end_only():
    result = festival({"live": Decay("2019-11-03", 3)})
    with pytest.raises(ValueError, match="'live: decay' cannot be told from 'net: 2019-11-03: pulse'"):
        result.net(("2019-11-10", "2019-11-12"))
    assert (
        "the window adds"
        in festival({"live": Decay("2019-09-03", 3)}).net(("2019-11-10", "2019-11-12")).sentence()
    )


def test_a_level_that_a_single_day_decides_is_said_to_rest_on_it():
    crowded = interrupted_time_series(series(1), {"removed": Level(REMOVED), "rule": Level("2019-09-21")})
    assert any(
        "'removed: level' rests on about 1 day in effect, 2019-09-20 above all" in note
        for note in crowded.notes
    )
    apart = interrupted_time_series(series(1), {"removed": Level(REMOVED), "rule": Level("2019-10-21")})
    assert not any("rests on" in note for note in apart.notes)
    peak = interrupted_time_series(series(1), {"sale": Pulse("2019-11-11", "2019-11-11")})
    assert not any("rests on" in note for note in peak.notes)


@pytest.mark.parametrize("question", ["the series", "recovery", "diagnostics"])
def test_the_series_of_one_figure_never_share_a_colour(question):
    result = interrupted_time_series(
        frame().rename(columns={"a": "app", "b": "store", "c": "search"}), {"removed": Level(REMOVED)}
    )
    asked = {"the series": result, "recovery": result.recovery(), "diagnostics": result.diagnostics}
    drawn = {line.get_color() for line in asked[question].plot().get_lines() if len(line.get_xdata()) > 2}
    colours = {look.colour for look in style.looks(["app", "store", "search"]).values()}
    assert colours <= drawn
    assert len(colours) == 3


def test_a_sentence_about_many_series_says_where_the_others_are():
    many = pd.DataFrame({f"s{number}": series(number) for number in range(5)})
    said = interrupted_time_series(many, {"x": Level(many.index[30])}).effect().sentence()
    assert "s2: " in said
    assert "s3: " not in said
    assert "2 more series: see .table" in said
