"""Only sums leave the engine: on a million rows no answer is longer than groups times cells, or days."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from toolkit import activity, compare, funnel, read_events, repurchase, retention, split_product, what_changed
from toolkit.funnels.durations import POINTS

ROWS, DAYS, GROUPS = 1_000_000, 40, 3
STEPS = ["enter", "click", "pay"]
#: The longest answer of all: a curve's spans, converted or not, by group.
MOST = 2 * (POINTS + 2) * GROUPS


class Counting:
    """An engine that notes how many rows each answer had. Whole rows, in batches, it does not hand out."""

    def __init__(self, engine):
        self.engine, self.answers = engine, []

    def __getattr__(self, name):
        return getattr(self.engine, name)

    def _noted(self, answer):
        self.answers.append(len(answer))
        return answer

    def rows(self, sql):
        return self._noted(self.engine.rows(sql))

    def frame(self, sql):
        return self._noted(self.engine.frame(sql))

    def relation(self, sql):
        return Fetched(self.engine.relation(sql), self._noted)

    def batches(self, sql, rows=1 << 20, *, bar=True):
        raise AssertionError(f"rows left the engine: {sql}")


class Fetched:
    """A lazy answer that is noted when it is brought out."""

    def __init__(self, relation, noted):
        self.relation, self.noted = relation, noted

    def __getattr__(self, name):
        return getattr(self.relation, name)

    def df(self):
        return self.noted(self.relation.df())

    def fetchall(self):
        return self.noted(self.relation.fetchall())

    def to_arrow_table(self):
        return self.noted(self.relation.to_arrow_table())


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A million rows of a hundred thousand users."""
    rng = np.random.default_rng(5)
    second = np.sort(rng.integers(0, DAYS * 86_400, ROWS)) * 1_000_000 + 1_559_318_400_000_000
    columns = {
        "user_id": rng.integers(0, ROWS // 10, ROWS),
        "timestamp": pa.array(second, pa.timestamp("us", tz="UTC")),
        "event": pa.array(
            np.array([*STEPS, "leave", "look"])[rng.choice(5, ROWS, p=[0.12, 0.08, 0.06, 0.04, 0.7])]
        ),
        "platform": pa.array(np.array(["douyin", "taobao", "xiaohongshu"])[rng.integers(0, GROUPS, ROWS)]),
        "room": rng.integers(0, 20, ROWS),
        "tier": rng.integers(1, 5, ROWS),
        "amount": rng.random(ROWS),
        "row": np.arange(ROWS),
    }
    path = tmp_path_factory.mktemp("log") / "log.parquet"
    parquet.write_table(pa.table(columns), path)
    return read_events(path)


def asked(log, **options):
    return funnel(log, STEPS, within="2d", **options)


QUESTIONS = {
    "summary": lambda log: log.summary(duplicates=False),
    "events": lambda log: (log.events, log.facts),
    "funnel": lambda log: asked(log, by="platform").sentence(),
    "any order": lambda log: asked(log, mode="any").sentence(),
    "strict": lambda log: asked(log, mode="strict", by="platform").sentence(),
    "gaps": lambda log: asked(log, gaps={"pay": "1h"}, path="windows").sentence(),
    "retried orders": lambda log: asked(log, dedupe="row").sentence(),
    "exclusions": lambda log: asked(log, exclude="leave", by="platform").sentence(),
    "exclusions of pairs": lambda log: asked(log, exclude="leave", hold="room", count="pairs").sentence(),
    "exclusions of entries": lambda log: asked(log, exclude="leave", count="entries").sentence(),
    "complete windows": lambda log: asked(log, exclude="leave").complete.sentence(),
    "compared": lambda log: asked(log, by="platform", count="entries").compare().sentence(),
    "times": lambda log: asked(log, by="platform").times.sentence(),
    "times without a limit": lambda log: funnel(log, STEPS, within=None).times.sentence(),
    "times of entries": lambda log: asked(log, count="entries").times.sentence(),
    "times of pairs": lambda log: asked(log, hold="room", count="pairs", by="platform").times.sentence(),
    "users, not brought out": lambda log: asked(log).users().columns,
    "by day": lambda log: asked(log, by="platform", period="day").sentence(),
    "what changed": lambda log: what_changed(
        log, STEPS, at="2019-06-20", by="platform", within="1d"
    ).sentence(),
    "retention": lambda log: retention(log, by="platform").sentence(),
    "elapsed retention": lambda log: retention(log, clock="elapsed", kind="rolling", start="enter").table,
    "next day": lambda log: retention(log, period="day").d1.sentence(),
    "split of retention": lambda log: retention(log).split(
        before=("2019-06-03", "2019-06-17"), after=("2019-06-17", "2019-07-01")
    ),
    "repurchase": lambda log: repurchase(log, by="platform").compare_definitions().sentence(),
    "time to repurchase": lambda log: repurchase(log, by="platform").waits.sentence(),
    "active users": lambda log: activity(log, by="platform").sentence(),
    "opens": lambda log: activity(log).opens.sentence(),
    "time between visits": lambda log: activity(log).returns.sentence(),
    "growth": lambda log: activity(log).growth("day").sentence(),
    "tiers": lambda log: compare(asked(log, by=["platform", "tier"]), tier="tier", movers="first").sentence(),
    "steps": lambda log: split_product(asked(log, by="platform"), amount="amount").sentence(),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_answer_to_a_question_has_more_rows_than_groups_and_cells(log, question):
    engine = Counting(log.engine)
    QUESTIONS[question](replace(log, engine=engine))
    assert engine.answers
    assert max(engine.answers) <= MOST


def test_rows_that_are_asked_for_come_out():
    # The bound above would be worth nothing if the engine did not see what is brought out.
    log = read_events(pd.DataFrame({"user_id": [1, 2, 3], "timestamp": [1559318400] * 3, "event": STEPS}))
    engine = Counting(log.engine)
    asked(replace(log, engine=engine)).users().df()
    assert engine.answers[-1] == 3
