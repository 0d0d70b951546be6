"""Item ids and their dense indices: one catalogue for training and online, so that the two cannot drift apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from service.bundle.errors import BundleCorrupt
from service.bundle.packed_strings import PackedStrings

PAD = 0
"""The index that is no item: it fills a history up to its length, and stands for an unknown id."""


class ItemCatalog:
    """Item id <-> index in 1..N; 0 is PAD.

    The look-up is one array of hashes in sorted order, built once: no Python dict, so 20 million ids cost 12 bytes each
    beside their own. crc32 is only the bucket (ids are compared whole), so a collision costs time and never an answer.
    """

    def __init__(self, ids: PackedStrings) -> None:
        """Build the look-up.

        Raises:
            ValueError: an id is empty, or stands twice; the message names it.
        """
        self._ids = ids
        hashes = np.fromiter(map(crc32, ids.encoded_all()), dtype=np.uint32, count=len(ids))
        self._order = np.argsort(hashes, kind="stable").astype(np.int32)
        self._sorted_hashes = hashes[self._order]
        self._check()

    def _check(self) -> None:
        lengths = np.diff(self._ids.offsets)
        if bool(np.any(lengths == 0)):
            raise ValueError(f"item {int(np.argmin(lengths)) + 1} of the catalogue has an empty id")
        same = np.flatnonzero(self._sorted_hashes[1:] == self._sorted_hashes[:-1])
        for slot in same:  # few: only these ids share a hash with the one before
            encoded = self._ids.encoded(int(self._order[slot + 1]))
            if self._find(encoded, int(self._sorted_hashes[slot])) != int(self._order[slot + 1]) + 1:
                raise ValueError(f"item id {encoded.decode()!r} stands twice in the catalogue")

    @classmethod
    def from_ids(cls, ids: Iterable[str]) -> ItemCatalog:
        """Number the ids 1..N in the order given."""
        return cls(PackedStrings.pack(ids))

    @classmethod
    def read(cls, folder: Path) -> ItemCatalog:
        """Read `item_ids.bin` and `item_ids.offsets.npy`.

        Raises:
            BundleMissing: a file is not there.
            BundleCorrupt: the files hold no catalogue.
        """
        ids = PackedStrings.read(folder, "item_ids")
        try:
            return cls(ids)
        except ValueError as error:
            raise BundleCorrupt(f"{folder / 'item_ids.bin'}: {error}") from error

    def write(self, folder: Path) -> None:
        """Write `item_ids.bin` and `item_ids.offsets.npy`."""
        self._ids.write(folder, "item_ids")

    @property
    def fingerprint(self) -> str:
        """Hex sha256 of the ordered ids; it travels with every artefact made from this catalogue."""
        return self._ids.fingerprint

    def index(self, item_id: str) -> int | None:
        """The index of an id in 1..N, or None when the catalogue does not know it."""
        encoded = item_id.encode(errors="surrogatepass")
        return self._find(encoded, crc32(encoded)) or None

    def indices(self, item_ids: Sequence[str]) -> NDArray[np.int64]:
        """The indices int64[len(item_ids)] of many ids; PAD where an id is unknown. One search for them all."""
        encoded = [item_id.encode(errors="surrogatepass") for item_id in item_ids]
        hashes = np.fromiter(map(crc32, encoded), dtype=np.uint32, count=len(encoded))
        slots = np.searchsorted(self._sorted_hashes, hashes).tolist()
        found = (
            self._scan(one, hashed, slot) for one, hashed, slot in zip(encoded, hashes.tolist(), slots, strict=True)
        )
        return np.fromiter(found, dtype=np.int64, count=len(encoded))

    def _find(self, encoded: bytes, hashed: int) -> int:
        return self._scan(encoded, hashed, int(np.searchsorted(self._sorted_hashes, np.uint32(hashed))))

    def _scan(self, encoded: bytes, hashed: int, slot: int) -> int:
        """Compare whole ids from the first slot of a hash on; PAD when none of them is it."""
        while slot < self._sorted_hashes.size and self._sorted_hashes[slot] == hashed:
            position = int(self._order[slot])
            if self._ids.encoded(position) == encoded:
                return position + 1
            slot += 1
        return PAD

    def item_id(self, index: int) -> str:
        """The id of an index in 1..N.

        Raises:
            IndexError: PAD, or beyond N.
        """
        return self._ids[index - 1]

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __contains__(self, item_id: str) -> bool:
        return self.index(item_id) is not None
