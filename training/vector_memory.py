"""The memory of a teacher with two towers: a user vector for each row and an item matrix, exact and memory-mapped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.artefacts import ArtefactCorrupt, ArtefactMissing, sha256_of
from training.config import ConfigError
from training.interactions import Interactions
from training.seen_before import move_seen, seen_before
from training.teacher_entry import TeacherEntry

PROCESSOR = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class HeldOut:
    """One teacher's user vectors at the rows that are for validation and test."""

    row: NDArray[np.int64]
    """[H] flat rows, ascending"""
    user: NDArray[np.float16]
    """[H, D] memory-mapped"""
    answered: NDArray[np.int64] | None = None
    """[H] the row whose answer each row is given; None: its own"""

    def shuffled(self, seed: int) -> HeldOut:
        """The answers dealt out to other rows."""
        dealt = np.random.default_rng(seed).permutation(self.row.size)  # [H]
        answered = self.row if self.answered is None else self.answered  # [H]
        return HeldOut(self.row, self.user[dealt], answered[dealt])

    def answered_at(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Whose answers some of these rows are given, int64[R]."""
        if self.answered is None:
            return rows  # [R]
        asked: NDArray[np.int64] = self.answered[np.searchsorted(self.row, rows)]  # [R]
        return asked

    def users_at(self, rows: NDArray[np.int64]) -> Tensor:
        """float[R, D].

        Raises:
            KeyError: one of the rows is none of these.
        """
        place = np.searchsorted(self.row, rows).clip(max=self.row.size - 1)  # [R]
        if not np.array_equal(self.row[place], rows):
            raise KeyError("rows that are neither for validation nor for test")
        return torch.from_numpy(self.user[place].astype(np.float32))  # [R, D]


@dataclass(frozen=True, eq=False)
class TeacherMemory:
    """One teacher's vectors."""

    entry: TeacherEntry
    row: NDArray[np.int64]
    """[S] flat rows, ascending"""
    user: NDArray[np.float16]
    """[S, D] memory-mapped; a teacher's vectors have length 1"""
    item: NDArray[np.float16]
    """[N+1, D]"""
    held_out: HeldOut | None = None
    """None: made up as a control, and asked nothing but train rows."""
    interactions: Interactions | None = None
    """Whose rows they are; None: made up as a control, and the same to everybody."""
    answered: NDArray[np.int64] | None = None
    """[S] the row whose answer each row is given; None: its own"""
    repeat_offset: float = 0.0
    """As `Memory` has it."""
    device: torch.device = PROCESSOR
    """Where products are made."""

    def on(self, device: torch.device) -> TeacherMemory:
        """As `Memory` has it; user vectors stay on the disk, and go to the device a step's rows at a time."""
        return self if device == self.device else replace(self, device=device)

    def users_at(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """The user vectors at some flat rows: float[R, D], and which of the rows this teacher scored: bool[R]."""
        place = np.searchsorted(self.row, rows).clip(max=self.row.size - 1)  # [R]
        vectors = self.user[place].astype(np.float32)  # [R, D]
        present = torch.from_numpy(self.row[place] == rows)  # [R]
        return torch.from_numpy(vectors).to(self.device), present.to(self.device)  # [R, D], [R]

    @cached_property
    def items(self) -> Tensor:
        """float[N+1, D]."""
        return torch.from_numpy(self.item.astype(np.float32)).to(self.device)  # [N+1, D]

    def logits(self, rows: NDArray[np.int64], candidates: Tensor) -> tuple[Tensor, Tensor]:
        """As `Memory` has it: <U_i, V_c> / (tau T) + o [c was seen], float[R, C], and bool[R]."""
        users, present = self.users_at(rows)  # [R, D], [R]
        users = users / (self.entry.temperature * self.entry.calibration)  # [R, D]
        if candidates.dim() == 1:
            said = users @ self.items[candidates].T  # [R, C]
        else:
            said = (self.items[candidates] @ users[..., None]).squeeze(-1)  # [R, C]
        return self._moved(said, self._answered_at(rows), candidates), present  # [R, C], [R]

    def under(self, entry: TeacherEntry) -> TeacherMemory:
        """As `Memory` has it."""
        return replace(self, entry=entry)

    def minding_repeats(self) -> TeacherMemory:
        """As `Memory` has it."""
        if self.interactions is None:
            raise ValueError(f"{self.entry.name}: nobody's rows are known, and so nothing that was seen")
        entry, offset = self.entry.minding_repeats()
        return replace(self, entry=entry, repeat_offset=offset)

    def shuffled(self, seed: int) -> TeacherMemory:
        """As `Memory` has it."""
        dealt = np.random.default_rng(seed).permutation(self.row.size)  # [S]
        answered = self.row if self.answered is None else self.answered  # [S]
        held_out = None if self.held_out is None else self.held_out.shuffled(seed)
        return replace(self, user=self.user[dealt], held_out=held_out, answered=answered[dealt])

    def held_out_log_p(self, rows: NDArray[np.int64]) -> Tensor:
        """ln p^m over the catalogue at T = 1, at validation or test rows: float[R, N].

        Raises:
            ConfigError: this teacher was asked train rows alone.
        """
        if self.held_out is None:
            raise ConfigError(f"{self.entry.name} was not asked for validation and test rows")
        users = self.held_out.users_at(rows).to(self.device)  # [R, D]
        users = users / (self.entry.temperature * self.entry.calibration)  # [R, D]
        everything = torch.arange(1, len(self.item), device=self.device)  # [N]
        asked = self.held_out.answered_at(rows)  # [R]
        return self._moved(users @ self.items[1:].T, asked, everything).log_softmax(dim=-1)  # [R, N]

    def _moved(self, said: Tensor, rows: NDArray[np.int64], candidates: Tensor) -> Tensor:
        """float[R, C] with o_m added to what was seen."""
        if self.interactions is None or not self.repeat_offset:
            return said  # [R, C]
        seen = seen_before(self.interactions, rows, len(self.item) - 1)  # [R, N+1]
        return move_seen(said, candidates, seen, self.repeat_offset)  # [R, C]

    def _answered_at(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Whose answers some flat rows are given, int64[R]."""
        if self.answered is None:
            return rows  # [R]
        asked: NDArray[np.int64] = self.answered[np.searchsorted(self.row, rows).clip(max=self.row.size - 1)]  # [R]
        return asked


def read_vectors(folder: Path, entry: TeacherEntry, items: int, interactions: Interactions) -> TeacherMemory:
    """Map a memory of N = `items` items.

    Raises:
        ArtefactMissing: a file is not there.
        ArtefactCorrupt: a file is not what the entry says; it is named.
    """
    loaded = {}
    for name, (shape, dtype) in {
        "row": ((entry.rows,), np.int64),
        "user": ((entry.rows, entry.width), np.float16),
        "item": ((items + 1, entry.width), np.float16),
        "held_out_row": ((entry.held_out_rows,), np.int64),
        "held_out_user": ((entry.held_out_rows, entry.width), np.float16),
    }.items():
        path = folder / f"{name}.npy"
        try:
            loaded[name] = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError as error:
            raise ArtefactMissing(f"{path} is not there") from error
        except (ValueError, EOFError) as error:
            raise ArtefactCorrupt(f"{path}: {error}") from error
        found = (loaded[name].shape, loaded[name].dtype)
        if sha256_of(path) != entry.sha256.get(name):
            raise ArtefactCorrupt(f"{path}: its sha256 is not the one that was recorded")
        if found != (shape, np.dtype(dtype)):
            raise ArtefactCorrupt(f"{path}: {found[1]} {found[0]}, recorded is {np.dtype(dtype)} {shape}")
    held_out = HeldOut(loaded["held_out_row"], loaded["held_out_user"])
    return TeacherMemory(entry, loaded["row"], loaded["user"], loaded["item"], held_out, interactions)
