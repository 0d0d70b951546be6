"""The best items of those that are allowed: exactly what a full sort without the others would give."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.allowed import Allowed
from service.item_vectors import ItemVectors
from service.lockstep import Fetch, Steps
from service.ranked import Ranked
from service.timings import Timings

FEW = 0.5
"""Below this share of the catalogue the allowed items are scored one by one, which is then quicker than retrieval: that
scores all, and most of what it finds would be dropped."""
SPARE = 2
"""How many times more items are asked of retrieval than would fill the list if what is allowed were spread evenly."""


class Candidates:
    """Retrieval, and the item vectors where retrieval would not fill the list.

    Exactness: with k known items to drop, the best n + k of the catalogue hold the best n of what is allowed, whatever
    the k are. Where filters allow only some of the catalogue, the best K of it hold the best n of what is allowed if at
    least n of the K are allowed; and where they do not, every allowed item is scored.
    """

    def __init__(self, vectors: ItemVectors) -> None:
        self._vectors = vectors
        self._size = len(vectors.table)

    def best(self, user: NDArray[np.float32], kept: int, allowed: Allowed, timings: Timings) -> Steps[Ranked]:
        """The best `kept` allowed items, or as many as are allowed, for a user vector [1, D]."""
        if allowed.mask is None:
            return (yield from self._retrieved(user, kept + allowed.drop.size, kept, allowed, timings))
        count = int(np.count_nonzero(allowed.mask))
        if count >= FEW * self._size:
            asked = SPARE * kept * self._size // count + allowed.drop.size
            best = yield from self._retrieved(user, asked, kept, allowed, timings)
            if best.items.size == min(kept, count):
                return best
        with timings.measure("retrieve"):
            rows = np.flatnonzero(allowed.mask)  # [M]
            return Ranked.best_of(rows + 1, self._vectors.dots(user[0], rows), kept)

    def _retrieved(
        self, user: NDArray[np.float32], asked: int, kept: int, allowed: Allowed, timings: Timings
    ) -> Steps[Ranked]:
        """The first `kept` allowed items among the best that are asked of retrieval."""
        scores, items = yield Fetch(user, min(asked, self._size))  # [K] each
        with timings.measure("rank"):
            places = allowed.first(items, kept)  # [<= kept]
            return Ranked(items[places], scores[places])
