"""What the items of a history count, newer ones more: what both teachers in closed form read."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from service.bundle import PAD
from training.interactions import Interactions
from training.sequences import sequences_at


def recency(interactions: Interactions, rows: NDArray[np.int64], items: int, reading: tuple[int, float]) -> Tensor:
    """decay^age of each item in the histories before flat rows, by its newest place; 0 where it is not: float[R, N].

    Args:
        interactions: whose histories.
        rows: int64[R].
        items: N.
        reading: how many of the newest items are read, and decay.
    """
    longest, decay = reading
    met = torch.from_numpy(sequences_at(interactions, rows, longest).history.copy())  # [R, L]
    worth = decay ** torch.arange(met.shape[1] - 1, -1, -1, dtype=torch.float)  # [L]
    found = torch.zeros(len(rows), items + 1)  # [R, N+1]
    found.scatter_reduce_(1, met, worth.expand_as(met), "amax")  # [R, N+1]
    return found[:, PAD + 1 :]  # [R, N]
