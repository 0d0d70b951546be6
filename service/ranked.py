"""Items in an order: what each stage of a recommendation hands to the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Ranked:
    """Items by their catalogue indices, best first."""

    items: NDArray[np.int64]
    """[K]"""
    scores: NDArray[np.floating]
    """[K]"""

    @classmethod
    def best_of(cls, items: NDArray[np.int64], scores: NDArray[np.float32], kept: int) -> Ranked:
        """The best `kept` of items [M] by scores [M]; of equal scores the one that stands first."""
        if kept < items.size:
            last = np.partition(scores, items.size - kept)[items.size - kept]  # the lowest score that is kept
            ahead = np.flatnonzero(scores > last)
            tied = np.flatnonzero(scores == last)[: kept - ahead.size]
            chosen = np.sort(np.concatenate([ahead, tied]))  # [kept]
            items, scores = items[chosen], scores[chosen]
        return cls(items, scores).by(scores)

    def by(self, scores: NDArray[np.float32]) -> Ranked:
        """Ranked anew by these scores [K]; of equal ones the one that was ahead stays ahead."""
        order = np.argsort(-scores, kind="stable")  # [K]
        return Ranked(self.items[order], scores[order])

    def first(self, n: int) -> Ranked:
        """The best n."""
        return Ranked(self.items[:n], self.scores[:n])
