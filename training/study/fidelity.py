"""How closely a student says what its teachers say: at rows that it learnt from, and at rows that nobody learnt from.

A student may be good and unlike its teachers, or like them where it was taught and not elsewhere. Stanton et al. ("Does
Knowledge Distillation Really Work?", NeurIPS 2021) call the likeness fidelity. As far from the teachers at both kinds
of rows, a student lacks capacity, or its loss asks for no more; near at the first and far at the second, it lacks rows.
Teachers that were trained on the learnt rows are surer there: what is to be said differs somewhat, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.config import Config, ConfigError
from training.dataset import Contents
from training.evaluation.selection import evenly, selection_half
from training.memory import Memory
from training.reranker import Reranker
from training.sequences import sequences_at
from training.students.base import Student

Rows = Literal["learnt", "held out"]
_TOP = 10
_CHUNK = 256
_Say = Callable[[NDArray[np.int64]], Tensor]
"""Flat rows int64[R] -> the teachers' mixture, ln p̄ float[R, N]."""


class Fidelity(Config):
    """One student, at one kind of rows."""

    rows: Rows
    number: int
    """Rows that were looked at."""
    divergence: float
    """Mean KL(p̄ || q) over the whole catalogue, in nats: 0 is the very same."""
    shared_top: float
    """Of the teachers' ten likeliest items so many are among the student's ten, as a share."""


def fidelity(
    student: Student, memories: tuple[Memory, ...], dataset: Contents, number: int = 2000
) -> tuple[Fidelity, ...]:
    """Compare a student with the plain mean of its teachers (row C6), at T = 1.

    Args:
        student: in evaluation mode.
        memories: of the teachers.
        dataset: whose rows.
        number: at most so many train rows, and so many of the selection half of the validation users.

    Raises:
        ConfigError: the student scores pairs, and has no distribution over the catalogue; or no row has all teachers.
    """
    if isinstance(student, Reranker):
        raise ConfigError(f"{type(student).__name__} scores pairs: it has no distribution over the catalogue")
    learnt = memories[0].row  # [S]
    for one in memories[1:]:
        learnt = np.intersect1d(learnt, one.row, assume_unique=True)  # [S]: that all of them scored
    if not learnt.size:
        raise ConfigError(f"no row was scored by each of {', '.join(one.entry.name for one in memories)}")
    some = learnt[np.linspace(0, learnt.size - 1, min(learnt.size, number)).astype(np.int64)]  # [R]
    held_out = evenly(selection_half(dataset.split.validation), number).row  # [R']
    everything = torch.arange(1, len(dataset.catalog) + 1)  # [N]
    return (
        _at("learnt", student, dataset, (some, lambda rows: _mean([m.logits(rows, everything)[0] for m in memories]))),
        _at("held out", student, dataset, (held_out, lambda rows: _mean([m.held_out_log_p(rows) for m in memories]))),
    )


def _mean(logits: list[Tensor]) -> Tensor:
    """ln of the mean of the softmaxes of float[R, N] each: float[R, N]."""
    return torch.stack([one.log_softmax(dim=1) for one in logits]).logsumexp(dim=0) - math.log(len(logits))  # [R, N]


@torch.no_grad()
def _at(kind: Rows, student: Student, dataset: Contents, asked: tuple[NDArray[np.int64], _Say]) -> Fidelity:
    rows, say = asked
    encode, items = student.prepared(), student.item_matrix()[1:]  # [N, D]
    apart, shared = [], []
    for start in range(0, rows.size, _CHUNK):
        some = rows[start : start + _CHUNK]  # [R]
        history = sequences_at(dataset.interactions, some, student.max_history).history  # [R, L]
        log_q = (encode(torch.from_numpy(history.copy())) @ items.T).log_softmax(dim=1)  # [R, N]
        log_p = say(some)  # [R, N]
        apart.append((log_p.exp() * (log_p - log_q)).sum(dim=1))  # [R]
        shared.append(_shared(log_p, log_q))  # [R]
    return Fidelity(
        rows=kind,
        number=rows.size,
        divergence=float(torch.cat(apart).mean()),
        shared_top=float(torch.cat(shared).mean()),
    )


def _shared(log_p: Tensor, log_q: Tensor) -> Tensor:
    """The share of the likeliest ten of one among those of the other: float[R, N] twice -> float[R]."""
    top = min(_TOP, log_p.shape[1])
    told, said = (one.topk(top, dim=1).indices for one in (log_p, log_q))  # [R, 10] each
    return (told[:, :, None] == said[:, None, :]).any(dim=2).float().mean(dim=1)  # [R]
