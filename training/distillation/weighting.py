"""The weights of the teachers on some rows, by what a row of the study says they rest on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from training.distillation.ca_mkd import ca_mkd_weights
from training.distillation.confidence import label_confidence
from training.distillation.consistency import consistency
from training.distillation.ebkd import ebkd_weights
from training.distillation.integration import integration_weights
from training.distillation.rows import Teaching


@dataclass(frozen=True, eq=False)
class Judged:
    """M teachers judged on R rows, all at T = 1."""

    log_p: Tensor
    """float[M, R, C]"""
    target: Tensor
    """int64[R], the place of y_i among the candidates: train rows only"""
    present: Tensor
    """bool[M, R]"""
    consistency: Tensor
    """b, float[M, R] (equation 4)"""
    optimism: Tensor | None = None
    """delta, float[M]: what is taken off ln a, for these rows were trained on; None: nothing"""
    trust: Tensor | None = None
    """pi, float[M]: the prior over teachers; None: uniform"""

    @classmethod
    def of(cls, log_p: Tensor, target: Tensor, present: Tensor, optimism: Tensor | None = None) -> Judged:
        """Judge."""
        return cls(log_p, target, present, consistency(log_p, present), optimism)

    @property
    def confidence(self) -> Tensor:
        """a, float[M, R] (equation 3), each teacher's optimism taken off, times how far it is trusted."""
        said = label_confidence(self.log_p, self.target)  # [M, R]
        said = said if self.optimism is None else said * (-self.optimism[:, None]).exp()  # [M, R]
        return said if self.trust is None else said * self.trust[:, None]  # [M, R]


def weights(teaching: Teaching, judged: Judged) -> Tensor:
    """w, float[M, R]: sums to 1 over the teachers that scored a row, all 0 where none did; no gradient.

    Raises:
        ValueError: several teachers are weighed by what is not seen here.
    """
    log_p, target, present = judged.log_p, judged.target, judged.present
    if log_p.shape[0] == 1:  # one teacher: its weight is 1 whatever is said of it
        return present.to(log_p.dtype)  # [1, R]
    if teaching.weighting == "ca-mkd":
        return ca_mkd_weights(log_p, target, present)  # [M, R]
    if teaching.weighting == "ebkd":
        return ebkd_weights(log_p, present)  # [M, R]
    if teaching.weighting != "integration":
        raise ValueError(f"weighed {teaching.weighting}: not by these rows alone")
    return integration_weights(judged.confidence, judged.consistency, present, teaching.powers)  # [M, R]


def mean_over_teachers(value: Tensor, present: Tensor) -> Tensor:
    """The mean over those that scored the row, 0 where none did: float[M, R] -> float[R]."""
    return torch.where(present, value, 0.0).sum(dim=0) / present.sum(dim=0).clamp(min=1)  # [R]
