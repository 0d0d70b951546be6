"""DLLM2Rec's weights per item, to compare with: of what a teacher ranks first, what is worth learning.

Cui et al., "Distillation Matters: Empowering Sequential Recommenders to Match the Performance of Large Language
Models", RecSys 2024, and its published code. Per row and item of the teacher's top K = 10, ranks r from 1:

    weight_r  in proportion to  .3 norm(exp(-r)) + .5 norm(exp(-dist_r)) + .1 [item r in the student's own top K]

norm divides by the sum over the K, and so are the weights brought to the sum of 1.

Our reading of `dist`: there it is how far, in the language model's space, the item lies from the text that the model
wrote. A two-tower teacher answers with a vector, too, and its p is the softmax of minus the squared distance between
two vectors of length 1, over 2 tau T: <u, v> = 1 - |u - v|^2 / 2. So -ln p is that distance up to a constant of the
row, which `norm` takes out again, and norm(exp(-dist)) is p itself among the K.

Their code has one teacher. Of several, each has a list and weights of its own, and the lists of those that scored the
row are averaged. Their collaborative embedding distillation is no matter of weights, and is left out.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from training.config import Config
from training.distillation.rank_lists import Ranked

_LEAST = 1e-8


class DLLM2RecConfig(Config):
    """What the weights rest on; the defaults are the published code's."""

    top: int = Field(default=10, ge=1)
    """K: how many of a teacher's items are learnt from."""
    position: float = Field(default=0.3, ge=0)
    """Weight of the rank."""
    confidence: float = Field(default=0.5, ge=0)
    """Weight of the teacher's confidence in the item."""
    consistency: float = Field(default=0.1, ge=0)
    """Weight of the student's having the item in its top K itself."""


def importance_weights(log_p: Tensor, shared: Tensor, config: DLLM2RecConfig) -> Tensor:
    """The weights of the items of rank lists.

    Args:
        log_p: ln p of the items, likeliest first, float[..., K]; -inf where a list is shorter.
        shared: bool[..., K], whether the student has the item among its own K likeliest.
        config: what counts how much.

    Returns:
        float[..., K]; sums to 1, 0 where a list is shorter. No gradient.
    """
    listed = torch.isfinite(log_p)  # [..., K]
    rank = torch.arange(1, log_p.shape[-1] + 1, device=log_p.device, dtype=log_p.dtype)  # [K]
    position = _norm(torch.where(listed, (-rank).exp(), 0.0))  # [..., K]
    confidence = _norm(log_p.exp())  # [..., K]
    consistency = (shared & listed).to(log_p.dtype) + _LEAST * listed  # [..., K]
    parts = config.position * position + config.confidence * confidence + config.consistency * consistency  # [..., K]
    return _norm(parts).detach()  # [..., K]


def in_common(items: Tensor, students: Tensor) -> Tensor:
    """Which items of rank lists are on the student's list: int64[..., R, K], int64[R, J] -> bool[..., R, K]."""
    return (items[..., None] == students[..., None, :]).any(dim=-1)  # [..., R, K]


def list_weights(ranked: Ranked, students: Tensor, config: DLLM2RecConfig) -> Tensor:
    """The weights of the lists as a distribution to learn: its cross-entropy with the student's takes the place of
    their binary one.

    Theirs puts one item drawn at random against the K; a student that learns by the softmax over the catalogue has all
    the others against them.

    Args:
        ranked: the lists of M teachers at R rows.
        students: int64[R, J], the student's own likeliest items.
        config: what counts how much.

    Returns:
        float[M, R, K]; sums to 1 over the lists of a row, all 0 where no teacher scored it. An item that stands on two
        lists has the sum of both. No gradient.
    """
    weights = importance_weights(ranked.log_p, in_common(ranked.item, students), config)  # [M, R, K]
    heard = ranked.present / ranked.present.sum(dim=0).clamp(min=1)  # [M, R]: 1 / M_i
    return torch.where(ranked.present[..., None], heard[..., None] * weights, 0.0).detach()  # [M, R, K]


def _norm(value: Tensor) -> Tensor:
    """Brought to the sum of 1 over the last dimension; all 0 stays so."""
    total = value.sum(dim=-1, keepdim=True)  # [..., 1]
    return torch.where(total > 0, value / total, 0.0)  # [..., K]
