"""Pictures of the items: small WebP files, one after the other in one file, mapped and never unpacked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.bundle.arrays import read_array
from service.bundle.errors import BundleCorrupt, BundleMissing
from service.bundle.packed_strings import require_cuts

IMAGES = "item_images"
IMAGE_FILES = (f"{IMAGES}.bin", f"{IMAGES}.offsets.npy")
"""Both, or none: a bundle may be without pictures."""
MEDIA_TYPE = "image/webp"
HEAD = 12
"""Bytes before the first chunk: RIFF, how many follow these eight, WEBP."""


@dataclass(frozen=True, eq=False)
class ItemImages:
    """`len(offsets) - 1` pictures, in catalogue order: that of row k is `blob[offsets[k]:offsets[k + 1]]`, empty where
    the item has none.

    On disk: `item_images.bin` and `item_images.offsets.npy` (int64). The file is mapped, so its pages are shared by all
    workers, and only those that somebody looks at need memory.
    """

    blob: memoryview
    offsets: NDArray[np.int64]
    """[N + 1]"""

    def __post_init__(self) -> None:
        """Check that every piece is one whole WebP file, for that is what browsers are told.

        Raises:
            ValueError: they are not, there is none, or the offsets do not cut the blob.
        """
        if self.offsets.dtype != np.int64 or self.offsets.ndim != 1:
            raise ValueError("offsets must be int64[N + 1]")
        require_cuts(self.offsets, len(self.blob))
        lengths = np.diff(self.offsets)  # [N]
        (rows,) = np.nonzero(lengths)  # [M] those with a picture
        if not rows.size:
            raise ValueError("no item has a picture")
        broken = rows[~self._are_webp(rows, lengths[rows])]
        if broken.size:
            raise ValueError(f"the picture of item {int(broken[0]) + 1} of the catalogue is no WebP file")

    def _are_webp(self, rows: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
        """bool[M], by the heads of these rows [M]: the format's names, and its own word on how long it is."""
        every = np.frombuffer(self.blob, np.uint8)
        starts = np.minimum(self.offsets[rows], max(every.size - HEAD, 0))  # [M] one that is too short has no such head
        head = np.stack([every[starts + k] for k in range(HEAD)], axis=1)  # [M, 12]
        named = np.all(head[:, :4] == list(b"RIFF"), axis=1) & np.all(head[:, 8:] == list(b"WEBP"), axis=1)  # [M]
        stated = np.ascontiguousarray(head[:, 4:8]).view("<u4")[:, 0].astype(np.int64)  # [M]
        are: NDArray[np.bool_] = named & (lengths >= HEAD) & (stated + 8 == lengths)  # [M]
        return are

    @classmethod
    def read(cls, folder: Path) -> ItemImages:
        """Map `item_images.bin`.

        Raises:
            BundleMissing: a file is not there.
            BundleCorrupt: the two files do not belong together, or hold something else than WebP pictures.
        """
        packed, cuts = (folder / name for name in IMAGE_FILES)
        offsets = read_array(cuts)
        try:
            return cls(np.memmap(packed, np.uint8, mode="r").data, offsets)
        except FileNotFoundError as error:
            raise BundleMissing(f"{packed} is not there") from error
        except ValueError as error:  # an empty file cannot be mapped, and is no picture either
            raise BundleCorrupt(f"{packed} and {cuts.name} do not belong together: {error}") from error

    @staticmethod
    def write(folder: Path, images: Iterable[bytes]) -> int:
        """Write both files, holding one picture at a time; how many items have one. Where none has, none is written.

        Args:
            folder: of the bundle.
            images: WebP files in catalogue order; empty for an item without.
        """
        packed, cuts = (folder / name for name in IMAGE_FILES)
        with packed.open("wb") as file:
            lengths = np.array([file.write(image) for image in images], np.int64)  # [N]
        if not lengths.any():
            packed.unlink()
            return 0
        np.save(cuts, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), allow_pickle=False)
        return int(np.count_nonzero(lengths))

    def has(self, index: int) -> bool:
        """Whether the item with this catalogue index, 1..N, has a picture."""
        return bool(self.offsets[index - 1] < self.offsets[index])

    def of(self, index: int) -> bytes | None:
        """The picture of the item with this catalogue index, 1..N; None: it has none."""
        return bytes(self.blob[self.offsets[index - 1] : self.offsets[index]]) or None

    def __len__(self) -> int:
        return int(self.offsets.size) - 1
