"""Simulated creators: who they are, how they rise and fall, what they sell, and the truth planted in it.

``python -m toolkit.sources.creators datasets/creators`` rebuilds the tables that come with the project.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import special

from toolkit.sources.definitions import read
from toolkit.sources.draws import Draws
from toolkit.sources.truth import as_json, fingerprint

SEED = 2019
MONTHS = [str(month) for month in pd.period_range("2018-07", "2020-06", freq="M")]
CATEGORIES = 8
Assumed = dict[str, dict[str, Any]]


def simulate_creators(folder: str | Path, *, seed: int = SEED) -> dict[str, Any]:
    """Creators, their months, thresholds, sessions, goods, promotions, orders, sales, traffic and a launch.

    Parameters
    ----------
    folder : path
        Where the tables and `truth.json` are written.
    seed : int
        The same seed gives the same rows.

    Returns
    -------
    dict
        The truth: what was planted, and the hash of each table's rows.

    Notes
    -----
    Each mechanism stands in a table of its own, so that none hides another. Every row is simulated.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    assumed = read("creating")
    hashes, rows = {}, {}
    for at, (name, make) in enumerate(TABLES.items()):
        table = make(Draws(seed, at + 1), assumed)
        path = folder / f"{name}.parquet"
        pq.write_table(_arrow(table), path, compression="zstd", compression_level=12)
        hashes[name], rows[name] = fingerprint(path), len(table)
    truth = {
        "note": "Simulated: what was planted in the tables beside this file. No platform's data.",
        "seed": int(seed),
        "rows": rows,
        "sha256": hashes,
        "planted": {
            name: {k: v for k, v in table.items() if k != "reason"} for name, table in assumed.items()
        },
    }
    (folder / "truth.json").write_text(as_json(truth), encoding="utf-8")
    return truth


def _arrow(frame: pd.DataFrame) -> pa.Table:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    kinds = [pa.string() if pa.types.is_large_string(field.type) else field.type for field in table.schema]
    return table.cast(pa.schema(zip(table.column_names, kinds, strict=True)))


def creators(dice: Draws, assumed: Assumed) -> pd.DataFrame:
    """Xiaohongshu in April 2019: exactly the published numbers qualify before and after the rule of May."""
    rule = assumed["rules"]
    size = 3 * rule["before"]
    fans = rule["median_fans"] * np.exp(rule["sigma"] * dice.normal(size))
    tail = fans >= rule["tail_from"]
    fans[tail] = rule["tail_from"] * dice.uniform(int(tail.sum())) ** (-1 / rule["tail_exponent"])
    fans = np.floor(fans).astype(int)
    exposure = np.floor(2.6 * fans**0.98 * np.exp(0.7 * dice.normal(size))).astype(int)
    passes = (fans >= 1000) & (exposure >= 1000)
    # The rest come up to where the last of the partners stands.
    keep = np.arange(size) <= np.flatnonzero(passes)[rule["before"] - 1]
    fans, exposure = fans[keep], exposure[keep]
    size = len(fans)
    could = np.flatnonzero((fans >= 5000) & (exposure >= 10_000))
    signed = np.zeros(size, bool)
    signed[could[dice.shuffled(len(could))[: rule["after"]]]] = True
    # Agencies sign some below the threshold too.
    signed |= dice.chance(0.05, size) & ((fans < 5000) | (exposure < 10_000))
    notes = dice.poisson(6.0, size) + 1
    often = dice.binomial(6 * notes, special.expit(1.4 * (np.log(exposure + 1) - np.log(6000))), size)
    reach = exposure * notes
    return pd.DataFrame(
        {
            "creator": np.arange(1, size + 1),
            "fans": fans,
            "mean_exposure": exposure,
            "mcn": signed.astype(int),
            "real_name": (signed | dice.chance(0.6, size)).astype(int),
            "notes_over_2000_reads": often,
            "violations": dice.chance(0.04, size).astype(int),
            "reach": reach,
            "gmv": np.floor(reach * 0.02 * np.exp(1.1 * dice.normal(size))).astype(int),
        }
    )


def months(dice: Draws, assumed: Assumed) -> pd.DataFrame:
    """Two years of 3,000 creators: bands, exposure by quality and joining, posts, fee income; until they leave."""
    ladder, late, activity, churn = (assumed[name] for name in ("ladder", "late", "activity", "churn"))
    size, bands = 3000, ladder["bands"]
    joined = np.where(dice.chance(0.4, size), 0, 1 + dice.below(len(MONTHS) - 1, size))
    quality = np.exp(0.35 * dice.normal(size))
    band = dice.pick(ladder["start"], size)
    gone = np.zeros(size, bool)
    frames = []
    for at, month in enumerate(MONTHS):
        here = np.flatnonzero((joined <= at) & ~gone)
        small = band[here] <= 1
        mean = activity["posts"] * np.where(small & (month >= activity["from"]), 1 - activity["cut"], 1.0)
        lag = np.where(np.array(MONTHS)[joined[here]] >= late["since"], late["factor"], 1.0)
        exposure = 900 * quality[here] ** late["elasticity"] * lag * np.exp(0.5 * dice.normal(len(here)))
        income = np.where(small, 150, 1400) * np.exp(0.6 * dice.normal(len(here)))
        frames.append(
            pd.DataFrame(
                {
                    "creator": here + 1,
                    "month": month,
                    "joined": np.array(MONTHS)[joined[here]],
                    "band": np.array(bands)[band[here]],
                    "quality": quality[here].round(3),
                    "exposure": exposure.astype(int),
                    "posts": dice.poisson(mean, len(here)),
                    "fee_income": income.astype(int),
                }
            )
        )
        hazard = np.array(churn["hazard"])[band[here]] * np.where(
            income > churn["income"], churn["factor"], 1.0
        )
        gone[here] |= dice.chance(hazard, len(here))
        moves = np.array(ladder["moves"])
        if month >= ladder["plan_from"]:
            rise = np.triu(moves, 1) * (ladder["plan_factor"] - 1)
            moves = moves + rise - np.diag(rise.sum(1))
        steps = np.cumsum(moves, axis=1)
        band[here] = (dice.uniform(len(here))[:, None] > steps[band[here]]).sum(1)
    return pd.concat(frames, ignore_index=True)


def thresholds(dice: Draws, assumed: Assumed) -> pd.DataFrame:
    """Fans and fee income around 5,000, in April and in June 2019."""
    rule = assumed["threshold"]
    frames = []
    for month in ("2019-04", "2019-06"):
        size = 12_000
        fans = np.floor(5000 * np.exp(0.5 * dice.normal(size)))
        if month == "2019-06":
            near = np.flatnonzero((fans >= rule["cutoff"] - rule["within"]) & (fans < rule["cutoff"]))
            inside = int(((fans >= rule["cutoff"]) & (fans < rule["cutoff"] + rule["within"])).sum())
            # Those just below who see to it: the excess is a share of those who would stand just above.
            moved = near[dice.shuffled(len(near))[: round(rule["excess"] * inside)]]
            fans[moved] = rule["cutoff"] + dice.below(rule["within"], len(moved))
        above = (fans >= rule["cutoff"]) & (month == "2019-06")
        income = 200 + rule["slope"] * fans + rule["jump"] * above + rule["sd"] * dice.normal(size)
        frames.append(pd.DataFrame({"month": month, "fans": fans.astype(int), "fee_income": income.round(0)}))
    return pd.concat(frames, ignore_index=True)


def sessions(dice: Draws, assumed: Assumed) -> pd.DataFrame:
    """Live sessions of 300 creators with a note score: viewers and buyers, fans and others; some stop."""
    live = assumed["live"]
    size, most = 300, 8
    note, own = dice.normal(size), dice.normal(size)
    # Two scores of skill correlate as planted; each is seen with noise.
    skill = live["correlation"] * note + np.sqrt(1 - live["correlation"] ** 2) * own
    noise = np.sqrt(1 / live["reliability"] - 1)
    score = note + noise * dice.normal(size)
    stays = dice.chance(live["stay"], size)
    frames = []
    for session in range(most):
        here = np.flatnonzero(stays | (session < 1))
        size_here = len(here)
        viewers = np.exp(6.5 + 0.8 * dice.normal(size_here)).astype(int) + 50
        paid = dice.uniform(size_here).round(3)
        fans = dice.binomial(viewers, 0.15 + 0.3 * dice.uniform(size_here), size_here)
        odds = special.logit(live["base_rate"]) + live["anchor_sd"] * skill[here] - 0.8 * paid
        buyers = [
            dice.binomial(n, special.expit(odds + np.log(times)), size_here)
            for n, times in ((fans, live["fans_times"]), (viewers - fans, 1.0))
        ]
        frames.append(
            pd.DataFrame(
                {
                    "creator": here + 1,
                    "session": session + 1,
                    "note_score": score[here].round(3),
                    "viewers": viewers,
                    "fans": fans,
                    "share_paid": paid,
                    "fan_buyers": buyers[0],
                    "other_buyers": buyers[1],
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def goods(dice: Draws, assumed: Assumed) -> pd.DataFrame:
    """What 250 creators sell of four categories each: fit to their label, visits and buyers."""
    fit = assumed["fit"]
    size = 250
    label = -(np.log(dice.uniform(size * CATEGORIES)).reshape(size, CATEGORIES) ** 2)
    label = label / label.sum(1, keepdims=True)
    own = fit["spread"] * dice.normal(size)
    frames = []
    for _ in range(4):
        category = dice.below(CATEGORIES, size)
        share = label[np.arange(size), category]
        cosine = share / np.sqrt((label**2).sum(1))
        off = (share < 1 / CATEGORIES).astype(int)
        visits = np.exp(6.5 + 0.5 * dice.normal(size)).astype(int)
        rate = special.expit(-3.2 + fit["cosine"] * cosine + fit["off_label"] * off + own - 0.1 * category)
        buyers = dice.binomial(visits, rate, size)
        columns = {
            "creator": np.arange(size) + 1,
            "category": category,
            "fit": cosine.round(4),
            "off_label": off,
        }
        frames.append(pd.DataFrame({**columns, "visits": visits, "buyers": buyers}))
    return pd.concat(frames, ignore_index=True)


def promotions(dice: Draws, assumed: Assumed) -> pd.DataFrame:
    """Notes, some promoted: half of them with a random holdout, the other half as their owners chose."""
    plan, target = assumed["promotion"], assumed["targeting"]
    size = 12_000
    quality = dice.normal(size)
    test = dice.chance(0.5, size)
    chosen = dice.chance(special.expit(0.9 * quality - 0.4), size)
    arm = np.where(
        test, np.where(dice.chance(plan["held"], size), "held", "promoted"), np.where(chosen, "chose", "not")
    )
    treated = np.isin(arm, ("promoted", "chose"))
    # Orders that a promoted note gains: iroi x cost / margin in the mean, along a saturating curve of spend.
    levels = np.array([20.0, 50.0, 100.0, 150.0, 180.0])
    level = levels[dice.below(len(levels), size)]
    gain = plan["iroi"] * plan["cost"] / plan["margin"]
    shape = levels / (plan["half"] + levels)
    lift = np.where(treated, gain * level / (plan["half"] + level) / shape.mean(), 0.0)
    base = (plan["reported"] - plan["iroi"]) * plan["cost"] / plan["margin"]
    organic = base * np.exp(0.5 * quality - 0.125)
    before = dice.poisson(organic, size)
    after = dice.poisson(organic + lift, size)
    matched = dice.below(2, size)
    shown = 2000 + dice.below(2000, size)
    clicks = dice.binomial(shown, target["random"] * np.where(matched == 1, target["times"], 1.0), size)
    return pd.DataFrame(
        {
            "note": np.arange(size) + 1,
            "arm": arm,
            "spend": np.where(treated, level, 0.0),
            "orders_before": before,
            "orders": after,
            "quality_shown": (quality + 0.5 * dice.normal(size)).round(3),
            "matched": matched,
            "shown": shown,
            "converted": clicks,
        }
    )


def orders(dice: Draws, assumed: Assumed) -> pd.DataFrame:
    """Orders of a self-operated seller and of marketplace sellers, with what each costs."""
    plan = assumed["order"]
    frames = []
    for seller, mean, fee, commission, cost in (
        ("self_operated", plan["self_operated"], 0.0, 0.0, 62.0),
        ("marketplace", plan["marketplace"], 0.05, 0.2, 34.0),
    ):
        size = 6000
        price = np.round(100 * np.exp(0.3 * dice.normal(size) - 0.045), 2)
        returned = dice.chance(0.3, size)
        kept = np.where(returned, 0.0, price)
        shipping = 6.0 + 8.0 * returned
        goods_cost = np.where(returned, 0.1, 1.0) * cost * price / 100
        known = kept * (1 - fee - commission) - goods_cost - shipping
        expected = 70 * (1 - fee - commission) - cost * 0.73 - 8.4
        # What is left to reach the planted mean is subsidy and advertising, an order.
        other = np.round(expected - mean + 2 * dice.normal(size), 2)
        frames.append(
            pd.DataFrame(
                {
                    "seller": seller,
                    "price": price,
                    "returned": returned.astype(int),
                    "goods": np.round(goods_cost, 2),
                    "shipping": shipping,
                    "fees": np.round(kept * (fee + commission), 2),
                    "subsidy_and_ads": other,
                    "contribution": np.round(known - other, 2),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def sales(dice: Draws, assumed: Assumed) -> pd.DataFrame:
    """Monthly sales of 400 creators on each platform; on Taobao Live one of two head creators leaves."""
    head = assumed["head"]
    frames = []
    for platform, shape in (("xiaohongshu", 1.1), ("taobao_live", 1.3), ("douyin", 1.4), ("kuaishou", 1.25)):
        size = 400
        mean = np.exp(shape * dice.normal(size))
        if platform == "taobao_live":
            rest = mean[2:].sum()
            both = head["share"] / (1 - head["share"]) * rest
            mean[:2] = 0.55 * both, 0.45 * both
        mean = 1e6 * mean / mean.sum() * (2.0 if platform == "taobao_live" else 1.0)
        for month in range(1, 25):
            now = mean.copy()
            if platform == "taobao_live" and month >= head["leaves"]:
                others = mean.sum() - mean[1]
                now = mean * (1 - head["drainage"] + head["spillover"] * mean[1] / others)
                now[1] = 0
            values = np.floor(now * np.exp(0.12 * dice.normal(size) - 0.0072)).astype(int)
            columns = {"platform": platform, "creator": np.arange(size) + 1, "month": month, "gmv": values}
            frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def products(dice: Draws, assumed: Assumed) -> pd.DataFrame:
    """Sales of products by platform; the rarer ones are listed by Xiaohongshu alone."""
    tail = assumed["tail"]
    frames = []
    for platform in ("xiaohongshu", "taobao_live", "douyin", "kuaishou"):
        many = tail["products"] if platform == "xiaohongshu" else tail["niche_from"]
        rank = np.arange(1, many + 1)
        mean = 60_000 * rank ** -float(tail["zipf"])
        columns = {"platform": platform, "product": rank, "orders": dice.poisson(mean, many)}
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def traffic(dice: Draws, assumed: Assumed) -> pd.DataFrame:
    """Days with different shares of traffic to live, and the orders of both carriers."""
    plan = assumed["traffic"]
    size = 400
    total = np.round(1000 * np.exp(0.4 * dice.normal(size)))
    share = 0.1 + 0.5 * dice.uniform(size)
    live = np.round(total * share)
    notes = np.round(total - (1 + plan["cannibalisation"]) * live)
    noise = [np.exp(plan["noise"] * dice.normal(size) - plan["noise"] ** 2 / 2) for _ in range(2)]
    return pd.DataFrame(
        {
            "day": np.arange(size) + 1,
            "traffic": total,
            "live_traffic": live,
            "note_traffic": notes,
            "live_orders": np.round(plan["live_scale"] * live ** plan["live"] * noise[0], 2),
            "note_orders": np.round(plan["notes_scale"] * notes ** plan["notes"] * noise[1], 2),
        }
    )


def launch(dice: Draws, assumed: Assumed) -> pd.DataFrame:
    """Exposure of 2,000 creators before and after live opens, by band; some go live and gain."""
    plan, size, frames = assumed["launch"], 2000, []
    names, goes, gain = (np.array(plan[name]) for name in ("bands", "goes_live", "gain"))
    band = dice.below(len(names), size)
    live = dice.uniform(size) < goes[band]
    usual = np.array(plan["exposure"], float)[band] * np.exp(0.5 * dice.normal(size))
    for month in (*plan["before"], *plan["after"]):
        opened = month in plan["after"]
        grown = (1 + plan["growth"] * opened) * np.where(live & opened, 1 + gain[band], 1.0)
        exposure = np.round(usual * grown * np.exp(0.25 * dice.normal(size)))
        columns = {
            "creator": np.arange(size) + 1,
            "month": month,
            "band": names[band],
            "live": live.astype(int),
        }
        frames.append(pd.DataFrame({**columns, "exposure": exposure.astype(int)}))
    return pd.concat(frames, ignore_index=True)


TABLES: dict[str, Callable[[Draws, Assumed], pd.DataFrame]] = {
    "creators": creators,
    "months": months,
    "thresholds": thresholds,
    "sessions": sessions,
    "goods": goods,
    "promotions": promotions,
    "orders": orders,
    "sales": sales,
    "products": products,
    "traffic": traffic,
    "launch": launch,
}

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m toolkit.sources.creators FOLDER")
    print(f"{sum(simulate_creators(sys.argv[1])['rows'].values()):,} simulated rows in {sys.argv[1]}")
