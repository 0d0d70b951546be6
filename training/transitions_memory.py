"""What the counting teacher leaves behind: its matrix of counts, and how its pairs are heard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import torch

from training.artefacts import ArtefactCorrupt
from training.closed_form_memory import ClosedFormMemory
from training.dataset import Dataset
from training.evaluation.selection import calibration_half, evenly
from training.log_popularity import log_popularity
from training.matrix_files import MatrixFile, kept_entry
from training.teacher_entry import TeacherEntry, TransitionsLink
from training.teachers.transitions import Transitions, TransitionsSearch, count_pairs

_COUNT = "count"
_CALIBRATION_USERS = 2000
"""So many tell five numbers."""


def remember_transitions(dataset: Dataset, search: TransitionsSearch, folder: Path) -> TeacherEntry:
    """Count, choose and write it; what lies there of the same data and search, whole, is kept.

    Raises:
        ConfigError: the catalogue is too large.
        SplitImpossible: there are no two validation users.
    """
    file = MatrixFile(folder, _COUNT)

    def whole(entry: TeacherEntry) -> bool:
        found = _counted(folder, entry, dataset)
        same = entry.transitions is not None and entry.transitions.search == search
        return same and entry.fingerprint == file.fingerprint(found.count.numpy(), found.config, dataset)

    kept = kept_entry(folder, whole)
    if kept is not None:
        return kept
    best = max(_candidates(dataset, search), key=lambda one: one[0])[1]
    count = best.count.numpy()  # [N, N]
    file.write(count)
    link = TransitionsLink(model=best.config, search=search)
    return file.seal(dataset, file.fingerprint(count, best.config, dataset), link)


def read_transitions(folder: Path, entry: TeacherEntry, dataset: Dataset) -> ClosedFormMemory:
    """Map it into memory.

    Raises:
        ArtefactMissing: the matrix is not there.
        ArtefactCorrupt: it is not the one that the entry describes, or the entry is none of this teacher.
    """
    train = dataset.split.train_rows(dataset.interactions)  # [S]
    return ClosedFormMemory(entry, train, dataset.split.held_out_rows, _counted(folder, entry, dataset))


def _counted(folder: Path, entry: TeacherEntry, dataset: Dataset) -> Transitions:
    if entry.transitions is None:
        raise ArtefactCorrupt(f"{folder}: its entry says nothing of counted transitions")
    count = torch.from_numpy(MatrixFile(folder, _COUNT).read(entry, len(dataset.catalog)))  # [N, N]
    popularity = log_popularity(dataset).exp()  # [N]
    return Transitions(entry.transitions.model, count, popularity, dataset.interactions, dataset.split)


def _candidates(dataset: Dataset, search: TransitionsSearch) -> Iterator[tuple[float, Transitions]]:
    """(mean ln p of what came next, model) of every way to count and to hear, on the calibration half of validation."""
    rows = evenly(calibration_half(dataset.split.validation), _CALIBRATION_USERS).row  # [E]
    target = torch.from_numpy(dataset.interactions.item[rows].astype(np.int64) - 1)  # [E]
    popularity = log_popularity(dataset).exp()  # [N]
    for _, alike in groupby(search.ways(), key=lambda way: (way.window, way.fade, way.backward)):
        ways = list(alike)
        count = count_pairs(dataset.interactions, dataset.split, len(dataset.catalog), ways[0])  # [N, N]
        for _, same in groupby(ways, key=lambda way: way.decay):
            heard = list(same)
            model = Transitions(heard[0], count, popularity, dataset.interactions, dataset.split)
            evidence = model.evidence(rows, leave_out=False)  # [E, N]
            said, total = evidence.gather(1, target[:, None]).squeeze(1), evidence.sum(dim=1)  # [E] each
            for way in heard:
                likely = ((said + way.mass * popularity[target]) / (total + way.mass)).log().mean()  # []
                yield float(likely), replace(model, config=way)
