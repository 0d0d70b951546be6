"""How far each teacher is to be trusted on the whole: a prior over teachers, from rows that none learnt from.

With alpha = 1 and beta = 0 the weights of equation 5 are the posterior over teachers given the label, under a uniform
prior. Teachers are not equally good, so a uniform prior is wrong, and a weak teacher is heard by what it got right by
luck. The prior that makes held-out labels likeliest is that of a mixture of fixed components: EM climbs to it
(Dempster, Laird and Rubin, 1977), for the likelihood is concave in the weights. The same users' answers have set the
teachers' temperatures, and were among those that stopped their training: held out from learning, not from every choice.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.dataset import Contents
from training.distillation.confidence import label_confidence
from training.evaluation.selection import calibration_half, evenly
from training.memory import Memory

_USERS = 2000
"""So many tell M numbers."""
_ROWS = 512
_STEPS = 200
_LEAST = 1e-8
TRUST = f"EM {_STEPS} steps, {_USERS} users"
"""How it is fitted: equal words for equal numbers."""


def fit_trust(likelihood: Tensor) -> Tensor:
    """pi, the maximiser of  sum_i ln sum_m pi_m p^m_i(y_i)  over the simplex.

    Args:
        likelihood: p^m_i(y_i) at T = 1, float[M, R].

    Returns:
        float[M], positive, summing to 1. It carries no gradient.
    """
    p = likelihood.double() + _LEAST  # [M, R]
    trust = torch.full((len(p),), 1 / len(p), dtype=p.dtype, device=p.device)  # [M]
    for _ in range(_STEPS):
        share = trust[:, None] * p  # [M, R]
        trust = (share / share.sum(dim=0)).mean(dim=1)  # [M]
    return trust.clamp(min=_LEAST).to(likelihood.dtype)  # [M]


def teacher_trust(dataset: Contents, memories: tuple[Memory, ...]) -> Tensor:
    """pi of some teachers on the calibration half of validation, float[M]; selection looks at the other half.

    Raises:
        ConfigError: a teacher was not asked for validation rows.
    """
    rows = evenly(calibration_half(dataset.split.validation), _USERS).row  # [E]
    parts = [_likelihood(dataset, memories, rows[start : start + _ROWS]) for start in range(0, rows.size, _ROWS)]
    return fit_trust(torch.cat(parts, dim=1))  # [M]


def _likelihood(dataset: Contents, memories: tuple[Memory, ...], rows: NDArray[np.int64]) -> Tensor:
    log_p = torch.stack([one.held_out_log_p(rows) for one in memories])  # [M, E, N]
    target = torch.from_numpy(dataset.interactions.item[rows].astype(np.int64) - 1).to(log_p.device)  # [E]
    return label_confidence(log_p, target)  # [M, E]
