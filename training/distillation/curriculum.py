"""Curriculum: rows on which the teachers are sure and of one mind come first (equation 11)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.stats import rankdata

from training.config import Config

_NOT_SCORED = 0.5


class CurriculumConfig(Config):
    """How fast the curriculum opens."""

    first_share: float = Field(default=0.3, gt=0, le=1)
    """f_0: share of the rows that the first epoch learns from."""
    epochs: int = Field(default=30, ge=1)
    """E_c: after so many epochs every row is open."""


def difficulty(teachers_nll: NDArray[np.floating], consistency: NDArray[np.floating]) -> NDArray[np.float64]:
    """D_i, the rank of mean_m -ln p^m_i(y_i) + (1 - mean_m b^m_i) among the rows, 0 the easiest and 1 the hardest.

    Rows that are equally hard share the mean of their ranks. A row that no teacher scored is no evidence either way:
    it stands in the middle, at 0.5, and moves none of the others.

    Args:
        teachers_nll: [S] mean over the teachers of -ln p^m_i(y_i); NaN where none scored the row, inf is the hardest.
        consistency: [S] mean over the teachers of b^m_i (equation 4).

    Returns:
        [S] in [0, 1].
    """
    hard = teachers_nll.astype(np.float64) + (1 - consistency.astype(np.float64))  # [S]
    scored = ~np.isnan(hard)  # [S]
    ranked = np.full(hard.shape, _NOT_SCORED)  # [S]
    if scored.sum() > 1:
        ranked[scored] = (rankdata(hard[scored]) - 1) / (scored.sum() - 1)  # [S']
    return ranked  # [S]


def open_share(epoch: int, first_share: float, epochs: int) -> float:
    """f = min(1, sqrt(f_0^2 + (1 - f_0^2) e / E_c)), with e the epochs that are over.

    The square root is that of competence-based curricula (Platanios et al., NAACL 2019): new rows come in ever more
    slowly, so that each gets about the same time.

    Args:
        epoch: counts from 1, as everywhere: the first has the share f_0.
        first_share: f_0.
        epochs: E_c.
    """
    return min(1.0, math.sqrt(first_share**2 + (1 - first_share**2) * (epoch - 1) / epochs))


def open_rows(hardness: NDArray[np.floating], epoch: int, config: CurriculumConfig) -> NDArray[np.bool_]:
    """Which rows an epoch learns from: those whose D is at most the f-quantile of all D.

    At least the share f is open, more where rows as hard as the last one are tied; an open row stays open.

    Args:
        hardness: D, [S].
        epoch: counts from 1.
        config: the pace.

    Returns:
        [S]
    """
    if hardness.size == 0:
        return np.zeros(0, dtype=np.bool_)  # [0]
    share = open_share(epoch, config.first_share, config.epochs)
    last = float(np.quantile(hardness, share, method="higher"))
    return np.asarray(hardness <= last)  # [S]
