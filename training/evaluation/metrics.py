"""Metrics of a ranking with one right answer per user: arrays of ranks in, floats out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ranks = NDArray[np.float64]


def rank_of_target(scores: NDArray[np.float32], target: NDArray[np.int64]) -> Ranks:
    """The rank of each target among the scores of its row, best = 1; items that tie share the mean of their ranks.

    Args:
        scores: [E, N+1]; -inf where an item is no candidate.
        target: [E].

    Returns:
        float64[E]. A target whose score is NaN or -inf is no candidate: it gets rank infinity, never a hit.
    """
    own = scores[np.arange(target.size), target][:, None]  # [E, 1]
    better = (scores > own).sum(axis=1)  # [E]
    equal = (scores == own).sum(axis=1)  # [E], itself included
    ranks = better + (equal + 1) / 2  # [E]
    return np.where(np.isfinite(own[:, 0]), ranks, np.inf)


def recall(ranks: Ranks, k: int) -> float:
    """Share of users whose target is among the first k: with one target, recall@k is the hit rate."""
    return float(hits(ranks, k).mean())


def ndcg(ranks: Ranks, k: int) -> float:
    """Mean of 1 / log2(1 + rank) over users, 0 beyond k (one target, so the ideal DCG is 1)."""
    return float(gains(ranks, k).mean())


def mrr(ranks: Ranks) -> float:
    """Mean reciprocal rank."""
    return float((1 / ranks).mean())


def hits(ranks: Ranks, k: int) -> NDArray[Any]:
    """1.0 where the target is among the first k, else 0.0: float64[E]."""
    return (ranks <= k).astype(np.float64)


def gains(ranks: Ranks, k: int) -> Ranks:
    """What each user adds to NDCG@k: float64[E]."""
    return np.where(ranks <= k, 1 / np.log2(1 + ranks), 0.0)


def summary(ranks: Ranks) -> dict[str, float]:
    """Every metric of the tables."""
    return {
        "recall@10": recall(ranks, 10),
        "ndcg@10": ndcg(ranks, 10),
        "recall@50": recall(ranks, 50),
        "ndcg@50": ndcg(ranks, 50),
        "mrr": mrr(ranks),
        "users": float(ranks.size),
    }
