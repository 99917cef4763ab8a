"""The panel of an interruption concludes what the function concludes, follows every control, and trusts no name."""

from __future__ import annotations

import datetime as dt

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from toolkit import Decay, Level, Pulse, Slope, interrupted_time_series
from toolkit.panels import InterruptionPanel
from toolkit.panels.interruptions import _hold_band

from .test_panel_base import picture

DAYS = pd.date_range("2019-05-01", periods=100)
REMOVED = "2019-06-20"


def series(name: str = "visits", level: float = -20.0) -> pd.Series:
    noise = np.random.default_rng(1).standard_normal(len(DAYS))
    return pd.Series(np.where(DAYS < REMOVED, 100.0, 100.0 + level) + noise, index=DAYS, name=name)


@pytest.fixture
def panel() -> InterruptionPanel:
    return InterruptionPanel(series(), REMOVED, name="removed", source="Simulated")


def told(panel: InterruptionPanel) -> tuple[str, str, float]:
    return panel.answer.value, panel.figure.value, float(panel.effect.value("relative")[0])


def test_at_first_it_says_what_the_function_says(panel):
    plain = interrupted_time_series(series(), {"removed": Level(REMOVED)})
    assert panel.result.sentence() == plain.sentence()
    assert panel.effect.value("relative") == pytest.approx(plain.effect().value("relative"))
    assert "n = 100" in panel.answer.value


def test_a_date_that_is_dragged_moves_effect_band_and_figure(panel):
    before = told(panel)
    panel.date.value = pd.Timestamp("2019-07-15")
    after = told(panel)
    assert all(old != new for old, new in zip(before, after, strict=True))
    moved = interrupted_time_series(series(), {"removed": Level("2019-07-15")})
    assert panel.result.table["estimate"][0] == pytest.approx(moved.table["estimate"][0])
    panel.date.value = pd.Timestamp(REMOVED)
    assert told(panel) == before


def test_a_term_that_is_added_is_in_the_model(panel):
    panel.terms["slope"].value = True
    panel.terms["decay"].value = True
    assert panel.result.table["term"].tolist() == ["level", "slope", "decay"]
    expected = interrupted_time_series(
        series(), {"removed": [Level(REMOVED), Slope(REMOVED), Decay(REMOVED, 14.0)]}
    )
    assert panel.result.table["estimate"].tolist() == pytest.approx(expected.table["estimate"].tolist())


def test_it_opens_with_the_terms_and_the_errors_that_are_asked_for():
    panel = InterruptionPanel(series(), REMOVED, name="removed", terms=["level", "slope"], errors="ar2")
    asked = {"removed": [Level(REMOVED), Slope(REMOVED)]}
    plain = interrupted_time_series(series(), asked, errors="ar2")
    assert panel.result.sentence() == plain.sentence()
    panel.errors.value = "auto"
    assert panel.result.sentence() == interrupted_time_series(series(), asked).sentence()


def test_twelve_periods_on_each_side_are_enough():
    panel = InterruptionPanel(series()[:24], DAYS[12])
    assert panel.result.points[0] == 24


def test_counts_with_a_population_are_offered_the_errors_that_know_one():
    population = pd.Series(np.log(np.linspace(1e6, 2e6, len(DAYS))), index=DAYS)
    panel = InterruptionPanel(series().round(), REMOVED, errors="quasi_poisson", offset=population)
    for _, errors in panel.errors.options:
        panel.errors.value = errors
        assert panel.result.question.errors == errors


def test_without_a_term_the_panel_says_so_and_keeps_the_last_answer(panel):
    before = told(panel)
    panel.terms["level"].value = False
    assert not panel.terms["level"].value
    assert "tick what it may have done" in panel.warning.value
    assert told(panel) == before
    panel.terms["slope"].value = True
    assert panel.warning.value == ""
    assert panel.result.table["term"].tolist() == ["slope"]


def test_a_pulse_lasts_as_long_as_is_set_and_is_judged_while_it_lasts(panel):
    panel.terms["level"].value = False
    panel.terms["pulse"].value = True
    panel.lasts.value = 5
    twin = interrupted_time_series(series(), {"removed": Pulse(REMOVED, "2019-06-24")})
    assert panel.result.sentence() == twin.sentence()
    over = (REMOVED, "2019-06-24")
    assert panel.effect.value("relative") == pytest.approx(twin.effect(over=over).value("relative"))
    assert "while it lasted" in panel.answer.value


def test_a_pulse_ends_with_the_series_at_the_latest(panel):
    panel.terms["slope"].value = panel.terms["pulse"].value = True
    panel.terms["level"].value = False
    panel.lasts.value = 100
    assert panel.result.interruptions["removed"][-1].end == DAYS[-1]


def test_a_length_can_be_set_where_its_term_is_ticked(panel):
    assert panel.lasts.disabled
    assert panel.tau.disabled
    panel.terms["decay"].value = True
    assert not panel.tau.disabled
    panel.tau.value = 5
    assert panel.result.interruptions["removed"][-1].tau == 5


def test_a_typed_date_moves_the_slider_and_the_slider_the_typed_date(panel):
    panel.day.value = dt.date(2019, 7, 15)
    assert panel.date.value == pd.Timestamp("2019-07-15")
    assert panel.result.interruptions["removed"][0].at == pd.Timestamp("2019-07-15")
    panel.date.index += 1
    assert panel.day.value == dt.date(2019, 7, 16)


@pytest.mark.parametrize(
    ("day", "words"),
    [
        (dt.date(2019, 5, 3), "2019-05-03 has fewer than 12 days on a side"),
        (dt.date(2021, 1, 1), "outside the series"),
        (None, "no date is given; type one"),
    ],
)
def test_a_typed_date_that_cannot_be_asked_about_says_why_and_keeps_the_last_answer(panel, day, words):
    before = told(panel)
    panel.day.value = day
    assert words in panel.warning.value
    assert told(panel) == before
    panel.reset.click()
    assert panel.warning.value == ""


def test_periods_that_are_plain_numbers_are_typed_as_numbers():
    panel = InterruptionPanel(series().reset_index(drop=True), 50)
    panel.day.value = 60
    assert panel.date.value == 60
    assert panel.result.interruptions["interruption"][0].at == 60


def test_the_axis_holds_the_whole_band(panel):
    panel.terms["slope"].value = True
    bands = panel.result.counterfactual.query("time >= @REMOVED")
    figure, ax = plt.subplots()
    panel.result.plot(ax)
    ax.set_ylim(79, 101)
    _hold_band(ax)
    low, high = ax.get_ylim()
    plt.close(figure)
    assert low < bands["low"].min()
    assert high > bands["high"].max()


def test_every_choice_of_errors_answers_with_its_own_interval(panel):
    widths = set()
    for _, errors in panel.errors.options:
        panel.errors.value = errors
        assert panel.result.question.errors == errors
        _, low, high = panel.effect.value("relative")
        widths.add(round(high - low, 6))
    assert len(widths) == len(panel.errors.options)


def test_diagnostics_follow_the_errors(panel):
    panel.errors.value = "ols"
    assert panel.result.diagnostics.sentence() in panel.answer.value.replace("&lt;", "<").replace("&gt;", ">")


def test_another_column_of_a_frame_is_another_question():
    frame = pd.DataFrame({"xiaohongshu": series(), "kuaishou": series(level=0.0)})
    panel = InterruptionPanel(frame, REMOVED, name="removed")
    fallen = told(panel)[2]
    panel.series.value = "kuaishou"
    assert fallen < -0.15 < -0.05 < told(panel)[2]


def test_other_interruptions_stay_in_the_model():
    others = {"festival": Pulse("2019-06-01", "2019-06-03")}
    panel = InterruptionPanel(series(), REMOVED, name="removed", others=others)
    panel.date.index += 5
    assert panel.result.table["interruption"].tolist() == ["removed", "festival"]


def test_the_figure_is_a_picture_and_leaves_the_session_as_it_was(panel):
    plt.figure()  # the backend is chosen now, not by the panel
    settings, figures = mpl.rcParams.copy(), plt.get_fignums()
    panel.date.index += 1
    assert picture(panel.figure.value).shape[:2] == (800, 1280)
    assert mpl.rcParams == settings
    assert plt.get_fignums() == figures
    plt.close()


def test_names_are_text():
    panel = InterruptionPanel(series(), REMOVED, name="<b>removed</b> $x")
    assert "<b>" not in panel.answer.value
    assert "&lt;b&gt;removed" in panel.answer.value


def test_a_series_around_zero_has_an_effect_in_its_own_units():
    panel = InterruptionPanel(series() - 110, REMOVED)
    assert np.isnan(panel.effect.value("relative")[0])
    assert panel.effect.value("average")[0] == pytest.approx(-20, abs=0.5)
    assert repr(panel).endswith("(level; auto): −19.94")
    assert "−19.94" in panel.answer.value
    assert "unknown" not in panel.answer.value


def test_its_line_says_what_was_chosen(panel):
    panel.errors.value = "ar1"
    assert repr(panel).startswith("InterruptionPanel: visits, removed on 2019-06-20 (level; ar1): −20")


@pytest.mark.parametrize(
    ("date", "options", "words"),
    [
        ("2019-05-03", {}, "fewer than 12 days on a side"),
        ("2021-01-01", {}, "outside the series"),
        (REMOVED, {"terms": ["jump"]}, "not .'jump'."),
        (REMOVED, {"terms": []}, "not .."),
        (REMOVED, {"name": "a", "others": {"a": Level(REMOVED)}}, "another interruption"),
    ],
)
def test_wrong_questions_name_the_thing(date, options, words):
    with pytest.raises(ValueError, match=words):
        InterruptionPanel(series(), date, **options)
