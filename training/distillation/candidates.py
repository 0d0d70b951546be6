"""Over which items teachers and student are compared, where it is not the whole catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from service.bundle import PAD
from training.distillation.answers import Answers
from training.distillation.teacher_panel import TeacherPanel

AddedCandidates = Literal["in-batch", "in-batch+uniform", "in-batch+uniform+top-k"]
"""in-batch is the paper's: the targets of the batch. uniform: as many again, drawn from the catalogue. top-k: what each
teacher and the student hold likeliest for a row of the batch."""
TOP_K = 20


@dataclass(frozen=True, eq=False)
class Candidates:
    """The items compared, and which of them are none in which row."""

    items: Tensor
    """int64[C], distinct, ascending, never PAD"""
    target: Tensor
    """int64[R]: the place of each row's target among them"""
    blocked: Tensor
    """bool[R, C]: True where the item is in the row's prefix, and not its target"""


def candidates(answers: Answers, added: AddedCandidates, panel: TeacherPanel) -> Candidates:
    """The candidates of R rows.

    Args:
        answers: what the student said of them.
        added: what is compared beside the batch's targets.
        panel: the teachers.
    """
    items = answers.items.shape[0] - 1
    chosen = _chosen(answers, added, panel)  # [C]
    place = torch.full((items + 1,), chosen.numel(), device=chosen.device)  # [N+1]: C stands for "not among them"
    place[chosen] = torch.arange(chosen.numel(), device=chosen.device)
    blocked = torch.zeros(answers.target.numel(), chosen.numel() + 1, dtype=torch.bool, device=chosen.device)
    blocked.scatter_(1, place[answers.prefixes()], value=True)  # [R, C+1]
    return Candidates(chosen, place[answers.target], blocked[:, :-1])


def _chosen(answers: Answers, added: AddedCandidates, panel: TeacherPanel) -> Tensor:
    """int64[C]."""
    target, items = answers.target, answers.items.shape[0] - 1
    unique: Tensor = target.unique()  # type: ignore[no-untyped-call]  # [B']
    parts = [unique]
    if added != "in-batch":
        parts.append(torch.randint(PAD + 1, items + 1, (unique.numel(),), device=target.device))  # [B']
    if added == "in-batch+uniform+top-k":
        parts.extend(_likeliest(answers, panel))
    joined: Tensor = torch.cat(parts).unique()  # type: ignore[no-untyped-call]  # [C]
    return joined


@torch.no_grad()
def _likeliest(answers: Answers, panel: TeacherPanel) -> list[Tensor]:
    """The TOP_K of every row by each teacher that scored it, and by the student: flat lists."""
    items = answers.items.shape[0] - 1
    count = min(TOP_K, items)
    own = answers.log_q.topk(count, dim=1).indices.flatten() + 1  # [R * count]
    if not panel.memories:
        return [own]
    opinions = panel.opinions(answers.row, torch.arange(PAD + 1, items + 1, device=answers.target.device))
    heard = zip(opinions.logits, opinions.present, strict=True)
    return [own, *(logits[present].topk(count, dim=1).indices.flatten() + 1 for logits, present in heard)]
