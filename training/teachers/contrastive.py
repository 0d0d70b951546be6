"""In-batch contrastive learning, with duplicates kept out of the negatives."""

from __future__ import annotations

import torch
from torch import Tensor

from training.processes import across_processes


def info_nce(anchor: Tensor, positive: Tensor, label: Tensor, temperature: float) -> Tensor:
    """Mean over rows i of -log( exp(cos(a_i, p_i)/tau) / sum_j exp(cos(a_i, p_j)/tau) ), j: i and rows of other labels.

    Source: UniSRec (Hou et al., KDD 2022), equations 6 and 7. Rows that share row i's label are no negatives of it:
    they are left out of the sum (their logit is -inf), not added to it as exp(0). With several processes, j runs over
    the rows of all of them: each must call this, if only with no row at all.

    Args:
        anchor: float[R, D], of any length: vectors are normalised here.
        positive: float[R, D].
        label: int64[R]; what makes two rows the same.
        temperature: tau.

    Returns:
        Scalar; 0 where there is no row.
    """
    unit = torch.nn.functional.normalize
    positives, labels = across_processes(unit(positive, dim=-1)), across_processes(label)
    logits = unit(anchor, dim=-1) @ positives.rows.T / temperature  # [R, R_all]
    if not label.numel():
        return logits.sum() + 0 * positives.rows.sum()  # []: still part of the graph, so that no process waits in vain
    target = torch.arange(label.numel(), device=label.device) + positives.start  # [R]
    twin = label[:, None] == labels.rows[None]  # [R, R_all]
    twin[torch.arange(label.numel(), device=label.device), target] = False
    return torch.nn.functional.cross_entropy(logits.masked_fill(twin, -torch.inf), target)
