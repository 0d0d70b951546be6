"""Integration: confidence and consistency become weights, and the teachers one distribution."""

from __future__ import annotations

import torch
from torch import Tensor


def integration_weights(
    confidence: Tensor, consistency: Tensor, present: Tensor, powers: tuple[float, float]
) -> Tensor:
    """w^m_i = softmax over the present teachers m of ( alpha ln(a^m_i + 1e-8) + beta b^m_i ); it carries no gradient.

    alpha = 1, beta = 0 is the posterior over teachers given the label and a uniform prior; both 0 is the plain mean.

    Args:
        confidence: a, float[M, R].
        consistency: b, float[M, R].
        present: bool[M, R].
        powers: (alpha, beta).

    Returns:
        float[M, R]; sums to 1 over the teachers, and is all 0 where no teacher scored the row.
    """
    alpha, beta = powers
    logits = alpha * (confidence + 1e-8).log() + beta * consistency  # [M, R]
    weights = logits.masked_fill(~present, -torch.inf).softmax(dim=0)  # [M, R]
    return torch.where(present, weights, 0.0).detach()  # [M, R]


def mixture(log_p: Tensor, weights: Tensor) -> Tensor:
    """ln of p̄_i = sum_m w^m_i p^m_i: float[M, R, C], float[M, R] -> float[R, C]; -inf where nobody gives anything."""
    return (log_p + weights[..., None].log()).logsumexp(dim=0)  # [R, C]
