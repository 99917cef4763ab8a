"""What a series has that its model has not: each fault is said in the sentence, with what to do."""

import numpy as np
import pandas as pd
import pytest

from toolkit import Level, Slope, interrupted_time_series
from toolkit.interruptions import innovations

DAYS = pd.date_range("2022-01-01", periods=300)
AFTER = np.arange(300) >= 180
NOISE = np.random.default_rng(12).normal(size=300)
EVENT = str(DAYS[180].date())


def asked(values, terms=None, **options):
    series = pd.Series(values, index=DAYS[: len(values)])
    return interrupted_time_series(series, {"x": terms or Level(EVENT)}, **options)


def plain(values):
    return asked(values, season=None, scale="identity").sentence()


def test_a_series_that_keeps_to_its_model_has_no_warning():
    assert plain(NOISE - 2 * AFTER).endswith("by REML).")


def test_a_far_point_is_named_with_its_day():
    assert f"{DAYS[40].date()} lies" in plain(NOISE + 9 * (np.arange(300) == 40))


def test_autocorrelation_that_the_model_leaves_is_said():
    errors = NOISE.copy()
    for i in range(14, 300):
        errors[i] += 0.7 * errors[i - 14]
    assert "Autocorrelation is left in the residuals (Ljung-Box, lag 14" in plain(errors)


def test_a_spread_that_changes_with_the_event_is_said():
    assert "too narrow" in plain(NOISE * np.where(AFTER, 2.5, 1))
    assert "too wide" in plain(NOISE * np.where(AFTER, 0.4, 1))


def test_a_trend_that_bends_is_said_with_the_effect_under_a_parabola():
    bent = plain(0.3 * NOISE + 4 * (np.arange(300) / 150 - 1) ** 2)
    assert "he trend bends" in bent
    assert "with a parabola for a trend, x: level" in bent


def test_a_slow_start_points_to_a_ramp_and_one_that_fades_to_a_decay():
    part = np.clip((np.arange(300) - 179) / 14, 0, 1)
    assert "use Ramp(start, end), or leave_out=" in plain(0.3 * NOISE - 3 * part)
    assert "use Decay(date, tau)" in plain(0.3 * NOISE - 3 * AFTER * (2 - part))


def test_a_slow_start_is_no_wider_spread_and_a_wider_spread_no_slow_start():
    part = np.clip((np.arange(300) - 179) / 14, 0, 1)
    slow = plain(NOISE - 8 * part)
    assert "starts slowly" in slow
    assert "spread" not in slow
    short = 0.4 * NOISE * np.where(np.arange(300) < 288, 1, 3)
    wide = asked(short, Level(str(DAYS[288].date())), season=None, scale="identity").sentence()
    assert "times that before" in wide
    assert "its first" not in wide


def test_a_level_that_walks_is_said_in_the_effects_sentence_too():
    walk = np.random.default_rng(3).normal(size=300).cumsum()
    found = asked(walk, [Level(EVENT), Slope(EVENT)], season=None, scale="identity")
    assert found.fit.boundary[0]
    assert "the level walks by itself" in found.sentence().lower()
    assert "the level walks by itself" in found.effect().sentence()


def test_rare_counts_say_the_bias_of_their_logarithm_and_lone_zeros_what_they_do():
    rng = np.random.default_rng(5)
    assert "understates ratios" in asked(rng.poisson(1.0, 300).astype(float)).sentence()
    many = rng.poisson(200, 300).astype(float)
    many[[20, 30]] = 0
    assert "2 of 300 values are 0 where the median is" in asked(many).sentence().replace("2 Of", "2 of")


def test_an_event_late_in_its_month_is_said():
    months = pd.Series(100 + NOISE[:60], index=pd.date_range("2015-01-01", periods=60, freq="MS"))
    late, early = (
        interrupted_time_series(months, {"x": Level(date)}).sentence()
        for date in ("2018-06-28", "2018-06-01")
    )
    assert "falls after 90% of its month" in late
    assert "of its month" not in early


def test_the_effects_sentence_has_one_absolute_number_within_the_ratios_limits():
    walk = np.exp(0.1 * np.random.default_rng(3).normal(size=300).cumsum())
    found = asked(100 * walk, [Level(EVENT), Slope(EVENT)], season=None).effect()
    (_, low, high), (_, down, up) = found.value("relative"), found.value("average")
    assert np.sign([low, high]).tolist() == np.sign([down, up]).tolist()
    assert "in all" not in found.sentence()
    assert set(found.table["estimand"]) == {"average", "cumulative", "relative"}


def test_weekdays_without_values_have_no_column():
    days = pd.bdate_range("2023-01-02", periods=150)
    values = pd.Series(100 + NOISE[:150] + 12 * (np.arange(150) >= 80), index=days)
    found = interrupted_time_series(values, {"x": Level(days[80])})
    assert found.table["estimate"].item() == pytest.approx(0.12, abs=0.02)
    assert "Saturday" not in found.design.names


def test_a_shop_that_is_closed_on_mondays_is_estimated():
    days = DAYS[DAYS.day_of_week != 0]
    found = interrupted_time_series(pd.Series(100 + NOISE[: len(days)], index=days), {"x": Level(EVENT)})
    assert {"Tuesday", "Monday"}.isdisjoint(found.design.names)


def test_hours_have_means_of_their_own_and_of_weekdays():
    hours = pd.date_range("2023-03-01", periods=24 * 28, freq="h")
    rng = np.random.default_rng(2)
    values = 100 + 30 * np.sin(hours.hour / 24 * 2 * np.pi) + rng.normal(size=len(hours))
    values = values * np.where(hours >= "2023-03-15 20:00", 0.8, 1)
    series = pd.Series(values, index=hours)
    found = interrupted_time_series(series, {"x": Level("2023-03-15 20:00")})
    assert found.table["estimate"].item() == pytest.approx(-0.2, abs=0.01)
    assert "2023-03-15 20:00" in found.effect().sentence()
    assert {"20:00", "Sunday"} <= set(found.design.names)
    without = interrupted_time_series(series.drop(hours[50:74]), {"x": Level("2023-03-15 20:00")})
    assert "24 of 672 hours are missing" in without.sentence()


@pytest.mark.parametrize(
    ("freq", "unit"), [("QS", "quarter"), ("YS", "year"), ("QE", "quarter"), ("YE", "year")]
)
def test_quarters_and_years_are_periods(freq, unit):
    times = pd.date_range("1990-01-01", periods=30, freq=freq)
    found = interrupted_time_series(pd.Series(100 + NOISE[:30], index=times), {"x": Level(times[15])})
    assert found.series.clock.unit == unit
    assert len(found.series.values) == 30


def test_months_may_have_a_mean_each():
    times = pd.date_range("2015-01-01", periods=48, freq="MS")
    series = pd.Series(100 + NOISE[:48] + 10 * (times.month == 11), index=times)
    found = interrupted_time_series(series, {"x": Level(times[30])}, season="month")
    assert {"February", "November", "December"} <= set(found.design.names)
    with pytest.raises(ValueError, match="season='month' needs 24 months at least, and the series has 20"):
        interrupted_time_series(series.iloc[:20], {"x": Level(times[10])}, season="month")


def test_a_season_longer_than_the_series_is_refused():
    with pytest.raises(ValueError, match="400 days is longer than the series, 300"):
        asked(NOISE, season={"period": 400, "pairs": 1})


def test_weekdays_need_two_weeks_and_a_year_a_year():
    with pytest.raises(ValueError, match="season='week' needs 14 days at least, and the series has 12"):
        asked(NOISE[:12], [Level(str(DAYS[6].date()))], season="week")
    with pytest.raises(ValueError, match="season='year' needs 365 days at least, and the series has 300"):
        asked(NOISE, season="year")


def test_a_weekday_with_one_value_is_said_to_count_for_nothing():
    days = DAYS[(DAYS.day_of_week != 0) | (DAYS == "2022-03-07")]
    said = interrupted_time_series(pd.Series(NOISE[: len(days)], index=days), {"x": Level(EVENT)}).sentence()
    assert "Monday has one value, on 2022-03-07, which its own mean takes out of the fit" in said


def test_a_series_that_ends_with_the_event_is_said_to_and_keeps_sane_limits():
    gone = np.where(AFTER, 0.0, np.random.default_rng(9).poisson(20, 300))
    found = asked(gone)
    assert "constant at 0 from 2022-06-30 on: it ended" in found.sentence()
    effect = found.effect()
    assert "constant at 0 from 2022-06-30 on" in effect.sentence()
    _, low, high = effect.value("average")
    assert -25 < low < -20 < high < -15
    assert effect.value("relative")[1] == -1


@pytest.mark.parametrize(
    ("side", "said"), [(AFTER, "'x: level' acts, 120 points"), (~AFTER, "no lasting term acts")]
)
def test_counts_that_are_0_on_a_side_have_no_rate_ratio(side, said):
    counts = np.where(side, 0.0, np.random.default_rng(9).poisson(20, 300))
    with pytest.raises(ValueError, match=f"is 0 wherever {said}.* errors='auto' models"):
        asked(counts, errors="quasi_poisson")


def test_hours_are_told_with_their_article():
    hours = pd.date_range("2023-03-01", periods=24 * 7, freq="h")
    series = pd.Series(100 + NOISE[: len(hours)], index=hours)
    found = interrupted_time_series(series, {"x": [Level(hours[90]), Slope(hours[90])]})
    assert " an hour (" in found.effect().sentence()
    assert " % an hour (" in found.sentence()


def test_the_prediction_band_of_overdispersed_counts_holds_most_days():
    rng = np.random.default_rng(6)
    counts = rng.negative_binomial(2, 2 / (2 + 6), 300).astype(float)
    table = asked(counts, errors="negative_binomial").counterfactual
    inside = table["observed"].between(table["predicted_low"], table["predicted_high"])
    assert 0.92 < inside[~AFTER].mean() < 0.99


def test_festivals_whose_days_no_source_gives_are_said_of_one_series_and_of_many():
    values = NOISE + 40
    said = "o source gives the days of 618_presale 2023, 618_payments 2023: they count as ordinary days"
    year = pd.Series(values, index=pd.date_range("2023-01-01", periods=300))
    found = interrupted_time_series(year, {"x": Level("2023-07-01")}, calendar="618")
    assert said in found.sentence()
    assert said in found.effect().sentence()
    both = found.again(series=pd.DataFrame({"a": year, "b": year + 1}))
    assert said in both.sentence()
    assert "no source" not in asked(values, calendar="618").sentence().lower()


COLUMNS = np.column_stack([np.ones(300), AFTER]).astype(float)


def test_heavy_tails_are_no_change_of_spread():
    heavy = np.random.default_rng(39).standard_t(3, 300)
    # An F test of normal values would find it at 1 in 100,000.
    assert (heavy[~AFTER] ** 2).mean() > 2 * (heavy[AFTER] ** 2).mean()
    assert innovations.spread(heavy, AFTER, COLUMNS) is None


def test_values_that_repeat_others_count_for_less_in_the_spread():
    wider = NOISE * np.where(AFTER, 1.3, 1)
    assert innovations.spread(wider, AFTER, COLUMNS).times > 1.3
    assert innovations.spread(wider, AFTER, COLUMNS, repeated=6.0) is None


def test_a_change_of_spread_is_no_autocorrelation():
    clock = asked(NOISE, season=None).series.clock
    assert innovations.autocorrelation(NOISE * np.where(AFTER, 5, 1), AFTER, clock) is None
