"""Lists that do not say the same thing n times."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.ranked import Ranked

LEAST = 100
MOST = 1000
PER_ITEM = 5
"""Chosen from so many times the list: fewer leave little choice, more let in what hardly suits the user."""


def pool_size(n: int) -> int:
    """How many of the best a list of n is chosen from: 5 n, but not fewer than 100, nor more than 1000 (or n)."""
    return max(n, min(max(PER_ITEM * n, LEAST), MOST))


def diversified(pool: Ranked, units: NDArray[np.float32], n: int, diversity: float) -> Ranked:
    """The first n that maximal marginal relevance chooses (Carbonell & Goldstein, SIGIR 1998), with their own scores.

    One after the other, that item of the pool is taken for which

        (1 - diversity) * relevance  -  diversity * (largest cosine to an item taken before)

    is largest. Relevance is the score, brought to 0 .. 1 over the pool. The first is always the best, and of equal ones
    the one that was ahead is taken: the same pool always gives the same list.

    Args:
        pool: K items to choose from, best first.
        units: [K, D] their vectors, of length 1 (or 0).
        n: how many to choose.
        diversity: 0 leaves the order as it is, 1 looks at nothing but the distance to what was taken.
    """
    relevance = _scaled(pool.scores)  # [K]
    nearest = np.full(relevance.size, -1.0)  # [K]
    taken: list[int] = []
    for _ in range(min(n, relevance.size)):
        value = (1 - diversity) * relevance - diversity * nearest  # [K]
        value[taken] = -np.inf
        best = int(np.argmax(value))
        taken.append(best)
        np.maximum(nearest, np.vecdot(units, units[best]), out=nearest)
    return Ranked(pool.items[taken], pool.scores[taken])


def _scaled(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Falling scores [K] as 1 .. 0; all 0 where they are equal."""
    if not scores.size:
        return np.zeros(0)
    above: NDArray[np.float64] = scores.astype(np.float64) - float(scores[-1])
    return above / above[0] if above[0] > 0 else above
