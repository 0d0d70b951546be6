"""Vectors kept by content: what an encoder has read once it does not read again, in whichever data set it turns up."""

from __future__ import annotations

import os
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.features.encoder import TextEncoder
from training.features.item_features import EncoderInfo, ItemFeatures

CHUNK = 256
"""Texts encoded between two writes: what an interruption costs at most."""
PICTURES = 64
"""Pictures encoded between two writes: each costs more, and all of a chunk are in memory at once."""

Vectors = dict[bytes, NDArray[np.float32]]
"""By the sha256 of the content"""


@dataclass(frozen=True)
class VectorStore:
    """One folder per encoder under `root`; each chunk is a file of its own that is never changed afterwards."""

    root: Path

    def encode(self, texts: Sequence[str], encoder: TextEncoder, advance: Callable[[int], None]) -> NDArray[np.float32]:
        """The vectors [len(texts), F] of texts, out of the store or else out of the encoder.

        Args:
            texts: none empty; the same one may stand there often.
            encoder: asked only for what the store does not have.
            advance: called with the number of texts each time that some are done.
        """
        keys = [_key(text) for text in texts]
        text_of = dict(zip(keys, texts, strict=True))
        ordered = sorted(keys, key=lambda key: len(text_of[key]), reverse=True)  # little of a batch is padding then

        def compute(wanted: Sequence[bytes]) -> Vectors:
            return dict(zip(wanted, encoder.encode([text_of[key] for key in wanted]), strict=True))

        known = self.fill(ordered, encoder.info, compute, advance)
        rows = [known[key] for key in keys]
        return np.stack(rows) if rows else np.empty((0, encoder.info.width), dtype=np.float32)

    def fill(
        self,
        keys: Sequence[bytes],
        encoder: EncoderInfo,
        compute: Callable[[Sequence[bytes]], Vectors],
        advance: Callable[[int], None],
        chunk: int = CHUNK,
    ) -> Vectors:
        """The vectors of contents by their keys, out of the store or else computed, chunk by chunk.

        Args:
            keys: sha256 of each content, in the order in which they are computed; the same one may stand there often.
            encoder: whose vectors they are.
            compute: makes the vectors of some keys; what it leaves out stays out, and is asked for again next time.
            advance: called with the number of contents each time that some are done.
            chunk: contents computed between two writes.
        """
        repeats = Counter(keys)
        known = self._read(encoder, set(repeats))
        advance(sum(repeats[key] for key in known))
        for wanted in _chunks([key for key in repeats if key not in known], chunk):
            fresh = compute(wanted)
            self._write(encoder, fresh)
            known |= fresh
            advance(sum(repeats[key] for key in wanted))
        return known

    def _folder(self, encoder: EncoderInfo) -> Path:
        return self.root / f"{encoder.fingerprint[:32]}"

    def _read(self, encoder: EncoderInfo, wanted: set[bytes]) -> Vectors:
        found: Vectors = {}
        for path in sorted(self._folder(encoder).glob("*.npz")):
            try:
                with path.open("rb") as file, np.load(file, allow_pickle=False) as chunk:
                    keys, vectors = chunk["keys"], chunk["vectors"]
            except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile):
                path.unlink(missing_ok=True)  # a damaged chunk costs its texts another encoding, and nothing else
                continue
            found |= {key: vectors[k] for k, key in enumerate(map(bytes, keys)) if key in wanted}
        return found

    def _write(self, encoder: EncoderInfo, fresh: Vectors) -> None:
        if not fresh:
            return
        folder = self._folder(encoder)
        folder.mkdir(parents=True, exist_ok=True)
        name = sha256(b"".join(fresh)).hexdigest()[:32]
        partial = folder / f"{name}.{os.getpid()}.partial"
        keys = np.frombuffer(b"".join(fresh), dtype=np.uint8).reshape(len(fresh), -1)  # [c, 32]
        with partial.open("wb") as file:
            np.savez(file, keys=keys, vectors=np.stack(list(fresh.values())))
        partial.replace(folder / f"{name}.npz")


def encode_items(
    texts: Sequence[str], encoder: TextEncoder, store: VectorStore, advance: Callable[[int], None]
) -> ItemFeatures:
    """Item features of a catalogue.

    Args:
        texts: [N] in catalogue order; an empty one means that nothing is known: its row is marked, and left zero.
        encoder: the frozen encoder.
        store: where vectors are kept.
        advance: called with the number of texts each time that some are done.
    """
    rows = [row for row, text in enumerate(texts) if text]
    vectors = store.encode([texts[row] for row in rows], encoder, advance)
    return at_rows(len(texts), dict(zip(rows, vectors, strict=True)), encoder.info)


def at_rows(size: int, vectors: Mapping[int, NDArray[np.float32]], encoder: EncoderInfo) -> ItemFeatures:
    """Features of N = `size` items out of the vectors of some of them, by position from 0; no other is present."""
    values = np.zeros((size + 1, encoder.width), dtype=np.float32)  # [N + 1, F]
    present = np.zeros(size + 1, dtype=np.bool_)  # [N + 1]
    for row, vector in vectors.items():
        values[row + 1], present[row + 1] = vector, True
    return ItemFeatures(values, present, encoder)


def _key(text: str) -> bytes:
    return sha256(text.encode()).digest()


def _chunks(keys: list[bytes], size: int) -> list[list[bytes]]:
    return [keys[start : start + size] for start in range(0, len(keys), size)]
