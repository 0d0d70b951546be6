"""Confidence: how sure a teacher is of a row."""

from __future__ import annotations

import torch
from torch import Tensor


def label_confidence(log_p: Tensor, target: Tensor) -> Tensor:
    """a^m_i = p^m_i(y_i), the probability that teacher m gives to what really came next. Train labels only.

    Args:
        log_p: float[M, R, C].
        target: int64[R], the place of y_i among the candidates.

    Returns:
        float[M, R] in [0, 1].
    """
    at = target[None, :, None].expand(log_p.shape[0], -1, 1)  # [M, R, 1]
    return log_p.gather(2, at).squeeze(2).exp()  # [M, R]


def entropy_confidence(log_p: Tensor) -> Tensor:
    """1 - H(p^m_i) / log C_i, with C_i the candidates of the row that are not masked: needs no label.

    Args:
        log_p: float[M, R, C]; -inf where a candidate is masked.

    Returns:
        float[M, R]: 1 for a teacher that is certain, 0 for one that knows nothing.
    """
    p = log_p.exp()  # [M, R, C]
    entropy = -torch.where(p > 0, p * log_p, 0.0).sum(dim=-1)  # [M, R]
    open_candidates = torch.isfinite(log_p).sum(dim=-1).clamp(min=2)  # [M, R]
    return 1 - entropy / open_candidates.to(entropy.dtype).log()  # [M, R]
