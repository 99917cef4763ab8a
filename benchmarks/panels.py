"""How long an update of each panel takes, and the figure of each result, beside a bare matplotlib figure.

    uv run python benchmarks/panels.py --turns 15 --write

prints one table per section, and with --write puts them under the prose of panels.md.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from itertools import cycle
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from toolkit import (
    Level,
    activity,
    funnel,
    interrupted_time_series,
    read_events,
    repurchase,
    retention,
    style,
)
from toolkit.panels import (
    ChangePanel,
    ExitPanel,
    InterruptionPanel,
    LiveSharePanel,
    MixPanel,
    OrderPanel,
    PromotionPanel,
    RatesPanel,
    ReturnsPanel,
    RulesPanel,
)
from toolkit.panels.faces import DOTS, HEIGHT, WIDTH
from toolkit.results import Result
from toolkit.scenarios import what_if, what_if_mix, who_returns
from toolkit.scenarios.economics import Power, order
from toolkit.scenarios.promotion import holdout, saturation
from toolkit.tiers import compare, split_product

REPORT = Path(__file__).with_suffix(".md")
DATA = Path(__file__).parents[1] / "datasets"
MARK = "<!-- below: written by benchmarks/panels.py -->"
STEPS = ["impression", "enter", "product_click", "pay"]
TIERS = ["platform", "city_tier"]


def milliseconds(task: Callable[[], object], turns: int) -> np.ndarray:
    """Milliseconds of the processor that a task takes, turn by turn; the first turn, which loads fonts, apart."""
    task()
    taken = []
    for _ in range(turns):
        began = time.process_time()
        task()
        taken.append(1000 * (time.process_time() - began))
    return np.array(taken)


def bare(dots: int) -> None:
    """A line in a figure of the same size, as matplotlib draws it in the toolkit's style."""
    with style.context():
        figure = Figure(figsize=(WIDTH, HEIGHT), dpi=dots)
        figure.subplots().plot([1, 2, 3], [1, 4, 9], "o-")
        FigureCanvasAgg(figure).print_png(io.BytesIO(), pil_kwargs={"compress_level": 1})


def picture(result: Result) -> None:
    """A result's figure as a notebook shows it."""
    with style.context():
        figure = Figure(figsize=(WIDTH, HEIGHT))
        result.plot(figure.subplots())
        FigureCanvasAgg(figure).print_png(io.BytesIO())


def panels() -> Iterator[tuple[str, Callable[[], object]]]:
    """Panels on the bundled data, each with a control that moves to and fro."""
    log = read_events(str(DATA / "log" / "*.parquet"))
    rates = RatesPanel(funnel(log, STEPS, within="1d", by="platform"))
    yield "RatesPanel", moved(rates.rates["enter"], (0.50, 0.51))
    mixes = MixPanel(compare(funnel(log, STEPS, within="1d", by=TIERS), to="kuaishou"))
    yield "MixPanel", moved(next(iter(mixes.mix.values())), (0.30, 0.31))
    interruption = InterruptionPanel(daily(), "2019-07-31")
    yield "InterruptionPanel", moved(interruption.date, (daily().index[160], daily().index[161]))
    returns = ReturnsPanel(read_events(str(DATA / "returns" / "log.parquet")))
    yield "ReturnsPanel", moved(returns.platform, ("douyin", "kuaishou"))
    bands = {"below 5k": 0, "5k to 50k": 5000, "50k and more": 50_000}
    rules = RulesPanel(pd.read_parquet(DATA / "creators" / "creators.parquet"), bands=bands)
    yield "RulesPanel", moved(rules.least["fans"], (3000, 5000))
    sales = pd.read_parquet(DATA / "creators" / "sales.parquet").query("platform == 'taobao_live'")
    exits = ExitPanel(sales.groupby("creator")["gmv"].sum())
    yield "ExitPanel", moved(exits.spillover, (0.3, 0.4))
    terms = {"platform_fee": 0.05, "commission": 0.2, "return_rate": 0.3, "shipping": 6, "return_shipping": 8}
    orders = OrderPanel(order(100, 45, **terms, salvage=0.9, slot_fee=2000, orders=200, ads=4))
    yield "OrderPanel", moved(orders.shares["return_rate"], (0.3, 0.2))
    lives = LiveSharePanel({"live": Power(3, 0.55), "notes": Power(1.4, 0.7)}, 1000, live_share=0.3)
    yield "LiveSharePanel", moved(lives.live_share, (0.3, 0.2))
    change = ChangePanel(log.index(keep=["platform"]), STEPS, within="1d", by="platform")
    yield "ChangePanel", moved(change.date, (change.date.options[13][1], change.date.options[14][1]))
    promotion = promoted()
    yield "PromotionPanel", moved(promotion.spend, (90, 99))


def promoted() -> PromotionPanel:
    """Of the simulated notes, as notebook 07 asks about them."""
    notes = pd.read_parquet(DATA / "creators" / "promotions.parquet")
    test = notes[notes["arm"].isin(["held", "promoted"])]
    split = {"held": 0.3, "promoted": 0.7}
    added = holdout(test, arm="arm", outcome="orders", held="held", planned=split)
    gained = test[test["arm"] == "promoted"].groupby("spend")["orders"].mean() - added.held.mean
    return PromotionPanel(saturation(gained.index, gained, randomised=True), added, margin=12)


def moved(control: object, values: tuple[object, object]) -> Callable[[], None]:
    between = cycle(values)

    def task() -> None:
        control.value = next(between)

    return task


def daily() -> pd.Series:
    """The simulated daily users of one platform, as notebook 04 asks about them."""
    frame = pd.read_parquet(DATA / "daily.parquet").query("platform == 'xiaohongshu'")
    return frame.set_index("date")["dau"].loc["2019-02-20":"2019-12-31"]


def results() -> Iterator[tuple[str, Result]]:
    """Results with a figure, on the bundled data."""
    log = read_events(str(DATA / "log" / "*.parquet"))
    steps = funnel(log, STEPS, within="1d", by="platform")
    gaps = compare(funnel(log, STEPS, within="1d", by=TIERS), to="kuaishou")
    returns = read_events(str(DATA / "returns" / "log.parquet"))
    fit = interrupted_time_series(daily(), {"removal": Level("2019-07-31")})
    yield "Funnel", steps
    yield "WhatIf", what_if(steps, {"enter": 0.5}, group="douyin")
    yield "Gaps", gaps
    yield "WhatIfMix", what_if_mix(gaps, platform="douyin", mix={"tier_1": 0.3})
    yield "ProductSplit", split_product(steps, to="kuaishou")
    yield "Retention", retention(returns, period="week")
    yield "Retention.curve", retention(returns, period="week").curve()
    yield "WhoReturns", who_returns(returns)
    yield "Repurchase", repurchase(returns, event="pay")
    yield "Activity", activity(returns)
    yield "InterruptedTimeSeries", fit
    yield "Effect", fit.effect()
    yield "Recovery", fit.recovery()
    yield "Diagnostics", fit.diagnostics


def table(head: str, lines: list[tuple[str, np.ndarray]], unit: np.ndarray) -> str:
    rows = [
        f"| {head} | ms, median | fastest | slowest | times a bare figure |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, taken in lines:
        ratio = np.median(taken) / np.median(unit)
        rows.append(
            f"| {name} | {np.median(taken):.0f} | {taken.min():.0f} | {taken.max():.0f} | {ratio:.1f} |"
        )
    return "\n".join(rows)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--turns", type=int, default=15)
    arguments.add_argument("--write", action="store_true")
    given = arguments.parse_args()
    # numba looks for the package coverage, and would find the benchmark of that name beside this one.
    sys.path = [place for place in sys.path if Path(place).resolve() != Path(__file__).parent]
    fine, usual = (milliseconds(lambda dots=dots: bare(dots), given.turns) for dots in (DOTS, 100))
    updates = [(name, milliseconds(task, given.turns)) for name, task in panels()]
    figures = [
        (name, milliseconds(lambda result=result: picture(result), given.turns)) for name, result in results()
    ]
    text = "\n\n".join(
        [
            f"{date.today()}: {given.turns} turns a row, milliseconds of the processor; "
            f"load average {os.getloadavg()[0]:.0f} on {os.cpu_count()} processors.",
            "## An update of a panel: the answer, its figure as a PNG and the line of Python",
            table("panel", [(f"a bare figure at {DOTS} dots an inch", fine), *updates], fine),
            "## The figure of a result, from the result to a PNG",
            table("result", [("a bare figure at 100 dots an inch", usual), *figures], usual),
        ]
    )
    print(text)
    if given.write:
        prose = REPORT.read_text(encoding="utf-8").split(MARK)[0]
        REPORT.write_text(f"{prose}{MARK}\n\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
