"""Alignment: the student's vectors, mapped, are to point where the teachers' do (equation 10, beyond the paper)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Alignment(nn.Module):
    """The maps P^m of item vectors and Q^m of user vectors, from the student's width to that of each teacher.

    They help to train and are then dropped: nothing of them is saved with the student or served.
    """

    def __init__(self, width: int, teachers: Sequence[int]) -> None:
        """The student's width D, and the widths D_m of the M teachers."""
        super().__init__()
        self.item_maps = nn.ModuleList(nn.Linear(width, one, bias=False) for one in teachers)
        self.user_maps = nn.ModuleList(nn.Linear(width, one, bias=False) for one in teachers)

    def item_loss(self, items: Tensor, teachers: Sequence[Tensor], weights: Tensor) -> Tensor:
        """L_item = mean_c sum_m pi^m_c (1 - cos(P^m e_c, V^m_c)).

        Args:
            items: e, the student's vectors of C items, float[C, D].
            teachers: V^m, those of the M teachers, float[C, D_m] each.
            weights: pi, float[M, C]; 0 where a teacher does not count.

        Returns:
            Scalar, from 0 to 2 where the weights sum to 1.
        """
        return _misalignment(self.item_maps, items, teachers, weights)  # []

    def user_loss(self, users: Tensor, teachers: Sequence[Tensor], weights: Tensor) -> Tensor:
        """L_user = mean_i sum_m w^m_i (1 - cos(Q^m h_i, U^m_i)).

        Args:
            users: h, the student's vectors of R rows, float[R, D].
            teachers: U^m, those of the M teachers, float[R, D_m] each; anything finite where one is absent.
            weights: w, float[M, R]; 0 where a teacher is absent.

        Returns:
            Scalar, from 0 to 2.
        """
        return _misalignment(self.user_maps, users, teachers, weights)  # []


def _misalignment(maps: nn.ModuleList, student: Tensor, teachers: Sequence[Tensor], weights: Tensor) -> Tensor:
    """The weighted mean of 1 - cos over B vectors: float[B, D], M x float[B, D_m], float[M, B] -> scalar."""
    pairs = zip(maps, teachers, strict=True)
    cosines = [torch.cosine_similarity(one(student), other, dim=-1) for one, other in pairs]  # M x [B]
    return (weights * (1 - torch.stack(cosines))).sum(dim=0).mean()  # []
