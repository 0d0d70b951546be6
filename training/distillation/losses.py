"""What the student minimises."""

from __future__ import annotations

import torch
from torch import Tensor


def next_item_loss(logits: Tensor, target: Tensor) -> Tensor:
    """L_rec = mean over rows of -ln softmax(z_i)(y_i). float[R, C], int64[R] -> scalar."""
    return torch.nn.functional.cross_entropy(logits, target)


def kl_to_mixture(log_mixture: Tensor, logits: Tensor, gate: Tensor, temperature: float) -> Tensor:
    """L_kd = T^2 mean over rows of g_i KL(p̄_i || softmax(z_i / T)), both over the row's open candidates.

    T^2 keeps the size of the gradient independent of T (Hinton et al., 2015). By the identity
    sum_m w^m KL(p^m||q) = KL(p̄||q) + JSD_w(p^1, .., p^M), whose last term has no gradient to the student, this is the
    weighted sum of the KLs to each teacher.

    Args:
        log_mixture: ln p̄, float[R, C], made at temperature T; -inf where a candidate is masked.
        logits: z, float[R, C].
        gate: g, float[R]; 0 takes a row out.
        temperature: T.

    Returns:
        Scalar.
    """
    masked = torch.isneginf(log_mixture)  # [R, C]
    log_q = (logits / temperature).masked_fill(masked, -torch.inf).log_softmax(dim=-1)  # [R, C]
    apart = torch.where(masked, 0.0, log_mixture.exp() * (log_mixture - log_q))  # [R, C]
    return temperature**2 * (gate * apart.sum(dim=-1)).mean()  # []
