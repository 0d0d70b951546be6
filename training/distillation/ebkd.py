"""EBKD's weights, to compare with: who is surer weighs more, right or wrong; no label is used.

The baseline "EBKD" of Zhang et al., ICASSP 2022, after Kwon et al., "Adaptive Knowledge Distillation Based on Entropy",
ICASSP 2020.
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.distillation.ca_mkd import opposite_shares


def ebkd_weights(log_p: Tensor, present: Tensor) -> Tensor:
    """w^m_i in proportion to 1 - H(p^m_i) / sum over the present n of H(p^n_i); 1 for a teacher that is alone.

    Where all are certain (every H is 0) they weigh the same.

    Args:
        log_p: float[M, R, C]; -inf where a candidate is masked.
        present: bool[M, R].

    Returns:
        float[M, R]; sums to 1 over the teachers, and is all 0 where no teacher scored the row. No gradient.
    """
    entropy = torch.where(present, torch.special.entr(log_p.exp()).sum(dim=-1), 0.0)  # [M, R]
    total = entropy.sum(dim=0)  # [R]
    alike = 1 / present.sum(dim=0).clamp(min=1).to(entropy.dtype)  # [R]
    return opposite_shares(torch.where(total > 0, entropy / total, alike), present)  # [M, R]
