"""Retention and repurchase compared: groups of one result, and two results whose users may be the same."""

import numpy as np
import pandas as pd
import pytest

from tests.test_cohorts import log
from toolkit import Funnel, Step, read_events, repurchase, retention
from toolkit.cohorts import Definition, Repurchase, Retention, bitmaps
from toolkit.cohorts.covariance import AGES, Side, correlations
from toolkit.cohorts.curves import complete
from toolkit.intervals import CrossSums, Rate, UserSums, correlation, difference, ratio, score_test
from toolkit.multiplicity import holm


def counts(*cells, **columns):
    """Counts of (group, cohort, period number, size, retained)."""
    frame = pd.DataFrame(cells, columns=["platform", "cohort", "age", "size", "retained"])
    return Retention.from_counts(frame.assign(**columns), period="week")


TWO = counts(
    ("a", "w1", 1, 400, 120), ("b", "w1", 1, 300, 60), ("a", "w1", 2, 400, 80), ("b", "w1", 2, 300, 57)
)


def measured(result, measure="difference"):
    return result.table[result.table["measure"] == measure].reset_index(drop=True)


def test_one_cohort_a_group_gives_newcombe_and_score_intervals_and_holm():
    table = TWO.compare(to="b").table
    ours, theirs = Rate.of_counts([120, 80], [400, 400]), Rate.of_counts([60, 57], [300, 300])
    for measure, limits in (("difference", difference(ours, theirs)), ("ratio", ratio(ours, theirs))):
        own = table[table["measure"] == measure]
        assert own["low"].to_numpy() == pytest.approx(limits.low)
        assert own["high"].to_numpy() == pytest.approx(limits.high)
    p = score_test(ours, theirs)
    own = table[table["measure"] == "difference"]
    assert own["estimate"].to_numpy() == pytest.approx([0.1, 0.01])
    assert own["p"].to_numpy() == pytest.approx(p)
    assert own["p_adjusted"].to_numpy() == pytest.approx(holm(p))
    assert own[["n", "n_reference"]].to_numpy().tolist() == [[400, 300], [400, 300]]


def test_the_sentence_says_where_the_gap_is_how_sure_and_of_how_many():
    assert TWO.compare(to="b").sentence() == (
        "In week 1 the share of a that came back lies 10.0 points above that of b (95 % interval 3.5 to 16.2 points; "
        "30.0 % and 20.0 %, n = 400 and 300); 1 of 2 rates differ; Holm over 2 tests: weeks and groups; intervals "
        "allow for cohorts that differ, in one group or in both alike; coming back is what the counts define; all "
        "cells with a count are taken as complete, for the table has no status column; 1 cohort can hardly tell how "
        "much cohorts differ."
    )


def test_a_gap_that_chance_can_make_is_shown_with_its_interval_and_not_claimed():
    told = counts(("a", "w1", 1, 40, 12), ("b", "w1", 1, 30, 8)).compare(to="b").sentence()
    assert told.startswith(
        "No rate is distinguishable from that of b after adjustment; the widest gap: in week 1 the share of a that "
        "came back lies 3.3 points above that of b (95 % interval −18.1 to 23.2 points;"
    )


def test_a_headline_never_rests_on_a_few_users():
    few = counts(("a", "w1", 1, 4000, 1200), ("b", "w1", 1, 3000, 800), ("c", "w1", 1, 20, 20)).compare(
        to="b"
    )
    assert few.sentence().startswith("In week 1 the share of a ")
    assert "2 of 2 rates differ" in few.sentence()


def test_the_largest_group_is_the_reference_where_none_is_named():
    assert TWO.compare().reference == "a"


def test_a_period_in_which_everybody_came_back_is_no_test():
    started = counts(*((g, "w1", 0, n, n) for g, n in (("a", 400), ("b", 300))),
                     ("a", "w1", 1, 400, 120), ("b", "w1", 1, 300, 60)).compare("b")  # fmt: skip
    own = measured(started)
    assert own["p"].isna().tolist() == [True, False]
    assert own["p_adjusted"].isna().tolist() == [True, False]
    assert own.loc[1, "p_adjusted"] == own.loc[1, "p"]
    assert "over 1 test:" in started.method


def test_periods_that_only_one_group_has_reached_are_left_out():
    table = counts(
        ("a", "w1", 1, 400, 120), ("b", "w1", 1, 300, 60), ("a", "w1", 2, 400, 80), ("b", "w1", 2, 300, None)
    ).compare("b").table  # fmt: skip
    assert set(table["age"]) == {1}


def unlike(shifts, others, size=2000):
    """Two groups whose cohorts are good or bad by some points in week 1."""
    cells = [
        (group, f"w{at}", 1, size, round(size * (base + shift)))
        for group, base, own in (("a", 0.4, shifts), ("b", 0.3, others))
        for at, shift in enumerate(own)
    ]
    return counts(*cells).compare("b")


def test_cohorts_that_are_good_and_bad_in_both_groups_alike_leave_the_gap_sure():
    shifts = [-0.1, 0.08, 0.05, -0.06, 0.03, 0.0]
    width = {}
    for name, others in (("alike", shifts), ("apart", shifts[::-1]), ("against", [-one for one in shifts])):
        row = measured(unlike(shifts, others)).iloc[0]
        assert row["estimate"] == pytest.approx(0.1)
        width[name] = row["high"] - row["low"]
    assert width["alike"] < 0.5 * width["apart"] < width["against"]


def test_the_correlation_through_cohorts_is_that_of_its_definition():
    # By hand: products of the residuals of cohorts, and what they would be if t were 1; one period.
    rng = np.random.default_rng(4)
    x, z = rng.integers(100, 900, 5).astype(float), rng.integers(100, 900, 5).astype(float)
    good = np.array([0.1, -0.1, 0.05, -0.08, 0.03])
    y, w = np.round(x * (0.4 + good)), np.round(z * (0.5 + good[[0, 1, 2, 4, 3]]))
    cells = [(g, f"w{at}", 1, *map(int, own)) for g, both in (("a", (x, y)), ("b", (z, w)))
             for at, own in enumerate(zip(*both, strict=True))]  # fmt: skip
    sides = [Side(complete(rows)) for _, rows in counts(*cells).cells.groupby("platform")]
    p, q, n, m = y.sum() / x.sum(), w.sum() / z.sum(), x.sum(), z.sum()
    weights, others = x / n, z / m
    overlap = (weights * others).sum()
    spread = np.sqrt(p * (1 - p) * q * (1 - q))
    t = ((y - x * p) * (w - z * q)).sum() / spread / (x * z * (1 - weights - others + overlap)).sum()
    assert 0 < t < np.sqrt(sides[0].pooled.r * sides[1].pooled.r)
    ages = sides[0].known[AGES]
    errors = [np.sqrt(r * (1 - r) / side.pooled.rate.size[0]) for r, side in ((p, sides[0]), (q, sides[1]))]
    assert correlations(*sides, ages, True, None) == pytest.approx(t * spread * overlap / np.prod(errors))
    assert correlations(*sides, ages, False, None) == pytest.approx(0)


def test_a_gap_that_comes_of_other_cohorts_is_called_so():
    # In each cohort the groups are alike; b has more users in the cohort that comes back.
    cells = [
        ("a", "w1", 1, 3000, 600),
        ("a", "w2", 1, 500, 250),
        ("b", "w1", 1, 500, 100),
        ("b", "w2", 1, 3000, 1500),
    ]
    cells += [(g, f"w{at}", 1, 300, 100) for g in "ab" for at in range(3, 12)]
    told = counts(*cells).compare("b")
    assert "composition of cohorts" not in TWO.compare("b").sentence()
    assert told.notes[0].startswith(
        "warning: cohorts weigh differently in the two groups: over the same cohorts"
    )
    # Greenland & Robins (1985): all cohorts together 0, by hand with an error of 0.98 points.
    assert (
        "a less b is +0.0 points (−1.9 to 1.9, Mantel-Haenszel weights): composition of cohorts"
        in told.notes[0]
    )


def test_cohorts_of_a_handful_do_not_turn_the_gap_over_the_same_cohorts():
    # Like a stop of installs: b has three users in each later cohort, none of whom came back.
    cells = [(g, f"w{at}", 1, 500, back) for at in range(5) for g, back in (("a", 200), ("b", 280))]
    cells += [(g, f"w{at}", 1, *own) for at in range(5, 15) for g, own in (("a", (500, 200)), ("b", (3, 0)))]
    assert "composition of cohorts" not in counts(*cells).compare("b").sentence()


def test_a_missing_group_stays_apart_from_one_called_missing():
    cells = [(None, "w1", 1, 400, 120), ("missing", "w1", 1, 300, 60), ("a", "w1", 1, 500, 90)]
    result = counts(*cells)
    assert result.compare(to=None).reference == "a"
    assert result.compare(to=float("nan")).reference == "<null>"
    assert result.compare(to="missing").reference == "missing"
    assert "<null>" in result.compare(to="missing").sentence()


@pytest.fixture(scope="module")
def world():
    """Rows of 300 users on two platforms, which many of them share; some come and buy far more often than others."""
    rng = np.random.default_rng(11)
    rows = []
    for user in range(300):
        often = rng.gamma(0.7, 4)
        days = rng.integers(0, 90, 1 + rng.poisson(often))
        lean = rng.random()
        rows += [(user, day + rng.random(), "ab"[int(rng.random() < lean)]) for day in days]
    frame = pd.DataFrame(rows, columns=["user_id", "day", "platform"])
    frame["event"] = np.where(rng.random(len(frame)) < 0.5, "pay", "open")
    frame["timestamp"] = pd.Timestamp("2019-09-01") + pd.to_timedelta(frame.pop("day"), "D")
    return frame


def on(platform, event=None):
    return Step(platform, event=event, where=f"platform = '{platform}'")


ASKED = [
    {"period": "week"},
    {"period": "week", "kind": "rolling"},
    {"period": "day", "kind": "bracket", "brackets": [(0, 0), (1, 3), (4, 40)]},
    {"period": "week", "clock": "elapsed", "periods": 6},
    {"period": "month", "born_from": "2019-09-10"},
]


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: "-".join(map(str, asked.values())))
def test_users_of_both_are_those_that_a_walk_user_by_user_finds(world, asked):
    opened = read_events(world)
    sides = [retention(opened, start=on(p), returns=on(p), **asked) for p in "ab"]
    found = opened.engine.frame(bitmaps.shared(*(side.question for side in sides), sides[0].question.cells))
    sums = found.drop(columns="same").sum()
    for at, cell in enumerate(sides[0].question.cells):
        kept = [
            walked(world[world["platform"] == p], side, cell) for p, side in zip("ab", sides, strict=True)
        ]
        both = set(kept[0]) & set(kept[1])
        expected = {
            "xx": len(both),
            "yx": sum(kept[0][user] for user in both),
            "xy": sum(kept[1][user] for user in both),
            "yy": sum(kept[0][user] and kept[1][user] for user in both),
        }
        assert {name: int(sums[f"{name}{at}"]) for name in expected} == expected
    assert sums.max() > 10


def walked(rows, side, cell):
    """Of the users whose cohort's cell is complete, who was retained in it: user by user."""
    question, unit = side.question, {"day": "D", "week": "W", "month": "M"}[side.question.calendar.unit]
    done = side.cells[(side.cells["age"] == cell[0]) & (side.cells["status"] == "complete")]["cohort"]
    found = {}
    for user, times in rows.groupby("user_id")["timestamp"]:
        born = times.min()
        if question.born_from is not None and born < pd.Timestamp("2019-09-10"):
            continue
        if born.to_period(unit).start_time not in set(done):
            continue
        if question.clock == "elapsed":
            numbers = (times - born) // pd.Timedelta(7, "D")
        else:
            numbers = times.map(lambda at, born=born: (at.to_period(unit) - born.to_period(unit)).n)
        late = side.kind == "rolling"
        found[user] = bool(((numbers >= cell[0]) & (late | (numbers <= cell[1]))).any())
    return found


def test_users_of_both_make_the_interval_of_the_gap_narrower(world):
    opened, copy = read_events(world), read_events(world.copy())
    ours = retention(opened, start=on("a"), returns=on("a"), period="month")
    theirs, elsewhere = (
        retention(one, start=on("b"), returns=on("b"), period="month") for one in (opened, copy)
    )
    same, apart = ours.compare(to=theirs), ours.compare(to=elsewhere)
    width = [(measured(one)["high"] - measured(one)["low"]).iloc[1] for one in (same, apart)]
    assert measured(same)["estimate"].tolist() == measured(apart)["estimate"].tolist()
    assert width[0] < width[1]
    assert "for users who are in both" in same.method
    assert "users of the two logs are taken to be different people" in apart.notes
    assert "this result: coming back is a in that month" in same.sentence()


@pytest.mark.parametrize(
    "definition", ["30d", Definition("same", "month"), Definition("next", "month", months=1)]
)
def test_buyers_of_both_are_allowed_for_under_each_definition(world, definition):
    opened = read_events(world)
    until = world["timestamp"].max() + pd.Timedelta(1, "us")
    sides = [repurchase(opened, event=on(p, "pay"), definition=definition) for p in "ab"]
    row = measured(sides[0].compare(to=sides[1])).iloc[0]
    own = [
        bought(world[(world["platform"] == p) & (world["event"] == "pay")], definition, until) for p in "ab"
    ]
    x, y = (pd.concat([one[name] for one in own], axis=1).fillna(0).to_numpy(float).T for name in "xy")
    assert [side.table["n"].iloc[0] for side in sides] == x.sum(1).tolist()
    rates = [Rate.of_users(UserSums.of(b, a)) for a, b in zip(x, y, strict=True)]
    r = correlation(
        *(UserSums.of(b, a) for a, b in zip(x, y, strict=True)), CrossSums.of(y[0], x[0], y[1], x[1])
    )
    assert r > 0.02
    low, high = difference(*rates, correlation=r)
    assert row[["low", "high"]].tolist() == pytest.approx([low, high])


def bought(rows, definition, until):
    """Trials x and successes y of each buyer, from their times."""
    found = {}
    for user, times in rows.sort_values("timestamp").groupby("user_id")["timestamp"]:
        if definition == "30d":
            window = pd.Timedelta(30, "D")
            over = times.iloc[0] + window < until
            again = len(times) > 1 and times.iloc[1] - times.iloc[0] <= window
            found[user] = (int(over), int(over and again))
            continue
        months, whole = times.dt.to_period("M"), until.to_period("M")
        done = [month for month in months.unique() if month + definition.months < whole]
        later = definition.months > 0
        again = [
            bool((months == month + 1).any() if later else (months == month).sum() > 1) for month in done
        ]
        found[user] = (len(again), sum(again))
    return pd.DataFrame.from_dict(found, orient="index", columns=["x", "y"])


BOUGHT = pd.DataFrame(
    {
        "platform": ["a", "a", "b", "b"],
        "definition": ["7d", "30d"] * 2,
        "n": 500,
        "repurchased": [100, 150, 60, 140],
    }
)


def test_repurchase_is_compared_definition_by_definition():
    compared = Repurchase.from_counts(BOUGHT).compare(to="b")
    own = measured(compared)
    assert own["definition"].tolist() == ["7d", "30d"]
    assert own["estimate"].to_numpy() == pytest.approx([0.08, 0.02])
    assert own["p_adjusted"].to_numpy() == pytest.approx(holm(own["p"]))
    assert measured(compared, "ratio")["estimate"].to_numpy() == pytest.approx([100 / 60, 150 / 140])
    assert compared.sentence() == (
        "Under 7d the share of a that bought again lies 8.0 points above that of b (95 % interval 3.5 to 12.5 points; "
        "20.0 % and 12.0 %, n = 500 and 500); 1 of 2 rates differ; Holm over 2 tests; clustered by buyer."
    )


def test_a_definition_that_the_log_is_too_short_for_has_no_gap():
    rows = log((1, 1, "pay"), (1, 3, "pay"), (2, 2, "pay"), (3, 4, "pay"), platform=["a", "a", "b", "b"])
    compared = repurchase(rows, by="platform", definition=["1d", "taobao_90d"]).compare("b")
    own = measured(compared).set_index("definition")
    assert own.loc["taobao_90d", ["low", "high", "p", "p_adjusted"]].isna().all()
    assert own.loc["1d", "p_adjusted"] == own.loc["1d", "p"]


VISITS = log((1, 4, "open"), (1, 12, "open"), (2, 5, "open"), (3, 13, "pay"), (3, 20, "open"))
WEEKLY = retention(VISITS)
BY_DAY = retention(VISITS, period="day")


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: WEEKLY.compare(WEEKLY), "the result is compared with itself"),
        (lambda: WEEKLY.compare(retention(VISITS)), "the result is compared with itself"),
        (lambda: WEEKLY.compare(BY_DAY), "the periods differ: 'week' here, 'day' in the reference"),
        (lambda: WEEKLY.compare(retention(VISITS, kind="rolling")), "the kinds differ: 'exact' here, 'rolling'"),
        (lambda: WEEKLY.compare(retention(VISITS, clock="elapsed")), "the clocks differ: 'calendar' here, 'elapsed'"),
        (
            lambda: retention(VISITS, kind="bracket", brackets=[(0, 1)]).compare(
                retention(VISITS, kind="bracket", brackets=[(0, 2)])
            ),
            r"the brackets differ: \(0, 1\) here, \(0, 2\)",
        ),
        (lambda: WEEKLY.compare(), "the result has no groups: ask it with by="),
        (lambda: WEEKLY.compare("a"), "the result has no groups"),
        (lambda: WEEKLY.compare(TWO), "the reference there are groups by platform|the reference"),
        (lambda: TWO.compare("c"), "no group 'c'; there are: a, b"),
        (lambda: TWO.compare(("a", "b")), "a group here is platform: give 1 value"),
        (lambda: counts(("a", "w", 1, 9, 1)).compare("a"), "only one group, a: it cannot be compared with itself"),
        (
            lambda: counts(("a", "w", 1, 9, 1), ("b", "w", 1, 9, None)).compare("a"),
            "no week is complete in two groups",
        ),
        (
            lambda: TWO.compare(counts(("c", "w1", 1, 9, 1))),
            "here there are groups by platform",
        ),
        (
            lambda: repurchase(VISITS).compare(repurchase(VISITS, definition="7d")),
            "the definitions differ: 'first_30d' is only here",
        ),
        (
            lambda: repurchase(VISITS, definition=Definition("mine", "within", days=3)).compare(
                repurchase(VISITS, definition=Definition("mine", "within", days=4))
            ),
            "definition 'mine' is not the same in both",
        ),
        (lambda: repurchase(VISITS).compare(repurchase(VISITS)), "the result is compared with itself"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused_by_name(ask, words):
    with pytest.raises(ValueError, match=words):
        ask()


@pytest.mark.parametrize("result", [WEEKLY, Repurchase.from_counts(BOUGHT)])
def test_a_result_of_another_kind_is_refused_by_its_type(result):
    other = Funnel.from_counts(pd.DataFrame({"step": ["enter", "pay"], "n": [9, 3]}))
    with pytest.raises(TypeError, match=r"compare takes a group or a Re\w+, not Funnel"):
        result.compare(other)


def test_a_group_named_as_a_column_of_the_comparison_is_refused():
    with pytest.raises(ValueError, match="'measure' cannot name groups"):
        Repurchase.from_counts(BOUGHT.rename(columns={"platform": "measure"})).compare("b")


@pytest.mark.parametrize("compared", [TWO.compare("b"), Repurchase.from_counts(BOUGHT).compare("b")])
def test_the_figure_draws_each_gap_in_points_and_names_the_finding(compared):
    axes = compared.plot()
    assert "a lies" in axes.get_title(loc="left")
    assert "points above (+) or" in " ".join((axes.get_xlabel() + axes.get_ylabel()).split()).replace(
        "(+)or", "(+) or"
    )
    assert axes.figure is not compared.plot().figure
    drawn = [line.get_ydata() if compared.period else line.get_xdata() for line in axes.lines]
    drawn = {round(float(value), 6) for values in drawn for value in values}
    assert drawn >= {round(value * 100, 6) for value in measured(compared)["estimate"]}
