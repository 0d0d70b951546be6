"""Items as sentences of keys and values, and histories as sequences of them (Recformer, KDD 2023, section 3.1.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from html import unescape
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from service.bundle import PAD
from training.arrays import read_only
from training.items import Item
from training.teachers.recformer.config import Attribute, RecformerConfig
from training.teachers.recformer.vocabulary import Vocabulary


class TokenType(IntEnum):
    """What a token stands for."""

    FIRST = 0
    KEY = 1
    VALUE = 2
    PAD = 3


@dataclass(frozen=True, eq=False)
class TokenBatch:
    """B sequences of T tokens; `<s>` first, padded on the right, so T is at most `max_tokens`."""

    token: Tensor
    """int64[B, T]"""
    kind: Tensor
    """int64[B, T] TokenType"""
    item: Tensor
    """int64[B, T] item position: 0 for `<s>` and padding, 1 for the newest item, 2 for the one before .."""

    @property
    def present(self) -> Tensor:
        """bool[B, T]."""
        return self.kind != TokenType.PAD

    def rows(self, chosen: Tensor) -> TokenBatch:
        """Some of the sequences, int64[Q]; columns that are all padding now are cut off."""
        longest = int(self.present[chosen].sum(dim=1).max())
        return TokenBatch(*(part[chosen, :longest] for part in (self.token, self.kind, self.item)))

    def to(self, device: torch.device) -> TokenBatch:
        """The same batch on another device."""
        return TokenBatch(self.token.to(device), self.kind.to(device), self.item.to(device))


@dataclass(frozen=True, eq=False)
class ItemSentences:
    """Every item's sentence, one after the other; row 0 (PAD) has none.

    An item of which nothing is said reads as one mask token: a word that is not known. It is counted in `unknown`.
    """

    token: NDArray[np.int32]
    """[T] all tokens"""
    kind: NDArray[np.int8]
    """[T] TokenType of each"""
    offsets: NDArray[np.int64]
    """[N + 2] the sentence of item i is `token[offsets[i] : offsets[i + 1]]`"""
    unknown: NDArray[np.bool_]
    """[N + 1] items without any text"""
    first: int
    pad: int

    def __post_init__(self) -> None:
        for name, dtype in (("token", np.int32), ("kind", np.int8), ("offsets", np.int64), ("unknown", np.bool_)):
            object.__setattr__(self, name, read_only(getattr(self, name), dtype))

    @classmethod
    def of(cls, items: Sequence[Item], words: Vocabulary, config: RecformerConfig) -> Self:
        """Tokenise a catalogue, once.

        Args:
            items: [N] in catalogue order.
            words: the vocabulary.
            config: which attributes, and where they are cut.
        """
        sentences = _sentences(items, words, config)
        unknown = np.array([False, *(not one for one in sentences)])  # [N + 1]
        filled = [one or [(words.mask, TokenType.VALUE)] for one in sentences]
        length = np.array([0, *map(len, filled)])  # [N + 1]
        flat = np.array([pair for one in filled for pair in one], dtype=np.int64).reshape(-1, 2)  # [T, 2]
        offsets = np.concatenate([[0], np.cumsum(length)])  # [N + 2]
        token, kind = flat[:, 0].astype(np.int32), flat[:, 1].astype(np.int8)  # [T] each
        return cls(token, kind, offsets, unknown, words.first, words.pad)

    @cached_property
    def length(self) -> NDArray[np.int64]:
        """[N + 1] tokens of each sentence; 0 for PAD."""
        return np.diff(self.offsets)

    def sequences(self, history: NDArray[np.int64], max_items: int, max_tokens: int) -> TokenBatch:
        """`<s>` and the items, newest first.

        Args:
            history: [B, L] left-padded item indices, newest right.
            max_items: older items than these are not read.
            max_tokens: the sequence is cut here; the last item that is read may lose its end.
        """
        newest = history[:, ::-1]  # [B, L]
        position = np.cumsum(newest != PAD, axis=1)  # [B, L] 1 for the newest
        length = np.where((newest != PAD) & (position <= max_items), self.length[newest], 0)  # [B, L]
        begins = 1 + np.cumsum(length, axis=1) - length  # [B, L] where each sentence begins in its sequence
        length = np.clip(max_tokens - begins, 0, length)  # [B, L]
        return self._laid_out(newest, position, length, begins)

    def count(self, history: NDArray[np.int64], max_items: int, max_tokens: int) -> NDArray[np.int64]:
        """[B] tokens of each sequence that `sequences` would make."""
        newest = history[:, ::-1]  # [B, L]
        read = np.cumsum(newest != PAD, axis=1) <= max_items  # [B, L]
        whole: NDArray[np.int64] = 1 + np.where(read, self.length[newest], 0).sum(axis=1)  # [B]
        return np.minimum(whole, max_tokens)  # [B]

    def _laid_out(
        self, item: NDArray[np.int64], position: NDArray[np.int64], length: NDArray[np.int64], begins: NDArray[np.int64]
    ) -> TokenBatch:
        """Copy the first `length` tokens of each item's sentence to where it begins; all are [B, L]."""
        batch, width = len(item), 1 + int(length.sum(axis=1).max(initial=0))
        token = np.full((batch, width), self.pad, dtype=np.int64)  # [B, T]
        kind = np.full((batch, width), TokenType.PAD, dtype=np.int64)  # [B, T]
        place = np.zeros((batch, width), dtype=np.int64)  # [B, T]
        token[:, 0], kind[:, 0] = self.first, TokenType.FIRST
        count = length.ravel()  # [B * L]
        inside = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)  # [P] 0, 1, .. in each sentence
        source = np.repeat(self.offsets[item].ravel(), count) + inside  # [P]
        row = np.repeat(np.repeat(np.arange(batch), item.shape[1]), count)  # [P]
        column = np.repeat(begins.ravel(), count) + inside  # [P]
        token[row, column], kind[row, column] = self.token[source], self.kind[source]
        place[row, column] = np.repeat(position.ravel(), count)
        return TokenBatch(torch.from_numpy(token), torch.from_numpy(kind), torch.from_numpy(place))


def _sentences(items: Sequence[Item], words: Vocabulary, config: RecformerConfig) -> list[list[tuple[int, TokenType]]]:
    """[N] the (token, type) pairs of each item; attributes without a value are left out, key and all."""
    keys = dict(zip(config.attributes, words.tokens(config.attributes), strict=True))
    values = {name: _tokenised([_value(item, name) for item in items], words) for name in config.attributes}
    return [
        [
            pair
            for name in config.attributes
            if values[name][k]
            for pair in _attribute(keys[name], values[name][k], config)
        ]
        for k in range(len(items))
    ]


def _attribute(key: list[int], value: list[int], config: RecformerConfig) -> list[tuple[int, TokenType]]:
    pairs = [(token, TokenType.KEY) for token in key] + [(token, TokenType.VALUE) for token in value]
    return pairs[: config.attribute_tokens]


def _tokenised(texts: list[str], words: Vocabulary) -> list[list[int]]:
    """Each distinct text once: brands and categories stand in many items."""
    distinct = list(dict.fromkeys(texts))
    tokens = dict(zip(distinct, words.tokens(distinct), strict=True))
    return [tokens[text] for text in texts]


def _value(item: Item, name: Attribute) -> str:
    """An item of which a source gives nothing but a text of its own is read as if that were its title."""
    category = " ".join(item.categories)
    title = item.title or ("" if item.brand or category else item.text)
    return " ".join(unescape({"title": title, "brand": item.brand, "category": category}[name]).split())
