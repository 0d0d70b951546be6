"""How much surer a teacher is of rows that it was trained on than of rows that it was not.

Confidence (equation 3) is read at train rows, which most teachers have learnt by heart to some degree, and one that
answers as if it had never met the user has not. Uncorrected, the weights would go to whoever remembers best.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from training.dataset import Dataset
from training.devices import pick_device
from training.evaluation.selection import calibration_half
from training.memory import Memory

_ROWS = 4096
"""So many rows of each kind tell two means."""
_CHUNK = 512


def optimism(memory: Memory, dataset: Dataset) -> float:
    """delta_m = mean ln p^m(y) over train rows - the same over the calibration half of validation."""
    memory = memory.on(pick_device())
    everything = torch.arange(1, len(dataset.catalog) + 1, device=pick_device())  # [N]
    train = _evenly(memory.row)  # [S']
    held_out = _evenly(calibration_half(dataset.split.validation).row)  # [E']
    said = [memory.logits(rows, everything)[0].log_softmax(dim=1)[_at(dataset, rows)] for rows in _chunks(train)]
    later = [memory.held_out_log_p(rows)[_at(dataset, rows)] for rows in _chunks(held_out)]
    return float(torch.cat(said).mean() - torch.cat(later).mean())


def _evenly(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return rows[np.linspace(0, rows.size - 1, min(rows.size, _ROWS)).astype(np.int64)]


def _chunks(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [rows[start : start + _CHUNK] for start in range(0, rows.size, _CHUNK)]


def _at(dataset: Dataset, rows: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
    """The place of each row's target in float[R, N]."""
    return torch.arange(rows.size), torch.from_numpy(dataset.interactions.item[rows].astype(np.int64) - 1)
