"""Who is heard in a row of the study: the teachers of a cache, some of them, or what a control puts in their place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.arrays import fingerprint
from training.config import ConfigError
from training.dataset import Contents
from training.distillation.rows import Teaching
from training.evaluation.baselines import Popularity
from training.knowledge import TeacherKnowledge
from training.memory import Memory
from training.teacher_entry import TeacherEntry
from training.vector_memory import PROCESSOR, TeacherMemory


@dataclass(frozen=True, eq=False)
class HeardTeachers:
    """The teachers of a row."""

    memories: tuple[Memory, ...]
    name: str
    """Equal for equal opinions on every row."""
    device: torch.device = PROCESSOR
    """Where they answer."""

    def __len__(self) -> int:
        return len(self.memories)

    def on(self, device: torch.device) -> HeardTeachers:
        """The same teachers, answering on a device."""
        return replace(self, memories=tuple(one.on(device) for one in self.memories), device=device)

    @property
    def with_vectors(self) -> tuple[TeacherMemory, ...]:
        """Those that left vectors behind."""
        return tuple(one for one in self.memories if isinstance(one, TeacherMemory))

    def item_components(self, width: int) -> Tensor:
        """The principal components of the teachers' item vectors, side by side, of variance 1: float[N+1, width].

        Columns beyond what the teachers span are 0, and so is PAD's row.

        Raises:
            ConfigError: no teacher has vectors.
        """
        if not self.with_vectors:
            raise ConfigError("no teacher that is heard has item vectors to begin with")
        vectors = torch.cat([one.items[1:].cpu() for one in self.with_vectors], dim=1)  # [N, sum of D_m]
        left, size, _ = torch.linalg.svd(vectors - vectors.mean(dim=0), full_matrices=False)
        components = left[:, :width] * size[:width]  # [N, <= width]
        found = torch.zeros(vectors.shape[0] + 1, width)  # [N+1, width]
        found[1:, : components.shape[1]] = components / components.std().clamp(min=1e-12)
        return found


def heard(
    teaching: Teaching, knowledge: TeacherKnowledge | None, dataset: Contents, *, repeat_offsets: bool = False
) -> HeardTeachers:
    """Pick the teachers, and change them as the row's control wants.

    Args:
        teaching: of the row.
        knowledge: the cache.
        dataset: whose users.
        repeat_offsets: whether each teacher's o_m is added to what was seen.

    Raises:
        ConfigError: the row needs teachers and there is no cache, or it wants one that the cache has not, or o_m of one
            that has none.
    """
    if teaching.cast == "popularity":
        return _named((popularity_teacher(dataset),), "popularity")
    if knowledge is None:
        raise ConfigError("teachers are to be heard and no knowledge is given")
    memories = _chosen(teaching, knowledge)
    if repeat_offsets:
        memories = tuple(one.minding_repeats() for one in memories)
    if teaching.cast == "shuffled":
        return _named(tuple(one.shuffled(seed) for seed, one in enumerate(memories)), teaching.cast)
    if teaching.cast == "one shuffled":
        return _named((memories[0].shuffled(0), *memories[1:]), teaching.cast)
    return _named(memories, teaching.cast)


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


def present_rows(memories: Sequence[Memory]) -> NDArray[np.int64]:
    """Every flat row that at least one teacher scored, ascending: int64[S]."""
    return np.unique(np.concatenate([one.row for one in memories]))  # [S]


def _chosen(teaching: Teaching, knowledge: TeacherKnowledge) -> tuple[Memory, ...]:
    if teaching.only is None:
        return knowledge.teachers
    if teaching.only >= len(knowledge.teachers):
        raise ConfigError(f"the row hears teacher {teaching.only + 1}, the cache holds {len(knowledge.teachers)}")
    return (knowledge.teachers[teaching.only],)


def _named(memories: tuple[Memory, ...], cast: str) -> HeardTeachers:
    who = " ".join(_opinions(one) for one in memories)
    return HeardTeachers(memories, f"{cast}: {who}")


def _opinions(memory: Memory) -> str:
    """Equal for equal ones, without o_m as it was before there was any."""
    entry = memory.entry
    moved = f"{memory.repeat_offset:+}" if memory.repeat_offset else ""
    return f"{entry.fingerprint}@{entry.calibration}{moved}/{entry.rows}-{entry.optimism}"
