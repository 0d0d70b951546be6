"""Which train rows are open in which epoch of a curriculum."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.distillation.curriculum import CurriculumConfig, difficulty, open_rows
from training.distillation.soft_targets import SoftTargets


@dataclass(frozen=True, eq=False)
class OpenRows:
    """The curriculum over the rows that soft targets are known of."""

    row: NDArray[np.int64]
    """[S] flat rows, ascending"""
    hardness: NDArray[np.float64]
    """[S] D in [0, 1]"""
    config: CurriculumConfig

    @classmethod
    def of(cls, targets: SoftTargets, config: CurriculumConfig) -> OpenRows:
        """Rank the rows by what the teachers said of them."""
        return cls(targets.row, difficulty(targets.teachers_nll, targets.consistency), config)

    def at(self, rows: Tensor, epoch: int) -> Tensor:
        """Which flat rows, of any shape, are open in an epoch: bool of that shape.

        A row that no teacher scored is always open: nothing says that it is hard.
        """
        wanted = rows.cpu().numpy()
        place = np.searchsorted(self.row, wanted).clip(max=self.row.size - 1)
        known = self.row[place] == wanted
        return torch.from_numpy(~known | self._in(epoch)[place]).to(rows.device)

    @lru_cache(maxsize=1)  # noqa: B019 - one epoch's flags, and the curriculum lives as long as its training
    def _in(self, epoch: int) -> NDArray[np.bool_]:
        return open_rows(self.hardness, epoch, self.config)  # [S]
