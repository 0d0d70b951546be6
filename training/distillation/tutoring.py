"""All that a row of the study has its tutors do: which of them, how loudly, and which rows are open when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor, nn

from training.dataset import Contents
from training.distillation.alignment import Alignment
from training.distillation.answers import Answers, Tutor
from training.distillation.cast import HeardTeachers, heard
from training.distillation.gate_weighing import gate_weights
from training.distillation.open_rows import OpenRows
from training.distillation.recipe import DistillConfig
from training.distillation.row_gate import RowGate
from training.distillation.rows import Row, Teaching
from training.distillation.soft_targets import Keeping, SoftTargets, Weigh, soft_targets
from training.distillation.teacher_panel import TeacherPanel
from training.distillation.tutors.alignment_tutor import AlignmentTutor
from training.distillation.tutors.candidate_tutor import CandidateTutor
from training.distillation.tutors.dllm2rec_tutor import Dllm2RecTutor
from training.distillation.tutors.relaxed_ranking_tutor import RelaxedRankingTutor
from training.distillation.tutors.smoothing_tutor import SmoothingTutor
from training.distillation.tutors.soft_target_tutor import SoftTargetTutor
from training.distillation.weighting import weights
from training.knowledge import TeacherKnowledge


@dataclass(frozen=True, eq=False)
class Tutoring:
    """The tutors of a row."""

    tutors: Sequence[tuple[float, Tutor]] = ()
    """Each with its weight."""
    warm_up_epochs: int = 0
    curriculum: OpenRows | None = None
    dropped_after: nn.Module | None = None
    """What learns with the student and is not served."""
    heard: HeardTeachers | None = field(default=None)
    targets: SoftTargets | None = field(default=None)

    def loss(self, answers: Answers, epoch: int) -> Tensor:
        """lambda(e) times what the tutors say; `epoch` counts from 1."""
        ramp = min(1.0, epoch / self.warm_up_epochs) if self.warm_up_epochs else 1.0
        total = answers.log_q.new_zeros(())  # []
        for weight, tutor in self.tutors:
            if weight:
                total = total + ramp * weight * tutor.loss(answers)  # []
        return total


@dataclass(frozen=True, eq=False)
class TeachingMaterial:
    """What tutors are made from."""

    dataset: Contents
    knowledge: TeacherKnowledge | None
    targets_folder: Path
    """Where soft targets are kept."""
    student_width: int
    """D."""


def tutoring(row: Row, config: DistillConfig, material: TeachingMaterial) -> Tutoring:
    """Pick the tutors of a row.

    Raises:
        ConfigError: the row needs knowledge that is not there.
    """
    teaching = row.teaching
    if teaching is None:
        return Tutoring()
    if teaching.lesson == "label smoothing":
        return Tutoring([(config.smoothing / (1 - config.smoothing), SmoothingTutor())])
    teachers = heard(teaching, material.knowledge, material.dataset)
    if teaching.lesson == "none":
        return Tutoring(heard=teachers)
    panel = TeacherPanel(teachers.memories, config.fit.pick_device())
    targets = _targets(teaching, config, material, teachers)
    tutors: list[tuple[float, Tutor]] = [(config.weight, _tutor(teaching, config, (panel, targets)))]
    alignment = None
    if teaching.alignment:
        alignment = Alignment(material.student_width, [one.entry.width for one in teachers.memories])
        tutors.append((config.alignment, AlignmentTutor(alignment, panel, targets)))
    return Tutoring(
        tutors,
        config.warm_up_epochs,
        OpenRows.of(targets, config.curriculum) if teaching.curriculum else None,
        alignment,
        teachers,
        targets,
    )


def _targets(
    teaching: Teaching, config: DistillConfig, material: TeachingMaterial, teachers: HeardTeachers
) -> SoftTargets:
    keeping = Keeping(max(config.top, config.ranked), config.temperature)
    weigh = _weigh(teaching, config, material, teachers)
    return soft_targets(material.dataset, teachers, weigh, keeping, material.targets_folder)


def _weigh(
    teaching: Teaching, config: DistillConfig, material: TeachingMaterial, teachers: HeardTeachers
) -> tuple[str, Weigh]:
    if teaching.weighting == "learned" and len(teachers) > 1:
        return f"learned {config.learned_gate}", gate_weights(material.dataset, teachers, config.learned_gate)
    return f"{teaching.weighting} {teaching.powers}", lambda _, judged: weights(teaching, judged)


def _tutor(teaching: Teaching, config: DistillConfig, heard_by: tuple[TeacherPanel, SoftTargets]) -> Tutor:
    panel, targets = heard_by
    if teaching.lesson == "relaxed ranking":
        return RelaxedRankingTutor(targets, config.ranked, config.unranked)
    if teaching.lesson == "dllm2rec":
        return Dllm2RecTutor(panel, config.ranked)
    if config.candidates == "catalogue":
        gate = RowGate(targets.agreement, targets.label_nll, config.gate) if config.gate else None
        return SoftTargetTutor(targets, config.temperature, gate)
    return CandidateTutor(panel, teaching, config.candidates, config.temperature)
