"""Which items may come back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Allowed:
    """Not those of `drop`; and where there are filters, only those of `mask`."""

    drop: NDArray[np.int64]
    """[K] distinct catalogue indices, ascending"""
    mask: NDArray[np.bool_] | None = None
    """[N] by row, a catalogue index less one; None: no filter. What is dropped is not in it."""

    @classmethod
    def within(cls, mask: NDArray[np.bool_], drop: NDArray[np.int64]) -> Allowed:
        """The rows of a mask [N], which becomes this value's own, without what is dropped."""
        mask[drop - 1] = False
        return cls(drop, mask)

    def without(self, items: NDArray[np.int64]) -> Allowed:
        """The same less these items [M], which may be in it or not."""
        drop: NDArray[np.int64] = np.union1d(self.drop, items)
        return Allowed(drop) if self.mask is None else Allowed.within(self.mask.copy(), drop)

    def first(self, items: NDArray[np.int64], kept: int) -> NDArray[np.intp]:
        """The places [<= kept] of the first `kept` of the items that are allowed."""
        return np.flatnonzero(self._not_dropped(items) if self.mask is None else self.mask[items - 1])[:kept]

    def _not_dropped(self, items: NDArray[np.int64]) -> NDArray[np.bool_]:
        """`np.isin` turned round, several times as fast for the few items of a list."""
        if not self.drop.size:
            return np.ones(items.size, np.bool_)
        nearest: NDArray[np.int64] = self.drop.take(self.drop.searchsorted(items), mode="clip")  # [K]
        return np.not_equal(nearest, items)
