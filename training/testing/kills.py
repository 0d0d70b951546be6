"""Teachers and trainings that die in the middle, as they do when the power goes off."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from training.dataset import Dataset
from training.fitting import Objective, StepLoss
from training.teachers.base import CausalTeacher, Teacher
from training.teachers.corpus import Corpus
from training.teachers.kind import Stage, TeacherConfig, TeacherKind, TeacherRecipe

AnyKind = TeacherKind[Any, Any, Any]


class Killed(Exception):
    """Stands for the power going off."""


class WatchedKind(TeacherKind[Any, Any, Any]):
    """Another kind, whose fine-tuning notes its epochs and may die in one of its first stage."""

    def __init__(self, inner: AnyKind, dies_in: int = 0) -> None:
        self.name = inner.name  # type: ignore[misc]  # a class says it once, this one after another
        self.recipe = inner.recipe
        self._inner, self._dies_in = inner, dies_in
        self.epochs: list[int] = []
        """Of the first stage, as they were begun."""

    def build(self, config: TeacherConfig, corpus: Corpus) -> Teacher:
        """The other's."""
        built: Teacher = self._inner.build(config, corpus)
        return built

    def pretraining(self, model: Teacher, corpus: Corpus, recipe: TeacherRecipe) -> Objective:
        """The other's."""
        return self._inner.pretraining(model, corpus, recipe)

    def finetuning(self, model: Teacher, dataset: Dataset, recipe: TeacherRecipe) -> Iterable[Stage]:
        """The other's, watched."""
        for number, stage in enumerate(self._inner.finetuning(model, dataset, recipe)):
            objective = stage.objective if number else _Watched(stage.objective, self.epochs, self._dies_in)
            yield Stage(stage.title, objective, stage.fit)

    def adopt(self, model: Teacher, pretrained: Teacher, recipe: TeacherRecipe) -> None:
        """The other's."""
        self._inner.adopt(model, pretrained, recipe)

    def pretrained(self, wanted: TeacherConfig) -> TeacherConfig:
        """The other's."""
        found: TeacherConfig = self._inner.pretrained(wanted)
        return found

    def tuned(self, wanted: TeacherConfig, pretrained: TeacherConfig) -> TeacherConfig:
        """The other's."""
        found: TeacherConfig = self._inner.tuned(wanted, pretrained)
        return found

    def official(self, path: Path, recipe: TeacherRecipe, corpus: Corpus) -> Teacher:
        """The other's."""
        read: Teacher = self._inner.official(path, recipe, corpus)
        return read


class _Watched:
    """Another objective; it dies after the first step of an epoch."""

    def __init__(self, inner: Objective, epochs: list[int], dies_in: int) -> None:
        self._inner, self._epochs, self._dies_in = inner, epochs, dies_in

    def epoch(self, rng: np.random.Generator) -> Sequence[NDArray[np.int64]]:
        return self._inner.epoch(rng)

    def batch(self, examples: NDArray[np.int64]) -> Any:  # noqa: ANN401 - the other's
        return self._inner.batch(examples)

    def loss(self, batch: Any, epoch: int) -> StepLoss:  # noqa: ANN401
        if epoch == self._dies_in and epoch in self._epochs:
            raise Killed
        if epoch not in self._epochs:
            self._epochs.append(epoch)
        return self._inner.loss(batch, epoch)


def mortal(teacher: Teacher, dies_in: int = 0) -> MortalTeacher | MortalCausalTeacher:
    """A teacher that counts its passes, and may die in one."""
    if isinstance(teacher, CausalTeacher):
        return MortalCausalTeacher(teacher, dies_in)
    return MortalTeacher(teacher, dies_in)


class _Mortal(Teacher):
    def __init__(self, inner: Teacher, dies_in: int) -> None:
        super().__init__()
        self.inner, self.dies_in, self.passes = inner, dies_in, 0
        self.name, self.config, self.max_history = inner.name, inner.config, inner.max_history
        self.temperature = inner.temperature

    def count(self) -> None:
        self.passes += 1
        if self.passes == self.dies_in:
            raise Killed


class MortalTeacher(_Mortal):
    """A pass is a call of `encode`."""

    def encode(self, history: Tensor) -> Tensor:
        """The other's."""
        self.count()
        return self.inner.encode(history)

    def item_matrix(self) -> Tensor:
        """The other's."""
        return self.inner.item_matrix()


class MortalCausalTeacher(_Mortal, CausalTeacher):
    """A pass is a call of `raw_hidden`."""

    inner: CausalTeacher

    def raw_hidden(self, history: Tensor, items: Tensor) -> Tensor:
        """The other's."""
        self.count()
        return self.inner.raw_hidden(history, items)

    def raw_item_matrix(self) -> Tensor:
        """The other's."""
        return self.inner.raw_item_matrix()
