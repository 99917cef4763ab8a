"""Order lines as a log of purchases, where they tell who bought."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.inputs.exports.frames import Table
from toolkit.wording import some

if TYPE_CHECKING:
    from toolkit.cohorts import Repurchase


def repurchase_of(table: Table, **options: Any) -> Repurchase:
    """Who buys again, from paid order lines; a parent order of several lines is one purchase.

    Raises
    ------
    ValueError
        Where no column tells buyers apart; the message says why.
    """
    from toolkit.cohorts import repurchase
    from toolkit.logs.events import read_events

    frame = table.frame
    if "buyer_id" not in frame or frame["buyer_id"].isna().all():
        if "buyer_mark" in frame:
            header = table.definitions["buyer_mark"].source_header
            raise ValueError(
                f"repurchase needs to know who bought: {header} comes starred out, so that two buyers can share one "
                "mark and one buyer can have two; nothing about repeat buyers follows from it"
            )
        raise ValueError(
            "repurchase needs to know who bought, and this export has no column of buyers; it has "
            f"{some(list(frame.columns))}. Map one to buyer_id in a definition of your own"
        )
    if "paid_at" not in frame:
        raise ValueError("repurchase needs paid_at, the time of payment")
    paid = frame[frame["paid_at"].notna() & frame["buyer_id"].notna()]
    purchases = paid.drop_duplicates("order_id") if "order_id" in paid else paid
    log = read_events(purchases.assign(event="pay"), user="buyer_id", time="paid_at")
    return repurchase(log, **options)
