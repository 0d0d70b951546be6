"""In-batch contrastive learning, with duplicates kept out of the negatives."""

from __future__ import annotations

import torch
from torch import Tensor


def info_nce(anchor: Tensor, positive: Tensor, label: Tensor, temperature: float) -> Tensor:
    """Mean over rows i of -log( exp(cos(a_i, p_i)/tau) / sum_j exp(cos(a_i, p_j)/tau) ), j: i and rows of other labels.

    Source: UniSRec (Hou et al., KDD 2022), equations 6 and 7. Rows that share row i's label are no negatives of it:
    they are left out of the sum (their logit is -inf), not added to it as exp(0).

    Args:
        anchor: float[R, D], of any length: vectors are normalised here.
        positive: float[R, D].
        label: int64[R]; what makes two rows the same.
        temperature: tau.

    Returns:
        Scalar.
    """
    unit = torch.nn.functional.normalize
    logits = unit(anchor, dim=-1) @ unit(positive, dim=-1).T / temperature  # [R, R]
    own = torch.eye(label.numel(), dtype=torch.bool, device=label.device)  # [R, R]
    twin = (label[:, None] == label[None]) & ~own  # [R, R]
    target = torch.arange(label.numel(), device=label.device)  # [R]
    return torch.nn.functional.cross_entropy(logits.masked_fill(twin, -torch.inf), target)
