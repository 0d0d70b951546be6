"""Why an item is in a list, as far as vectors can tell: which items of the history it is like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.bundle import ItemCatalog
from service.item_vectors import ItemVectors

MOST = 3
"""Reasons given per item."""


@dataclass(frozen=True)
class Reason:
    """An item of the history that a recommended one is like. Likeness, no cause: the model was not asked what it would
    have said without it."""

    item_id: str
    similarity: float
    """Cosine of the two items' vectors: above 0, at most 1."""
    share: float
    """Of the similarities to all distinct items of the history, as far as they are above 0."""


class Explanation:
    """Finds reasons by the student's item vectors."""

    def __init__(self, vectors: ItemVectors, catalog: ItemCatalog) -> None:
        self._vectors = vectors
        self._catalog = catalog

    def of(self, items: NDArray[np.int64], history: NDArray[np.int64]) -> tuple[tuple[Reason, ...], ...]:
        """For each of the items [K] its reasons in the history [H], largest first, of equal ones the newest.

        An item that is like nothing in the history has none.
        """
        newest_first = np.array(list(dict.fromkeys(history[::-1].tolist())), np.int64)  # [R] distinct
        shown, known = self._vectors.units(items - 1), self._vectors.units(newest_first - 1)  # [K, D], [R, D]
        similarity = np.maximum(np.vecdot(shown[:, np.newaxis], known), 0)  # [K, R]
        total = similarity.sum(axis=1, keepdims=True)  # [K, 1]
        share = np.divide(similarity, total, out=np.zeros_like(similarity), where=total > 0)  # [K, R]
        best = np.argsort(-similarity, axis=1, kind="stable")[:, :MOST]  # [K, <= MOST]
        names = [self._catalog.item_id(index) for index in newest_first.tolist()]
        rows = zip(best.tolist(), similarity.tolist(), share.tolist(), strict=True)
        return tuple(
            tuple(Reason(names[k], similar[k], shares[k]) for k in places if similar[k] > 0)
            for places, similar, shares in rows
        )
