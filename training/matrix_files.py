"""The one matrix that a teacher in closed form leaves on disk, and the entry that vouches for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from training.arrays import fingerprint
from training.artefacts import ArtefactCorrupt, ArtefactMissing, sha256_of
from training.config import Config
from training.dataset import Dataset
from training.lineage import lineage_of
from training.teacher_entry import EaseLink, TeacherEntry, TransitionsLink

ENTRY = "teacher.json"


@dataclass(frozen=True)
class MatrixFile:
    """Where a teacher's matrix of items by items lies."""

    folder: Path
    name: str
    """Of the matrix, without `.npy`."""
    started: float = field(default_factory=time.perf_counter)

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / f"{self.name}.npy"

    def read(self, entry: TeacherEntry, items: int) -> NDArray[np.float32]:
        """Map it into memory; copied where its rows lie apart, which are read one by one: [N, N].

        Raises:
            ArtefactMissing: it is not there.
            ArtefactCorrupt: it is not the one that the entry describes.
        """
        if not self.path.is_file():
            raise ArtefactMissing(f"{self.path} is not there")
        if sha256_of(self.path) != entry.sha256.get(self.name):
            raise ArtefactCorrupt(f"{self.path}: its sha256 is not the one that was recorded")
        found: NDArray[np.float32] = np.ascontiguousarray(np.load(self.path, mmap_mode="c", allow_pickle=False))
        if found.shape != (items, items):
            raise ArtefactCorrupt(f"{self.path}: {found.shape}, and the catalogue has {items} items")
        return found

    def write(self, matrix: NDArray[np.float32]) -> None:
        """Write it; an entry that vouched for another goes first."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / ENTRY).unlink(missing_ok=True)
        np.save(self.path, matrix)

    def fingerprint(self, matrix: NDArray[np.float32], config: Config, dataset: Dataset) -> str:
        """Of the matrix and of what it was fitted to and calibrated on: another data set of equal size is another."""
        return fingerprint({self.name: matrix, "config": config.hash, "data": lineage_of(dataset).hash})

    def seal(self, dataset: Dataset, matrix_of: str, link: EaseLink | TransitionsLink) -> TeacherEntry:
        """Write the entry that vouches for what `write` wrote.

        Args:
            dataset: what it was fitted to.
            matrix_of: its fingerprint.
            link: how its answers become probabilities.
        """
        entry = TeacherEntry(
            name=link.teacher,
            folder=self.folder.name,
            fingerprint=matrix_of,
            temperature=1.0,
            calibration=1.0,
            rows=dataset.split.train_rows(dataset.interactions).size,
            held_out_rows=dataset.split.held_out_rows.size,
            width=len(dataset.catalog),
            bytes=self.path.stat().st_size,
            sha256={self.name: sha256_of(self.path)},
            seconds=time.perf_counter() - self.started,
            ease=link if isinstance(link, EaseLink) else None,
            transitions=link if isinstance(link, TransitionsLink) else None,
        )
        partial = self.folder / f"{ENTRY}.partial"
        partial.write_text(entry.model_dump_json(indent=1) + "\n", encoding="utf-8")
        partial.replace(self.folder / ENTRY)
        return entry


def kept_entry(folder: Path, whole: Callable[[TeacherEntry], bool]) -> TeacherEntry | None:
    """The entry that lies there, if the teacher that it describes is the wanted one and nothing is damaged.

    Args:
        folder: of the teacher.
        whole: reads what the entry vouches for, and says whether it is what would be made now.
    """
    try:
        entry = TeacherEntry.model_validate_json((folder / ENTRY).read_bytes())
        return entry if whole(entry) else None
    except (OSError, ValidationError, ArtefactCorrupt, ArtefactMissing):
        return None
