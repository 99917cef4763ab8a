"""A gap in buyers or GMV per impression as the sum of what each step contributes."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest

from toolkit import Funnel, funnel, read_events
from toolkit.decompositions import contribution, contributions
from toolkit.propagation import Precision
from toolkit.tiers import split_product

STEPS = ["impressions", "enter", "click", "pay"]
GOOD = pd.DataFrame(
    [("a", 10_000, 3_000, 1_200, 240, 24_000.0, 4e6), ("b", 20_000, 4_000, 2_000, 300, 45_000.0, 1e7)],
    columns=["platform", *STEPS, "gmv", "squares"],
)


def births(rows):
    """Four factors, thousandths but for the last, as counts of a population of a thousand million."""
    lines = []
    for pop, birth_preg, preg_actw, actw_prop, w_prop in rows:
        counts = [1e9]
        for factor in (w_prop, actw_prop, preg_actw):
            counts.append(np.round(counts[-1] * factor))
        lines.append([str(int(pop)), *counts, counts[-1] * birth_preg])
    frame = pd.DataFrame(lines, columns=["year", "women", "w_prop", "actw_prop", "preg_actw", "births"])
    steps = ["women", "w_prop", "actw_prop", "preg_actw"]
    split = split_product(frame, platform="year", steps=steps, amount="births", to="1971")
    return split.table.set_index("step")["estimate"].rename({"basket": "birth_preg", "all": "total"})


def test_das_guptas_four_factors():
    # Das Gupta (1993), US Census Bureau P23-186, example 2.3.
    found = births([(1971, 25.3, 0.214, 0.279, 0.949), (1979, 32.7, 0.290, 0.473, 0.986)])
    published = {"birth_preg": 0.6889411, "preg_actw": 0.8125381, "actw_prop": 1.3829055, "w_prop": 0.1047547}
    assert {name: found[name] for name in published} == pytest.approx(published, abs=6e-7)
    assert found["total"] == pytest.approx(2.9891394, abs=6e-7)


def test_reference_products_pass_within_their_tolerance(shared):
    folder = shared / "reference" / "tiers" / "dasgupta_decompositions"
    found = births(pd.read_csv(folder / "four_factors.csv").to_numpy().tolist())
    checks = [
        c for c in json.loads((folder / "expected.json").read_text())["checks"] if "four" in c["estimator"]
    ]
    assert len(checks) == 5
    for check in checks:
        assert found[check["term"]] == pytest.approx(check["value"], abs=check["atol"]), check["id"]


def test_a_contribution_is_the_mean_over_all_orders_of_change():
    first, second = np.array([0.3, 0.4, 0.1, 90.0]), np.array([0.2, 0.5, 0.15, 120.0])
    shapley = np.zeros(4)
    orders = list(itertools.permutations(range(4)))
    for order in orders:
        now = second.copy()
        for k in order:
            before = now.prod()
            now[k] = first[k]
            shapley[k] += (now.prod() - before) / len(orders)
    assert contributions(first, second) == pytest.approx(shapley)
    assert contributions(first, second).sum() == pytest.approx(first.prod() - second.prod())


def test_slopes_are_those_of_small_changes():
    first, second = np.array([0.3, 0.4, 0.1]), np.array([0.2, 0.5, 0.15])
    for k, j in itertools.product(range(3), range(3)):
        step = np.eye(3)[j] * 1e-6
        _, slopes = contribution(first, second, k)
        for side, moved in enumerate([(first + step, second), (first, second + step)]):
            change = (contribution(*moved, k)[0] - contribution(first, second, k)[0]) / 1e-6
            assert slopes[side, j] == pytest.approx(change, abs=1e-5)


def test_contributions_add_up_to_the_gap_in_gmv_per_impression():
    lines = split_product(GOOD, steps=STEPS, amount="gmv", squares="squares", to="b").table.set_index("step")
    assert lines.loc["all", "estimate"] == pytest.approx(2.4 - 2.25)
    assert lines.drop("all")["estimate"].sum() == pytest.approx(2.4 - 2.25)
    assert lines.loc["basket", ["factor", "factor_reference"]].tolist() == [100, 150]
    assert lines.loc["basket", ["n", "n_reference"]].tolist() == [240, 300]
    assert (lines["low"] < lines["estimate"]).all()
    assert (lines["estimate"] < lines["high"]).all()


def test_of_one_step_the_contribution_is_the_difference_of_rates():
    split = split_product(GOOD, steps=["impressions", "enter"], to="b").table.set_index("step")
    from toolkit.intervals import Rate, difference

    wilson = difference(Rate.of_counts(3_000, 10_000), Rate.of_counts(4_000, 20_000))
    assert split.loc["enter", ["low", "high"]].tolist() == pytest.approx(list(wilson), abs=2e-5)
    assert split.loc["all", ["low", "high"]].tolist() == pytest.approx(list(wilson), abs=2e-5)


def test_a_basket_without_squares_is_marked_and_has_no_interval():
    split = split_product(GOOD, steps=STEPS, amount="gmv", to="b")
    lines = split.table.set_index("step")
    assert lines.loc[["basket", "all"], ["low", "high"]].isna().all(axis=None)
    assert lines.loc[["enter", "click", "pay"], ["low", "high"]].notna().all(axis=None)
    assert "basket without interval: it needs squares= or a log" in split.sentence()


def test_too_few_buyers_give_no_interval():
    few = GOOD.assign(pay=[4, 300], squares=[1.5e8, 1e7])
    split = split_product(few, steps=STEPS, amount="gmv", squares="squares")
    assert split.table["low"].isna().all()
    assert "no interval where fewer than 5 reached a step" in split.sentence()


def test_amounts_have_intervals_from_twenty_buyers_on():
    orders = {"squares": [9e5, 1e7], "gmv": [2_400.0, 45_000.0]}
    for buyers, known in ((19, False), (20, True)):
        split = split_product(
            GOOD.assign(pay=[buyers, 300], **orders), steps=STEPS, amount="gmv", squares="squares"
        )
        assert split.table[["low", "high"]].notna().all(axis=None) == known
        assert ("fewer than 20 paid" in split.sentence()) != known


@pytest.mark.parametrize(("buyers", "known"), [(4, False), (5, True)])
def test_a_step_has_an_interval_from_five_on(buyers, known):
    frame = GOOD.assign(pay=[buyers, 300])
    split = split_product(frame, steps=STEPS)
    assert split.table[["low", "high"]].notna().all(axis=None) == known
    assert ("no interval where fewer than 5 reached a step" in split.sentence()) != known
    assert "paid" not in split.sentence()
    assert ("no interval: too few" in split.sentence()) != known


def test_a_basket_without_squares_needs_no_twenty_buyers():
    split = split_product(GOOD.assign(pay=[19, 300]), steps=STEPS, amount="gmv").table.set_index("step")
    assert split.loc[["enter", "click", "pay"], ["low", "high"]].notna().all(axis=None)


def test_without_an_amount_contributions_are_points_and_with_one_they_are_amounts():
    split = split_product(GOOD, steps=STEPS, to="b")
    assert "pay per impressions 2.4 % against 1.5 %, a gap of +0.90 points (0.6 to 1.3)" in split.sentence()
    assert "<td>30.0 %</td><td>20.0 %</td><td>0.78 points</td>" in split._repr_html_()
    paid = split_product(GOOD, steps=STEPS, amount="gmv", squares="squares", to="b")
    assert "gmv per impressions 2.4 against 2.25, a gap of +0.15 (−0.342 to 0.6682)" in paid.sentence()
    assert "basket contributes most, −0.9813 (−1.319 to −0.6579), n = 240 and 300" in paid.sentence()
    assert "points" not in paid._repr_html_()
    assert "%" not in paid._repr_html_().split("<tbody>")[1]
    unknown = split_product(GOOD, steps=STEPS, amount="gmv", to="b")
    assert "a gap of +0.15 (no interval)" in unknown.sentence()


def test_a_figure_says_what_is_contributed_to():
    import matplotlib.pyplot as plt

    plain, paid = split_product(GOOD, steps=STEPS), split_product(GOOD, steps=STEPS, amount="gmv")
    assert (
        plain.plot().get_xlabel()
        == "contribution to pay per impressions, points, a against b (95 % intervals)"
    )
    assert paid.plot().get_xlabel() == "contribution to gmv per impressions, a against b (95 % intervals)"
    drawn = [line.get_xdata()[0] for line in plain.plot().lines[:4]]
    assert drawn == pytest.approx((plain.table["estimate"] * 100).tolist())
    plt.close("all")


def test_a_step_may_be_called_all_and_a_platform_is_found_by_its_nearest_name():
    split = split_product(
        GOOD.rename(columns={"pay": "all"}), steps=["impressions", "enter", "click", "all"], to="b"
    )
    assert "all per impressions 2.4 % against 1.5 %, a gap of +0.90 points" in split.sentence()
    with pytest.raises(
        ValueError, match=r"no platform 'Douyim' \(did you mean 'douyin'\?\); there are: douyin, b"
    ):
        split_product(GOOD.assign(platform=["douyin", "b"]), steps=STEPS, to="Douyim")


def test_buyers_who_paid_nothing_tell_nothing_of_baskets():
    free = GOOD.assign(gmv=[0.0, 45_000.0], squares=[0.0, 1e7])
    split = split_product(free, steps=STEPS, amount="gmv", squares="squares")
    assert split.table["low"].isna().all()


def test_the_upper_limit_of_a_mean_allows_for_orders_that_a_sample_lacks():
    # A lognormal's skewness is 3 c + c^3; Johnson (1978) adds z^2 skewness / (3 sqrt n) standard errors.
    n, c, z = 1e6, 2.0, 1.959964
    one = np.ones(1)
    mean = Precision(100 * one, n * one, np.inf * one, 100 * c / np.sqrt(n) * one, one < 0, np.eye(1))
    low, high = mean.furthest(lambda values: (values[0], one), 0.95)
    error = 100 * c / np.sqrt(n)
    assert high - 100 == pytest.approx(
        error * (z + z**2 * (3 * c + c**3) / (3 * np.sqrt(n))), abs=error * 1e-3
    )
    assert 100 - low == pytest.approx(error * z, rel=0.01)


START = pd.Timestamp("2019-11-11 20:00", tz="Asia/Shanghai")


def log(users=400, seed=5):
    """Users of two platforms who pay once or twice, in one or two rows of an order."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        for platform, rate in (("douyin", 0.3), ("kuaishou", 0.5)):
            rows.append((f"u{user}", START, "enter", platform, np.nan))
            if rng.random() < rate:
                for item in range(rng.integers(1, 3)):
                    at = START + pd.Timedelta(5, "min")
                    rows.append((f"u{user}", at, "pay", platform, float(rng.integers(10, 100) + item)))
    return read_events(pd.DataFrame(rows, columns=["user_id", "timestamp", "event", "platform", "amount"]))


@pytest.mark.parametrize("path", ["asof", "windows", "stream", "index"])
def test_a_log_tells_the_basket_and_how_much_it_differs(path):
    events = log()
    asked = events.index(keep=["platform"]) if path == "index" else events
    pairs = funnel(
        asked, ["enter", "pay"], within="1h", by="platform", hold="platform", count="pairs", path=path
    )
    split = split_product(pairs, amount="amount", to="kuaishou")
    paid = events.engine.frame(
        f"SELECT platform, user_id, sum(amount) AS a FROM {events.engine.table} WHERE event = 'pay' GROUP BY ALL"
    ).groupby("platform")["a"]
    table = pd.DataFrame(
        {"gmv": paid.sum(), "squares": paid.apply(lambda a: (a**2).sum()), "pay": paid.size(), "enter": 400}
    ).reset_index()
    plain = split_product(table, steps=["enter", "pay"], amount="gmv", squares="squares", to="kuaishou").table
    columns = ["estimate", "factor", "n"]
    pd.testing.assert_frame_equal(split.table[columns], plain[columns], check_exact=False)
    # Users of both platforms are not alike here, so that knowing them changes little.
    widths = [(t["high"] - t["low"]).to_numpy() for t in (split.table, plain)]
    assert widths[0] == pytest.approx(widths[1], rel=0.15)
    assert "clustered by user" in split.sentence()


def test_a_retried_order_is_paid_once():
    rows = [(f"u{i}", START, "enter", p, None, np.nan) for i in range(40) for p in "ab"]
    rows += [
        (f"u{i}", START, "pay", p, f"{p}{i}", 10.0)
        for i in range(40)
        for p in "ab"
        for _ in range(1 + (i < 9))
    ]
    names = ["user_id", "timestamp", "event", "platform", "order_id", "amount"]
    log = read_events(pd.DataFrame(rows, columns=names))
    ask = {"within": "1h", "by": "platform", "hold": "platform", "count": "pairs", "path": "windows"}
    once = split_product(funnel(log, ["enter", "pay"], dedupe="order_id", **ask), amount="amount")
    twice = split_product(funnel(log, ["enter", "pay"], **ask), amount="amount")
    assert once.table.set_index("step").loc["basket", "factor"] == 10
    assert twice.table.set_index("step").loc["basket", "factor"] == 10 * 49 / 40


@pytest.mark.parametrize("count", ["users", "pairs", "entries"])
@pytest.mark.parametrize("kind", ["str", "category", "int64", "float64"])
def test_amounts_are_the_same_by_every_path_and_for_users_of_any_type(count, kind):
    rng = np.random.default_rng(8)
    rows = pd.DataFrame(
        {
            "user_id": rng.integers(0, 60, 2_000),
            "timestamp": START + pd.to_timedelta(np.sort(rng.integers(0, 3_000, 2_000)), "min"),
            "event": rng.choice(["enter", "click", "pay"], 2_000),
            "platform": pd.Categorical(rng.choice(["douyin", "kuaishou"], 2_000)),
            "amount": rng.integers(1, 90, 2_000),
        }
    ).astype({"user_id": kind})
    events = read_events(rows)
    hold = {"hold": "platform"} if count == "pairs" else {}
    splits = []
    for path in ["asof"] * (count != "entries") + ["windows", "stream", "index"]:
        asked = events.index(keep=["platform"]) if path == "index" else events
        answer = funnel(asked, ["enter", "pay"], within="6h", by="platform", count=count, path=path, **hold)
        splits.append(split_product(answer, amount="amount").table)
    assert (splits[0].query("step == 'basket'")["factor"] > 0).all()
    for other in splits[1:]:
        pd.testing.assert_frame_equal(splits[0], other)


def test_amounts_are_numbers():
    events = log(20)
    asked = {"within": "1h", "by": "platform", "hold": "platform", "count": "pairs"}
    with pytest.raises(ValueError, match="amount column 'event' is VARCHAR, not a number"):
        split_product(funnel(events, ["enter", "pay"], **asked), amount="event")


def test_a_funnel_of_counts_is_split_into_its_steps():
    rows = [
        (p, s, n)
        for p, line in (("a", (900, 300, 90)), ("b", (800, 400, 60)))
        for s, n in zip(STEPS, line, strict=False)
    ]
    counted = Funnel.from_counts(pd.DataFrame(rows, columns=["platform", "step", "n"]))
    split = split_product(counted)
    assert split.table["step"].tolist() == ["enter", "click", "all"]
    assert split.table["reference"].unique().tolist() == ["a"]  # the larger one
    assert "click per impressions" in split.sentence()


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (GOOD.assign(click=[1_200, 5_000]), {}, r"row 1 \(b\): click = 5,000 is more than enter = 4,000"),
        (GOOD.assign(pay=[0.02, 300]), {}, r"row 0 \(a\): pay = 0.02 is fractional"),
        (
            GOOD.assign(click=[0, 2_000], pay=[0, 300]),
            {},
            "no one on a reached 'click', so 'pay' has no rate there",
        ),
        (GOOD[:1], {}, "there is only one platform, a"),
        (GOOD, {"steps": None}, "name the columns of counts in order"),
        (GOOD, {"steps": ["enter"]}, "name the columns of counts in order"),
        (GOOD, {"steps": ["enter", "buy"]}, "no column 'buy' in the counts"),
        (GOOD, {"squares": "squares"}, "name their column too: amount="),
        (GOOD, {"amount": "GMV"}, "no column 'GMV'"),
        (GOOD.assign(gmv=[-1, 5]), {"amount": "gmv"}, r"row 0 \(a\): gmv = -1 is negative"),
        (
            GOOD.assign(squares=[5, 1e7]),
            {"amount": "gmv", "squares": "squares"},
            "a: squares = 5 is less than",
        ),
        (GOOD, {"to": "c"}, "no platform 'c'; there are: a, b"),
        (GOOD, {"confidence": 2}, "lies outside 0 to 1"),
    ],
)
def test_wrong_products_name_the_thing_and_the_fix(frame, options, message):
    with pytest.raises(ValueError, match=message):
        split_product(frame, **({"steps": STEPS} | options))


def test_a_funnel_tells_its_amounts_itself_and_only_where_it_can():
    events = log(20)
    answer = funnel(
        events, ["enter", "pay"], within="1h", by="platform", hold="platform", count="pairs", path="windows"
    )
    with pytest.raises(ValueError, match="a funnel's log tells how amounts differ by itself"):
        split_product(answer, squares="amount")
    with pytest.raises(ValueError, match="no step 'click'"):
        split_product(answer, steps=["enter", "click"])
    with pytest.raises(ValueError, match="no amount column 'gmv'"):
        split_product(answer, amount="gmv")
    with pytest.raises(ValueError, match="not broken down by 'platform'"):
        split_product(funnel(events, ["enter", "pay"], within="1h"))
    with pytest.raises(ValueError, match="ask with count='pairs'"):
        split_product(
            funnel(events, ["enter", "pay"], within="1h", by="platform", hold="platform"), amount="amount"
        )
    with pytest.raises(TypeError, match="not list"):
        split_product([1])


def test_a_product_is_drawn_and_shown():
    import matplotlib.pyplot as plt

    split = split_product(GOOD.assign(platform=["<b>a$", "b"]), steps=STEPS, amount="gmv", squares="squares")
    ax = split.plot(plt.figure().subplots())
    assert ax.get_figure().canvas.draw() is None
    assert "&lt;b&gt;a$" in split._repr_html_()
    assert "gmv per impressions" in ax.get_xlabel()
    plt.close("all")
