"""CA-MKD's weights, to compare with: who is closer to the label weighs more.

Zhang et al., "Confidence-Aware Multi-Teacher Knowledge Distillation", ICASSP 2022. Its distillation of intermediate
layers needs teachers and student of one kind, and is left out.
"""

from __future__ import annotations

import torch
from torch import Tensor

_LEAST = -1e4
"""ln p(y) of a teacher that gives the label nothing: two infinite losses would have no softmax."""


def ca_mkd_weights(log_p: Tensor, target: Tensor, present: Tensor) -> Tensor:
    """w^m_i = (1 - softmax over m of CE^m_i) / (M_i - 1), CE^m_i = -ln p^m_i(y_i); 1 for a teacher that is alone.

    Args:
        log_p: float[M, R, C].
        target: int64[R], the place of y_i among the candidates. Train labels only.
        present: bool[M, R], which teachers scored the row; M_i counts them.

    Returns:
        float[M, R]; sums to 1 over the teachers, and is all 0 where no teacher scored the row. No gradient.
    """
    at = target[None, :, None].expand(log_p.shape[0], -1, 1)  # [M, R, 1]
    loss = -log_p.gather(2, at).squeeze(2).clamp(min=_LEAST)  # [M, R]
    return opposite_shares(loss.masked_fill(~present, -torch.inf).softmax(dim=0), present)  # [M, R]


def opposite_shares(share: Tensor, present: Tensor) -> Tensor:
    """(1 - share) / (M_i - 1): the less of the blame, the more weight; 1 for a teacher that is alone.

    Args:
        share: float[M, R], summing to 1 over the present teachers; anything where a teacher is absent.
        present: bool[M, R].

    Returns:
        float[M, R]; sums to 1 over the present teachers; 0 for the absent. No gradient.
    """
    teachers = present.sum(dim=0)  # [R]: M_i
    weights = torch.where(teachers == 1, 1.0, (1 - share) / (teachers - 1).clamp(min=1))  # [M, R]
    return torch.where(present, weights, 0.0).detach()  # [M, R]
