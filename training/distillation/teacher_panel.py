"""The teachers of a cache, asked for the distributions of a batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from training.artefacts import TeacherSource
from training.config import ConfigError
from training.distillation.rows import Row
from training.knowledge import TeacherKnowledge, TeacherMemory


@dataclass(frozen=True, eq=False)
class Opinions:
    """What the teachers say of R rows."""

    logits: Tensor
    """s^m_ic = <U^m_i, V^m_c> / (tau_m T_m), float[M, R, C] (equation 1); -inf where a candidate is masked"""
    present: Tensor
    """bool[M, R]"""

    def log_p(self, temperature: float) -> Tensor:
        """ln softmax(s / T) over the candidates: float[M, R, C]."""
        return (self.logits / temperature).log_softmax(dim=-1)  # [M, R, C]


class TeacherPanel:
    """The teachers that a row of the study hears. Item matrices are in memory, user vectors are read as needed."""

    def __init__(self, knowledge: TeacherKnowledge, row: Row, device: torch.device) -> None:
        """Pick the teachers.

        Raises:
            ConfigError: the row wants a teacher that the cache has not.
        """
        if row.only is not None and row.only >= len(knowledge.teachers):
            raise ConfigError(f"row {row.name} hears teacher {row.only + 1}, the cache holds {len(knowledge.teachers)}")
        self.heard = knowledge.teachers if row.only is None else (knowledge.teachers[row.only],)
        self._items = [teacher.items().to(device) for teacher in self.heard]  # M x [N+1, D_m]
        self._device = device

    @property
    def sources(self) -> tuple[TeacherSource, ...]:
        """Who is heard."""
        return tuple(TeacherSource(name=one.entry.name, fingerprint=one.entry.fingerprint) for one in self.heard)

    def opinions(self, rows: Tensor, blocked: Tensor, candidates: Tensor) -> Opinions:
        """Ask all of them.

        Args:
            rows: int64[R], flat rows.
            blocked: bool[R, C], candidates that are none in this row.
            candidates: int64[C], catalogue indices.
        """
        answers = [self._ask(*pair, rows, candidates) for pair in zip(self.heard, self._items, strict=True)]
        logits = torch.stack([logits for logits, _ in answers]).masked_fill(blocked, -torch.inf)  # [M, R, C]
        return Opinions(logits, torch.stack([present for _, present in answers]))

    def _ask(self, teacher: TeacherMemory, items: Tensor, rows: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        users, present = teacher.users_at(rows.cpu().numpy())  # [R, D], [R]
        scale = teacher.entry.temperature * teacher.entry.calibration
        return users.to(self._device) @ items[candidates].T / scale, present.to(self._device)  # [R, C], [R]
