"""The step `distill`: a student learns from what came next, and from what the teachers thought of it (equation 9)."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from training.artefacts import (
    ArtefactMismatch,
    ModelRecord,
    TeachersHeard,
    TeacherSource,
    load_weights,
    read_record,
    require_same_data,
    save_model,
)
from training.config import ConfigError
from training.dataset import Dataset
from training.distillation.lessons import lesson, require_teachable
from training.distillation.recipe import DistillConfig
from training.distillation.rows import Row, study_row
from training.distillation.tutoring import TeachingMaterial, Tutoring, tutoring
from training.evaluation.selection import selection_half, validation_ndcg
from training.fitting import FitConfig, Fitted, Task, forget
from training.knowledge import TeacherKnowledge
from training.lineage import lineage_of
from training.memory import Memory
from training.processes import Processes
from training.stages import fit_stages
from training.students.base import Student
from training.students.registry import student_family

SOFT_TARGETS = "soft-targets"
_SAMPLE = 500
"""Rows of which the weights are kept for the plots."""


@dataclass(frozen=True)
class Assignment:
    """Which student learns which row, from what."""

    family: str
    row: str
    knowledge: Path | None
    """Folder that `gather` wrote; None: there are no teachers."""


def distill(assignment: Assignment, dataset: Dataset, config: DistillConfig, out: Path) -> ModelRecord:
    """Train a student and save it.

    Args:
        assignment: who learns what.
        dataset: what it learns from.
        config: the recipe.
        out: folder to write.

    Raises:
        ConfigError: an unknown name, or a row that does not fit the knowledge given or the student.
        ArtefactError: the knowledge is not of this data set.
    """
    row, family = study_row(assignment.row), student_family(assignment.family)
    knowledge = _knowledge_for(row, assignment.knowledge, dataset)
    torch.manual_seed(config.fit.seed)
    student = family.build(config.student, dataset, content=row.reads_content)
    require_teachable(student, row, config)
    kept = (assignment.knowledge or out) / SOFT_TARGETS
    taught = tutoring(row, config, TeachingMaterial(dataset, knowledge, kept, student.item_matrix().shape[1]))
    if row.teaching is not None and row.teaching.seeded and taught.heard is not None:
        student.seed_items(taught.heard.item_components(student.item_matrix().shape[1]))
    title = f"training {family.name}, row {row.name} ({row.meaning})"
    fitted = fit_stages(_stages(title, (student, taught), (dataset, config)), out)
    processes = Processes.here()
    if processes.writes:
        save_model(out, student, _record((assignment, config), student, (taught, fitted), (dataset, out)))
        forget(out)
        shutil.rmtree(out / SOFT_TARGETS, ignore_errors=True)  # of a control without a cache, where they would stay
    processes.wait()
    return read_record(out)


def _stages(
    title: str, learning: tuple[Student, Tutoring], source: tuple[Dataset, DistillConfig]
) -> Iterator[tuple[Task, FitConfig]]:
    """With the teachers and then, where the recipe says so, alone."""
    (student, taught), (_, config) = learning, source
    who = taught.heard.name if taught.heard else ""
    yield _task((title, who), learning, source), config.fit
    if config.alone_epochs:
        yield _task((f"{title}, alone", who), (student, Tutoring()), source), config.alone_fit


def _task(name: tuple[str, str], learning: tuple[Student, Tutoring], source: tuple[Dataset, DistillConfig]) -> Task:
    """What the training loop is to do: the train rows, and the selection half of validation to stop by.

    `name`: what people call it, and by whom the student is taught or was taught before.
    """
    (title, who), (student, taught), (dataset, config) = name, learning, source
    selection = selection_half(dataset.split.validation)
    learners = (student, taught.dropped_after) if taught.dropped_after is not None else (student,)
    return Task(
        title=title,
        model=nn.ModuleList(learners) if len(learners) > 1 else student,
        objective=lesson(dataset, student, taught, config.fit.rows_per_batch),
        validate=lambda: validation_ndcg(student, dataset, selection, config.select_on),
        recipe=" ".join([title, config.hash, lineage_of(dataset).hash, who]),
    )


def _record(
    wanted: tuple[Assignment, DistillConfig], student: Student, found: tuple[Tutoring, Fitted], at: tuple[Dataset, Path]
) -> ModelRecord:
    (assignment, config), (taught, fitted), (dataset, out) = wanted, found, at
    memories = taught.heard.memories if taught.heard else ()
    return ModelRecord(
        kind="student",
        stage="distilled",
        name=assignment.family,
        row=assignment.row,
        config=student.config.model_dump(mode="json"),
        recipe=config.model_dump(mode="json"),
        data=lineage_of(dataset),
        data_folder=os.path.relpath(dataset.folder, out),
        teachers=tuple(_source(one) for one in memories),
        heard=_heard(taught),
        seed=config.fit.seed,
        parameters=student.parameters_count,
        curve=fitted.curve,
        best_epoch=fitted.best_epoch,
        cut_short=fitted.cut_short,
        seconds=fitted.seconds,
        device=fitted.device,
        peak_memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def _source(memory: Memory) -> TeacherSource:
    """The teacher, with its o_m only where that was heard: another o_m is nothing to who never heard it."""
    source = memory.entry.source
    return source if memory.repeat_offset else source.model_copy(update={"repeat_offset": None})


def _heard(taught: Tutoring) -> TeachersHeard | None:
    """Who was heard how much."""
    if taught.targets is None:
        return None
    weight = taught.targets.weight  # [S, M]
    sample = np.linspace(0, len(weight) - 1, min(len(weight), _SAMPLE)).astype(np.int64)
    return TeachersHeard(
        mean_weight=tuple(np.asarray(weight, dtype=np.float64).mean(axis=0).tolist()),
        weight_sample=tuple(tuple(one) for one in np.asarray(weight[sample], dtype=np.float64).round(4).tolist()),
        agreement=float(np.mean(taught.targets.agreement, dtype=np.float64)),
        named=float(np.exp(taught.targets.log_p[sample].astype(np.float64)).sum(axis=1).mean()),
        rows=len(weight),
    )


def load_student(folder: Path, dataset: Dataset) -> tuple[Student, ModelRecord]:
    """Read a trained student back.

    Raises:
        ArtefactError: missing, corrupt, no student, or of another data set.
    """
    record = read_record(folder)
    if record.kind != "student":
        raise ArtefactMismatch(f"{folder} holds a {record.kind}, not a student")
    require_same_data(folder, record.data, lineage_of(dataset))
    student = student_family(record.name).build(record.config, dataset, content=study_row(record.row).reads_content)
    load_weights(folder, record, student)
    student.eval()
    return student, record


def _knowledge_for(row: Row, source: Path | None, dataset: Dataset) -> TeacherKnowledge | None:
    if row.teaching is None or not row.teaching.needs_knowledge:
        return None
    if source is None:
        raise ConfigError(f"row {row.name} ({row.meaning}) needs --knowledge; without teachers there is row A0")
    return TeacherKnowledge.read(source, dataset)
