"""Items that the student holds to be like another one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.filters import Filters
from service.item_vectors import ItemVectors
from service.ranked import Ranked


@dataclass(frozen=True)
class SimilarTo:
    """Which item, and what to compare it with."""

    item: int
    """Catalogue index."""
    n: int
    filters: Filters | None = None
    """None: the whole catalogue."""


class Neighbours:
    """The nearest items by the cosine of the student's item vectors.

    By the cosine and not by the dot product, as users are scored: long vectors are mostly those of popular items, which
    would come out as similar to everything. Exact: every allowed item is compared.
    """

    def __init__(self, vectors: ItemVectors) -> None:
        self._vectors = vectors

    def of(self, item: int, n: int, mask: NDArray[np.bool_] | None) -> Ranked:
        """The n nearest to an item, itself not among them; `mask` bool[N]: of which rows only. Score: the cosine, -1 to
        1; 0 for a vector without length."""
        rows = np.arange(len(self._vectors.table)) if mask is None else np.flatnonzero(mask)  # [M + 1 or M]
        rows = rows[rows != item - 1]  # [M]
        return Ranked.best_of(rows + 1, self._vectors.cosines(item - 1, rows), n)
