"""Texts with some words missing: the augmentation on the item side of UniSRec (KDD 2022, section 2.2.2)."""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np


def drop_words(text: str, share: float, seed: Sequence[int | str]) -> str:
    """The text without a random share of its words; at least one stays, and an empty text stays empty.

    Args:
        text: of one item.
        share: probability with which each word is dropped.
        seed: run and item: an item's drop does not depend on which others there are.
    """
    words = text.split()
    if not words:
        return ""
    digest = sha256("\n".join(map(str, seed)).encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8]))
    kept = rng.random(len(words)) >= share  # [words]
    kept[rng.integers(len(words))] |= not kept.any()
    return " ".join(word for word, keep in zip(words, kept, strict=True) if keep)
