"""Over which items teachers and student are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from service.bundle import PAD
from training.batches import Batch

CandidateMode = Literal["catalogue", "in-batch", "in-batch+uniform"]
"""in-batch is the paper's; catalogue compares everything and is affordable up to some 20,000 items."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """The items compared, and which of them are none in which row."""

    items: Tensor
    """int64[C], distinct, ascending, never PAD"""
    target: Tensor
    """int64[R]: the place of each row's target among them"""
    blocked: Tensor
    """bool[R, C]: True where the item is in the row's prefix, and not its target"""


def candidates(batch: Batch, mode: CandidateMode, items: int) -> Candidates:
    """The candidates of a batch.

    Args:
        batch: R targets.
        mode: every item; the batch's targets; or those and as many again drawn uniformly from the catalogue.
        items: N.
    """
    target = batch.target[batch.asked]  # [R]
    chosen = _chosen(target, mode, items)  # [C]
    place = torch.full((items + 1,), chosen.numel(), device=chosen.device)  # [N+1]: C stands for "not among them"
    place[chosen] = torch.arange(chosen.numel(), device=chosen.device)
    blocked = torch.zeros(target.numel(), chosen.numel() + 1, dtype=torch.bool, device=chosen.device)  # [R, C+1]
    blocked.scatter_(1, place[batch.prefixes()], value=True)
    return Candidates(chosen, place[target], blocked[:, :-1])


def _chosen(target: Tensor, mode: CandidateMode, items: int) -> Tensor:
    if mode == "catalogue":
        return torch.arange(PAD + 1, items + 1, device=target.device)  # [N]
    unique: Tensor = target.unique()  # type: ignore[no-untyped-call]  # [C]
    if mode == "in-batch":
        return unique
    drawn = torch.randint(PAD + 1, items + 1, (unique.numel(),), device=target.device)  # [C]
    joined: Tensor = torch.cat([unique, drawn]).unique()  # type: ignore[no-untyped-call]  # [C']
    return joined
