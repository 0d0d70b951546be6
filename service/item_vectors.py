"""The student's item vectors, for what the retrieval graph does not answer: scores of some items only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.bundle import ModelBundle
from service.bundle.files import ITEM_VECTORS

BLOCK = 4096
"""Rows gathered at once: they stay in the cache until they are multiplied, and a large catalogue is never copied."""
MANY = 1 / 3
"""Above this share of the table all of it is multiplied, which is then quicker than to gather what is asked for."""


class ItemVectors:
    """`item_vectors.bin`, float32[N, D], mapped: the pages that the retrieval graph maps too, shared by all workers.

    A row is a catalogue index less one. Products are taken row by row, so that an item's does not depend on which
    others are asked for; and on one thread, because a matrix product would wake all cores of the machine in every
    worker.
    """

    def __init__(self, bundle: ModelBundle) -> None:
        """Map the file, whose size the bundle has proven."""
        shape = (len(bundle.catalog), bundle.manifest.encoder.width)
        mapped = np.memmap(bundle.folder / ITEM_VECTORS, dtype="<f4", mode="r", shape=shape)
        self.table: NDArray[np.float32] = np.asarray(mapped)
        """[N, D]"""
        length = np.sqrt(np.vecdot(self.table, self.table))  # [N]
        self._shrink = (1 / np.where(length > 0, length, 1)).astype(np.float32)  # [N] brings vectors to length 1

    def dots(self, vector: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The dot products [M] of a vector [D] with these rows [M]."""
        if rows.size > MANY * len(self.table):
            everyone: NDArray[np.float32] = np.vecdot(self.table, vector)  # [N]
            return everyone[rows]
        products = np.empty(rows.size, np.float32)  # [M]
        for start in range(0, rows.size, BLOCK):
            block = slice(start, start + BLOCK)
            np.vecdot(self.table.take(rows[block], axis=0), vector, out=products[block])
        return products

    def cosines(self, row: int, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The cosines [M] between the vector of a row and those of these rows [M]; 0 where a vector has no length."""
        cosines: NDArray[np.float32] = self.dots(self.table[row], rows) * (self._shrink[row] * self._shrink[rows])
        return cosines

    def units(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors [M, D] of these rows [M], brought to length 1; one without length stays 0."""
        units: NDArray[np.float32] = self.table.take(rows, axis=0) * self._shrink[rows, np.newaxis]
        return units
