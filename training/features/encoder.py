"""What a text encoder is to the rest of training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.features.item_features import EncoderInfo


class TextEncoder(Protocol):
    """Texts in, vectors out; frozen: the same text always means the same vector (up to float32 rounding)."""

    @property
    def info(self) -> EncoderInfo:
        """Which one it is; known without loading any weights."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors [len(texts), F]."""
        ...
