"""What a student may ask of a teacher that is gone: its logits at a row, whatever it left behind.

`training.vector_memory` has that of a teacher with vectors, `training.closed_form_memory` that of one without.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.teacher_entry import TeacherEntry


class Memory(Protocol):
    """One teacher's memory."""

    @property
    def entry(self) -> TeacherEntry:
        """What is known of the teacher."""

    @property
    def repeat_offset(self) -> float:
        """o_m, added to the calibrated logits of what the row's user met before; 0: it answers as it is."""

    @property
    def row(self) -> NDArray[np.int64]:
        """[S] flat train rows that it scored, ascending."""

    def on(self, device: torch.device) -> Memory:
        """The same memory, answering on a device: what it is asked about comes from there, and answers go there."""

    def logits(self, rows: NDArray[np.int64], candidates: Tensor) -> tuple[Tensor, Tensor]:
        """s of equation 1, calibrated, with o_m on what was seen, and which of the rows it scored.

        Args:
            rows: int64[R] flat train rows.
            candidates: catalogue indices int64[C], the same for all rows, or int64[R, C].

        Returns:
            float[R, C], bool[R].
        """

    def held_out_log_p(self, rows: NDArray[np.int64]) -> Tensor:
        """ln p^m over the catalogue at T = 1, at validation or test rows: float[R, N]."""

    def under(self, entry: TeacherEntry) -> Memory:
        """The same memory, calibrated as another entry of the same teacher says."""

    def minding_repeats(self) -> Memory:
        """The same teacher with its o_m, calibrated together with it.

        Raises:
            ConfigError: none was fitted.
        """

    def shuffled(self, seed: int) -> Memory:
        """The same teacher, its answers dealt out to other rows: what it says is no answer to the row."""
