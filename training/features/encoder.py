"""What a text encoder and an image encoder are to the rest of training.

Both are frozen: the same content always means the same vector (up to float32 rounding).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from training.features.item_features import EncoderInfo


class TextEncoder(Protocol):
    """Texts in, vectors out."""

    @property
    def info(self) -> EncoderInfo:
        """Which one it is; known without loading any weights."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors [len(texts), F]."""
        ...


class ImageEncoder(Protocol):
    """Pictures in, vectors out."""

    @property
    def info(self) -> EncoderInfo:
        """Which one it is; known without loading any weights."""
        ...

    def encode(self, images: Sequence[Image]) -> NDArray[np.float32]:
        """The vectors [len(images), F] of RGB pictures of any size."""
        ...
