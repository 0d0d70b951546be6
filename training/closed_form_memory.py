"""The memory of a teacher in closed form: the model itself. An answer is worked out when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.interactions import Interactions
from training.seen_before import move_seen, seen_before
from training.teacher_entry import TeacherEntry


class ClosedForm(Protocol):
    """A model that is worked out, not trained, and can answer as if it had never met somebody."""

    @property
    def interactions(self) -> Interactions:
        """What it was fitted to."""

    @property
    def device(self) -> torch.device:
        """Where it answers."""

    def on(self, device: torch.device) -> Self:
        """The same model, its arrays on a device."""

    def log_p(self, rows: NDArray[np.int64], *, leave_out: bool) -> Tensor:
        """ln p over the catalogue at flat rows int64[R], float[R, N]; leave_out: as who never met the row's user."""


@dataclass(frozen=True, eq=False)
class ClosedFormMemory:
    """A fitted model, answering with probabilities; train rows as one that never met their user."""

    entry: TeacherEntry
    row: NDArray[np.int64]
    """[S] every train row, ascending"""
    held_out: NDArray[np.int64]
    """[H] every validation and test row, ascending"""
    model: ClosedForm
    answered: NDArray[np.int64] | None = None
    """[S] the row whose answer each row is given; None: its own"""
    held_out_answered: NDArray[np.int64] | None = None
    """[H] the same of held-out rows"""
    repeat_offset: float = 0.0
    """As `Memory` has it."""

    def on(self, device: torch.device) -> ClosedFormMemory:
        """As `Memory` has it; its model goes there."""
        return self if device == self.model.device else replace(self, model=self.model.on(device))

    def logits(self, rows: NDArray[np.int64], candidates: Tensor) -> tuple[Tensor, Tensor]:
        """As `Memory` has it; the logits are ln p over the catalogue."""
        place = np.searchsorted(self.row, rows).clip(max=self.row.size - 1)  # [R]
        asked = rows if self.answered is None else self.answered[place]  # [R]
        log_p = self._log_p(asked, leave_out=True)  # [R, N]
        present = torch.from_numpy(self.row[place] == rows).to(log_p.device)  # [R]
        if candidates.dim() == 1:
            return log_p[:, candidates - 1], present  # [R, C], [R]
        return log_p.gather(1, candidates - 1), present  # [R, C], [R]

    def held_out_log_p(self, rows: NDArray[np.int64]) -> Tensor:
        """As `Memory` has it; of a held-out row's user the train part is known, as it is when serving."""
        if self.held_out_answered is None:
            return self._log_p(rows, leave_out=False)  # [R, N]
        place = np.searchsorted(self.held_out, rows).clip(max=self.held_out.size - 1)  # [R]
        if not np.array_equal(self.held_out[place], rows):
            raise KeyError("rows that are neither for validation nor for test")
        return self._log_p(self.held_out_answered[place], leave_out=False)  # [R, N]

    def under(self, entry: TeacherEntry) -> ClosedFormMemory:
        """As `Memory` has it."""
        return replace(self, entry=entry)

    def minding_repeats(self) -> ClosedFormMemory:
        """As `Memory` has it."""
        entry, offset = self.entry.minding_repeats()
        return replace(self, entry=entry, repeat_offset=offset)

    def shuffled(self, seed: int) -> ClosedFormMemory:
        """As `Memory` has it."""
        train = self.row if self.answered is None else self.answered  # [S]
        later = self.held_out if self.held_out_answered is None else self.held_out_answered  # [H]
        source = np.random.default_rng(seed)
        return replace(self, answered=source.permutation(train), held_out_answered=source.permutation(later))

    def _log_p(self, rows: NDArray[np.int64], *, leave_out: bool) -> Tensor:
        said = self.model.log_p(rows, leave_out=leave_out)  # [R, N]
        if not self.repeat_offset:
            return said  # [R, N]
        everything = torch.arange(1, said.shape[1] + 1, device=said.device)  # [N]
        seen = seen_before(self.model.interactions, rows, said.shape[1])  # [R, N+1]
        return move_seen(said, everything, seen, self.repeat_offset).log_softmax(dim=1)  # [R, N]
