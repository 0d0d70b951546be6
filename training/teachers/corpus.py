"""Several data sets as one pre-training corpus: each domain's items get indices of their own (UniSRec, section 2.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from service.bundle import PAD
from training.config import ConfigError
from training.dataset import Dataset
from training.sequences import Windows, train_windows


@dataclass(frozen=True, eq=False)
class Corpus:
    """The train parts of all domains; negatives come from every domain."""

    text: Tensor
    """float[N+1, F], N over all domains"""
    text_word_drop: Tensor
    """float[N+1, F]"""
    windows: Windows

    @classmethod
    def of(cls, datasets: Sequence[Dataset], length: int) -> Corpus:
        """Lay data sets side by side.

        Raises:
            ConfigError: their texts were encoded by different encoders; the folders are named.
        """
        encoders = {one.text.encoder for one in datasets}
        if len(encoders) != 1:
            folders = ", ".join(f"{one.folder} ({one.text.encoder})" for one in datasets)
            raise ConfigError(f"one corpus needs one text encoder, found: {folders}")
        starts = np.cumsum([0, *(len(one.catalog) for one in datasets)])
        windows = [_windows(one, length, int(start)) for one, start in zip(datasets, starts, strict=False)]
        return cls(
            text=_stack([one.text.values for one in datasets]),
            text_word_drop=_stack([one.text_word_drop.values for one in datasets]),
            windows=Windows(
                *(np.concatenate([getattr(one, name) for one in windows]) for name in ("history", "target", "row"))
            ),
        )


def _windows(dataset: Dataset, length: int, start: int) -> Windows:
    """A domain's windows, its item indices moved up by `start`; flat rows keep their meaning inside the domain only."""
    windows = train_windows(dataset.interactions, dataset.split, length)

    def moved(items: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.where(items == PAD, PAD, items + start)

    return Windows(moved(windows.history), moved(windows.target), windows.row)


def _stack(features: Sequence[NDArray[np.float32]]) -> Tensor:
    """One PAD row, then the items of each domain."""
    return torch.from_numpy(np.concatenate([features[0][:1], *(one[1:] for one in features)]))  # [N+1, F]
