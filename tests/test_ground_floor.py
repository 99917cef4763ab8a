"""The ground floor: numbers in words, checks of counts and options, many tests at once, decompositions."""

import math

import numpy as np
import pandas as pd
import pytest

from toolkit import counts, decompositions, multiplicity, wording
from toolkit.intervals import Rate
from toolkit.results import cell, html_table

NAN = math.nan


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (wording.count(1_234_567.4), "1,234,567"),
        (wording.counted(1, "user"), "1 user"),
        (wording.counted(0, "user"), "0 users"),
        (wording.counted(2_000, "entry", "entries"), "2,000 entries"),
        (wording.some(list("ab")), "a, b"),
        (wording.some(list(range(12))), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11"),
        (wording.some(list(range(13)), 2), "0, 1 and 11 more"),
        (wording.percent(0.125), "12.5 %"),
        (wording.percent(0.01), "1.0 %"),
        (wording.percent(0.00125), "0.12 %"),
        (wording.percent(0.0000123), "0.0012 %"),
        (wording.percent(0), "0.0 %"),
        (wording.percent(0.125, 0), "12 %"),
        (wording.percent(None), "–"),
        (wording.percent(NAN), "–"),
        (wording.percent_interval(0.1, 0.2), "10.0 to 20.0 %"),
        (wording.percent_interval(0.002, 0.2), "0.20 to 20.00 %"),
        (wording.percent_interval(0.0001, 0.0002), "0.010 to 0.020 %"),
        (wording.points(0.05), "+5.0 points"),
        (wording.points(-0.05), "−5.0 points"),
        (wording.points(0.05, sign=False), "5.0 points"),
        (wording.points(-0.00123), "−0.12 points"),
        (wording.points(NAN), "unknown"),
        (wording.points_interval(-0.05, 0.1), "−5.0 to 10.0"),
        (wording.points_interval(0.001, 0.1), "0.1 to 10.0"),
        (wording.points_interval(-0.0003, 0.1), "−0.030 to 10.0"),
        (wording.points_interval(0.0, 0.1), "0.0 to 10.0"),
        (wording.percent_interval(0.0, 0.7935), "0 to 79.3 %"),
        (wording.percent_interval(0.0, 0.0034), "0 to 0.34 %"),
        (wording.points_interval(NAN, 0.1), "no interval: too few"),
        (wording.points_interval(0.1, NAN), "no interval: too few"),
        (wording.change(0.5), "+50.0 %"),
        (wording.change(-0.004), "−0.40 %"),
        (wording.change(12), "+1,200 %"),
        (wording.change(-1e-10), "+0.0 %"),
        (wording.change(NAN), "unknown"),
        (wording.amount(3), "+3"),
        (wording.amount(-1234.6), "−1,235"),
        (wording.amount(1.23456), "+1.235"),
        (wording.amount(NAN), "unknown"),
        (wording.interval({"low": -1.0, "high": 2.0}, wording.amount), "−1 to +2"),
        (wording.interval({"low": NAN, "high": 2.0}, wording.amount), "no interval"),
        (wording.interval({"low": 0.07, "high": 0.083}, wording.points), "7.0 to 8.3"),
        (wording.interval({"low": NAN, "high": 0.083}, wording.points), "no interval"),
        (wording.interval({"low": 1.0, "high": NAN}, wording.amount), "no interval"),
        (wording.interval_level(0.95), "95 % interval"),
        (wording.interval_level(0.999), "99.9 % interval"),
        (wording.p_value(0.04999), "0.0500"),
        (wording.p_value(0.0001), "0.0001"),
        (wording.p_value(0.00009), "< 0.0001"),
    ],
)
def test_numbers_read_as_they_are_written_in_a_report(said, text):
    assert said == text


def test_a_missing_group_has_a_name_that_no_value_has():
    assert wording.group_name([None, "a", 3]) == "<null> a 3"
    assert wording.group_name([pd.Timestamp("2019-09-02"), "a"]) == "2019-09-02 a"
    assert (
        wording.group_name([NAN]) == wording.group_name([pd.NA]) == wording.group_name([pd.NaT]) == "<null>"
    )
    assert wording.group_name(["missing"]) == "missing"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            wording.unknown("tier", "tier_9", ["tier_1", "b"]),
            "no tier 'tier_9' (did you mean 'tier_1'?); there are: tier_1, b",
        ),
        (
            wording.unknown("step", "PAY", ["enter", "pay"], of="it"),
            "no step 'PAY' in it (did you mean 'pay'?); it has: enter, pay",
        ),
        (wording.unknown("step", "xyz", ["enter", "pay"]), "no step 'xyz'; there are: enter, pay"),
        (wording.unknown("step", 7, []), "no step 7; there are none"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_one(text, said):
    assert text == said


def test_a_cell_shows_rates_in_per_cent_differences_in_points_and_counts_whole():
    rates, differences = frozenset({"rate"}), frozenset({"gap"})
    shown = [
        cell(v, c, rates, differences)
        for v, c in ((0.1, "rate"), (-0.1, "gap"), (0.1, "gap"), (0.1, "other"))
    ]
    assert shown == ["10.0 %", "−10.0 points", "10.0 points", "0.1"]
    assert [cell(v) for v in (12_345, 10_000.6, 9_999.6, True, None, "a")] == [
        "12,345",
        "10,001",
        "1e+04",
        "True",
        "–",
        "a",
    ]
    assert (cell(0.00001, "p"), cell(0.00001, "p_adjusted"), cell(0.00001, "price")) == (
        "< 0.0001",
        "< 0.0001",
        "1e-05",
    )


def test_a_long_table_is_cut_and_says_so():
    page = html_table(pd.DataFrame({"<a>": range(1_061)}))
    assert page.count("<tr>") == 61
    assert "<p>1,001 more rows in .table</p>" in page
    assert "&lt;a&gt;" in page
    assert "more rows" not in html_table(pd.DataFrame({"a": range(60)}))


@pytest.mark.parametrize("value", [0, 1, -0.1, 95, NAN])
def test_a_confidence_lies_between_0_and_1(value):
    with pytest.raises(ValueError, match=r"confidence=.* lies outside 0 to 1; 0.95 is usual"):
        counts.confidence_level(value)


@pytest.mark.parametrize("value", [True, "0.95", None])
def test_a_confidence_is_a_number(value):
    with pytest.raises(TypeError, match=f"confidence={value!r} is no number"):
        counts.confidence_level(value)
    assert counts.confidence_level(np.float64(0.9)) == 0.9


def test_an_option_is_one_of_its_words():
    assert counts.one_of("kind", "b", ("a", "b")) == "b"
    assert counts.one_of("kind", None, ("a", None)) is None
    for wrong in ("c", None, 1):
        with pytest.raises(ValueError, match=f"kind={wrong!r}; use one of 'a', 'b'"):
            counts.one_of("kind", wrong, ("a", "b"))
    with pytest.raises(ValueError, match="kind=1; use one of True"):
        counts.one_of("kind", 1, (True,))  # equal, but not what was meant


def test_groups_are_not_named_as_a_column_of_the_result():
    counts.refuse_taken(["platform"], {"estimate"})
    with pytest.raises(ValueError, match="'estimate' cannot name groups"):
        counts.refuse_taken(["platform", "estimate"], {"estimate"})


def test_a_table_of_counts_is_a_frame_with_rows_and_the_columns_needed():
    frame = pd.DataFrame({"step": ["a"], "n": [1]})
    assert counts.counts_table(frame, ["step", "n"]) is frame
    with pytest.raises(TypeError, match="counts are a DataFrame with step, n, not list"):
        counts.counts_table([1], ["step", "n"])
    with pytest.raises(ValueError, match=r"no column 'steps' in the counts \(did you mean 'step'\?\)"):
        counts.counts_table(frame, ["steps"])
    with pytest.raises(ValueError, match="the table of counts has no rows"):
        counts.counts_table(frame[:0], ["step"])


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (None, "n = .* is missing or not a number"),
        ("many", "n = many is missing or not a number"),
        (np.inf, "n = inf is infinite"),
        (-3, "n = -3.* is negative"),
        (0.5, "n = 0.5 is fractional: give counts, not rates"),
    ],
)
def test_a_bad_count_is_named_with_its_row(value, fault):
    frame = pd.DataFrame({"platform": ["a", None], "n": [1, value]}, index=["first", "second"])
    with pytest.raises(ValueError, match=rf"row second \(<null>\): {fault}"):
        counts.numbers(frame, "n", ["platform"])
    with pytest.raises(ValueError, match=rf"^row second: {fault}"):
        counts.numbers(frame, "n")


def test_amounts_may_be_fractional_and_missing_ones_stay_missing():
    frame = pd.DataFrame({"paid": [0.5, None, 0.0]})
    assert counts.numbers(frame, "paid", whole=False, missing=True).tolist() == pytest.approx(
        [0.5, NAN, 0], nan_ok=True
    )
    with pytest.raises(ValueError, match="row 1: paid = nan is missing"):
        counts.numbers(frame, "paid", whole=False)
    with pytest.raises(ValueError, match="row 1: paid = free is missing or not a number"):
        counts.numbers(pd.DataFrame({"paid": [1, "free"]}), "paid", missing=True)
    assert counts.numbers(pd.DataFrame({"n": ["12"]}), "n").tolist() == [12]


def test_holm_and_benjamini_hochberg_are_those_of_their_papers():
    # Benjamini & Hochberg (1995), section 4.1: fifteen tests; Holm's first four are significant at 0.05 by neither.
    p = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.7590,
        1.0,
    ]
    by_rate, by_family = multiplicity.benjamini_hochberg(p), multiplicity.holm(p)
    assert (by_rate < 0.05).sum() == 4  # the paper's answer
    assert (by_family < 0.05).sum() == 3
    assert by_rate[3] == pytest.approx(0.0095 * 15 / 4)
    assert by_family[:3] == pytest.approx([0.0001 * 15, 0.0004 * 14, 0.0019 * 13])


def test_unknown_p_values_are_passed_over():
    assert multiplicity.holm([0.01, NAN, 0.04]).tolist() == pytest.approx([0.02, NAN, 0.04], nan_ok=True)
    assert np.isnan(multiplicity.benjamini_hochberg([NAN])).all()


def test_auto_adjusts_by_holm_up_to_twenty_tests_that_are_known():
    for known, unknown, method in (
        (20, 3, "Holm over 20 tests: of all"),
        (21, 0, "Benjamini-Hochberg over 21 tests: of all"),
    ):
        table = pd.DataFrame({"name": "x", "p": [0.01] * known + [NAN] * unknown, "n": 1})
        found, said = multiplicity.adjusted(table, family="of all")
        assert said == method
        assert list(found.columns) == ["name", "p", "p_adjusted", "n"]
        assert found["p_adjusted"].iloc[0] == pytest.approx(0.2 if known == 20 else 0.01)
        assert "p_adjusted" not in table


def test_a_method_can_be_named_or_left_out():
    table = pd.DataFrame({"p": [0.01, 0.02]})
    assert multiplicity.adjusted(table, "benjamini_hochberg")[0]["p_adjusted"].tolist() == [0.02, 0.02]
    assert multiplicity.adjusted(table, "holm")[1] == "Holm over 2 tests"
    same, said = multiplicity.adjusted(table, None)
    assert same is table
    assert said == "p values are not adjusted (2 tests)"
    with pytest.raises(
        ValueError, match="adjust='bonferroni'; use one of 'auto', 'holm', 'benjamini_hochberg', None"
    ):
        multiplicity.adjusted(table, "bonferroni")


RATES = np.array([[0.1, 0.5, 0.3], [0.2, 0.4, 0.9]])
SHARES = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])


def test_kitagawas_components_add_up_to_the_gap_and_change_sign_with_the_populations():
    parts, _ = decompositions.kitagawa(RATES, SHARES)
    assert parts.sum() == pytest.approx(SHARES[1] @ RATES[1] - SHARES[0] @ RATES[0])
    assert parts[0] == pytest.approx((SHARES[1] - SHARES[0]) * RATES.mean(0))
    assert parts[1] == pytest.approx((RATES[1] - RATES[0]) * SHARES.mean(0))
    assert decompositions.kitagawa(RATES[::-1], SHARES[::-1])[0] == pytest.approx(-parts)


def test_the_slopes_of_kitagawas_components_are_those_of_a_complex_step():
    _, slopes = decompositions.kitagawa(RATES, SHARES)
    assert slopes.shape == (2, 3, 2, 2, 3)
    both = np.stack([RATES, SHARES])
    for component in range(2):
        for group in range(3):

            def moved(values, component=component, group=group):
                return decompositions.kitagawa(*values)[0][component, group]

            found = decompositions.complex_step(moved, both).reshape(both.shape)
            assert slopes[component, group] == pytest.approx(found)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7])
def test_contributions_of_factors_add_up_and_change_sign_with_the_products(size):
    first, second = np.linspace(0.2, 0.9, size), np.linspace(0.7, 0.4, size) ** 2
    found = decompositions.contributions(first, second)
    assert found.sum() == pytest.approx(first.prod() - second.prod())
    assert decompositions.contributions(second, first) == pytest.approx(-found)
    same = decompositions.contributions(first, np.where(np.arange(size) == 0, second, first))
    assert same[1:] == pytest.approx(0)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_slopes_of_a_contribution_are_those_of_small_changes(size):
    first, second = np.linspace(0.2, 0.9, size), np.linspace(0.7, 0.4, size)
    for k in range(size):
        _, slopes = decompositions.contribution(first, second, k)
        for side in (0, 1):
            for j in range(size):
                ends = []
                for step in (1e-6, -1e-6):
                    pair = [first.copy(), second.copy()]
                    pair[side][j] += step
                    ends.append(decompositions.contribution(*pair, k)[0])
                assert slopes[side, j] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-8)


def test_a_complex_step_is_exact_and_none_where_there_is_no_slope():
    at = np.array([[2.0, 3.0]])
    assert decompositions.complex_step(lambda x: np.exp(x[0, 0]) * x[0, 1], at) == pytest.approx(
        [3 * np.e**2, np.e**2]
    )
    unknown = decompositions.complex_step(lambda x: x[0] * NAN + x[1], np.array([1.0, 1.0]))
    assert unknown.tolist() == [0, 0]


def test_a_rate_of_arrays_is_taken_apart_with_its_size_and_freedom():
    many = Rate.of_counts([1, 2, 3], [10, 20, 40])
    assert many.at(1).interval() == Rate.of_counts(2, 20).interval()
    assert many.at(np.array([2, 0])).estimate.tolist() == [0.075, 0.1]
    clustered = Rate(np.array([0.1, 0.2]), np.array([9.0, 8.0]), np.array([4.0, 3.0])).at(1)
    assert (clustered.estimate, clustered.size, clustered.freedom) == (0.2, 8, 3)
