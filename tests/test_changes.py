"""What changed: a planted change is found where it was planted, and days that merely differ claim nothing."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from toolkit import read_events, what_changed

STEPS = ["enter", "click", "pay"]
RATES = np.array([0.3, 0.2])
TIERS = ["tier_1", "tier_2", "tier_3"]


def counts(seed, days=28, fall=1.0, swing=0.05):
    """Counts by day, tier and step; the fall is of the payers of tier_3 in the second half."""
    rng = np.random.default_rng(seed)
    rows = []
    for day in range(days):
        date = f"{pd.Timestamp('2024-06-03') + pd.Timedelta(days=day):%Y-%m-%d}"
        for tier in TIERS:
            rates = RATES * (1 + swing * rng.standard_normal(2))
            rates[1] *= fall if tier == "tier_3" and day >= days // 2 else 1
            n = rng.poisson(3000)
            for step, rate in zip(STEPS, (1, *rates), strict=True):
                n = rng.binomial(n, rate)
                rows.append((date, tier, step, n))
    return pd.DataFrame(rows, columns=["date", "tier", "step", "n"])


def test_a_planted_fall_is_found_at_its_step_and_segment_and_is_rate_not_mix():
    found = what_changed(counts(1, fall=0.6), STEPS, at="2024-06-17", by="tier")
    table = found.table.iloc[1:].set_index("name")
    assert not found.quiet
    assert table.loc["pay", "share"] > 0.8
    assert table.loc["pay", "p_adjusted"] < 0.05
    assert abs(table.loc["rate", "estimate"]) > 10 * abs(table.loc["mix", "estimate"])
    assert found.table.loc[found.table["part"] == "segment", "name"].iloc[0] == "tier_3"
    assert "click to pay" in found.sentence()
    assert "most of all tier_3" in found.sentence()
    fell = found.sentence().split("it fell by ")[1]
    low, high = fell.split("interval ")[1].split(";")[0].split(" to ")
    assert 0 < float(low) < float(fell.split()[0]) < float(high)


def test_steps_and_segments_add_up_to_the_change():
    found = what_changed(counts(2, fall=0.8), STEPS, at="2024-06-17", by="tier").table
    change = found.loc[found["part"] == "change", "estimate"].item()
    for parts in (["step"], ["mix", "rate"], ["segment"]):
        assert found.loc[found["part"].isin(parts), "estimate"].sum() == pytest.approx(change)


def test_the_change_agrees_with_rates_of_sums():
    rows = counts(3, fall=0.7)
    found = what_changed(rows, STEPS, before=("2024-06-03", "2024-06-10"), after=("2024-06-17", "2024-06-24"))
    after = rows[(rows["date"] >= "2024-06-17") & (rows["date"] < "2024-06-24")].groupby("step")["n"].sum()
    assert found.table["after"].iloc[0] == pytest.approx(after["pay"] / after["enter"])
    assert found.days == (7, 7)


@pytest.mark.slow
def test_worlds_in_which_only_days_differ_claim_nothing():
    claims = [
        not what_changed(counts(seed), STEPS, at="2024-06-17", by="tier").quiet for seed in range(100, 300)
    ]
    assert np.mean(claims) <= 0.07


def test_an_ordinary_swing_is_called_one_and_too_few_earlier_spans_are_said():
    rows = counts(4, days=70)
    swing = what_changed(rows, STEPS, before=("2024-07-29", "2024-08-05"), after=("2024-08-05", "2024-08-12"))
    assert len(swing.placebo) == 8
    assert "earlier pairs" in swing.sentence()
    half = what_changed(rows, STEPS, at="2024-07-08")
    assert "cannot be told" in half.sentence()


def test_a_segment_that_grows_is_mix():
    rows = counts(5, swing=0.01)
    late = (rows["date"] >= "2024-06-17") & (rows["tier"] == "tier_3")
    paying = rows["step"].eq("pay") & rows["tier"].eq("tier_3")
    rows.loc[paying, "n"] //= 3
    rows.loc[late, "n"] *= 4
    table = what_changed(rows, STEPS, at="2024-06-17", by="tier").table.set_index("name")
    assert table.loc["mix", "share"] > 0.9
    assert table.loc["mix", "p_adjusted"] < 0.01


def log(days=20):
    """Each day four users enter and one of them pays, half as many from the eleventh day on."""
    rows = []
    for day in range(days):
        date = pd.Timestamp("2024-06-03") + pd.Timedelta(days=day)
        for user in range(20):
            rows.append((day * 100 + user, date + pd.Timedelta(hours=9), "enter"))
            if user % (2 if day < 10 else 4) == 0 and (user or day % 2):
                rows.append((day * 100 + user, date + pd.Timedelta(hours=10), "pay"))
    return read_events(pd.DataFrame(rows, columns=["user_id", "timestamp", "event"]))


def test_a_log_is_counted_by_day_of_the_entry_and_open_days_are_left_out():
    found = what_changed(log(), ["enter", "pay"], at="2024-06-13", within="1d")
    assert found.left_out == 1 or "left out" in found.sentence()
    assert found.table["n_before"].iloc[0] == 200
    assert not found.quiet


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "say when it changed"),
        ({"at": "2024-08-01"}, "outside the days there are, 2024-06-03 to 2024-06-30"),
        ({"at": "2024-06-03"}, "outside the days there are"),
        ({"at": "2024-06-04"}, "before the change there is 1 day"),
        ({"at": "soon"}, "is not a date"),
        ({"at": "01/07/2024"}, r"at: '01/07/2024' is 2024-07-01 \(day first\) or 2024-01-07 \(month first\)"),
        ({"at": "2024-06-10 12:00"}, "not a whole day"),
        ({"at": "2024-06-10", "after": ("2024-06-10", "2024-06-12")}, "give one or the other"),
        ({"before": ("2024-06-03", "2024-06-12"), "after": ("2024-06-10", "2024-06-20")}, "overlap"),
        ({"before": ("2024-05-03", "2024-05-12"), "after": ("2024-06-10", "2024-06-20")}, "is no day"),
        ({"before": ("2024-06-12", "2024-06-12"), "after": ("2024-06-13", "2024-06-20")}, "empty span"),
        ({"at": "2024-06-17", "by": "teir"}, "did you mean 'tier'"),
        ({"at": "2024-06-17", "cluster": "datum"}, "did you mean 'date'"),
        ({"at": "2024-06-17", "within": "1d"}, "belongs to a log"),
    ],
)
def test_a_wrong_question_names_the_value_and_the_fix(options, message):
    with pytest.raises(ValueError, match=message):
        what_changed(counts(6), STEPS, **options)


def test_a_span_shorter_than_the_window_is_refused():
    with pytest.raises(ValueError, match="shorter than the window"):
        what_changed(
            log(),
            ["enter", "pay"],
            before=("2024-06-03", "2024-06-06"),
            after=("2024-06-06", "2024-06-09"),
            within="5d",
        )


def test_what_is_neither_log_nor_table_is_named():
    with pytest.raises(TypeError, match="not dict"):
        what_changed({}, STEPS, at="2024-06-17")


def test_a_figure_shows_both_levels():
    ax = what_changed(counts(7), STEPS, at="2024-06-17").plot()
    assert {text.get_text().split()[0] for text in ax.texts} == {"before", "after"}
    plt.close(ax.figure)
