"""Asking one teacher for its user vectors at many rows: written as they come, gone on with after a kill."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor

from training.arrays import fingerprint
from training.batches import WindowBatches
from training.config import Config
from training.dataset import Dataset
from training.progress import progress_bar
from training.sequences import sequences_at, train_windows
from training.teachers.base import Teacher
from training.two_tower import CausalTwoTower

USERS = "user.npy"
PROGRESS = "progress.json"
_WINDOW_ROWS = 4096
_HISTORIES = 256
_Users: TypeAlias = "np.memmap[Any, np.dtype[np.float16]]"
SAVE_SECONDS = 20.0


class _Progress(Config):
    """How far an asking has come."""

    asked: str
    """Which teacher, which rows."""
    steps: int
    seconds: float


class _Questions(Protocol):
    """The rows in steps."""

    def __len__(self) -> int: ...

    def answer(self, step: int) -> tuple[NDArray[np.int64], Tensor]:
        """Flat rows [R], and the user vectors float[R, D] there."""


class _Passes:
    """A causal teacher: one pass over a window answers all of its rows."""

    def __init__(self, dataset: Dataset, teacher: CausalTwoTower, device: torch.device) -> None:
        windows = train_windows(dataset.interactions, dataset.split, teacher.max_history)
        self._batches = WindowBatches(windows, _WINDOW_ROWS)
        self._steps = self._batches.steps_in_order()
        self._hidden, self._device = teacher.prepared_hidden(), device

    def __len__(self) -> int:
        return len(self._steps)

    def answer(self, step: int) -> tuple[NDArray[np.int64], Tensor]:
        batch = self._batches.batch(self._steps[step])
        hidden = self._hidden(batch.history.to(self._device))[batch.asked.to(self._device)]  # [R, D]
        return batch.row[batch.asked].numpy(), hidden


class _Histories:
    """Any other teacher: a history for each row."""

    def __init__(self, asked: Asked, device: torch.device) -> None:
        self._interactions, self._length = asked.dataset.interactions, asked.teacher.max_history
        self._row, self._device = asked.row, device
        self._encode: Callable[[Tensor], Tensor] = asked.teacher.prepared()

    def __len__(self) -> int:
        return len(range(0, self._row.size, _HISTORIES))

    def answer(self, step: int) -> tuple[NDArray[np.int64], Tensor]:
        row = self._row[step * _HISTORIES : (step + 1) * _HISTORIES]  # [R]
        history = sequences_at(self._interactions, row, self._length).history  # [R, L]
        return row, self._encode(torch.from_numpy(history.copy()).to(self._device))


@dataclass(frozen=True, eq=False)
class Asked:
    """What is asked, of whom, and where the answers are kept."""

    dataset: Dataset
    teacher: Teacher
    """In evaluation mode."""
    fingerprint: str
    """sha256 of the teacher's weights."""
    row: NDArray[np.int64]
    """[S] ascending flat rows"""
    folder: Path
    save_seconds: float = SAVE_SECONDS
    """A kill costs this much work at most, and the step at hand."""
    held_out: bool = False
    """The rows are for validation and test: not in the train windows of a causal teacher, whose passes end before."""

    @property
    def what(self) -> str:
        """Equal for the same questions to the same teacher."""
        return fingerprint({"row": self.row, "teacher": self.fingerprint, "data": self.dataset.fingerprint})


def rows_to_ask(dataset: Dataset, teacher: Teacher, at_most: int) -> NDArray[np.int64]:
    """The train rows that a teacher scores, ascending, [S].

    A causal teacher scores all of them in the passes that it needs anyway. One that needs a pass for each row scores a
    random sample of them where there are more than `at_most` (0: always all).
    """
    rows = dataset.split.train_rows(dataset.interactions)  # [S]
    if isinstance(teacher, CausalTwoTower) or not 0 < at_most < rows.size:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, at_most, replace=False))  # [S]


def write_users(asked: Asked, item: Tensor) -> float:
    """Fill `user.npy`, float16[S, D], beside the teacher's item matrix float[N+1, D].

    An asking of the same teacher for the same rows that stopped in this folder is gone on with.

    Returns:
        Seconds, those before an interruption among them.
    """
    done, users = _kept(asked, (asked.row.size, item.shape[1])) or _afresh(asked, (asked.row.size, item.shape[1]))
    started, saved = time.perf_counter() - done.seconds, time.perf_counter()
    part = "held-out rows" if asked.held_out else "train rows"
    with torch.no_grad(), progress_bar(f"asking {asked.teacher.name}: {part}", asked.row.size) as bar:
        questions = _questions(asked, item.device)
        for step in range(done.steps, len(questions)):
            row, user = questions.answer(step)
            users[np.searchsorted(asked.row, row)] = user.to(torch.float16).cpu().numpy()
            if time.perf_counter() - saved > asked.save_seconds:
                users.flush()  # the vectors lie on disk before the progress says that they do
                saved = time.perf_counter()
                _save(asked, _Progress(asked=asked.what, steps=step + 1, seconds=saved - started))
            bar.advance(steps=row.size)
    users.flush()
    seconds = time.perf_counter() - started
    _save(asked, _Progress(asked=asked.what, steps=len(questions), seconds=seconds))
    return seconds


def forget_progress(folder: Path) -> None:
    """Drop what `write_users` noted in a folder, when all else that belongs to the answers is written."""
    (folder / PROGRESS).unlink(missing_ok=True)


def _questions(asked: Asked, device: torch.device) -> _Questions:
    if isinstance(asked.teacher, CausalTwoTower) and not asked.held_out:
        return _Passes(asked.dataset, asked.teacher, device)
    return _Histories(asked, device)


def _kept(asked: Asked, shape: tuple[int, int]) -> tuple[_Progress, _Users] | None:
    """What an asking that stopped left behind, where it asked the same and its file is whole."""
    try:
        found = _Progress.model_validate_json((asked.folder / PROGRESS).read_bytes())
        np.load(asked.folder / USERS, mmap_mode="r")  # refuses a file that was cut; to open it for writing fills it up
        users = open_memmap(asked.folder / USERS, mode="r+")  # [S, D]
    except (OSError, ValueError):
        return None
    same = found.asked == asked.what and (users.shape, users.dtype) == (shape, np.dtype(np.float16))
    return (found, users) if same else None


def _afresh(asked: Asked, shape: tuple[int, int]) -> tuple[_Progress, _Users]:
    """Begin; what is noted of an earlier asking would vouch for vectors that are about to be overwritten."""
    forget_progress(asked.folder)
    users = open_memmap(asked.folder / USERS, mode="w+", dtype=np.float16, shape=shape)  # [S, D]
    return _Progress(asked=asked.what, steps=0, seconds=0), users


def _save(asked: Asked, progress: _Progress) -> None:
    partial = asked.folder / f"{PROGRESS}.partial"
    partial.write_text(progress.model_dump_json(), encoding="utf-8")
    partial.replace(asked.folder / PROGRESS)
