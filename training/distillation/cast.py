"""Who is heard in a row of the study: the teachers of a cache, some of them, or what a control puts in their place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.arrays import fingerprint
from training.config import ConfigError
from training.dataset import Contents
from training.distillation.rows import Teaching
from training.evaluation.baselines import Popularity
from training.knowledge import TeacherEntry, TeacherKnowledge, TeacherMemory


@dataclass(frozen=True, eq=False)
class HeardTeachers:
    """The teachers of a row."""

    memories: tuple[TeacherMemory, ...]
    name: str
    """Equal for equal opinions on every row."""

    def __len__(self) -> int:
        return len(self.memories)

    def item_components(self, width: int) -> Tensor:
        """The principal components of the teachers' item vectors, side by side, of variance 1: float[N+1, width].

        Columns beyond what the teachers span are 0, and so is PAD's row.
        """
        vectors = torch.cat([one.items()[1:] for one in self.memories], dim=1)  # [N, sum of D_m]
        left, size, _ = torch.linalg.svd(vectors - vectors.mean(dim=0), full_matrices=False)
        components = left[:, :width] * size[:width]  # [N, <= width]
        found = torch.zeros(vectors.shape[0] + 1, width)  # [N+1, width]
        found[1:, : components.shape[1]] = components / components.std().clamp(min=1e-12)
        return found


def heard(teaching: Teaching, knowledge: TeacherKnowledge | None, dataset: Contents) -> HeardTeachers:
    """Pick the teachers, and change them as the row's control wants.

    Raises:
        ConfigError: the row needs teachers and there is no cache, or it wants one that the cache has not.
    """
    if teaching.cast == "popularity":
        return _named((popularity_teacher(dataset),), "popularity")
    if knowledge is None:
        raise ConfigError("teachers are to be heard and no knowledge is given")
    memories = _chosen(teaching, knowledge)
    if teaching.cast == "shuffled":
        return _named(tuple(shuffled(one, seed) for seed, one in enumerate(memories)), teaching.cast)
    if teaching.cast == "one shuffled":
        return _named((shuffled(memories[0], 0), *memories[1:]), teaching.cast)
    return _named(memories, teaching.cast)


def shuffled(memory: TeacherMemory, seed: int) -> TeacherMemory:
    """The same teacher, its user vectors dealt out to other rows: what it says is no answer to the row."""
    dealt = np.random.default_rng(seed).permutation(memory.row.size)  # [S]
    return TeacherMemory(memory.entry, memory.row, memory.user[dealt], memory.item)


def popularity_teacher(dataset: Contents) -> TeacherMemory:
    """p(c) in proportion to 1 + the train interactions of c, whoever asks."""
    rows = dataset.split.train_rows(dataset.interactions)  # [S]
    count = Popularity.fit(dataset.interactions, dataset.split, len(dataset.catalog)).count  # [N+1]
    item = np.log1p(count).astype(np.float16)[:, None]  # [N+1, 1]
    user = np.ones((rows.size, 1), dtype=np.float16)  # [S, 1]
    entry = TeacherEntry(
        name="popularity",
        folder="",
        fingerprint=fingerprint({"item": item}),
        temperature=1.0,
        calibration=1.0,
        rows=rows.size,
        held_out_rows=0,
        width=1,
        bytes=user.nbytes + item.nbytes,
        sha256={},
        seconds=0.0,
    )
    return TeacherMemory(entry, rows, user, item)


def present_rows(memories: Sequence[TeacherMemory]) -> NDArray[np.int64]:
    """Every flat row that at least one teacher scored, ascending: int64[S]."""
    return np.unique(np.concatenate([one.row for one in memories]))  # [S]


def _chosen(teaching: Teaching, knowledge: TeacherKnowledge) -> tuple[TeacherMemory, ...]:
    if teaching.only is None:
        return knowledge.teachers
    if teaching.only >= len(knowledge.teachers):
        raise ConfigError(f"the row hears teacher {teaching.only + 1}, the cache holds {len(knowledge.teachers)}")
    return (knowledge.teachers[teaching.only],)


def _named(memories: tuple[TeacherMemory, ...], cast: str) -> HeardTeachers:
    who = " ".join(f"{one.entry.fingerprint}@{one.entry.calibration}/{one.entry.rows}" for one in memories)
    return HeardTeachers(memories, f"{cast}: {who}")
