"""What is said of each item besides its id, as numbers: the item-side fields of FM and DeepFM."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import unescape

import numpy as np
from numpy.typing import NDArray

from service.bundle import PAD
from training.arrays import read_only
from training.dataset import Contents
from training.items import Item

UNKNOWN = 0
"""The value of a field of which nothing is said, and of PAD."""


@dataclass(frozen=True, eq=False)
class ItemFields:
    """One value per item and field; equal words have equal numbers, whatever their case and white space.

    Raises:
        ValueError: fields of different lengths, a negative value, or a value at PAD; the message names the field.
    """

    brand: NDArray[np.int64]
    """[N + 1] 1..brands; UNKNOWN where there is none, and for PAD"""
    category: NDArray[np.int64]
    """[N + 1] 1..categories, the narrowest of the item; UNKNOWN where there is none, and for PAD"""

    def __post_init__(self) -> None:
        for name in ("brand", "category"):
            values = read_only(getattr(self, name), np.int64)  # [N + 1]
            object.__setattr__(self, name, values)
            if values.ndim != 1 or not values.size or values[PAD] != UNKNOWN or int(values.min()) < UNKNOWN:
                raise ValueError(f"{name}: not one value of 0 or more per item, {UNKNOWN} for PAD")
        if self.brand.shape != self.category.shape:
            raise ValueError(f"brand {self.brand.shape}, category {self.category.shape}: of different catalogues")

    @property
    def items(self) -> int:
        """N."""
        return self.brand.size - 1

    @property
    def brands(self) -> int:
        """How many are known: an embedding table has one row more."""
        return int(self.brand.max())

    @property
    def categories(self) -> int:
        """How many are known: an embedding table has one row more."""
        return int(self.category.max())


def item_fields(dataset: Contents) -> ItemFields:
    """The fields of a data set's items, numbered by the order of their words: the same on every machine."""
    return ItemFields(
        brand=_numbered(_plain(item.brand) for item in dataset.items),
        category=_numbered(_narrowest(item) for item in dataset.items),
    )


def _narrowest(item: Item) -> str:
    """Categories go from the widest to the narrowest: the last that says anything."""
    said = [plain for plain in map(_plain, item.categories) if plain]
    return said[-1] if said else ""


def _numbered(values: Iterable[str]) -> NDArray[np.int64]:
    """[N + 1]; the empty word is UNKNOWN."""
    words = list(values)
    number = {word: index for index, word in enumerate(sorted({*words} - {""}), start=1)} | {"": UNKNOWN}
    return np.array([UNKNOWN, *(number[word] for word in words)], dtype=np.int64)  # [N + 1]


def _plain(text: str) -> str:
    """HTML entities resolved (shop data is full of them), white space made single, case folded."""
    return " ".join(unescape(text).casefold().split())
