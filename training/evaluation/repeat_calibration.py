"""How likely what was seen comes next: one number on the logits of the history's items, by maximum likelihood.

`training.evaluation.repeat_offset` ranks with such a number, fitted to NDCG@10; here probabilities are to mean what
they say. A model of vectors holds what is like the history likely, and the history itself is most like it; how often
people come back to things it hardly knows.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from torch import Tensor
from torch.nn.functional import cross_entropy

from training.evaluation.temperature import BOUNDS, calibrated_temperature

LIMIT = 12.0
"""The offset stays within this: e^-12 of what it was is nothing, and infinity could not be written down."""
_LEAST_USERS = 20
"""Fewer do not tell how likely it is."""
_NEAR = 1e-3


def calibrated_offset(logits: Tensor, target: Tensor, seen: Tensor) -> float:
    """argmin over o in [-12, 12] of the negative log-likelihood of softmax(logits + o * seen).

    The logarithm of a sum of exponentials of what is linear in o is convex, so there is one valley. Where nobody met
    anything before, or everybody everything, o changes nothing, and is 0; it is 0, too, where fewer than 20 users tell.

    Args:
        logits: float[E, N], the whole catalogue.
        target: int64[E].
        seen: bool[E, N].
    """
    if not _tells(seen):
        return 0.0
    log_p = logits.log_softmax(dim=1).double()  # [E, N]
    inside = log_p.masked_fill(~seen, -float("inf")).logsumexp(dim=1)  # [E] ln of what was seen altogether
    outside = log_p.masked_fill(seen, -float("inf")).logsumexp(dim=1)  # [E]
    again = seen.gather(1, target[:, None]).squeeze(1).to(log_p.dtype)  # [E]

    def loss(offset: float) -> float:
        return float(((inside + offset).logaddexp(outside) - offset * again).mean())

    found = minimize_scalar(loss, bounds=(-LIMIT, LIMIT), method="bounded", options={"xatol": _NEAR})
    return min((float(found.x), -LIMIT, LIMIT), key=loss)  # it comes near to a limit, and not there


def calibrated(logits: Tensor, target: Tensor, seen: Tensor) -> tuple[float, float]:
    """(T, o), T in [.25, 4] and o in [-12, 12], under which softmax(logits / T + o * seen) is likeliest.

    The likelihood is concave in (1/T, o) together, so it has one peak; L-BFGS-B finds it from the best T alone. Where
    next to nothing is left to move, far from 0, it stops early: o is found once more, at that T.

    Args:
        logits: float[E, N], the whole catalogue.
        target: int64[E].
        seen: bool[E, N].
    """
    alone = calibrated_temperature(logits, target)
    if not _tells(seen):
        return alone, 0.0
    scores, moved = logits.double(), seen.double()  # [E, N] each

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        at = torch.tensor(point, dtype=torch.float64, device=logits.device, requires_grad=True)  # [2]
        with torch.enable_grad():
            value = cross_entropy(scores * at[0] + moved * at[1], target)  # []
            (slope,) = torch.autograd.grad(value, at)  # [2]
        return value.item(), slope.cpu().numpy()

    coldest, hottest = BOUNDS
    within = ((1 / hottest, 1 / coldest), (-LIMIT, LIMIT))
    found = minimize(loss, x0=np.array([1 / alone, 0.0]), jac=True, bounds=within, method="L-BFGS-B", tol=_NEAR**2)
    temperature = 1 / float(found.x[0])
    return temperature, calibrated_offset(logits / temperature, target, seen)


def _tells(seen: Tensor) -> bool:
    """Whether enough users met something, and not everything, before."""
    count = seen.sum(dim=1)  # [E]
    return int(((count > 0) & (count < seen.shape[1])).sum()) >= _LEAST_USERS
