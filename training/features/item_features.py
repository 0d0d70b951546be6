"""Content vectors of a whole catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from service.bundle import PAD
from training.arrays import read_only
from training.config import Config


class EncoderInfo(Config):
    """Which encoder made vectors: equal fingerprints give equal vectors for equal content."""

    name: str = Field(min_length=1)
    fingerprint: str = Field(pattern=r"^[0-9a-f]{64}$")
    """sha256 over the weights and all that decides how they are used."""
    width: int = Field(ge=1)
    """F"""


@dataclass(frozen=True, eq=False)
class ItemFeatures:
    """One vector per item; which items have one is said apart, so that a zero row is never mistaken for content.

    Raises:
        ValueError: shapes that do not fit, numbers that are not finite, or a value in a row that is not present.
    """

    values: NDArray[np.float32]
    """[N + 1, F] by catalogue index; zeros in row 0 (PAD) and where nothing is known"""
    present: NDArray[np.bool_]
    """[N + 1] whether the row is content"""
    encoder: EncoderInfo

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", read_only(self.values, np.float32))
        object.__setattr__(self, "present", read_only(self.present, np.bool_))
        if self.values.shape != (self.present.size, self.encoder.width) or self.present.ndim != 1:
            shape = f"values {self.values.shape}, present {self.present.shape}"
            raise ValueError(f"{shape}: not [N + 1, {self.encoder.width}] and [N + 1]")
        if bool(self.present[PAD]) or bool(self.values[~self.present].any()):
            raise ValueError("a row that is not present, or PAD, holds a value")
        if not bool(np.isfinite(self.values).all()):
            raise ValueError(f"row {int(np.argmin(np.isfinite(self.values).all(axis=1)))} is not finite")

    @classmethod
    def read(cls, folder: Path, name: str, encoder: EncoderInfo) -> ItemFeatures:
        """Read `NAME.npy` and `NAME.present.npy`.

        Raises:
            ValueError, OSError: the files are no features of this encoder.
        """
        values, present = (np.load(folder / f"{name}{end}.npy", allow_pickle=False) for end in ("", ".present"))
        return cls(values, present, encoder)

    def write(self, folder: Path, name: str) -> None:
        """Write `NAME.npy` and `NAME.present.npy`."""
        np.save(folder / f"{name}.npy", self.values, allow_pickle=False)
        np.save(folder / f"{name}.present.npy", self.present, allow_pickle=False)

    def __len__(self) -> int:
        return int(self.present.size) - 1
