"""What a user has seen and may see again: the offset of the bundle, added before the best are chosen.

Retrieval answers for what was not seen. What was seen is left out there, as if it must not come back, scored by its own
dot products, moved, and put in its place among the others. So the list is the whole catalogue scored, moved and sorted,
whichever way the offset goes: below 0 nothing that was not seen has lost its place to what then sinks, above 0 what was
seen is lifted from wherever it stood.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.allowed import Allowed
from service.item_vectors import ItemVectors
from service.ranked import Ranked


class Repeats:
    """The offset of a bundle, and where it goes."""

    def __init__(self, vectors: ItemVectors, offset: float | None) -> None:
        """None, as 0: nothing is moved, and what was seen is like all else."""
        self._vectors = vectors
        self._offset = np.float32(offset or 0)

    def of(self, history: NDArray[np.int64], allowed: Allowed) -> NDArray[np.int64]:
        """The items [S] of a history [H] that may come back and are to be moved: each once, ascending."""
        if not self._offset:
            return history[:0]
        seen = np.unique(history)  # [<= H]
        return seen[allowed.first(seen, seen.size)]  # [S]

    def moved_among(self, best: Ranked, repeats: NDArray[np.int64], user: NDArray[np.float32]) -> Ranked:
        """The best of what was not seen, and the repeats [S], moved, for a user vector [D]; of equal scores the lower
        index comes first."""
        if not repeats.size:
            return best
        return _joined(best, Ranked(repeats, self._dots(user, repeats) + self._offset))

    def as_they_are_among(self, best: Ranked, repeats: NDArray[np.int64], user: NDArray[np.float32]) -> Ranked:
        """The same, not moved: candidates of a re-ranker, whose scores are what the offset belongs to."""
        if not repeats.size:
            return best
        return _joined(best, Ranked(repeats, self._dots(user, repeats)))

    def moved(
        self, scores: NDArray[np.float32], items: NDArray[np.int64], repeats: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Scores [K] of items [K], those of the repeats [S] moved."""
        moved = scores.copy()  # [K]
        moved[np.isin(items, repeats)] += self._offset
        return moved

    def _dots(self, user: NDArray[np.float32], items: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._vectors.dots(user, items - 1)


def _joined(best: Ranked, others: Ranked) -> Ranked:
    items = np.concatenate([best.items, others.items])  # [K + S]
    scores = np.concatenate([best.scores, others.scores])  # [K + S]
    order = np.lexsort((items, -scores))  # [K + S]
    return Ranked(items[order], scores[order])
