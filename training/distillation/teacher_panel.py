"""The teachers of a row, asked for their distributions over some candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.knowledge import TeacherMemory


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
    """Item matrices are in memory, user vectors are read as they are needed."""

    def __init__(self, memories: Sequence[TeacherMemory], device: torch.device) -> None:
        """M teachers, in the order in which they are answered for."""
        self.memories = tuple(memories)
        self._items = [teacher.items().to(device) for teacher in memories]  # M x [N+1, D_m]
        self._device = device

    def opinions(self, rows: Tensor, candidates: Tensor, blocked: Tensor | None = None) -> Opinions:
        """Ask all of them.

        Args:
            rows: int64[R], flat rows.
            candidates: catalogue indices: int64[C], the same for all rows, or int64[R, C].
            blocked: bool[R, C], candidates that are none in this row.
        """
        answers = [self._ask(*pair, rows, candidates) for pair in zip(self.memories, self._items, strict=True)]
        logits = torch.stack([logits for logits, _ in answers])  # [M, R, C]
        if blocked is not None:
            logits = logits.masked_fill(blocked, -torch.inf)  # [M, R, C]
        return Opinions(logits, torch.stack([present for _, present in answers]))

    def vectors(self, teacher: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        """One teacher's user vectors float[R, D_m], and which of the rows it scored, bool[R]."""
        users, present = self.memories[teacher].users_at(rows.cpu().numpy())  # [R, D_m], [R]
        return users.to(self._device), present.to(self._device)

    def item_vectors(self, teacher: int) -> Tensor:
        """float[N+1, D_m]."""
        return self._items[teacher]  # [N+1, D_m]

    def _ask(self, teacher: TeacherMemory, items: Tensor, rows: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        users, present = teacher.users_at(rows.cpu().numpy())  # [R, D], [R]
        users = users.to(self._device) / (teacher.entry.temperature * teacher.entry.calibration)  # [R, D]
        if candidates.dim() == 1:
            return users @ items[candidates].T, present.to(self._device)  # [R, C], [R]
        return (items[candidates] @ users[..., None]).squeeze(-1), present.to(self._device)  # [R, C], [R]
