"""Words as token numbers: a language model's own tokenizer, or hashed words where there is no language model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, Protocol
from zlib import crc32

from training.errors import EncoderUnavailable
from training.features.text import OFFLINE, sentence_encoder

NONE = "none"
"""The backbone without a language model."""


class Vocabulary(Protocol):
    """What sentences are made of."""

    @property
    def size(self) -> int:
        """V."""

    @property
    def first(self) -> int:
        """`<s>`, which every sequence begins with."""

    @property
    def pad(self) -> int:
        """What fills a batch up; no state is read there."""

    @property
    def mask(self) -> int:
        """A word that is not known."""

    @property
    def special(self) -> tuple[int, ...]:
        """Tokens that are no words, those above among them."""

    @property
    def fingerprint(self) -> str:
        """Hex sha256 of all that decides which tokens a text becomes."""

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text, without special ones at its ends."""


@dataclass(frozen=True)
class HashedVocabulary:
    """Each lower-case word is one of `words` tokens, by its hash: two words may share one. It needs no file."""

    words: int
    first: int = 0
    pad: int = 1
    mask: int = 2
    special: tuple[int, ...] = (0, 1, 2)

    @property
    def size(self) -> int:
        """V."""
        return self.words + len(self.special)

    @property
    def fingerprint(self) -> str:
        """The number of words is all there is to know."""
        return sha256(f"hashed-words-{self.words}".encode()).hexdigest()

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """One token a word."""
        return [[len(self.special) + crc32(word.encode()) % self.words for word in _words(text)] for text in texts]


@dataclass(frozen=True)
class PretrainedVocabulary:
    """The tokenizer of a folder or a hub name."""

    backbone: str

    @property
    def size(self) -> int:
        """V."""
        return len(self._tokenizer)

    @property
    def first(self) -> int:
        """`<s>`, [CLS]."""
        return self._special_token("cls")

    @property
    def pad(self) -> int:
        """`<pad>`, [PAD]."""
        return self._special_token("pad")

    @property
    def mask(self) -> int:
        """`<mask>`, [MASK]."""
        return self._special_token("mask")

    @property
    def special(self) -> tuple[int, ...]:
        """All that it calls special."""
        return tuple(sorted(set(self._tokenizer.all_special_ids)))

    @cached_property
    def fingerprint(self) -> str:
        """Over the whole of tokenizer.json: words, merges, normalisation."""
        return sha256(self._tokenizer.backend_tokenizer.to_str().encode()).hexdigest()

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Whole texts; cutting is the sentence's business."""
        if not texts:
            return []
        found: list[list[int]] = self._tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
        return found

    def _special_token(self, name: str) -> int:
        number = getattr(self._tokenizer, f"{name}_token_id")
        if number is None:
            raise EncoderUnavailable(f"{self.backbone}: its tokenizer has no {name} token, and sentences need one")
        return int(number)

    @cached_property
    def _tokenizer(self) -> Any:  # noqa: ANN401 - transformers states no narrower type
        from transformers import AutoTokenizer  # takes seconds, and other teachers do without

        try:
            return AutoTokenizer.from_pretrained(place(self.backbone), use_fast=True)
        except (OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise EncoderUnavailable(f"{self.backbone}: no tokenizer can be loaded ({reason})") from error


def vocabulary(backbone: str, words: int) -> Vocabulary:
    """The vocabulary of a backbone; `words` counts for `none` only."""
    return HashedVocabulary(words) if backbone == NONE else PretrainedVocabulary(backbone)


def place(backbone: str) -> str:
    """Folder or hub name of a backbone.

    Raises:
        EncoderUnavailable: `minilm` is not installed, or is not the published one.
    """
    return str(sentence_encoder(OFFLINE).folder) if backbone == OFFLINE else backbone


def _words(text: str) -> list[str]:
    return [word for one in text.lower().split() if (word := one.strip(".,;:!?()"))]
