"""Retention from tables of counts as people keep them: eligible users, wide matrices, zeros that are no counts."""

import numpy as np
import pandas as pd
import pytest

from toolkit import Retention, read_events, retention
from toolkit.intervals import wilson

LINES = [("a", 0, 50, 50), ("a", 1, 50, 20), ("b", 0, 40, 40), ("b", 1, 22, 11), ("b", 2, 0, 0)]
ELIGIBLE = pd.DataFrame(LINES, columns=["cohort", "age", "eligible", "retained"])


def test_a_count_is_of_the_eligible_users_given_with_it():
    result = Retention.from_counts(ELIGIBLE, period="week")
    table = result.table.set_index(["cohort", "age"])
    assert table.loc[("b", 1), ["size", "eligible", "retained", "rate"]].tolist() == [40, 22, 11, 0.5]
    assert tuple(table.loc[("b", 1), ["low", "high"]]) == pytest.approx(wilson(11, 22))
    curve = result.curve().table.set_index("age")
    assert curve.loc[1, ["retained", "n"]].tolist() == [31, 72]
    assert result.cohorts["size"].tolist() == [50, 40]
    assert "counts are of the eligible users given with them" in result.sentence()


def test_a_period_without_eligible_users_is_not_observed_yet():
    table = Retention.from_counts(ELIGIBLE).table.set_index(["cohort", "age"])
    assert table.loc[("b", 2), "status"] == "future"
    assert pd.isna(table.loc[("b", 2), "retained"])
    assert np.isnan(table.loc[("b", 2), "rate"])


def test_sizes_may_stand_beside_eligible_users():
    sized = ELIGIBLE.assign(size=[60, 60, 40, 40, 40])
    result = Retention.from_counts(sized)
    assert result.cohorts["size"].tolist() == [60, 40]
    assert result.curve().table["n"].tolist() == [90, 72, 0]


def test_a_results_own_table_is_read_again_as_it_is():
    rows = {"user_id": [1, 2, 1, 3], "event": "open"}
    rows["timestamp"] = pd.to_datetime(["2019-11-04", "2019-11-05", "2019-11-12", "2019-11-13"])
    for clock in ("calendar", "elapsed"):
        first = retention(read_events(pd.DataFrame(rows)), clock=clock, observed_until="2019-11-20 12:00")
        again = Retention.from_counts(first.table, period="week")
        assert again.curve().table.equals(first.curve().table)
        assert again.table["status"].tolist() == first.table["status"].tolist()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"retained": [50, 51, 40, 11, 0]}, r"row 1 \(a, 1\): retained = 51 is above its cohort's size, 50"),
        ({"retained": [50, 20, 40, 23, 0]}, r"row 3 \(b, 1\): retained = 23 is above the users whose period"),
        ({"size": [50, 50, 30, 30, 30]}, r"row 2 \(b, 0\): eligible = 40 is above its cohort's size, 30"),
        ({"size": [50, 50, 40, 22, 40]}, r"the size of this cohort differs between its periods.*beside it `eligible`"),
        ({"eligible": [50, 50, 40, 2.5, 0]}, r"eligible = 2.5 is fractional"),
    ],
)  # fmt: skip
def test_eligible_users_that_cannot_be_are_refused_by_row(changed, words):
    with pytest.raises(ValueError, match=words):
        Retention.from_counts(ELIGIBLE.assign(**changed))


TIDY = pd.DataFrame(
    [(c, age, 100, 100 - 20 * age) for c in ("2019-09", "2019-10") for age in range(3)],
    columns=["cohort", "age", "size", "retained"],
)
WIDE = TIDY.pivot(index="cohort", columns="age", values="retained")


@pytest.mark.parametrize(
    "wide",
    [
        WIDE,
        WIDE.rename(columns=lambda age: f"Month {age}").reset_index(),
        WIDE.rename(columns=str).reset_index().assign(size=100),
        WIDE.rename(columns=lambda age: f"M+{age}").reset_index(),
        WIDE.rename(columns=lambda age: f"第{age}周").reset_index(names="周"),
    ],
    ids=["a pivot", "named months", "with sizes", "M+1", "第1周"],
)
def test_a_wide_matrix_is_refused_with_the_line_that_melts_it(wide):
    with pytest.raises(ValueError, match="the table is wide, with a column for each period") as error:
        Retention.from_counts(wide)
    fix = str(error.value).split("period, ", 1)[1].split("; `retained`")[0].split(", and give")[0]
    melted = eval(fix, {"frame": wide})  # the fix is what a reader runs
    if "size" not in melted:
        assert "give each row the `size` of its cohort" in str(error.value)
        melted = melted.assign(size=100)
    assert Retention.from_counts(melted).curve().table.equals(Retention.from_counts(TIDY).curve().table)


def triangle(cells, by=None):
    """Five months; `cells` are counts by cohort, a row each, the sizes first."""
    lines = [
        (f"2011-0{at}", age, row[0], kept) for at, row in enumerate(cells, 1) for age, kept in enumerate(row)
    ]
    frame = pd.DataFrame(lines, columns=["cohort", "age", "size", "retained"])
    return frame if by is None else frame.assign(shop=by)


ZEROS = [
    (940, 385, 254, 188, 273),
    (570, 234, 154, 114, 0),
    (590, 242, 159, 0, 0),
    (390, 160, 0, 0, 0),
    (360, 0, 0, 0, 0),
]


def test_zeros_that_fill_what_cannot_have_been_reached_are_no_counts_and_it_is_said():
    result = Retention.from_counts(triangle(ZEROS), period="month")
    last = result.curve().table.set_index("age").loc[4]
    assert last[["retained", "n"]].tolist() == [273, 940]
    told = result.sentence()
    assert (
        "10 zeros fill exactly the periods that later cohorts cannot have reached, and are read as not obs"
        in told
    )
    assert "leave such cells empty, or say status='complete' if they were observed" in told
    kept = Retention.from_counts(triangle(ZEROS).assign(status="complete"), period="month")
    assert kept.curve().table.set_index("age").loc[4, "n"] == 2850
    assert "zeros fill" not in kept.sentence()


def test_zeros_of_one_group_leave_those_of_another_as_they_are():
    true = [(90, 30, 20, 10, 0)] * 5
    both = pd.concat([triangle(ZEROS, "x"), triangle(true, "y")], ignore_index=True)
    cells = Retention.from_counts(both).cells
    future = cells[cells["status"] == "future"]
    assert set(future["shop"]) == {"x"}
    assert len(future) == 10


@pytest.mark.parametrize(
    "cells",
    [
        [*ZEROS[:2], (590, 242, 159, 60, 0), *ZEROS[3:]],
        [*ZEROS[:3], (390, 160, 20, 0, 0), ZEROS[4]],
        [(30, 1, 1, 1, 1), (9, 2, 1, 1, 0), (9, 1, 1, 0, 0), (9, 1, 0, 0, 0), (9, 0, 0, 0, 0)],
        [(940, 385, 254, 188, 273), (570, 234, 154, 114, 0)],
    ],
    ids=["not a step", "two cohorts end alike", "so few that none is no wonder", "one zero"],
)
def test_other_zeros_are_counts(cells):
    result = Retention.from_counts(triangle(cells))
    assert (result.cells["status"] == "complete").all()
    assert "zeros fill" not in result.sentence()
