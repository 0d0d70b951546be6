"""Relaxed ranking distillation, to compare with: the order of the teacher's best items, which stand above others.

Kang et al., "DE-RRD: A Knowledge Distillation Framework for Recommender System", CIKM 2020, section 4.2. Scores do not
count, only their order; and among the uninteresting items not even that (hence relaxed).
"""

from __future__ import annotations

import torch
from torch import Tensor

from service.bundle import PAD
from training.config import ConfigError


def ranking_nll(interesting: Tensor, uninteresting: Tensor) -> Tensor:
    """-ln of the Plackett-Luce likelihood of the teacher's order, under the student's logits.

    sum_k ( ln( sum_{j >= k} exp z_j + sum_l exp z'_l ) - z_k ): each of the K items in its turn is picked before those
    that follow it and before every uninteresting one. All in log-space: no logit is too large.

    Args:
        interesting: the student's logits z of the teacher's K best items, best first, float[R, K].
        uninteresting: its logits z' of some items that the teacher does not rank, float[R, L].

    Returns:
        float[R], at least 0: a sum over K picks, so about K times as large as a next-item loss.
    """
    rest = uninteresting.logsumexp(dim=-1, keepdim=True)  # [R, 1]
    last_first = interesting.flip(-1)  # [R, K]
    left = torch.cat([rest, last_first], dim=-1).logcumsumexp(dim=-1)[:, 1:]  # [R, K]: all that may still be picked
    return (left - last_first).sum(dim=-1)  # [R]


def draw_uninteresting(interesting: Tensor, items: int, count: int) -> Tensor:
    """Draw items uniformly from those that are not among the interesting, with replacement.

    Args:
        interesting: int64[R, K] catalogue indices, distinct within a row.
        items: N.
        count: L.

    Returns:
        int64[R, L] catalogue indices, never PAD.

    Raises:
        ConfigError: the catalogue holds no other item.
    """
    rows, kept = interesting.shape
    if kept >= items:
        raise ConfigError(f"all {items} items are ranked: relaxed ranking needs some that are not")
    drawn = torch.randint(PAD + 1, items - kept + 1, (rows, count), device=interesting.device)  # [R, L]
    # The n-th item that is not interesting is n plus the interesting ones before it: those whose index, less the
    # interesting ones below themselves, is at most n. So no draw is ever thrown away.
    below = interesting.sort(dim=-1).values - torch.arange(kept, device=interesting.device)  # [R, K]
    return drawn + torch.searchsorted(below, drawn, right=True)  # [R, L]
