"""Loss that is only order: units that did every step in one window, though not one after the other."""

from __future__ import annotations

import numpy as np
import pandas as pd

from toolkit.funnels.question import Question
from toolkit.funnels.sql import base, entered, held
from toolkit.funnels.step_counts import StepCounts


def refusal(question: Question) -> str | None:
    """Why it cannot be said how much of a question's loss is only order, or None."""
    if question.mode != "ordered":
        return f"mode={question.mode!r} does not ask for an order of steps alone"
    if question.gaps or question.exclude:
        return "with gaps= or exclude= a step can be lost in order too"
    if question.count == "entries":
        return "an entry has no rows before it; count users or pairs"
    if not question.disjoint:
        return "a row that matches two steps has no order of them"
    if isinstance(question.attribution, int) and question.by:
        return "an attribution to a step leaves out who did not reach it"
    return None


def out_of_order(counts: StepCounts, question: Question) -> pd.DataFrame:
    """By step, who was lost up to it, and who of these did all steps up to it in another order.

    See `Funnel.out_of_order`.
    """
    refused = refusal(question)
    if refused:
        raise ValueError(f"how much of the loss is only order is not known here: {refused}")
    done = question.log.engine.rows(_any_order_up_to(question))[0]
    reached = counts.reached.sum(axis=0)
    found = pd.DataFrame({"step": counts.steps[1:], "lost": reached[0] - reached[1:]})
    # Whoever did the steps in order did them in any order too.
    found["out_of_order"] = np.array([n or 0 for n in done[1:]], np.int64) - reached[1:]
    return found


def _any_order_up_to(question: Question) -> str:
    """SQL of how many units did the first 1, 2, .. steps inside one window, whatever their order."""
    k, unit = question.size, ", ".join(["u", *held(question)])
    over = f"OVER (PARTITION BY {unit} ORDER BY t RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
    hits = [entered(question), *(f"(m & {1 << j}) <> 0" for j in range(1, k))]
    lasts = ", ".join(f"max(CASE WHEN {hit} THEN t END) {over} AS l{j}" for j, hit in enumerate(hits))
    near = "l{} IS NOT NULL" if question.within is None else f"t - l{{}} <= {question.within}"
    done = [" AND ".join(near.format(i) for i in range(j + 1)) for j in range(k)]
    each = ", ".join(f"max(CASE WHEN {all_} THEN 1 ELSE 0 END) AS d{j}" for j, all_ in enumerate(done))
    counted = unit if question.count == "pairs" else "u"
    rows = f"SELECT *, {lasts} FROM ({base(question, arrival=False)})"
    sums = ", ".join(f"sum(d{j})" for j in range(k))
    return f"SELECT {sums} FROM (SELECT {each} FROM ({rows}) GROUP BY {counted})"
