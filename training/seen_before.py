"""What a row's user met before it, and one number added to the logits of that."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.interactions import Interactions


def seen_before(interactions: Interactions, rows: NDArray[np.int64], items: int) -> Tensor:
    """Which items the user of each flat row met before it, bool[R, N+1]; nobody met PAD."""
    first = interactions.offsets[interactions.user[rows]]  # [R]
    count = rows - first  # [R]
    line = np.repeat(np.arange(rows.size), count)  # [H] one for each interaction before
    inside = np.arange(line.size) - np.repeat(np.cumsum(count) - count, count)  # [H]
    item = interactions.item[np.repeat(first, count) + inside]  # [H]
    seen = torch.zeros(rows.size, items + 1, dtype=torch.bool)  # [R, N+1]
    seen[torch.from_numpy(line), torch.from_numpy(item.astype(np.int64))] = True
    return seen  # [R, N+1]


def move_seen(logits: Tensor, candidates: Tensor, seen: Tensor, offset: float) -> Tensor:
    """The logits with `offset` added where the candidate was met before.

    Args:
        logits: float[R, C].
        candidates: catalogue indices int64[C], the same for all rows, or int64[R, C].
        seen: bool[R, N+1].
        offset: in the logits' unit.
    """
    there = seen.to(logits.device)  # [R, N+1]
    met = there[:, candidates] if candidates.dim() == 1 else there.gather(1, candidates)  # [R, C]
    return logits + offset * met  # [R, C]
