"""An image encoder without weights: average colours on a grid, and how much edge there is in each direction.

It sees colour and layout and no meaning: the counterpart of `hashed_words`, for smoke runs and synthetic data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image, Resampling

from training.features.item_features import EncoderInfo

_SIDE = 32
_EDGES = 4


@dataclass(frozen=True)
class MeanColours:
    """F = 3 · grid² colours and 4 edge statistics, all in [-1, 1], divided by √F: no vector is longer than 1."""

    grid: int = 4
    """Cells a side; 32 must be a multiple of it."""

    def __post_init__(self) -> None:
        if self.grid < 1 or _SIDE % self.grid:
            raise ValueError(f"grid: {_SIDE} pixels cannot be cut into {self.grid} equal cells")

    @property
    def info(self) -> EncoderInfo:
        """The grid is all there is to know."""
        name = f"mean-colours-{self.grid}"
        width = 3 * self.grid**2 + _EDGES
        return EncoderInfo(name=name, fingerprint=sha256(name.encode()).hexdigest(), width=width)

    def encode(self, images: Sequence[Image]) -> NDArray[np.float32]:
        """The vectors [len(images), F]."""
        rows = [self._vector(image) for image in images]
        return np.stack(rows) if rows else np.empty((0, self.info.width), dtype=np.float32)

    def _vector(self, image: Image) -> NDArray[np.float32]:
        small = image.resize((_SIDE, _SIDE), Resampling.BOX)
        pixels = np.asarray(small, dtype=np.float32) / 127.5 - 1  # [32, 32, 3]
        cell = _SIDE // self.grid
        colours = pixels.reshape(self.grid, cell, self.grid, cell, 3).mean(axis=(1, 3))  # [g, g, 3]
        both = np.concatenate([colours.ravel(), _edges(pixels.mean(axis=2))])  # [F]
        vector: NDArray[np.float32] = (both / np.sqrt(both.size)).astype(np.float32)  # [F]
        return vector


def _edges(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """[4] mean change across rows, across columns, and along the two diagonals; half of it, so at most 1."""
    changes = (
        np.diff(grey, axis=0),
        np.diff(grey, axis=1),
        grey[1:, 1:] - grey[:-1, :-1],
        grey[1:, :-1] - grey[:-1, 1:],
    )
    return np.array([np.abs(change).mean() / 2 for change in changes], dtype=np.float32)
