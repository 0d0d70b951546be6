"""Windows in batches of about equal work: histories of like length together, no column that is all padding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from service.bundle import PAD
from training.errors import SplitImpossible
from training.sequences import Windows


@dataclass(frozen=True, eq=False)
class Batch:
    """Some windows, cut on the left to the longest of them (so L here is at most the model's L)."""

    history: Tensor
    """int64[B, L]"""
    target: Tensor
    """int64[B, L]; PAD where nothing is asked"""
    row: Tensor
    """int64[B, L] flat rows; meaningless where nothing is asked"""

    @property
    def asked(self) -> Tensor:
        """bool[B, L]; it holds R targets, and every `[R]` below is in this mask's order."""
        return self.target != PAD

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        return Batch(self.history.to(device), self.target.to(device), self.row.to(device))

    def only(self, wanted: Tensor) -> Batch:
        """The same histories, asked only at the places wanted, bool[B, L]."""
        return replace(self, target=torch.where(wanted, self.target, PAD))

    def prefixes(self) -> Tensor:
        """The items that came before each target, itself left out: int64[R, L], PAD elsewhere.

        An item bought again is the target and not a prefix item: the answer is never masked.
        """
        window, last = self.asked.nonzero(as_tuple=True)  # [R] each
        place = torch.arange(self.history.shape[1], device=self.history.device)  # [L]
        history = self.history[window]  # [R, L]
        keep = (place[None] <= last[:, None]) & (history != self.target[self.asked][:, None])  # [R, L]
        return torch.where(keep, history, PAD)  # [R, L]


class WindowBatches:
    """Epochs of batches over one set of windows."""

    def __init__(self, windows: Windows, rows_per_batch: int) -> None:
        """Batches hold about `rows_per_batch` targets: a batch of long histories has fewer windows.

        Raises:
            SplitImpossible: there is no window.
        """
        if not len(windows):
            raise SplitImpossible("nothing to learn from: no user has two train interactions")
        self._windows = windows
        self._rows_per_batch = rows_per_batch
        self._length = (windows.history != PAD).sum(axis=1)  # [W]
        self._targets = (windows.target != PAD).sum(axis=1)  # [W]

    def epoch(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """One epoch in random order: the window numbers of each batch. Windows of a batch are of about one length."""
        noisy = self._length + rng.uniform(0, 4, size=self._length.size)  # [W]: another grouping every epoch
        order = np.argsort(noisy)  # [W]
        filled = np.cumsum(self._targets[order]) // self._rows_per_batch  # [W]
        batches = np.split(order, np.flatnonzero(np.diff(filled)) + 1)
        return [batches[k] for k in rng.permutation(len(batches))]

    def in_order(self) -> Iterator[Batch]:
        """Every window once, for reading out; shortest first."""
        return (self.batch(one) for one in self.steps_in_order())

    def steps_in_order(self) -> list[NDArray[np.int64]]:
        """The window numbers of each of those batches."""
        order = np.argsort(self._length, kind="stable")  # [W]
        filled = np.cumsum(self._targets[order]) // self._rows_per_batch  # [W]
        return [one for one in np.split(order, np.flatnonzero(np.diff(filled)) + 1) if one.size]

    def batch(self, chosen: NDArray[np.int64]) -> Batch:
        """The batch of these windows."""
        longest = int(self._length[chosen].max())
        cut = (part[chosen, -longest:] for part in (self._windows.history, self._windows.target, self._windows.row))
        return Batch(*map(torch.from_numpy, cut))
