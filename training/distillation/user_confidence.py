"""Confidence by what a teacher gave to the other answers of the same user: personal, and not by the row's own label.

Equation 3 reads confidence off the row's own label. Of teachers that are calibrated, what one gave more to it than the
others is luck as well as merit, and a student that follows the mixture closely may learn the luck (decision 35).
What a teacher gave to the user's other answers tells how well it understands the user. The own label enters as one
of thousands through the mean over all rows, and as part of what later rows were answered from.
"""

from __future__ import annotations

import torch
from torch import Tensor


def others_confidence(log_a: Tensor, present: Tensor, user: Tensor, shrinkage: float) -> Tensor:
    """ln a of each row's user without the row itself, drawn towards the teacher's mean where there are few others.

        ( sum over the other rows j of the user of ln a^m_j  +  k · mean over all rows of ln a^m ) / ( others + k )

    Args:
        log_a: ln a^m_i (equation 3), float[M, S]; it means nothing where a teacher is absent.
        present: bool[M, S].
        user: int64[S].
        shrinkage: k > 0, in rows.

    Returns:
        float[M, S].
    """
    said, count, overall = _by_user(log_a, present, user, int(user.max()) + 1)  # [M, U], [M, U], [M, 1]
    own = torch.where(present, log_a, 0.0)  # [M, S]
    others = count[:, user] - present.to(log_a.dtype)  # [M, S]
    return (said[:, user] - own + shrinkage * overall) / (others + shrinkage)  # [M, S]


def user_confidence(log_a: Tensor, present: Tensor, user: Tensor, asked: Tensor, shrinkage: float) -> Tensor:
    """The same for users asked about at rows that are none of these: by all of their rows.

    Args:
        log_a: float[M, S], as above, of train rows.
        present: bool[M, S].
        user: int64[S].
        asked: int64[E], users; one without a row has the teachers' means.
        shrinkage: k > 0.

    Returns:
        float[M, E].
    """
    users = int(torch.cat([user, asked]).max()) + 1
    said, count, overall = _by_user(log_a, present, user, users)  # [M, U], [M, U], [M, 1]
    return (said[:, asked] + shrinkage * overall) / (count[:, asked] + shrinkage)  # [M, E]


def _by_user(log_a: Tensor, present: Tensor, user: Tensor, users: int) -> tuple[Tensor, Tensor, Tensor]:
    """Sums and numbers over each user's rows, and means over all: float[M, U] twice, float[M, 1]."""
    heard = present.to(log_a.dtype)  # [M, S]
    own = torch.where(present, log_a, 0.0)  # [M, S]
    said = log_a.new_zeros(len(log_a), users).index_add_(1, user, own)  # [M, U]
    count = log_a.new_zeros(len(log_a), users).index_add_(1, user, heard)  # [M, U]
    overall = own.sum(dim=1, keepdim=True) / heard.sum(dim=1, keepdim=True).clamp(min=1)  # [M, 1]
    return said, count, overall
