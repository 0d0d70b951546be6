"""Whether a difference is more than the luck of which users were tested: paired bootstrap over users, and Holm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from training.config import Config
from training.evaluation.metrics import Ranks, gains, hits

PER_USER: dict[str, Callable[[Ranks], NDArray[np.float64]]] = {
    "ndcg@10": partial(gains, k=10),
    "recall@10": partial(hits, k=10),
    "ndcg@50": partial(gains, k=50),
    "recall@50": partial(hits, k=50),
    "mrr": lambda ranks: 1 / ranks,
}
"""Metric -> what each user adds to it, float64[E] -> float64[E]; its mean is the metric."""
_ROUNDING = 1e-12
"""A resampled mean this near to 0 is 0: sums of the same numbers in another order differ by less."""


class BootstrapConfig(Config):
    """How often users are drawn again."""

    resamples: int = Field(default=10_000, ge=100)
    """An interval's ends move by about 1% of its width at 10,000."""
    seed: int = 0
    chunk_bytes: int = Field(default=64_000_000, gt=0)
    """Memory of the draws at a time; it does not change the result."""


class Estimate(Config):
    """A mean over users and how far it may be off."""

    estimate: float
    low: float
    """2.5% quantile of the resampled means."""
    high: float
    """97.5% quantile."""
    p: float = Field(gt=0, le=1)
    """Two-sided, of the mean being 0."""

    @property
    def above_zero(self) -> bool:
        """Whether the whole interval is."""
        return self.low > 0

    @property
    def below_zero(self) -> bool:
        """Whether the whole interval is."""
        return self.high < 0


class Share(Config):
    """How much of one mean another is."""

    share: float
    low: float
    """2.5% quantile."""
    high: float
    """97.5% quantile."""


def user_values(seeds: Sequence[Ranks], metric: str) -> NDArray[np.float64]:
    """What each user adds to a metric, the mean over seeds: float64[E].

    Users are what is drawn, so a seed more makes the values steadier and is no user more.
    """
    return np.asarray(np.mean([PER_USER[metric](ranks) for ranks in seeds], axis=0))  # [E]


def resampled_means(values: NDArray[np.float64], config: BootstrapConfig) -> NDArray[np.float64]:
    """Means over users drawn with replacement, the same draw for every column (Efron and Tibshirani, 1993, chapter 13).

    Users are counted and not copied: one product of matrices gives all columns, where `scipy.stats.bootstrap` would
    gather every column anew. No more than `chunk_bytes` of counts are held.

    Args:
        values: [E, K].

    Returns:
        float64[R, K].
    """
    users = values.shape[0]
    draw = np.random.default_rng(config.seed)
    step = max(1, min(config.resamples, config.chunk_bytes // (8 * users)))
    found = np.empty((config.resamples, values.shape[1]))
    for start in range(0, config.resamples, step):
        size = min(step, config.resamples - start)
        counts = np.stack([np.bincount(draw.integers(users, size=users), minlength=users) for _ in range(size)])
        found[start : start + size] = counts.astype(np.float64) @ values / users  # [size, K]
    return found


def estimates(values: NDArray[np.float64], config: BootstrapConfig) -> list[Estimate]:
    """One for each column of [E, K], all from the same draws.

    Raises:
        ValueError: there is no user, or a value is no number.
    """
    if values.ndim != 2 or not values.shape[0] or not bool(np.all(np.isfinite(values))):
        raise ValueError(f"values {values.shape}: [E, K] of finite numbers with at least one user")
    means = resampled_means(values, config)  # [R, K]
    return [_estimate(float(column.mean()), drawn) for column, drawn in zip(values.T, means.T, strict=True)]


def paired_difference(left: NDArray[np.float64], right: NDArray[np.float64], config: BootstrapConfig) -> Estimate:
    """Mean of left - right over the same users.

    Args:
        left: [E], what each user adds to the metric; see `user_values`.
        right: [E], the same users in the same order.
    """
    return estimates((left - right)[:, None], config)[0]


def share_of(part: NDArray[np.float64], whole: NDArray[np.float64], config: BootstrapConfig) -> Share | None:
    """Mean of part over mean of whole; None unless the whole is surely positive, as a share of nothing is no share.

    Args:
        part: [E].
        whole: [E], the same users in the same order.
    """
    values = np.stack([part, whole], axis=1)  # [E, 2]
    drawn = resampled_means(values, config)  # [R, 2]
    if float(np.quantile(drawn[:, 1], 0.025)) <= _ROUNDING:
        return None
    inside = drawn[drawn[:, 1] > _ROUNDING]  # at least 97.5% of the draws
    low, high = np.quantile(inside[:, 0] / inside[:, 1], [0.025, 0.975])
    return Share(share=float(part.mean() / whole.mean()), low=float(low), high=float(high))


def _estimate(mean: float, drawn: NDArray[np.float64]) -> Estimate:
    """Percentile interval, and the p that goes with it: the least level at which the interval would leave 0 out."""
    low, high = np.quantile(drawn, [0.025, 0.975])
    beyond = min(int((drawn <= _ROUNDING).sum()), int((drawn >= -_ROUNDING).sum()))
    p = min(1.0, 2 * (beyond + 1) / (drawn.size + 1))  # + 1: never 0, however few the draws (Davison and Hinkley, 4.2)
    return Estimate(estimate=mean, low=float(low), high=float(high), p=p)


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Holm's adjusted p-values: those below .05 hold together with an error of 5% for the whole family.

    The k-th smallest of n is multiplied by n - k + 1; none is less than a smaller one, none more than 1
    (Holm, Scandinavian Journal of Statistics 6, 1979).

    Args:
        p: [n].

    Returns:
        float64[n], in the order given.
    """
    raw = np.asarray(p, dtype=np.float64)
    order = np.argsort(raw, kind="stable")  # [n]
    stepped = np.maximum.accumulate(raw[order] * np.arange(raw.size, 0, -1))  # [n]
    found = np.empty_like(raw)
    found[order] = np.minimum(stepped, 1.0)
    return found
