"""Temperature calibration: how sharp a model's softmax should be for its probabilities to mean what they say."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn.functional import cross_entropy

BOUNDS = (0.25, 4.0)
_STEPS = 24


def calibrated_temperature(logits: Tensor, target: Tensor) -> float:
    """argmin over T in [.25, 4] of the negative log-likelihood of softmax(logits / T).

    Golden-section search on log T: the likelihood is concave in 1/T, so it has one peak (Guo et al., ICML 2017,
    section 4.2).

    Args:
        logits: float[E, N], the whole catalogue.
        target: int64[E].
    """
    ratio = (5**0.5 - 1) / 2
    low, high = BOUNDS
    for _ in range(_STEPS):
        inner_low = high / (high / low) ** ratio
        inner_high = low * (high / low) ** ratio
        if cross_entropy(logits / inner_low, target) <= cross_entropy(logits / inner_high, target):
            high = inner_high
        else:
            low = inner_low
    return math.sqrt(low * high)
