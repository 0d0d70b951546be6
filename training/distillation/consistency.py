"""Consistency: how far a teacher agrees with the others on a row."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def jensen_shannon(log_p: Tensor, log_q: Tensor) -> Tensor:
    """JSD(p, q) = KL(p||m)/2 + KL(q||m)/2, m = (p + q)/2, in nats: from 0 to ln 2. float[..., C] -> float[...]."""
    log_mean = torch.logaddexp(log_p, log_q) - math.log(2)  # [..., C]
    return (_kl(log_p, log_mean) + _kl(log_q, log_mean)) / 2  # [...]


def consistency(log_p: Tensor, present: Tensor) -> Tensor:
    """b^m_i = 1 - 1/((M_i - 1) ln 2) * sum over the other teachers n of JSD(p^m_i, p^n_i); 1 where there is no other.

    Args:
        log_p: float[M, R, C].
        present: bool[M, R], which teachers scored the row; M_i counts them.

    Returns:
        float[M, R] in [0, 1]; it means nothing where the teacher itself is absent.
    """
    teachers, rows = present.shape
    total = log_p.new_zeros(teachers, rows)  # [M, R]
    for one in range(teachers):
        for other in range(one):
            both = present[one] & present[other]  # [R]
            apart = torch.where(both, jensen_shannon(log_p[one], log_p[other]), 0.0)  # [R]
            total[one] += apart
            total[other] += apart
    others = (present.sum(dim=0, keepdim=True) - present.long()).clamp(min=1)  # [M, R]
    return (1 - total / (others * math.log(2))).clamp(0, 1)  # [M, R]


def _kl(log_p: Tensor, log_q: Tensor) -> Tensor:
    """sum p (log p - log q), 0 where p is 0."""
    p = log_p.exp()  # [..., C]
    return torch.where(p > 0, p * (log_p - log_q), 0.0).sum(dim=-1)  # [...]
