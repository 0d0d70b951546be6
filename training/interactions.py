"""Who met which item when: the one form in which behaviour enters training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle import PackedStrings
from training.arrays import fingerprint, read_only

_DTYPES = {"user": np.int32, "item": np.int32, "time": np.int64}


@dataclass(frozen=True, eq=False)
class Interactions:
    """M interactions of U users, sorted by (user, time); equal times keep the order in which they came in.

    A position in these arrays is called a flat row: everywhere else it is the name of an interaction.

    Raises:
        ValueError: columns of different lengths, a value out of its bounds, or rows out of order; the message names the
            column and the flat row.
    """

    user_ids: PackedStrings
    """[U] the outer ids, in user order"""
    user: NDArray[np.int32]
    """[M] 0..U-1"""
    item: NDArray[np.int32]
    """[M] catalogue index, 1..N: never PAD"""
    time: NDArray[np.int64]
    """[M] seconds, 0 or more"""

    def __post_init__(self) -> None:
        for name, dtype in _DTYPES.items():
            try:
                object.__setattr__(self, name, read_only(getattr(self, name), dtype))
            except ValueError as error:
                raise ValueError(f"column {name}: {error}") from error
        self._check_lengths()
        self._check_bounds()
        self._check_order()

    @classmethod
    def sort(cls, user_ids: PackedStrings, user: NDArray[Any], item: NDArray[Any], time: NDArray[Any]) -> Interactions:
        """Bring rows in any order into the one of this class; equal (user, time) keep their order."""
        order = np.lexsort((time, user))  # [M], stable
        return cls(user_ids, user[order], item[order], time[order])

    @classmethod
    def read(cls, folder: Path) -> Interactions:
        """Read `interactions.npz` and `user_ids.*`; nothing in them is executed.

        Raises:
            ValueError, KeyError, OSError: the files are no interactions.
        """
        with np.load(folder / "interactions.npz", allow_pickle=False) as arrays:
            return cls(PackedStrings.read(folder, "user_ids"), arrays["user"], arrays["item"], arrays["time"])

    def write(self, folder: Path) -> None:
        """Write `interactions.npz` and `user_ids.*`."""
        self.user_ids.write(folder, "user_ids")
        np.savez(folder / "interactions.npz", user=self.user, item=self.item, time=self.time)

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """[U + 1] user u's flat rows are `offsets[u]` to `offsets[u + 1] - 1`."""
        starts = np.searchsorted(self.user, np.arange(len(self.user_ids) + 1))  # [U + 1]
        return read_only(starts, np.int64)

    @cached_property
    def fingerprint(self) -> str:
        """Hex sha256 over the user ids and the three columns: the same on every machine."""
        ids = self.user_ids.fingerprint
        return fingerprint({"user_ids": ids, "user": self.user, "item": self.item, "time": self.time})

    def __len__(self) -> int:
        return self.user.size

    def _check_lengths(self) -> None:
        for name in _DTYPES:
            shape = getattr(self, name).shape
            if shape != (self.user.size,):
                raise ValueError(f"column {name}: shape {shape}, but column user has {self.user.size} rows")

    def _check_bounds(self) -> None:
        bad = {
            "user": ((self.user < 0) | (self.user >= len(self.user_ids)), f"0..{len(self.user_ids) - 1}"),
            "item": (self.item < 1, "1 or more (0 is PAD)"),
            "time": (self.time < 0, "0 or more"),
        }
        for name, (wrong, bounds) in bad.items():
            if bool(wrong.any()):
                row = int(np.argmax(wrong))
                raise ValueError(f"column {name}, row {row}: {getattr(self, name)[row]} is not {bounds}")

    def _check_order(self) -> None:
        users, times = np.diff(self.user), np.diff(self.time)  # [M - 1] each
        wrong = {"user": users < 0, "time": (users == 0) & (times < 0)}
        for name, falls in wrong.items():
            if bool(falls.any()):
                row = int(np.argmax(falls)) + 1
                raise ValueError(f"column {name}, row {row}: smaller than the row before; rows are sorted (user, time)")
