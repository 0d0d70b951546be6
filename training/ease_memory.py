"""The memory of the linear teacher: its matrix of items by items. An answer is worked out when it is asked for."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor

from training.arrays import fingerprint
from training.artefacts import ArtefactCorrupt, ArtefactMissing, sha256_of
from training.dataset import Dataset
from training.evaluation.baselines import Popularity
from training.evaluation.selection import calibration_half
from training.lineage import lineage_of
from training.seen_before import move_seen, seen_before
from training.teacher_entry import EaseLink, TeacherEntry
from training.teachers.ease import Ease, EaseConfig

EASE = "ease"
ENTRY = "teacher.json"
_INVERSE = "inverse"
_PEAKS = tuple(np.geomspace(0.001, 0.3, 24).tolist())
_SMOOTHINGS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_CALIBRATION_USERS = 2000
"""So many tell two numbers."""


@dataclass(frozen=True, eq=False)
class EaseMemory:
    """A fitted EASE, answering with probabilities; train rows as one that never met their user."""

    entry: TeacherEntry
    row: NDArray[np.int64]
    """[S] every train row, ascending"""
    model: Ease
    log_popularity: Tensor
    """float[N]"""
    answered: NDArray[np.int64] | None = None
    """[S] the row whose answer each row is given; None: its own"""
    repeat_offset: float = 0.0
    """As `Memory` has it."""

    def on(self, device: torch.device) -> EaseMemory:
        """As `Memory` has it; its matrix goes there."""
        if device == self.log_popularity.device:
            return self
        return replace(self, model=self.model.on(device), log_popularity=self.log_popularity.to(device))

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
        return self._log_p(rows, leave_out=False)  # [R, N]

    def under(self, entry: TeacherEntry) -> EaseMemory:
        """As `Memory` has it."""
        return replace(self, entry=entry)

    def minding_repeats(self) -> EaseMemory:
        """As `Memory` has it."""
        entry, offset = self.entry.minding_repeats()
        return replace(self, entry=entry, repeat_offset=offset)

    def shuffled(self, seed: int) -> EaseMemory:
        """As `Memory` has it."""
        answered = self.row if self.answered is None else self.answered  # [S]
        return replace(self, answered=np.random.default_rng(seed).permutation(answered))

    def _log_p(self, rows: NDArray[np.int64], *, leave_out: bool) -> Tensor:
        link = self.entry.ease
        if link is None:
            raise ValueError(f"{self.entry.name}: no link from scores to probabilities")
        scores = self.model.scores(rows, leave_out=leave_out)  # [R, N]
        said = linked(scores, self.log_popularity, link.peak, link.smoothing)  # [R, N]
        if not self.repeat_offset:
            return said  # [R, N]
        everything = torch.arange(1, said.shape[1] + 1, device=said.device)  # [N]
        seen = seen_before(self.model.interactions, rows, said.shape[1])  # [R, N+1]
        return move_seen(said, everything, seen, self.repeat_offset).log_softmax(dim=1)  # [R, N]


def linked(scores: Tensor, log_popularity: Tensor, peak: float, smoothing: float) -> Tensor:
    """ln of (1 - smoothing) softmax(scores / peak) + smoothing * popularity: float[R, N], float[N] -> float[R, N]."""
    own = (scores / peak).log_softmax(dim=1) + math.log1p(-smoothing)  # [R, N]
    return torch.logaddexp(own, log_popularity + math.log(smoothing))  # [R, N]


def remember_ease(dataset: Dataset, config: EaseConfig, folder: Path) -> TeacherEntry:
    """Fit, calibrate and write it; what lies there of the same configuration, whole, is kept.

    Raises:
        ConfigError: the catalogue is too large.
    """
    kept = _kept(folder, config, dataset)
    if kept is not None:
        return kept
    started = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ENTRY).unlink(missing_ok=True)
    model = Ease.fit(config, dataset.interactions, dataset.split, len(dataset.catalog))
    inverse = model.inverse.cpu().numpy()  # [N, N]
    np.save(folder / f"{_INVERSE}.npy", inverse)
    peak, smoothing = _calibrated(model, dataset)
    entry = TeacherEntry(
        name=EASE,
        folder=folder.name,
        fingerprint=_fingerprint(inverse, config, dataset),
        temperature=1.0,
        calibration=1.0,
        rows=dataset.split.train_rows(dataset.interactions).size,
        held_out_rows=np.union1d(dataset.split.validation.row, dataset.split.test.row).size,
        width=model.items,
        bytes=(folder / f"{_INVERSE}.npy").stat().st_size,
        sha256={_INVERSE: sha256_of(folder / f"{_INVERSE}.npy")},
        seconds=time.perf_counter() - started,
        ease=EaseLink(model=config, peak=peak, smoothing=smoothing),
    )
    partial = folder / f"{ENTRY}.partial"
    partial.write_text(entry.model_dump_json(indent=1) + "\n", encoding="utf-8")
    partial.replace(folder / ENTRY)
    return entry


def read_ease(folder: Path, entry: TeacherEntry, dataset: Dataset) -> EaseMemory:
    """Map it into memory.

    Raises:
        ArtefactMissing: the matrix is not there.
        ArtefactCorrupt: it is not the one that the entry describes, or the entry is none of EASE.
    """
    path, items = folder / f"{_INVERSE}.npy", len(dataset.catalog)
    if entry.ease is None:
        raise ArtefactCorrupt(f"{folder}: its entry says nothing of a linear teacher")
    if not path.is_file():
        raise ArtefactMissing(f"{path} is not there")
    if sha256_of(path) != entry.sha256.get(_INVERSE):
        raise ArtefactCorrupt(f"{path}: its sha256 is not the one that was recorded")
    inverse = np.ascontiguousarray(np.load(path, mmap_mode="c", allow_pickle=False))  # [N, N]; mapped, if its rows are
    if inverse.shape != (items, items):
        raise ArtefactCorrupt(f"{path}: {inverse.shape}, and the catalogue has {items} items")
    model = Ease(entry.ease.model, torch.from_numpy(inverse), dataset.interactions, dataset.split)
    return EaseMemory(entry, dataset.split.train_rows(dataset.interactions), model, _log_popularity(dataset))


def _log_popularity(dataset: Dataset) -> Tensor:
    """ln of the share of train interactions, each item counted once more than it was met: float[N]."""
    count = Popularity.fit(dataset.interactions, dataset.split, len(dataset.catalog)).count[1:] + 1  # [N]
    return torch.from_numpy(np.log(count / count.sum()).astype(np.float32))  # [N]


def _calibrated(model: Ease, dataset: Dataset) -> tuple[float, float]:
    """Peak and smoothing under which the calibration half of validation is likeliest."""
    rows = calibration_half(dataset.split.validation).row[:_CALIBRATION_USERS]  # [E]
    scores = model.scores(rows, leave_out=False)  # [E, N]
    popularity = _log_popularity(dataset).to(scores.device)  # [N]
    target = torch.from_numpy(dataset.interactions.item[rows].astype(np.int64) - 1)[:, None].to(scores.device)  # [E, 1]
    own = {peak: (scores / peak).log_softmax(dim=1).gather(1, target) for peak in _PEAKS}  # [E, 1] each
    everybody = popularity[target]  # [E, 1]

    def likelihood(pair: tuple[float, float]) -> float:
        peak, smoothing = pair
        mixed = torch.logaddexp(own[peak] + math.log1p(-smoothing), everybody + math.log(smoothing))  # [E, 1]
        return float(mixed.mean())

    return max(product(_PEAKS, _SMOOTHINGS), key=likelihood)


def _kept(folder: Path, config: EaseConfig, dataset: Dataset) -> TeacherEntry | None:
    """The entry that lies there, if it is of this configuration, catalogue and train part, and whole."""
    try:
        entry = TeacherEntry.model_validate_json((folder / ENTRY).read_bytes())
        memory = read_ease(folder, entry, dataset)
    except (OSError, ValidationError, ArtefactCorrupt, ArtefactMissing):
        return None
    same = memory.model.config == config and entry.rows == memory.row.size
    wanted = _fingerprint(memory.model.inverse.numpy(), config, dataset)
    return entry if same and entry.fingerprint == wanted else None


def _fingerprint(inverse: NDArray[np.float32], config: EaseConfig, dataset: Dataset) -> str:
    """Of the matrix and of what it was fitted to and calibrated on: another data set of equal size is another."""
    return fingerprint({"inverse": inverse, "config": config.hash, "data": lineage_of(dataset).hash})
