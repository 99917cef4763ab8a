"""The compiled kernels against every possible chain, tried one by one."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest

from toolkit.funnels.kernels import by_user, row_order
from toolkit.funnels.kernels.by_time import Rows
from toolkit.funnels.kernels.by_user import Links, Table
from toolkit.funnels.kernels.row_order import Limits
from toolkit.funnels.kernels.stream import OutOfOrder, Pass

LOW, HIGH = -row_order.LAST_TIME, row_order.LAST_TIME


@dataclass
class Log:
    """Random rows in arrival order, times not decreasing."""

    user: np.ndarray
    hold: np.ndarray
    t: np.ndarray
    word: np.ndarray
    group: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        return (self.word & 0xFFFF).astype(np.uint16)


def random_log(seed: int, k: int, *, users: int = 6, rows: int = 40, span: int = 30, extra: int = 0) -> Log:
    """Rows with ties, rows that match several steps or none, null holds (-1), and `extra` flags from bit 16."""
    rng = np.random.default_rng(seed)
    one = 1 << rng.integers(0, k, rows)
    two = 1 << rng.integers(0, k, rows)
    word = np.where(rng.random(rows) < 0.25, one | two, one) * (rng.random(rows) < 0.85)
    for bit in range(extra):
        word = word | ((rng.random(rows) < 0.15).astype(np.int64) << (16 + bit))
    return Log(
        user=rng.integers(-2, users - 2, rows),
        hold=np.where(rng.random(rows) < 0.1, -1, rng.integers(0, 3, rows)),
        t=np.sort(rng.integers(0, span, rows)),
        word=word,
        group=rng.integers(0, 5, rows).astype(np.int32),
    )


def units_of(log: Log, held: bool) -> dict[tuple[int, int], list[int]]:
    """Row numbers of each unit that has a row matching a step."""
    units: dict[tuple[int, int], list[int]] = {}
    for row in range(len(log.t)):
        if not held or log.hold[row] >= 0:
            units.setdefault((int(log.user[row]), int(log.hold[row]) if held else 0), []).append(row)
    return {unit: rows for unit, rows in units.items() if log.mask[rows].any()}


def every_chain(log, rows, k, within, *, first=LOW, end=HIGH, gaps=None, rules=(), strict=False):
    """All chains of a unit, as tuples of row numbers, with rows and their places in the total order."""
    gaps = gaps or [row_order.FOREVER] * k
    order = sorted(rows, key=lambda row: (log.t[row], log.mask[row], row))
    alive = [row for row in order if log.word[row] & (0xFFFF | by_user.KNOWN)]

    def may_follow(row, other, step):
        if log.t[other] - log.t[row] > gaps[step]:
            return False
        for x, (low, high) in enumerate(rules):
            flagged = (r for r in order if (log.word[r] >> (16 + x)) & 1)
            if low <= step < high and any(log.t[row] < log.t[r] < log.t[other] for r in flagged):
                return False
        return not strict or alive.index(other) == alive.index(row) + 1

    chains = [(row,) for row in alive if log.mask[row] & 1 and first <= log.t[row] < end]
    for step in range(1, k):
        chains += [
            (*chain, other)
            for chain in chains
            if len(chain) == step
            for other in alive[alive.index(chain[-1]) + 1 :]
            if (log.mask[other] >> step) & 1
            and log.t[other] - log.t[chain[0]] <= within
            and may_follow(chain[-1], other, step)
        ]
    return chains, {row: place for place, row in enumerate(alive)}


def reported(chains, place, t):
    """Level, latest start, end, and the chain: first completion, then always the latest possible row."""
    if not chains:
        return 0, row_order.NEVER, row_order.NEVER, ()
    level = max(map(len, chains))
    longest = [chain for chain in chains if len(chain) == level]
    over = min(place[chain[-1]] for chain in longest)
    chosen = max(
        (chain for chain in longest if place[chain[-1]] == over),
        key=lambda chain: [place[r] for r in chain[::-1]],
    )
    return level, max(t[chain[0]] for chain in longest), t[chosen[-1]], chosen


def indexed(log: Log) -> tuple[np.ndarray, ...]:
    """Rows by user and time, as an index keeps them: offsets, times, words, holds, row numbers and users."""
    order = np.lexsort((log.t, log.user))
    users, begins = np.unique(log.user[order], return_index=True)
    offsets = np.append(begins, len(order)).astype(np.int64)
    return (
        offsets,
        log.t[order],
        log.word[order].astype(np.uint32),
        log.hold[order].astype(np.int32),
        order,
        users,
    )


ALL = np.empty(0, np.uint32)
NOBODY = np.empty(0, np.int64)
UNHELD = np.empty(0, np.int32)
SETTINGS = [(k, within) for k in (1, 2, 3, 4) for within in (0, 6, row_order.FOREVER)]


def streamed(log, k, within, *range_of_entries, held=False, waiting=3, **options):
    """What a pass over the rows in five batches finds: (user, hold, level, start, ended, group) of each unit."""
    one_pass = Pass(Limits(k, within, *range_of_entries), waiting=waiting, groups=True, **options)
    matching = np.flatnonzero((log.mask > 0) & ((log.hold >= 0) | (not held)))
    for rows in np.array_split(matching, 5):
        hold = log.hold[rows] if held else NOBODY
        one_pass.feed(Rows(log.user[rows], hold, log.t[rows], log.mask[rows], log.group[rows]))
    found = one_pass.finish()
    return sorted(zip(*(column.tolist() for column in found.values()), strict=True))


@pytest.mark.parametrize(("k", "within"), SETTINGS)
@pytest.mark.parametrize("held", [False, True])
def test_a_streamed_pass_finds_what_trying_every_chain_finds(k, within, held):
    for seed, at in itertools.product(range(8), (0, 1, min(2, k))):
        log = random_log(seed, k)
        first, end = (LOW, HIGH) if seed % 2 else (5, 22)
        expected = []
        for unit, rows in units_of(log, held).items():
            chains, place = every_chain(log, rows, k, within, first=first, end=end)
            level, start, over, chain = reported(chains, place, log.t)
            expected.append(
                (*unit, level, start, over, log.group[chain[at - 1]] if level >= max(at, 1) else None)
            )
        found = streamed(log, k, within, first, end, held=held, at=at)
        assert [(*unit[:5], unit[5] if unit[2] >= max(at, 1) else None) for unit in found] == sorted(expected)


@pytest.mark.parametrize(("k", "within"), SETTINGS)
def test_a_streamed_pass_follows_every_entry_as_far_as_a_chain_from_it_goes(k, within):
    for seed, held in itertools.product(range(8), (False, True)):
        log = random_log(seed, k)
        first, end = (LOW, HIGH) if seed % 2 else (5, 22)
        expected = []
        for unit, rows in units_of(log, held).items():
            chains, place = every_chain(log, rows, k, within, first=first, end=end)
            for entry in {chain[0] for chain in chains}:
                mine = [chain for chain in chains if chain[0] == entry]
                expected.append((*unit, *reported(mine, place, log.t)[:3], log.group[entry]))
        assert streamed(log, k, within, first, end, held=held, per_entry=True) == sorted(expected)


def test_ties_that_span_batches_are_put_in_step_order():
    log = random_log(1, 3, users=40, rows=3000, span=3)
    expected = [
        (*unit, *reported(*every_chain(log, rows, 3, 0), log.t)[:1])
        for unit, rows in units_of(log, False).items()
    ]
    assert [unit[:3] for unit in streamed(log, 3, 0)] == sorted(expected)


def test_a_unit_is_found_again_after_its_table_has_grown_many_times():
    users = np.arange(-50_000, 50_000)
    one_pass = Pass(Limits(2, 10), waiting=100)
    for step in (0, 1):
        t, mask = np.full(len(users), step), np.full(len(users), 1 << step, np.uint16)
        one_pass.feed(Rows(users, users // 2, t, mask, NOBODY.astype(np.int32)))
    found = one_pass.finish()
    assert sorted(found["user"]) == users.tolist()
    assert set(found["level"]) == {2}


@pytest.mark.parametrize("times", [[0, 2, 1, 4], [3, 3, 3, 4, 2, 5]])
def test_rows_out_of_time_order_are_noticed_within_a_batch_and_between_batches(times):
    def feed():
        with Pass(Limits(1, 0)) as one_pass:
            for t in np.array_split(np.array(times), 2):
                mask, group = np.ones(len(t), np.uint16), NOBODY.astype(np.int32)
                one_pass.feed(Rows(np.zeros(len(t), np.int64), NOBODY, t, mask, group))
            one_pass.finish()

    with pytest.raises(OutOfOrder):
        feed()


def indexed_chains(
    log, k, within, *, held=False, first=LOW, end=HIGH, gaps=None, rules=(), mode=0, entries=False
):
    offsets, t, word, hold, order, users = indexed(log)
    links = Links(np.array(gaps or [row_order.FOREVER] * k), np.array(rules, np.int64).reshape(-1, 2))
    table = Table(offsets, t, word, ALL, *((hold, 3) if held else (UNHELD, 1)))
    found = by_user.sequences(table, 0, len(users), Limits(k, within, first, end), links, mode, entries, k)
    return sorted(
        (users[u], h, level, start, over, tuple(order[row] for row in rows if row >= 0))
        for u, h, level, start, over, rows in zip(*(column.tolist() for column in found), strict=True)
    )


OPTIONS = {
    "plain": {},
    "gaps": {"gaps": [row_order.FOREVER, 4, 5, 3]},
    "excluding": {"rules": ((1, 3), (2, 4))},
    "excluding and gaps": {"rules": ((1, 4),), "gaps": [row_order.FOREVER, 6, 6, 6]},
    "strict": {"mode": by_user.STRICT},
    "strict and excluding": {
        "mode": by_user.STRICT,
        "rules": ((1, 2),),
        "gaps": [row_order.FOREVER, 4, 4, 4],
    },
}


@pytest.mark.parametrize("entries", [False, True])
@pytest.mark.parametrize("option", OPTIONS)
def test_an_indexed_log_gives_the_chains_that_trying_every_chain_gives(option, entries):
    options = dict(OPTIONS[option])
    for seed, (k, within), held in itertools.product(range(5), SETTINGS, (False, True)):
        rules = [rule for rule in options.get("rules", ()) if rule[1] <= max(k, 2)]
        limits = {"gaps": options["gaps"][:k]} if "gaps" in options else {}
        log = random_log(seed, k, extra=len(rules))
        if seed % 2 and "strict" in option:
            # Without a universe no row may be skipped; with one, only rows of the universe count.
            log.word[::2] |= by_user.KNOWN
        first, end = (LOW, HIGH) if seed % 3 else (5, 22)
        expected = []
        for unit, rows in units_of(log, held).items():
            chains, place = every_chain(
                log, rows, k, within, first=first, end=end, rules=rules, strict="strict" in option, **limits
            )
            groups = (
                [[c for c in chains if c[0] == e] for e in {c[0] for c in chains}] if entries else [chains]
            )
            expected += [(*unit, *reported(group, place, log.t)) for group in groups]
        mode = options.get("mode", by_user.ORDERED)
        found = indexed_chains(
            log, k, within, held=held, first=first, end=end, rules=rules, mode=mode, entries=entries, **limits
        )
        assert found == sorted(expected)


def test_without_order_a_level_is_the_most_steps_inside_one_window():
    for seed, (k, within), held in itertools.product(range(5), SETTINGS, (False, True)):
        log = random_log(seed, k)
        log.word &= -log.word
        expected = []
        for unit, rows in units_of(log, held).items():
            seen = [(log.t[row], int(log.mask[row])) for row in rows if log.mask[row]]
            depths = [(len({m for t, m in seen if over - within <= t <= over}), -over) for over, _ in seen]
            level, over = max(depths)
            expected.append((*unit, level, -over))
        found = indexed_chains(log, k, within, held=held, mode=by_user.ANY)
        assert [(u, h, level, over) for u, h, level, _, over, _ in found] == sorted(expected)


def test_the_short_kernel_agrees_with_the_general_one():
    for seed, (k, within), held in itertools.product(range(5), SETTINGS, (False, True)):
        log = random_log(seed, k, users=30, rows=150, span=40)
        offsets, t, word, hold, _, users = indexed(log)
        masks = np.arange(1 << k, dtype=np.uint32)
        table = Table(offsets, t, word.astype(np.uint8), masks, *((hold, 3) if held else (UNHELD, 1)))
        found = by_user.levels(table, 3, len(users) - 2, Limits(k, within, 9, 50))
        found = sorted(zip(*(column.tolist() for column in found), strict=True))
        whole = indexed_chains(log, k, within, held=held, first=9, end=50)
        assert [(users[u], *rest) for u, *rest in found] == [
            unit[:5] for unit in whole if users[3] <= unit[0] < users[len(users) - 2]
        ]
