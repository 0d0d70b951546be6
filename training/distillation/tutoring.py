"""All that a row of the study has its tutors do: which of them, how loudly, and which rows are open when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.config import ConfigError
from training.dataset import Contents
from training.distillation.alignment import Alignment
from training.distillation.answers import Answers, Tutor
from training.distillation.cast import HeardTeachers, heard
from training.distillation.gate_weighing import gate_weights
from training.distillation.open_rows import OpenRows
from training.distillation.pair_answers import PairAnswers, PairTutor
from training.distillation.rank_lists import RankLists
from training.distillation.recipe import DistillConfig
from training.distillation.row_gate import RowGate, RowGateConfig
from training.distillation.rows import Row, Teaching
from training.distillation.soft_targets import Keeping, SoftTargets, Weigh, soft_targets
from training.distillation.teacher_panel import TeacherPanel
from training.distillation.trust import TRUST, teacher_trust
from training.distillation.tutors.alignment_tutor import AlignmentTutor
from training.distillation.tutors.candidate_tutor import CandidateTutor
from training.distillation.tutors.dllm2rec_tutor import Dllm2RecTutor
from training.distillation.tutors.pair_smoothing_tutor import PairSmoothingTutor
from training.distillation.tutors.pair_soft_target_tutor import PairSoftTargetTutor
from training.distillation.tutors.relaxed_ranking_tutor import RelaxedRankingTutor
from training.distillation.tutors.smoothing_tutor import SmoothingTutor
from training.distillation.tutors.soft_target_tutor import SoftTargetTutor
from training.distillation.user_weighing import SHRINKAGE, STRENGTHS, user_weights
from training.distillation.weighting import Judged, weights
from training.knowledge import TeacherKnowledge
from training.processes import Processes


@dataclass(frozen=True, eq=False)
class Tutoring:
    """The tutors of a row."""

    tutors: Sequence[tuple[float, Tutor]] = ()
    """Each with its weight."""
    warm_up_epochs: int = 0
    curriculum: OpenRows | None = None
    dropped_after: nn.Module | None = None
    """What learns with the student and is not served."""
    heard: HeardTeachers | None = None
    targets: SoftTargets | None = None
    """None: no tutor works with them."""
    pair_tutors: Sequence[tuple[float, PairTutor]] = ()
    """The same of a student whose score is of pairs, beside those that teach its retrieval."""

    def names(self, rows: Tensor) -> Tensor | None:
        """What all tutors will ask about at flat rows int64[R]: int64[R, K]; None: any item."""
        named = [rows.new_empty(rows.numel(), 0)]  # [R, 0]
        for _, tutor in self.tutors:
            found = tutor.names(rows)  # [R, K]
            if found is None:
                return None
            named.append(found)
        return torch.cat(named, dim=1)  # [R, sum of K]

    def loss(self, answers: Answers, epoch: int) -> Tensor:
        """lambda(e) times what the tutors say; `epoch` counts from 1."""
        ramp = self._ramp(epoch)
        total = answers.hidden.new_zeros(())  # []
        for weight, tutor in self.tutors:
            if weight:
                total = total + ramp * weight * tutor.loss(answers)  # []
        return total

    def pair_loss(self, answers: PairAnswers, epoch: int) -> Tensor:
        """lambda(e) times what the tutors of pairs say."""
        ramp = self._ramp(epoch)
        total = answers.score.new_zeros(())  # []
        for weight, tutor in self.pair_tutors:
            if weight:
                total = total + ramp * weight * tutor.loss(answers)  # []
        return total

    def _ramp(self, epoch: int) -> float:
        return min(1.0, epoch / self.warm_up_epochs) if self.warm_up_epochs else 1.0


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
        weight = config.smoothing / (1 - config.smoothing)
        return Tutoring([(weight, SmoothingTutor())], pair_tutors=[(weight, PairSmoothingTutor())])
    cast = heard(teaching, material.knowledge, material.dataset, repeat_offsets=config.repeat_offsets)
    teachers = cast.on(Processes.here().device(config.fit.pick_device()))
    if teaching.lesson == "none":
        return Tutoring(heard=teachers)
    staff = _Staff(teaching, config, material, teachers)
    alignment = staff.alignment() if teaching.alignment else None
    tutors = [(config.weight, staff.tutor())]
    if alignment is not None:
        tutors.append((config.alignment, AlignmentTutor(alignment, staff.panel, staff.targets)))
    curriculum = OpenRows.of(staff.targets, config.curriculum) if teaching.curriculum else None
    targets, pair_tutors = staff.targets_if_made, [(config.weight, one) for one in staff.pair_tutors()]
    return Tutoring(tutors, config.warm_up_epochs, curriculum, alignment, teachers, targets, pair_tutors)


@dataclass(frozen=True, eq=False)
class _Staff:
    """What tutors work with. Soft targets cost a pass over the catalogue for every row, the panel holds every teacher's
    item vectors: each is made when a tutor of the row asks for it."""

    teaching: Teaching
    config: DistillConfig
    material: TeachingMaterial
    teachers: HeardTeachers

    @cached_property
    def targets(self) -> SoftTargets:
        keeping = Keeping(max(self.config.top, self.config.ranked), self.config.temperature)
        material = self.material
        return soft_targets(material.dataset, self.teachers, self._weigh(), keeping, material.targets_folder)

    @cached_property
    def panel(self) -> TeacherPanel:
        return TeacherPanel(self.teachers.memories, self.teachers.device)

    @property
    def targets_if_made(self) -> SoftTargets | None:
        return self.__dict__.get("targets")

    def alignment(self) -> Alignment:
        widths = [one.entry.width for one in self.teachers.with_vectors]
        if not widths:
            raise ConfigError("no teacher that is heard has vectors to align with")
        return Alignment(self.material.student_width, widths)

    def tutor(self) -> Tutor:
        config = self.config
        if self.teaching.lesson == "relaxed ranking":
            return RelaxedRankingTutor(self.targets, config.ranked, config.unranked)
        if self.teaching.lesson == "dllm2rec":
            return Dllm2RecTutor(RankLists.of(self.panel, len(self.material.dataset.catalog), config.ranked))
        if config.candidates != "catalogue":
            return CandidateTutor(self.panel, self.teaching, config.candidates, config.temperature)
        return SoftTargetTutor(self.targets, config.temperature, self._gate())

    def pair_tutors(self) -> list[PairTutor]:
        """Only what is said as a distribution known beforehand can be said of pairs."""
        if self.teaching.lesson != "distribution" or self.config.candidates != "catalogue":
            return []
        return [PairSoftTargetTutor(self.targets, self.config.temperature, self._gate())]

    def _gate(self) -> RowGate | None:
        """Each tutor's own: it remembers how well the student did by the scores that this tutor marks."""
        gate = self.config.gate or (RowGateConfig() if self.teaching.gated else None)
        return RowGate(self.targets.agreement, self.targets.label_nll, gate) if gate else None

    @cached_property
    def _trust(self) -> Tensor:
        """pi, float[M]: fitted when soft targets are worked out, not when they are read."""
        return teacher_trust(self.material.dataset, self.teachers.memories)  # [M]

    def _trusting(self, _: NDArray[np.int64], judged: Judged) -> Tensor:
        return weights(self.teaching, replace(judged, trust=self._trust))  # [M, R]

    @cached_property
    def _user_weights(self) -> Weigh:
        """Chosen when soft targets are worked out, not when they are read."""
        return user_weights(self.material.dataset, self.teachers, self.teaching.powers, self.config.select_on)

    def _by_user(self, rows: NDArray[np.int64], judged: Judged) -> Tensor:
        return self._user_weights(rows, judged)  # [M, R]

    def _weigh(self) -> tuple[str, Weigh]:
        teaching, gate = self.teaching, self.config.learned_gate
        if teaching.weighting == "by user" and len(self.teachers) > 1:
            return f"by user {teaching.powers} {self.config.select_on} {STRENGTHS} {SHRINKAGE}", self._by_user
        if teaching.weighting == "learned" and len(self.teachers) > 1:
            return f"learned {gate}", gate_weights(self.material.dataset, self.teachers, gate)
        if teaching.trusted and len(self.teachers) > 1:
            return f"trusted {teaching.powers} {TRUST}", self._trusting
        return f"{teaching.weighting} {teaching.powers}", lambda _, judged: weights(teaching, judged)
