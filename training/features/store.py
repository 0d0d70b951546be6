"""Vectors kept by content: what an encoder has read once it does not read again, in whichever data set it turns up."""

from __future__ import annotations

import os
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.features.encoder import TextEncoder
from training.features.item_features import ItemFeatures

CHUNK = 256
"""Texts encoded between two writes: what an interruption costs at most."""


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
        known = self._read(encoder, set(keys))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        repeats = Counter(keys)
        advance(sum(repeats[key] for key in known))
        for chunk in _chunks(sorted(missing.items(), key=lambda pair: len(pair[1]), reverse=True)):
            vectors = encoder.encode([text for _, text in chunk])  # [c, F]
            fresh = dict(zip((key for key, _ in chunk), vectors, strict=True))
            self._write(encoder, fresh)
            known |= fresh
            advance(sum(repeats[key] for key in fresh))
        rows = [known[key] for key in keys]
        return np.stack(rows) if rows else np.empty((0, encoder.info.width), dtype=np.float32)

    def _folder(self, encoder: TextEncoder) -> Path:
        return self.root / f"{encoder.info.fingerprint[:32]}"

    def _read(self, encoder: TextEncoder, wanted: set[bytes]) -> dict[bytes, NDArray[np.float32]]:
        found: dict[bytes, NDArray[np.float32]] = {}
        for path in sorted(self._folder(encoder).glob("*.npz")):
            try:
                with path.open("rb") as file, np.load(file, allow_pickle=False) as chunk:
                    keys, vectors = chunk["keys"], chunk["vectors"]
            except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile):
                path.unlink(missing_ok=True)  # a damaged chunk costs its texts another encoding, and nothing else
                continue
            found |= {key: vectors[k] for k, key in enumerate(map(bytes, keys)) if key in wanted}
        return found

    def _write(self, encoder: TextEncoder, fresh: dict[bytes, NDArray[np.float32]]) -> None:
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
    present = np.array([False, *map(bool, texts)])  # [N + 1]
    values = np.zeros((len(texts) + 1, encoder.info.width), dtype=np.float32)  # [N + 1, F]
    values[present] = store.encode([text for text in texts if text], encoder, advance)
    return ItemFeatures(values, present, encoder.info)


def _key(text: str) -> bytes:
    return sha256(text.encode()).digest()


def _chunks(pairs: list[tuple[bytes, str]]) -> list[list[tuple[bytes, str]]]:
    return [pairs[start : start + CHUNK] for start in range(0, len(pairs), CHUNK)]
