from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from training.features.hashed_words import HashedWords
from training.features.item_features import EncoderInfo
from training.features.store import CHUNK, VectorStore, encode_items


@dataclass
class Counting:
    """An encoder that remembers what it read, and can be interrupted."""

    stop_after: int = 10**9
    width: int = 8
    read: list[str] = field(default_factory=list)

    @property
    def info(self) -> EncoderInfo:
        return HashedWords(self.width).info

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if len(self.read) + len(texts) > self.stop_after:
            raise KeyboardInterrupt
        self.read.extend(texts)
        return HashedWords(self.width).encode(texts)


def quiet(_: int) -> None:
    """Nobody watches."""


def test_each_text_is_encoded_once(tmp_path: Path) -> None:
    encoder, store = Counting(), VectorStore(tmp_path)
    texts = ["one", "two two", "one", "three"]
    vectors = store.encode(texts, encoder, quiet)
    assert np.array_equal(vectors, HashedWords(8).encode(texts))
    assert sorted(encoder.read) == ["one", "three", "two two"]
    again = store.encode(["four", *texts], encoder, quiet)
    assert np.array_equal(again[1:], vectors)
    assert encoder.read[3:] == ["four"]


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    texts = [f"text {k}" for k in range(2 * CHUNK + 5)]
    with pytest.raises(KeyboardInterrupt):
        VectorStore(tmp_path).encode(texts, Counting(stop_after=CHUNK), quiet)
    encoder = Counting()
    vectors = VectorStore(tmp_path).encode(texts, encoder, quiet)
    assert len(encoder.read) == CHUNK + 5
    assert np.array_equal(vectors, HashedWords(8).encode(texts))


def test_another_encoder_shares_nothing(tmp_path: Path) -> None:
    VectorStore(tmp_path).encode(["one"], Counting(width=8), quiet)
    other = Counting(width=16)
    assert VectorStore(tmp_path).encode(["one"], other, quiet).shape == (1, 16)
    assert other.read == ["one"]


def test_a_damaged_chunk_costs_an_encoding_and_nothing_else(tmp_path: Path) -> None:
    store = VectorStore(tmp_path)
    before = store.encode(["one", "two"], Counting(), quiet)
    (chunk,) = tmp_path.rglob("*.npz")
    chunk.write_bytes(chunk.read_bytes()[:-40])
    encoder = Counting()
    assert np.array_equal(store.encode(["one", "two"], encoder, quiet), before)
    assert sorted(encoder.read) == ["one", "two"]
    assert store.encode(["one"], Counting(stop_after=0), quiet).shape == (1, 8)


def test_progress_counts_every_text(tmp_path: Path) -> None:
    texts = [f"text {k % 300}" for k in range(700)]
    for _ in range(2):
        steps: list[int] = []
        VectorStore(tmp_path).encode(texts, Counting(), steps.append)
        assert sum(steps) == 700


def test_items_without_text_are_marked_and_not_encoded(tmp_path: Path) -> None:
    encoder = Counting()
    features = encode_items(["one", "", "two"], encoder, VectorStore(tmp_path), quiet)
    assert features.present.tolist() == [False, True, False, True]
    assert np.array_equal(features.values[[1, 3]], HashedWords(8).encode(["one", "two"]))
    assert not features.values[[0, 2]].any()
    assert "" not in encoder.read


def test_a_catalogue_without_any_text_is_possible(tmp_path: Path) -> None:
    features = encode_items(["", ""], Counting(), VectorStore(tmp_path), quiet)
    assert (features.values.shape, features.present.tolist()) == ((3, 8), [False] * 3)
