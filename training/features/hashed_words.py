"""An encoder without weights: signed feature hashing of words (Weinberger et al., ICML 2009, section 2).

It knows words and no meaning. It is for smoke runs and synthetic data, where a language model would add nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from training.features.item_features import EncoderInfo


@dataclass(frozen=True)
class HashedWords:
    """Each word adds +1 or -1 to one of `width` places; vectors have length 1."""

    width: int = 64

    @property
    def info(self) -> EncoderInfo:
        """The width is all there is to know."""
        name = f"hashed-words-{self.width}"
        return EncoderInfo(name=name, fingerprint=sha256(name.encode()).hexdigest(), width=self.width)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors [len(texts), F]; zeros where there is no word, or where words cancel each other out."""
        counts = np.zeros((len(texts), self.width), dtype=np.float32)  # [n, F]
        for row, text in enumerate(texts):
            for word in text.lower().split():
                hashed = crc32(word.strip(".,;:!?()").encode())
                counts[row, (hashed >> 1) % self.width] += 1 if hashed & 1 else -1
        lengths = np.linalg.norm(counts, axis=1, keepdims=True)  # [n, 1]
        unit: NDArray[np.float32] = counts / np.maximum(lengths, 1e-12)  # [n, F]
        return unit
