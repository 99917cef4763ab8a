"""Groups of a funnel compared: the step that matters is named, with its share of the end-to-end gap."""

import numpy as np
import pandas as pd
import pytest

from toolkit import Funnel, funnel, read_events

STEPS = ["enter", "click", "cart", "pay"]


def counts(**groups):
    """A funnel from the counts of each group along the first steps."""
    rows = [(name, step, n) for name, line in groups.items() for step, n in zip(STEPS, line, strict=False)]
    return Funnel.from_counts(pd.DataFrame(rows, columns=["room", "step", "n"]))


def along(entered, rates):
    return [round(n) for n in entered * np.cumprod([1, *rates])]


def contributions(comparison):
    return comparison.table.query("measure == 'contribution'")


@pytest.mark.parametrize("rates", [(0.9, 0.8, 0.7), (0.6, 0.1, 0.3), (0.05, 0.4, 0.02), (0.1, 0.1, 0.9)])
@pytest.mark.parametrize("fallen", [0, 1, 2])
def test_the_step_that_fell_is_named_at_high_and_low_rates(rates, fallen):
    after = [rate * (0.7 if at == fallen else 1) for at, rate in enumerate(rates)]
    compared = counts(before=along(4_000_000, rates), after=along(4_000_000, after)).compare(to="before")
    assert f"of that gap arises from {STEPS[fallen]} to {STEPS[fallen + 1]}" in compared.sentence()
    shares = contributions(compared)["share"].to_numpy()
    assert shares[fallen] == pytest.approx(1, abs=0.02)
    assert shares.sum() == pytest.approx(1)


def test_shares_of_the_end_to_end_gap_add_up_to_1_and_contributions_to_the_gap():
    compared = counts(a=[10_000, 4_000, 900, 500], b=[8_000, 3_600, 500, 100], c=[999, 500, 90, 60]).compare(
        "a"
    )
    gaps = compared.table.query("rate == 'from_first' and measure == 'difference'").set_index("room")[
        "estimate"
    ]
    for room, rows in contributions(compared).groupby("room"):
        assert rows["share"].sum() == pytest.approx(1)
        assert rows["estimate"].sum() == pytest.approx(gaps[room])
        assert ((rows["low"] < rows["estimate"]) & (rows["estimate"] < rows["high"])).all()


def test_the_widest_difference_in_points_is_not_the_step_that_matters():
    # The early step lies 6 points lower, which loses a tenth; the last lies 4 points lower, which loses half.
    compared = counts(a=along(100_000, (0.54, 0.5, 0.04)), b=along(100_000, (0.6, 0.5, 0.08))).compare("b")
    widest = compared.table.query("measure == 'difference' and rate == 'from_previous'").set_index("step")
    assert widest["estimate"].idxmin() == "click"
    assert "of that gap arises from cart to pay" in compared.sentence()


def test_the_contribution_of_a_single_step_has_newcombes_interval():
    # Newcombe (1998), Statistics in Medicine 17, 873-890, table II (a): 56/70 - 48/80, method 10.
    line = contributions(counts(a=[70, 56], b=[80, 48]).compare("b")).iloc[0]
    assert line[["estimate", "low", "high", "share"]].tolist() == pytest.approx(
        [0.2, 0.0524, 0.3339, 1], abs=5e-5
    )


def test_where_no_end_to_end_gap_is_certain_steps_are_ranked_by_points_and_that_is_said():
    compared = counts(a=[10_000, 5_000, 1_000], b=[10_000, 2_500, 1_000]).compare("b")
    assert compared.sentence().startswith(
        "The rate from enter to click of a lies 25.0 points above that of b (95 % interval 23.7 to 26.3 points, "
        "n = 10,000 and 10,000); no end-to-end gap is distinguishable from 0, so steps are ranked by points; "
    )


def test_where_a_rate_is_0_steps_are_ranked_by_points_and_that_is_said():
    said = counts(a=[10_000, 5_000, 0], b=[10_000, 5_000, 1_000]).compare("b").sentence()
    assert "; the rate from click to cart of a lies 20.0 points below that of b" in said
    assert "where a rate is 0, steps are ranked by points" in said


def test_a_headline_rests_on_no_tiny_group():
    few, many = [4, 4, 4], along(10_000, (0.5, 0.4))
    compared = counts(few=few, many=many, base=along(10_000, (0.3, 0.4))).compare("base")
    assert compared.sentence().startswith(
        "The rate from enter to cart of many lies 8.0 points above that of base"
    )
    assert "few" not in compared.sentence()
    alone = counts(few=few, base=along(10_000, (0.3, 0.4))).compare("base").sentence()
    assert alone.startswith(
        "No rate of a group with at least 30 at its base is distinguishable from that of base; "
    )


def test_contributions_of_users_who_count_often_have_wider_intervals():
    rows, platforms = [], []
    for user in range(120):
        for entry in range(8):
            got = user % 3 if user % 2 else user % 4
            for minute, event in list(enumerate(["enter", "click", "pay"]))[: 1 + got]:
                rows.append((user, 10 * entry + minute, event))
                platforms.append("douyin" if user % 2 else "kuaishou")
    users, minutes, events = zip(*rows, strict=True)
    start = pd.Timestamp("2019-11-11 20:00", tz="Asia/Shanghai")
    frame = pd.DataFrame({"user_id": users, "event": events, "platform": platforms})
    frame["timestamp"] = start + pd.to_timedelta(np.array(minutes), unit="min")
    answer = funnel(
        read_events(frame), ["enter", "click", "pay"], within="5min", by="platform", count="entries"
    )
    often = contributions(answer.compare("kuaishou"))
    alone = contributions(Funnel.from_counts(answer.table).compare("kuaishou"))
    assert often["estimate"].tolist() == pytest.approx(alone["estimate"].tolist())
    # Eight equal entries of one user say as much as one: root 8 times the width.
    ratio = (often["high"] - often["low"]).to_numpy() / (alone["high"] - alone["low"]).to_numpy()
    assert (ratio > 2.3).all()


@pytest.mark.slow
def test_intervals_of_contributions_hold_the_truth():
    rng = np.random.default_rng(3)
    first, second = (0.5, 0.2, 0.3), (0.45, 0.25, 0.3)
    rooms, held = 300, []
    from toolkit.decompositions import contributions as exact

    truth = exact(np.array(first), np.array(second))
    for _ in range(4):
        groups = {"base": chain(rng, 3_000_000, second)}
        groups |= {f"r{at}": chain(rng, 2_000, first) for at in range(rooms)}
        table = contributions(counts(**groups).compare("base"))
        for step, value in zip(STEPS[1:], truth, strict=True):
            rows = table[table["step"] == step]
            held += list((rows["low"] <= value) & (value <= rows["high"]))
    assert 0.935 < np.mean(held) < 0.97


def chain(rng, entered, rates):
    found = [entered]
    for rate in rates:
        found.append(int(rng.binomial(found[-1], rate)))
    return found


def test_two_funnels_of_one_shape_are_compared_as_two_groups_would_be():
    rows = {
        name: pd.DataFrame({"step": ["enter", "pay"], "n": n})
        for name, n in (("a", [70, 56]), ("b", [80, 48]))
    }
    ours, theirs = (Funnel.from_counts(frame) for frame in rows.values())
    grouped = Funnel.from_counts(pd.concat(frame.assign(group=name) for name, frame in rows.items()))
    own, alike = ours.compare(to=theirs).table, grouped.compare(to="b").table
    pd.testing.assert_frame_equal(own.drop(columns="funnel"), alike.drop(columns="group"))


def test_two_funnels_of_other_steps_or_with_groups_are_refused():
    plain = Funnel.from_counts(pd.DataFrame({"step": ["enter", "pay"], "n": [70, 56]}))
    other = Funnel.from_counts(pd.DataFrame({"step": ["enter", "buy"], "n": [70, 56]}))
    with pytest.raises(ValueError, match="of the other enter, buy"):
        plain.compare(to=other)
    grouped = Funnel.from_counts(pd.DataFrame({"step": ["enter", "pay"], "n": [70, 56], "platform": "a"}))
    with pytest.raises(ValueError, match="a funnel by platform has several groups"):
        plain.compare(to=grouped)
