"""How often the intervals of `toolkit.scenarios` hold the truth, on simulated creators and tests whose truth is known.

    uv run python benchmarks/scenarios.py --seed 1 --replicates 400 --write

prints one table per section, and with --write puts them under the prose of scenarios.md. A section is a function that
yields cells; a cell says, for each interval, how often it held the truth and, in brackets, its median width. `--only
NAME` asks one section, and leaves the others on the page as they are.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import special
from tqdm.auto import tqdm

from toolkit.scenarios.creators import bands, inequality, jump, moves, shrink
from toolkit.scenarios.creators import tail_resampling as resampling
from toolkit.scenarios.economics import acquisition_cost
from toolkit.scenarios.promotion import holdout, saturation, sequences, without_holdout
from toolkit.scenarios.promotion.watching import EARLIEST

REPORT = Path(__file__).with_suffix(".md")
MARK = "<!-- below: written by benchmarks/scenarios.py -->"
#: Of every interval.
LEVEL = 0.95
#: What one replicate answers: by name, low, high and truth.
Drawn = dict[str, tuple[float, float, float]]
Cell = tuple[dict[str, Any], Callable[[np.random.Generator], Drawn], float]


def concentration_cells() -> Iterator[Cell]:
    """Gini, the share of the top tenth, and HHI for another draw of such creators."""
    families: dict[str, tuple[Callable[..., np.ndarray], float, float]] = {}
    for sigma in (1.0, 2.0):
        families[f"log-normal {sigma:g}"] = (
            lambda rng, size, s=sigma: rng.lognormal(0, s, size),
            inequality.lognormal_gini(sigma),
            inequality.lognormal_top(sigma, 0.1),
        )
    for a in (2.5, 1.5, 1.16):
        families[f"Pareto {a:g}"] = (
            lambda rng, size, a=a: (1 - rng.random(size)) ** (-1 / a),
            inequality.pareto_gini(a),
            inequality.pareto_top(a, 0.1),
        )
    measures = {
        "gini": inequality.gini_of_sorted,
        "hhi": inequality.hhi,
        "top": partial(inequality.top_of_sorted, who=0.1),
    }
    for name, (draw, gini, top) in families.items():
        for n in (30, 100, 300, 1000):
            expected = float(inequality.hhi(draw(np.random.default_rng(0), (20_000, n))).mean())

            def one(rng: np.random.Generator, draw=draw, n=n, gini=gini, top=top, expected=expected) -> Drawn:
                values = draw(rng, n)
                ends = resampling.intervals(values, measures, LEVEL, seed=int(rng.integers(2**31)))
                plain = np.quantile(
                    inequality.gini(values[rng.integers(0, n, (resampling.RESAMPLES, n))]), (0.025, 0.975)
                )
                return {
                    "Gini": (*ends["gini"], gini),
                    "top 10 %": (*ends["top"], top),
                    "HHI": (*ends["hhi"], expected),
                    "Gini, plain bootstrap": (*plain, gini),
                }

            yield {"data": name, "n": n}, one, 1.0 if n < 1000 else 0.5


def period_cells() -> Iterator[Cell]:
    """Gini, HHI and the share of the largest of the same creators in another period, from the sessions of one."""
    measures: dict[str, resampling.Measure] = {
        "gini": inequality.gini_of_sorted,
        "hhi": inequality.hhi,
        "top1": partial(inequality.top_of_sorted, who=1),
    }
    for n, sessions, cv in (
        (40, 3, 1.0),
        (40, 5, 1.0),
        (40, 20, 1.0),
        (100, 10, 0.5),
        (100, 30, 2.0),
        (400, 8, 1.5),
    ):

        def one(rng: np.random.Generator, n=n, sessions=sessions, cv=cv) -> Drawn:
            mean, shape = rng.lognormal(0, 1, n)[:, None], cv**-2
            now, later = (mean * rng.gamma(shape, 1 / shape, (n, sessions)) for _ in range(2))
            owner = np.repeat(np.arange(n), sessions)
            ends = resampling.of_sessions(now.ravel(), owner, measures, LEVEL, seed=int(rng.integers(2**31)))
            then = np.sort(later.sum(1))
            names = {"gini": "Gini", "hhi": "HHI", "top1": "the largest"}
            return {names[name]: (*ends[name], float(measure(then))) for name, measure in measures.items()}

        yield {"creators": n, "sessions each": sessions, "spread of a session, cv": cv}, one, 1.0


def jump_cells() -> Iterator[Cell]:
    """The robust interval of a jump on published designs, with rounded x, and with heavy errors."""
    lee = (
        (0.48, 1.27, 7.18, 20.21, 21.54, 7.33),
        (0.52, 0.84, -3.00, 7.99, -9.01, 3.56),
    )
    ludwig = ((3.71, 2.30, 3.28, 1.45, 0.23, 0.03), (0.26, 18.49, -54.81, 74.30, -45.02, 9.83))
    for name, (left, right), truth in (("Lee", lee, 0.04), ("Ludwig-Miller", ludwig, -3.45)):
        for n in (500, 2000):
            for errors in ("normal", "normal, x rounded to 1/50", "skewed"):

                def one(
                    rng: np.random.Generator, left=left, right=right, truth=truth, n=n, errors=errors
                ) -> Drawn:
                    x = 2 * rng.beta(2, 4, n) - 1
                    e = (
                        rng.normal(0, 0.1295, n)
                        if errors != "skewed"
                        else 0.1295 * (rng.exponential(1, n) - 1)
                    )
                    y = np.where(x < 0, np.polyval(left[::-1], x), np.polyval(right[::-1], x)) + e
                    if "rounded" in errors:
                        x = np.floor(x * 50) / 50
                    row = jump(pd.DataFrame({"x": x, "y": y}), x="x", y="y", cutoff=0).table.iloc[0]
                    return {"robust": (row["low"], row["high"], truth)}

                yield {"design": name, "n": n, "errors": errors}, one, 1.0


def holdout_cells() -> Iterator[Cell]:
    """What a promotion added: rates, skewed amounts, adjusted amounts, and the relative lift."""
    for n, base, lift in ((200, 0.1, 0.5), (2000, 0.02, 0.3), (2000, 0.1, 0.2), (20_000, 0.005, 0.5)):

        def rate(rng: np.random.Generator, n=n, base=base, lift=lift) -> Drawn:
            y = rng.binomial(n, (base * (1 + lift), base))
            frame = pd.DataFrame({"arm": ["t", "h"], "n": n, "y": y})
            found = holdout(frame, arm="arm", outcome="y", n="n", held="h").table.set_index("quantity")
            return {
                "incremental": (*found.loc["incremental", ["low", "high"]], base * lift),
                "relative": (*found.loc["relative", ["low", "high"]], lift),
            }

        yield {"outcome": f"rate {base:g}, lift {lift:g}", "n an arm": n}, rate, 1.0
    for n in (500, 5000):

        def spend(rng: np.random.Generator, n=n) -> Drawn:
            x = rng.normal(size=2 * n)
            arm = rng.permutation(np.repeat([0, 1], n))
            buys = rng.random(2 * n) < np.where(arm == 1, 0.06, 0.05)
            y = buys * np.exp(3 + 0.8 * rng.normal(size=2 * n) + 0.3 * x)
            mean = np.exp(3 + 0.32 + 0.045)
            frame = pd.DataFrame({"arm": np.where(arm == 1, "t", "h"), "y": y, "x": x})
            found = holdout(
                frame,
                arm="arm",
                outcome="y",
                held="h",
                covariates=["x"],
                measured={"x": "2020-01-01"},
                start="2020-01-01",
            ).table.set_index("quantity")
            truth = 0.01 * mean
            return {
                "incremental": (*found.loc["incremental", ["low", "high"]], truth),
                "adjusted": (*found.loc["adjusted", ["low", "high"]], truth),
                "relative": (*found.loc["relative", ["low", "high"]], 0.2),
            }

        yield {"outcome": "spend, 5 % buy, log-normal 0.8", "n an arm": n}, spend, 1.0


def without_cells() -> Iterator[Cell]:
    """Without a holdout, all that drives selection measured: each method's interval of the effect on the treated."""
    for n in (500, 3000):

        def one(rng: np.random.Generator, n=n) -> Drawn:
            x = rng.normal(size=(n, 2))
            treated = rng.random(n) < special.expit(-1 + 0.8 * x[:, 0] + 0.4 * x[:, 1])
            y = 1.0 * treated + x[:, 0] + 0.5 * x[:, 1] ** 2 + rng.normal(size=n)
            frame = pd.DataFrame({"t": treated.astype(int), "y": y, "a": x[:, 0], "b": x[:, 1]})
            found = without_holdout(frame, treated="t", outcome="y", covariates=["a", "b"]).table.set_index(
                "method"
            )
            return {name: (row["low"], row["high"], 1.0) for name, row in found.iterrows()}

        yield {"data": "two covariates drive choice and outcome, one of them squared", "n": n}, one, 1.0


def acquisition_cells() -> Iterator[Cell]:
    """The cost of a buyer by how many are expected at the last step."""
    for last in (28, 12, 6, 3, 2):

        def one(rng: np.random.Generator, last=last) -> Drawn:
            n, p = (5000, 800, 400), (0.062, 0.15, last / 400)
            x = rng.binomial(n, p)
            truth = 40 / 1000 / np.prod(p)
            if x[-1] == 0:
                return {"delta": (np.nan, np.nan, truth), "as given": (np.nan, np.nan, truth)}
            found = acquisition_cost(40, list(zip(n, x, strict=True)))
            row = found.table.iloc[0]
            return {"delta": (*found.delta(), truth), "as given": (row["low"], row["high"], truth)}

        yield {"expected at the last step": last}, one, 1.0


def bands_cells() -> Iterator[Cell]:
    """A log-normal seen through bands only."""
    edges = [0, 1000, 5000, 10_000, 50_000, 500_000, np.inf]
    for n in (200, 1000, 10_000):
        for mu, sigma in ((7.3, 1.9), (8.5, 1.2)):

            def one(rng: np.random.Generator, n=n, mu=mu, sigma=sigma) -> Drawn:
                counts = np.histogram(rng.lognormal(mu, sigma, n), edges)[0]
                found = bands(edges, counts)
                rows = found.table.set_index("parameter")
                supply = found.supply(20_000).iloc[0]
                held = found.share_above(50_000).iloc[0]
                above = special.ndtr(-(np.log(20_000) - mu) / sigma)
                return {
                    "mu": (*rows.loc["mu", ["low", "high"]], mu),
                    "sigma": (*rows.loc["sigma", ["low", "high"]], sigma),
                    "Gini": (found.gini["low"], found.gini["high"], inequality.lognormal_gini(sigma)),
                    "supply at 20,000": (supply["low"], supply["high"], n * above),
                    "share above 50,000": (
                        held["low"],
                        held["high"],
                        float(special.ndtr(sigma - (np.log(50_000) - mu) / sigma)),
                    ),
                }

            yield {"log-normal": f"mu {mu:g}, sigma {sigma:g}", "n": n}, one, 1.0


def moves_cells() -> Iterator[Cell]:
    """Months to the top band, and the chance to be there within a year."""
    from toolkit.scenarios.creators import chains

    matrix = np.array([[0.93, 0.07, 0.0], [0.05, 0.91, 0.04], [0.0, 0.0, 1.0]])
    for n in (300, 3000):

        def one(rng: np.random.Generator, n=n) -> Drawn:
            counts = np.array([rng.multinomial(n, row) for row in matrix])
            found = moves(counts)
            time, reach = found.time_to("2").table.iloc[0], found.reach("2", 12).table.iloc[0]
            return {
                "mean months": (time["low"], time["high"], float(chains.mean_time(matrix, [2])[0])),
                "within 12 months": (reach["low"], reach["high"], float(chains.reach(matrix, [2], 12)[0])),
            }

        yield {"data": "three bands", "moves a band": n}, one, 0.5


def skill_cells() -> Iterator[Cell]:
    """Each anchor's shrunk rate, and the spread of anchors net of traffic."""
    for anchors, visits in ((20, 100), (60, 300)):

        def one(rng: np.random.Generator, anchors=anchors, visits=visits) -> Drawn:
            p = rng.beta(6, 114, anchors)
            found = shrink(rng.binomial(visits, p), [visits] * anchors)
            row = found.table.iloc[0]
            return {"rate of one anchor": (row["low"], row["high"], p[0])}

        yield {"data": "rates beta, mean 5 %", "n": f"{anchors} anchors, {visits} visits"}, one, 1.0

    def spread(rng: np.random.Generator) -> Drawn:
        who = np.repeat(np.arange(40), 5)
        traffic = rng.normal(size=200)
        n = rng.integers(50, 400, 200)
        y = rng.binomial(n, special.expit(-3 + 0.5 * rng.normal(size=40)[who] + 0.4 * traffic))
        found = shrink(y, n, anchor=who, traffic=pd.DataFrame({"paid": traffic})).anchors
        assert found is not None
        return {"anchor SD": (found.low, found.high, 0.5)}

    yield {"data": "logit, anchor SD 0.5, traffic", "n": "40 anchors, 5 sessions"}, spread, 0.5


def saturation_cells() -> Iterator[Cell]:
    """Top and half of a saturating response, and a marginal inside the data."""
    for noise in (10.0, 25.0):

        def one(rng: np.random.Generator, noise=noise) -> Drawn:
            x = np.repeat([0.02, 0.06, 0.11, 0.22, 0.56, 1.1], 3)
            y = 212.7 * x / (0.0641 + x) + rng.normal(0, noise, len(x))
            found = saturation(x, y)
            if found.straight:
                return dict.fromkeys(("top", "half", "marginal at 0.2"), (np.nan, np.nan, 0.0))
            rows, marginal = found.table.set_index("parameter"), found.marginal(0.2)
            return {
                "top": (*rows.loc["top", ["low", "high"]], 212.7),
                "half": (*rows.loc["half", ["low", "high"]], 0.0641),
                "marginal at 0.2": (marginal["low"], marginal["high"], 212.7 * 0.0641 / (0.0641 + 0.2) ** 2),
            }

        yield {"data": "18 points, 6 spends", "noise": noise}, one, 1.0


SECTIONS: dict[str, Callable[[], Iterator[Cell]]] = {
    "concentration": concentration_cells,
    "another period": period_cells,
    "jump": jump_cells,
    "holdout": holdout_cells,
    "without a holdout": without_cells,
    "acquisition": acquisition_cells,
    "bands": bands_cells,
    "moves": moves_cells,
    "skill": skill_cells,
    "saturation": saturation_cells,
}


def watched(seed: int) -> pd.DataFrame:
    """How often a test without any effect is ever taken for one: 4,000 walks of 2,000 pairs, every pair looked at."""
    rng = np.random.default_rng((seed, zlib.crc32(b"watched")))
    walks, pairs = 4000, 2000
    q, t = sequences.narrowest(1000, 0.05), np.arange(1, pairs + 1)
    rows = []
    for name, draw in (
        ("normal", lambda size: rng.normal(size=size)),
        ("rate 10 %", lambda size: (rng.random(size) < 0.1).astype(float)),
        ("rate 2 %", lambda size: (rng.random(size) < 0.02).astype(float)),
        ("log-normal 1", lambda size: rng.lognormal(0, 1, size)),
        ("5 % buy, log-normal 1", lambda size: (rng.random(size) < 0.05) * rng.lognormal(0, 1, size)),
    ):
        ever = twenty = 0
        for _ in range(walks // 200):
            gaps = draw((200, pairs)) - draw((200, pairs))
            mean = np.cumsum(gaps, axis=1) / t
            spread = np.sqrt(np.maximum(np.cumsum(gaps**2, axis=1) / t - mean**2, 0))
            out = np.abs(mean) > sequences.asymptotic(t, spread, q, 0.05)
            ever += int(out[:, EARLIEST - 1 :].any(axis=1).sum())
            looks = np.arange(100, pairs + 1, 100) - 1
            fixed = np.abs(mean[:, looks]) > 1.96 * spread[:, looks] / np.sqrt(looks + 1)
            twenty += int(fixed.any(axis=1).sum())
        error = 100 * np.sqrt(ever / walks * (1 - ever / walks) / walks)
        rows.append((name, f"{100 * ever / walks:.2f} ± {error:.2f}", f"{100 * twenty / walks:.1f}"))
    return pd.DataFrame(
        rows, columns=["outcome", "watched: false alarms ever, %", "20 looks at a fixed interval, %"]
    )


def measured(name: str, seed: int, replicates: int) -> pd.DataFrame:
    """The table of one section."""
    rows = []
    for at, (label, draw, part) in enumerate(tqdm(list(SECTIONS[name]()), desc=name, leave=False)):
        rng = np.random.default_rng((seed, zlib.crc32(name.encode()), at))
        many = max(200, round(replicates * part))
        drawn, refused = [], 0
        while len(drawn) < many:
            try:
                drawn.append(draw(rng))
            except ValueError:  # too few on a side, no overlap: no interval is given, and none is counted
                refused += 1
        row = dict(label)
        for what in drawn[0]:
            low, high, truth = np.array([one[what] for one in drawn], float).T
            held = ((low <= truth) & (truth <= high)).mean()
            error = np.sqrt(held * (1 - held) / many)
            width = np.nanmedian(high - low)
            row[what] = f"{100 * held:.1f} ± {100 * error:.1f} ({width:.2g})"
        rows.append({**row, "refused": refused, "replicates": many})
    return pd.DataFrame(rows)


def markdown(table: pd.DataFrame) -> str:
    """A table as Markdown."""
    lines = [table.columns, ["---"] * len(table.columns), *table.astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def main() -> None:
    """Measure and print, or write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replicates", type=int, default=400)
    parser.add_argument("--only", choices=[*SECTIONS, "watched"])
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    found = {}
    for name in [asked.only] if asked.only else [*SECTIONS, "watched"]:
        table = watched(asked.seed) if name == "watched" else measured(name, asked.seed, asked.replicates)
        said = (watched if name == "watched" else SECTIONS[name]).__doc__
        title = name.capitalize()
        found[title] = (
            f"## {title}\n\n{said}\n\nSimulated, {date.today()}, seed {asked.seed}.\n\n{markdown(table)}"
        )
        print(found[title], flush=True)
    if asked.write:
        prose, _, below = REPORT.read_text(encoding="utf-8").partition(MARK)
        kept = {part.split("\n", 1)[0]: f"## {part.strip()}" for part in below.split("## ")[1:]} | found
        order = [name.capitalize() for name in [*SECTIONS, "watched"]]
        text = "\n\n".join(kept[name] for name in order if name in kept)
        REPORT.write_text(f"{prose}{MARK}\n\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
