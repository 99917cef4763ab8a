"""What the users of one platform do: visits, steps, purchases, refunds, as columns of a log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.sources.definitions import platform_funnels
from toolkit.sources.dice import Dice
from toolkit.sources.mechanisms import PLATFORMS, TIERS, Mechanisms

DAYS = 28
SECOND, HOUR = 1000, 3_600_000
END = DAYS * 24 * HOUR
#: Rows that are no steps, behind the steps in the order of events.
OTHERS = ("like", "comment", "follow", "leave", "refund")
#: Median milliseconds from the step before; the sum of the longest waits stays under an hour.
WAITS = {
    "read": 3_000,
    "enter": 2_000,
    "product_shown": 6_000,
    "product_click": 15_000,
    "cart": 20_000,
    "order": 25_000,
    "pay": 15_000,
}
LONGEST_WAIT = 8 * 60 * SECOND
#: A creator's id is the platform's code times this, plus a number from 1 on.
CREATORS = 100_000
REPEATED = ("impression", "product_shown", "product_click")
#: Rows of one kind: visit, event, time, session.
Block = tuple[np.ndarray, str, np.ndarray, np.ndarray]
PRICE_QUARTERS = np.array([1, 2, 3, 4, 6, 10, 20])


@dataclass(frozen=True, eq=False)
class Accounts:
    """Users of one platform: id, tier, 1 if new, followed creator or -1, whether the client writes seconds."""

    user: np.ndarray
    tier: np.ndarray
    new: np.ndarray
    follows: np.ndarray
    whole_seconds: np.ndarray


@dataclass(frozen=True, eq=False)
class Visits:
    """Visits: position of the account, start in ms, creator, 1 if the account is a fan of the creator."""

    account: np.ndarray
    start: np.ndarray
    creator: np.ndarray
    fan: np.ndarray


class Platform:
    """One platform's users, visits and rows; `simulate` draws them part by part."""

    def __init__(self, name: str, mechanisms: Mechanisms) -> None:
        self.name = name
        self.code = PLATFORMS.index(name) + 1
        self.steps = [step["event"] for step in platform_funnels()[name]]
        self.events = [*self.steps, *OTHERS]
        self.rates = mechanisms.rates(name)
        self._mechanisms = mechanisms
        heads = self._get("creators.head")
        tail = 1 / (np.arange(int(self._get("creators.number"))) + 6.0)
        self.popularity = np.concatenate([[heads * 0.55, heads * 0.45], tail / tail.sum() * (1 - heads)])

    def _get(self, name: str, default: Any = None) -> Any:
        return self._mechanisms.get(name, self.name, default)

    def accounts(self, dice: Dice, user: np.ndarray, tier: np.ndarray, whole_seconds: np.ndarray) -> Accounts:
        """What a user is on this platform, for the length of the log."""
        follows = np.where(
            dice.chance(self._get("users.follows"), len(user)), dice.pick(self.popularity, len(user)), -1
        )
        new = dice.chance(self._get("users.new"), len(user)).astype(np.int64)
        return Accounts(user, tier, new, follows, whole_seconds)

    def visits(self, dice: Dice, accounts: Accounts) -> Visits:
        """When and whom the users visit of their own accord, in the order of accounts."""
        scale, most = self._get("visits.scale"), int(self._get("visits.most"))
        survival = (scale / (scale + np.arange(most + 1))) ** 2
        number = 1 + dice.pick(survival[:-1] - survival[1:], len(accounts.user))
        account = np.repeat(np.arange(len(number)), number)
        size = len(account)
        hour = dice.pick(self._get("visits.hours"), size)
        start = (dice.below(DAYS, size) * 24 + hour) * HOUR + dice.below(HOUR, size)
        followed = accounts.follows[account]
        to_followed = dice.chance(self._get("visits.fan"), size) & (followed >= 0)
        creator = np.where(to_followed, followed, dice.pick(self.popularity, size))
        return Visits(account, start, creator, (creator == followed).astype(np.int64))

    def depth(self, dice: Dice, accounts: Accounts, visits: Visits) -> np.ndarray:
        """How many steps each visit does."""
        rates = self.rates[accounts.tier[visits.account], accounts.new[visits.account], visits.fan]
        alive = np.ones(len(rates), dtype=bool)
        depth = np.zeros(len(rates), dtype=np.int64)
        for at in range(len(self.steps)):
            alive &= dice.chance(rates[:, at], len(rates))
            depth += alive
        return depth

    def back(self, dice: Dice, visits: Visits, depth: np.ndarray) -> Visits:
        """Later visits of those who paid, to the same creator."""
        payers = np.flatnonzero(depth == len(self.steps))
        payers = payers[dice.chance(self._get("visits.back_after_pay"), len(payers))]
        payers = np.repeat(payers, int(self._get("visits.back_number")))
        size = len(payers)
        start = visits.start[payers] + (1 + dice.below(14, size)) * 24 * HOUR + dice.below(HOUR, size)
        keep = start < END
        payers = payers[keep]
        return Visits(visits.account[payers], start[keep], visits.creator[payers], visits.fan[payers])

    def reach(self) -> np.ndarray:
        """Probability that a visit does each step, itself or in a later session within 20 hours."""
        reach = np.cumprod(self.rates, axis=-1)
        same_day = self._get("later.share") * self._get("later.same_day")
        alone = reach.copy()
        for at in range(self.steps.index("product_click"), len(self.steps) - 1):
            ended = alone[..., at] * (1 - self.rates[..., at + 1])
            reach[..., at + 1 :] += (ended * same_day)[..., None]
        return reach

    def rows(
        self, dice: Dice, accounts: Accounts, visits: Visits, depth: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Rows of the log in order of time: codes and whole numbers, sessions and orders counted from 0."""
        size, last = len(depth), len(self.steps)
        every = np.arange(size)
        at = np.empty((size, last), dtype=np.int64)
        at[:, 0] = visits.start
        for step, name in enumerate(self.steps[1:], start=1):
            at[:, step] = at[:, step - 1] + dice.wait(WAITS[name], LONGEST_WAIT, size)
        blocks: list[Block] = []

        def add(visit: np.ndarray, event: str, time: np.ndarray, session: np.ndarray | None = None) -> None:
            blocks.append((visit, event, time, visit if session is None else session))

        enter = self.steps.index("enter")
        tier = accounts.tier[visits.account]
        watch = self._get("rows.watch") * np.array(self._get("rows.watch_by_tier", [1.0] * len(TIERS)))[tier]
        stay = 1 + dice.wait(watch * SECOND, 60 * 60 * SECOND, size)
        leave = np.maximum(at[:, enter] + stay, at[every, depth - 1] + SECOND)
        for step, name in enumerate(self.steps):
            done = every[depth > step]
            add(done, name, at[done, step])
            if name in REPEATED:
                again = done[dice.chance(self._get("rows.repeat"), len(done))]
                room = leave[again] - at[again, step] if step >= enter else np.full(len(again), 60 * SECOND)
                add(again, name, at[again, step] + dice.below(room, len(again)))
        inside = every[depth > enter]
        for name in OTHERS[:3]:
            done = inside[dice.chance(self._get(f"rows.{name}"), len(inside))]
            done = done[visits.fan[done] == 0] if name == "follow" else done
            room = leave[done] - at[done, enter]
            add(done, name, at[done, enter] + dice.below(room, len(done)))
        add(inside, "leave", leave[inside])

        click = self.steps.index("product_click")
        ended = every[(depth > click) & (depth < last)]
        late = ended[dice.chance(self._get("later.share"), len(ended))]
        same_day = dice.chance(self._get("later.same_day"), len(late))
        hours = np.where(same_day, 1 + dice.below(19, len(late)), 36 + dice.below(204, len(late)))
        began = at[late, depth[late] - 1] + hours * HOUR + dice.below(HOUR, len(late))
        paid_at = np.where(depth == last, at[:, -1], END)
        for step in range(click + 1, last):
            now = depth[late] <= step
            began = np.where(now, began + dice.wait(WAITS[self.steps[step]], LONGEST_WAIT, len(late)), began)
            add(late[now], self.steps[step], began[now], late[now] + size)
        paid_at[late] = began
        refunded = every[(paid_at < END) & dice.chance(self._get("orders.refund"), size)]
        later = 24 * HOUR + dice.below(9 * 24 * HOUR, len(refunded))
        add(refunded, "refund", paid_at[refunded] + later, refunded + 2 * size)

        quarter = PRICE_QUARTERS[dice.pick(self._get("orders.price_points"), size)]
        # Prices end in .90, as they do in shops.
        cents = (quarter * int(self._get("orders.price") * 25) // 100 * 100 + 90) * (
            1 + dice.pick(self._get("orders.items"), size)
        )
        return self._columns(blocks, accounts, visits, cents)

    def _columns(
        self, blocks: list[Block], accounts: Accounts, visits: Visits, cents: np.ndarray
    ) -> dict[str, np.ndarray]:
        visit, time, session = (np.concatenate([block[at] for block in blocks]) for at in (0, 2, 3))
        event = np.concatenate([np.full(len(b[0]), self.events.index(b[1]), dtype=np.int64) for b in blocks])
        account = visits.account[visit]
        time = np.where(accounts.whole_seconds[account], time // SECOND * SECOND, time)
        order = np.lexsort([event, session, accounts.user[account], time])
        order = order[time[order] < END]
        visit, event, time, account = visit[order], event[order], time[order], account[order]
        with_order = np.isin(
            event, [self.events.index(e) for e in ("order", "pay", "refund") if e in self.events]
        )
        number = np.full(len(visit), -1, dtype=np.int64)
        number[with_order] = by_appearance(visit[with_order])
        creator = self.code * CREATORS + visits.creator[visit] + 1
        return {
            "user_id": accounts.user[account],
            "timestamp": time,
            "event": event,
            "city_tier": accounts.tier[account],
            "user_type": accounts.new[account],
            "relation": visits.fan[visit],
            "room_id": creator * 100 + visits.start[visit] // (24 * HOUR) + 1,
            "creator_id": creator,
            "session_id": by_appearance(session[order]),
            "order": number,
            "cents": np.where(with_order, cents[visit], -1),
        }


def by_appearance(key: np.ndarray) -> np.ndarray:
    """Keys as 0, 1, 2 ... in the order in which they first appear."""
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def spread(dice: Dice, mechanisms: Mechanisms, size: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Users 0 to `size` - 1 spread over the platforms, some of them on several: platform to positions and tiers."""
    home = dice.pick([mechanisms.get("users.share", name) for name in PLATFORMS], size)
    tier = np.empty(size, dtype=np.int64)
    for at, name in enumerate(PLATFORMS):
        own = home == at
        tier[own] = dice.pick(mechanisms.get("tiers.mix", name), int(own.sum()))
    members = {}
    for at, name in enumerate(PLATFORMS):
        chosen = [np.flatnonzero(home == at)]
        for code in range(len(TIERS)):
            # In proportion to the platform's own tiers, so that shared users leave its mix as planted.
            own = int(((home == at) & (tier == code)).sum())
            others = np.flatnonzero((home != at) & (tier == code))
            shared = round(mechanisms.get("users.shared", name) * own)
            chosen.append(others[dice.shuffled(len(others))[:shared]])
        positions = np.sort(np.concatenate(chosen))
        members[name] = (positions, tier[positions])
    return members
