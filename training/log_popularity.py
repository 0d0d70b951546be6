"""How likely each item is to whoever asks: what teachers in closed form say where they know nothing better."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from training.dataset import Dataset
from training.evaluation.baselines import Popularity


def log_popularity(dataset: Dataset) -> Tensor:
    """ln of the share of train interactions, each item counted once more than it was met: float[N]."""
    count = Popularity.fit(dataset.interactions, dataset.split, len(dataset.catalog)).count[1:] + 1  # [N]
    return torch.from_numpy(np.log(count / count.sum()).astype(np.float32))  # [N]
