"""The teachers of a row, asked for their distributions over some candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.memory import Memory
from training.vector_memory import TeacherMemory


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
    """Teachers answer on the student's device; the rows of their memories come from the disk as they are asked for."""

    def __init__(self, memories: Sequence[Memory], device: torch.device) -> None:
        """M teachers, in the order in which they are answered for."""
        self.memories = tuple(one.on(device) for one in memories)
        self._device = device

    @property
    def optimism(self) -> Tensor:
        """delta, float[M]."""
        return torch.tensor([one.entry.optimism for one in self.memories], device=self._device)  # [M]

    @property
    def with_vectors(self) -> tuple[int, ...]:
        """The numbers of those that left vectors behind."""
        return tuple(number for number, one in enumerate(self.memories) if isinstance(one, TeacherMemory))

    def opinions(self, rows: Tensor, candidates: Tensor, blocked: Tensor | None = None) -> Opinions:
        """Ask all of them.

        Args:
            rows: int64[R], flat rows.
            candidates: catalogue indices: int64[C], the same for all rows, or int64[R, C].
            blocked: bool[R, C], candidates that are none in this row.
        """
        flat, asked = rows.cpu().numpy(), candidates.to(self._device)  # [R], [C] or [R, C]
        answers = [one.logits(flat, asked) for one in self.memories]
        logits = torch.stack([logits for logits, _ in answers])  # [M, R, C]
        if blocked is not None:
            logits = logits.masked_fill(blocked, -torch.inf)  # [M, R, C]
        return Opinions(logits, torch.stack([present for _, present in answers]))  # [M, R, C], [M, R]

    def vectors(self, teacher: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        """User vectors float[R, D_m] of one `with_vectors`, and which of the rows it scored, bool[R]."""
        return self._towers(teacher).users_at(rows.cpu().numpy())  # [R, D_m], [R]

    def item_vectors(self, teacher: int) -> Tensor:
        """float[N+1, D_m] of one `with_vectors`."""
        return self._towers(teacher).items  # [N+1, D_m]

    def _towers(self, teacher: int) -> TeacherMemory:
        memory = self.memories[teacher]
        if not isinstance(memory, TeacherMemory):
            raise TypeError(f"{memory.entry.name} has no vectors")
        return memory
