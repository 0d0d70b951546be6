"""Which raw interactions are kept: each step says how many it dropped."""

from __future__ import annotations

import polars as pl


def drop_exact_repeats(table: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Keep the first of equal rows, and say how many were dropped.

    The same user, item and second twice is one event logged twice: kept, it would make leave-one-out ask for the item
    just seen. Buying an item again at another time is real, and stays.
    """
    kept = table.unique(subset=["user_id", "item_id", "timestamp"], keep="first", maintain_order=True)
    return kept, table.height - kept.height


def k_core(table: pl.DataFrame, least: int) -> tuple[pl.DataFrame, int]:
    """Keep users and items with `least` interactions or more, and say how many rows were dropped.

    Dropping an item shortens users and the other way round, so it is done until nothing changes: what is left is the
    largest part in which everybody and everything has `least` interactions.
    """
    kept, before = table, -1
    while kept.height != before:
        before = kept.height
        kept = kept.filter((pl.len().over("user_id") >= least) & (pl.len().over("item_id") >= least))
    return kept, table.height - kept.height
