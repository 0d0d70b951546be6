"""How likely what was seen comes next: one number on the logits of the history's items, by maximum likelihood.

`training.evaluation.repeat_offset` ranks with such a number, fitted to NDCG@10; here probabilities are to mean what
they say. A model of vectors holds what is like the history likely, and the history itself is most like it; how often
people come back to things it hardly knows.
"""

from __future__ import annotations

from scipy.optimize import minimize_scalar
from torch import Tensor

from training.evaluation.temperature import calibrated_temperature

LIMIT = 12.0
"""The offset stays within this: e^-12 of what it was is nothing, and infinity could not be written down."""
_ROUNDS = 4
_NEAR = 1e-3


def calibrated_offset(logits: Tensor, target: Tensor, seen: Tensor) -> float:
    """argmin over b in [-12, 12] of the negative log-likelihood of softmax(logits + b * seen).

    The logarithm of a sum of exponentials of what is linear in b is convex, so there is one valley. Where nobody met
    anything before, or everybody everything, b changes nothing, and is 0.

    Args:
        logits: float[E, N], the whole catalogue.
        target: int64[E].
        seen: bool[E, N].
    """
    log_p = logits.log_softmax(dim=1)  # [E, N]
    inside = log_p.masked_fill(~seen, -float("inf")).logsumexp(dim=1)  # [E] ln of what was seen altogether
    outside = log_p.masked_fill(seen, -float("inf")).logsumexp(dim=1)  # [E]
    again = seen.gather(1, target[:, None]).squeeze(1).to(log_p.dtype)  # [E]
    if not bool((inside.isfinite() & outside.isfinite()).any()):
        return 0.0

    def loss(offset: float) -> float:
        return float(((inside + offset).logaddexp(outside) - offset * again).mean())

    found = minimize_scalar(loss, bounds=(-LIMIT, LIMIT), method="bounded", options={"xatol": _NEAR})
    return float(found.x)


def calibrated(logits: Tensor, target: Tensor, seen: Tensor) -> tuple[float, float]:
    """(T, b) under which softmax(logits / T + b * seen) is likeliest, found in turns.

    The likelihood is concave in (1/T, b) together, so turns come nearer to its one peak.

    Args:
        logits: float[E, N], the whole catalogue.
        target: int64[E].
        seen: bool[E, N].
    """
    temperature, offset = calibrated_temperature(logits, target), 0.0
    for _ in range(_ROUNDS):
        offset = calibrated_offset(logits / temperature, target, seen)
        temperature = calibrated_temperature(logits, target, offset * seen)
    return temperature, offset
