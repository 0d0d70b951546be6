"""One run of a study: a student trained by one row with one seed, and where every test user's target then ranks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.artefacts import RECORD, ArtefactError, ModelRecord, TeacherSource, read_record
from training.config import ConfigError
from training.dataset import Dataset
from training.distillation.distill import Assignment, distill, load_student
from training.distillation.recipe import DistillConfig
from training.distillation.rows import study_row
from training.distillation.self_teacher import load_any_teacher
from training.evaluation.ranking import PROTOCOLS, ranks_by_protocol
from training.evaluation.repeat_offset import RepeatAware, repeat_aware
from training.evaluation.scoring import scorer_of
from training.fitting import STATE
from training.knowledge import gather
from training.students.base import Student
from training.study.findings import RanksByProtocol, RunFinding

RANKS = "ranks.npz"
SELF_TAUGHT = "C2"
SELF_KNOWLEDGE = "self-knowledge"


@dataclass(frozen=True)
class Run:
    """What is trained, from what, and where it lies."""

    student: str
    row: str
    recipe: DistillConfig
    """With the run's seed in it."""
    data: Path
    knowledge: Path
    folder: Path
    teachers: tuple[TeacherSource, ...]
    """Every teacher of the cache."""

    @property
    def seed(self) -> int:
        """Of the recipe."""
        return self.recipe.fit.seed

    @property
    def label(self) -> str:
        """How a person names it."""
        return f"{self.student} {self.row} seed {self.seed}"

    @property
    def done(self) -> bool:
        """Trained and measured, by this recipe, from these teachers."""
        return (self.folder / RANKS).is_file() and self.trained

    @property
    def trained(self) -> bool:
        """By this recipe, from these teachers; it may have been killed before it was measured."""
        if not (self.folder / RECORD).is_file():
            return False
        record = read_record(self.folder)
        return self.recipe.made(record) and self._heard(record)

    def _heard(self, record: ModelRecord) -> bool:
        """A cache that was gathered anew makes what was learnt from the old one another thing."""
        if self.row == SELF_TAUGHT:
            alone = read_record(self.base).weights_sha256 if (self.base / RECORD).is_file() else None
            return [one.fingerprint for one in record.teachers] == [alone]
        return hears(record, self.row, self.teachers)

    @property
    def base(self) -> Path:
        """Where the same student without teachers, of the same seed, lies in the same study."""
        return self.folder.parents[1] / "A0" / str(self.seed)


def carry_out(run: Run) -> None:
    """Train, unless that is done, and measure."""
    (run.folder / RANKS).unlink(missing_ok=True)
    dataset = Dataset.read(run.data)
    student = _student(run, dataset)
    scorer = scorer_of(student.to(run.recipe.fit.pick_device()))
    ranks = ranks_by_protocol(scorer, dataset.interactions, dataset.split.test)
    aware = repeat_aware(scorer, dataset)
    partial = run.folder / f".{RANKS}.{os.getpid()}.npz"
    np.savez(
        partial, unmasked=ranks["unmasked"], masked=ranks["masked"], aware=aware.ranks, offset=np.array(aware.offset)
    )
    partial.replace(run.folder / RANKS)


def needs_teachers(row: str) -> bool:
    """Whether a row learns from a cache."""
    teaching = study_row(row).teaching
    return teaching is not None and teaching.needs_knowledge


def heard_by(row: str, teachers: Sequence[TeacherSource]) -> Sequence[TeacherSource]:
    """Those teachers of a cache whom a row hears; empty where it learns from none."""
    teaching = study_row(row).teaching
    if teaching is None or not teaching.needs_knowledge:
        return ()
    return teachers if teaching.only is None else teachers[teaching.only : teaching.only + 1]


def hears(record: ModelRecord, row: str, teachers: Sequence[TeacherSource]) -> bool:
    """Whether a student learnt from those teachers of a cache, `teachers`, whom a row hears."""
    if not needs_teachers(row):  # whatever lay beside it
        return True
    heard, wanted = record.teachers, heard_by(row, teachers)
    return len(heard) == len(wanted) and all(one.is_like(other) for one, other in zip(heard, wanted, strict=True))


def _student(run: Run, dataset: Dataset) -> Student:
    """Read where it lies trained, as after a kill before it was measured; else trained."""
    if run.trained and not (run.folder / STATE).is_file():  # with a state there is something to tidy up
        with suppress(ArtefactError):  # of another data set, or half written
            return load_student(run.folder, dataset)[0]
    knowledge = _own_knowledge(run, dataset) if run.row == SELF_TAUGHT else run.knowledge
    distill(Assignment(run.student, run.row, knowledge), dataset, run.recipe, run.folder)
    return load_student(run.folder, dataset)[0]


def _own_knowledge(run: Run, dataset: Dataset) -> Path:
    """What the student without teachers says of the train rows."""
    if not (run.base / RECORD).is_file():
        raise ConfigError(f"{run.label}: its teacher is A0 of the same seed, which is not trained: {run.base}")
    folder = run.folder / SELF_KNOWLEDGE
    gather(dataset, [load_any_teacher(run.base, dataset)], folder)  # asks nothing where it has answered
    return folder


def finding(run: Run, teachers: int) -> RunFinding:
    """What is known of a run that is done; `teachers`: how many the study has."""
    record = read_record(run.folder)
    row = study_row(run.row)
    weights, sample = _weights(record, row.teaching.only if row.teaching else None, teachers)
    with np.load(run.folder / RANKS, allow_pickle=False) as arrays:
        ranks: RanksByProtocol = {protocol: arrays[protocol] for protocol in PROTOCOLS}
        aware = RepeatAware(arrays["aware"], float(arrays["offset"])) if "aware" in arrays else None
    return RunFinding(
        student=run.student,
        row=run.row,
        meaning=row.meaning,
        seed=run.seed,
        ranks=ranks,
        repeat_aware=aware,
        validation=record.curve[record.best_epoch - 1].validation,
        curve=record.curve,
        seconds=record.seconds,
        parameters=record.parameters,
        peak_memory_mb=record.peak_memory_mb,
        device=record.device,
        cut_short=_cut_short(run, record),
        weights=weights,
        weight_sample=sample,
    )


def _cut_short(run: Run, record: ModelRecord) -> bool:
    """As the record notes it. Older ones do not; they are of a single stage, and their curve tells."""
    if record.cut_short is not None:
        return record.cut_short
    return run.recipe.fit.cuts_short(len(record.curve), record.best_epoch)


def _weights(
    record: ModelRecord, only: int | None, teachers: int
) -> tuple[
    np.ndarray[tuple[int, ...], np.dtype[np.float32]] | None, np.ndarray[tuple[int, ...], np.dtype[np.float32]] | None
]:
    """Mean weights [M] and a sample of them [S', M]; None where the row hears none of the study's teachers together."""
    heard = record.heard
    if heard is None or only is not None or len(heard.mean_weight) != teachers:
        return None, None
    return np.array(heard.mean_weight, dtype=np.float32), np.array(heard.weight_sample, dtype=np.float32)
