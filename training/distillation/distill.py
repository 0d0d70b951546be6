"""The step `distill`: a student learns from what came next, and from what the teachers thought of it (equation 9)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, JsonValue
from torch import Tensor

from service.bundle import PAD
from training.artefacts import (
    ArtefactMismatch,
    Lineage,
    ModelRecord,
    load_weights,
    read_record,
    require_same_data,
    save_model,
)
from training.batches import Batch, WindowBatches
from training.config import Config, ConfigError
from training.dataset import Dataset
from training.distillation.candidates import CandidateMode, candidates
from training.distillation.confidence import label_confidence
from training.distillation.consistency import consistency
from training.distillation.integration import integration_weights, mixture
from training.distillation.losses import kl_to_mixture, next_item_loss
from training.distillation.rows import Row, study_row
from training.distillation.teacher_panel import Opinions, TeacherPanel
from training.evaluation.selection import SelectOn, selection_half, validation_ndcg
from training.fitting import FitConfig, StepLoss, Task, fit, forget
from training.knowledge import TeacherKnowledge
from training.lineage import lineage_of
from training.processes import Processes
from training.sequences import train_windows
from training.students.registry import student_family
from training.two_tower import CausalTwoTower


class DistillConfig(Config):
    """The recipe of a student."""

    student: dict[str, JsonValue] = Field(default_factory=dict)
    """What differs from the student family's defaults."""
    fit: FitConfig = Field(default_factory=lambda: FitConfig(epochs=200, patience=10))
    select_on: SelectOn = "unmasked"
    """Which validation NDCG@10 picks the epoch, on the selection half of the validation users."""
    candidates: CandidateMode = "catalogue"
    weight: float = Field(default=1.0, ge=0)
    """lambda: weight of the distillation loss."""
    warm_up_epochs: int = Field(default=5, ge=0)
    """lambda rises linearly over these."""
    temperature: float = Field(default=2.0, gt=0)
    """T: teachers and student are softened by it."""


class Distillation:
    """The loss of a student with its teachers at hand."""

    def __init__(self, student: CausalTwoTower, panel: TeacherPanel | None, row: Row, config: DistillConfig) -> None:
        """No panel: the next-item loss alone (row A0)."""
        self.student, self.panel, self.config, self._row = student, panel, config, row

    def over(self, dataset: Dataset) -> Lesson:
        """The same, over the train rows of a data set."""
        windows = train_windows(dataset.interactions, dataset.split, self.student.max_history)
        return Lesson(self, WindowBatches(windows, self.config.fit.rows_per_batch))

    def loss(self, batch: Batch, epoch: int) -> StepLoss:
        """L = L_rec + lambda(e) L_kd on one batch; `epoch` counts from 1."""
        hidden = self.student.hidden(batch.history)[batch.asked]  # [R, D]
        items = self.student.item_matrix()  # [N+1, D]
        logits = hidden @ items[PAD + 1 :].T  # [R, N]
        target = batch.target[batch.asked]  # [R]
        loss = next_item_loss(logits, target - 1)  # []
        if self.panel is not None:
            loss = loss + self._ramp(epoch) * self._from_teachers(self.panel, batch, logits)  # []
        return StepLoss(loss, target.numel())

    def _from_teachers(self, panel: TeacherPanel, batch: Batch, logits: Tensor) -> Tensor:
        """L_kd over the candidates of the batch: a scalar."""
        asked = candidates(batch, self.config.candidates, logits.shape[1])
        opinions = panel.opinions(batch.row[batch.asked], asked.blocked, asked.items)
        weights = self._weights(opinions, asked.target)  # [M, R]
        target = mixture(opinions.log_p(self.config.temperature), weights)  # [R, C]
        gate = opinions.present.any(dim=0).to(logits.dtype)  # [R]: a row that no teacher scored teaches nothing
        return kl_to_mixture(target, logits[:, asked.items - 1], gate, self.config.temperature)  # []

    def _weights(self, opinions: Opinions, target: Tensor) -> Tensor:
        """float[M, R]; confidence and consistency are read at T = 1."""
        powers = self._row.powers or (0.0, 0.0)
        if opinions.present.shape[0] == 1:  # one teacher: its weight is 1 whatever is said of it
            return opinions.present.to(opinions.logits.dtype)
        log_p = opinions.log_p(1.0)  # [M, R, C]
        return integration_weights(
            label_confidence(log_p, target), consistency(log_p, opinions.present), opinions.present, powers
        )

    def _ramp(self, epoch: int) -> float:
        """lambda(e)."""
        warm_up = self.config.warm_up_epochs
        return self.config.weight * (min(1.0, epoch / warm_up) if warm_up else 1.0)


@dataclass(frozen=True)
class Lesson:
    """The loss of a student over the train rows of a data set, as the training loop wants it."""

    distillation: Distillation
    batches: WindowBatches

    def epoch(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """The windows of each step."""
        return self.batches.epoch(rng)

    def batch(self, examples: NDArray[np.int64]) -> Batch:
        """The batch of some windows."""
        return self.batches.batch(examples)

    def loss(self, batch: Batch, epoch: int) -> StepLoss:
        """The distillation's."""
        return self.distillation.loss(batch, epoch)


def distill(
    name: str, dataset: Dataset, row_name: str, config: DistillConfig, places: tuple[Path | None, Path]
) -> ModelRecord:
    """Train a student and save it.

    Args:
        name: of the student family.
        dataset: what it learns from.
        row_name: of the study; A0 learns without teachers.
        config: the recipe.
        places: (folder of the knowledge, folder to write).

    Raises:
        ConfigError: an unknown name, or a row that does not fit the knowledge given.
        ArtefactError: the knowledge is not of this data set.
    """
    source, out = places
    row = study_row(row_name)
    knowledge = _knowledge_for(row, source, dataset)
    panel = TeacherPanel(knowledge, row, config.fit.pick_device()) if knowledge else None
    torch.manual_seed(config.fit.seed)
    family = student_family(name)
    sizes = family.config.from_values(config.student, "student")
    student = family.build(sizes, len(dataset.catalog))
    task = _task(f"training {name}, row {row.name} ({row.meaning})", dataset, Distillation(student, panel, row, config))
    fitted = fit(task, config.fit, out)
    record = ModelRecord(
        kind="student",
        stage="distilled",
        name=name,
        row=row.name,
        config=sizes.model_dump(mode="json"),
        recipe=config.model_dump(mode="json"),
        data=lineage_of(dataset),
        data_folder=os.path.relpath(dataset.folder, out),
        teachers=panel.sources if panel else (),
        seed=config.fit.seed,
        parameters=student.parameters_count,
        curve=fitted.curve,
        best_epoch=fitted.best_epoch,
        seconds=fitted.seconds,
    )
    processes = Processes.here()
    if processes.writes:
        save_model(out, student, record)
        forget(out)
    processes.wait()
    return read_record(out)


def _task(title: str, dataset: Dataset, objective: Distillation) -> Task:
    """What the training loop is to do: the windows of the train part, and the selection half to stop by."""
    student, config = objective.student, objective.config
    selection = selection_half(dataset.split.validation)
    heard = objective.panel.heard if objective.panel else ()
    teachers = (f"{one.entry.fingerprint} at {one.entry.calibration}" for one in heard)
    return Task(
        title=title,
        model=student,
        objective=objective.over(dataset),
        validate=lambda: validation_ndcg(student, dataset, selection, config.select_on),
        recipe=" ".join([title, config.hash, lineage_of(dataset).hash, *teachers]),
    )


def load_student(folder: Path, lineage: Lineage, items: int) -> tuple[CausalTwoTower, ModelRecord]:
    """Read a trained student back.

    Raises:
        ArtefactError: missing, corrupt, no student, or of another data set than `lineage`.
    """
    record = read_record(folder)
    if record.kind != "student":
        raise ArtefactMismatch(f"{folder} holds a {record.kind}, not a student")
    require_same_data(folder, record.data, lineage)
    family = student_family(record.name)
    student = family.build(family.config.model_validate(record.config), items)
    load_weights(folder, record, student)
    student.eval()
    return student, record


def _knowledge_for(row: Row, source: Path | None, dataset: Dataset) -> TeacherKnowledge | None:
    if row.powers is None:
        return None
    if source is None:
        raise ConfigError(f"row {row.name} ({row.meaning}) needs --knowledge; without teachers there is row A0")
    return TeacherKnowledge.read(source, dataset)
