"""What the linear teacher leaves behind: its matrix of items by items, and how its scores become probabilities."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.artefacts import ArtefactCorrupt
from training.closed_form_memory import ClosedFormMemory
from training.dataset import Dataset
from training.evaluation.selection import calibration_half
from training.interactions import Interactions
from training.log_popularity import log_popularity
from training.matrix_files import MatrixFile, kept_entry
from training.teacher_entry import EaseLink, TeacherEntry
from training.teachers.ease import Ease, EaseConfig

_INVERSE = "inverse"
_PEAKS = tuple(np.geomspace(0.001, 0.3, 24).tolist())
_SMOOTHINGS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_CALIBRATION_USERS = 2000
"""So many tell two numbers."""


@dataclass(frozen=True, eq=False)
class LinkedEase:
    """A fitted EASE that answers with probabilities."""

    ease: Ease
    log_popularity: Tensor
    """float[N]"""
    link: EaseLink

    @property
    def interactions(self) -> Interactions:
        """As `ClosedForm` has it."""
        return self.ease.interactions

    @property
    def device(self) -> torch.device:
        """As `ClosedForm` has it."""
        return self.log_popularity.device

    def on(self, device: torch.device) -> LinkedEase:
        """As `ClosedForm` has it."""
        return replace(self, ease=self.ease.on(device), log_popularity=self.log_popularity.to(device))

    def log_p(self, rows: NDArray[np.int64], *, leave_out: bool) -> Tensor:
        """As `ClosedForm` has it."""
        scores = self.ease.scores(rows, leave_out=leave_out)  # [R, N]
        return linked(scores, self.log_popularity, self.link.peak, self.link.smoothing)  # [R, N]


def linked(scores: Tensor, log_popularity: Tensor, peak: float, smoothing: float) -> Tensor:
    """ln of (1 - smoothing) softmax(scores / peak) + smoothing * popularity: float[R, N], float[N] -> float[R, N]."""
    own = (scores / peak).log_softmax(dim=1) + math.log1p(-smoothing)  # [R, N]
    return torch.logaddexp(own, log_popularity + math.log(smoothing))  # [R, N]


def remember_ease(dataset: Dataset, config: EaseConfig, folder: Path) -> TeacherEntry:
    """Fit, calibrate and write it; what lies there of the same configuration, whole, is kept.

    Raises:
        ConfigError: the catalogue is too large.
        SplitImpossible: there are no two validation users.
    """
    file = MatrixFile(folder, _INVERSE)

    def whole(entry: TeacherEntry) -> bool:
        found = _linked(folder, entry, dataset)
        return found.link.model == config and entry.fingerprint == file.fingerprint(
            found.ease.inverse.numpy(), config, dataset
        )

    kept = kept_entry(folder, whole)
    if kept is not None:
        return kept
    model = Ease.fit(config, dataset.interactions, dataset.split, len(dataset.catalog))
    inverse = model.inverse.cpu().numpy()  # [N, N]
    file.write(inverse)
    peak, smoothing = _calibrated(model, dataset)
    link = EaseLink(model=config, peak=peak, smoothing=smoothing)
    return file.seal(dataset, file.fingerprint(inverse, config, dataset), link)


def read_ease(folder: Path, entry: TeacherEntry, dataset: Dataset) -> ClosedFormMemory:
    """Map it into memory.

    Raises:
        ArtefactMissing: the matrix is not there.
        ArtefactCorrupt: it is not the one that the entry describes, or the entry is none of EASE.
    """
    train = dataset.split.train_rows(dataset.interactions)  # [S]
    return ClosedFormMemory(entry, train, dataset.split.held_out_rows, _linked(folder, entry, dataset))


def _linked(folder: Path, entry: TeacherEntry, dataset: Dataset) -> LinkedEase:
    if entry.ease is None:
        raise ArtefactCorrupt(f"{folder}: its entry says nothing of a linear teacher")
    inverse = torch.from_numpy(MatrixFile(folder, _INVERSE).read(entry, len(dataset.catalog)))  # [N, N]
    model = Ease(entry.ease.model, inverse, dataset.interactions, dataset.split)
    return LinkedEase(model, log_popularity(dataset), entry.ease)


def _calibrated(model: Ease, dataset: Dataset) -> tuple[float, float]:
    """Peak and smoothing under which the calibration half of validation is likeliest."""
    rows = calibration_half(dataset.split.validation).row[:_CALIBRATION_USERS]  # [E]
    scores = model.scores(rows, leave_out=False)  # [E, N]
    popularity = log_popularity(dataset).to(scores.device)  # [N]
    target = torch.from_numpy(dataset.interactions.item[rows].astype(np.int64) - 1)[:, None].to(scores.device)  # [E, 1]
    own = {peak: (scores / peak).log_softmax(dim=1).gather(1, target) for peak in _PEAKS}  # [E, 1] each
    everybody = popularity[target]  # [E, 1]

    def likelihood(pair: tuple[float, float]) -> float:
        peak, smoothing = pair
        mixed = torch.logaddexp(own[peak] + math.log1p(-smoothing), everybody + math.log(smoothing))  # [E, 1]
        return float(mixed.mean())

    return max(product(_PEAKS, _SMOOTHINGS), key=likelihood)
