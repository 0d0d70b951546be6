"""The row gate: a student is not taught what it knows better than its teachers (equation 7, beyond the paper)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from training.config import Config

_MOST = 2.0


class RowGateConfig(Config):
    """When a row is taught, and how much it counts."""

    k: float = Field(default=1.0, gt=0)
    """Slope: how much agreement among the teachers opens a row by how much. It only matters through the clip at 2."""
    margin: float = 0.0
    """In nats: how much worse than the student the teachers may be on a row and still teach it."""
    momentum: float = Field(default=0.5, ge=0, lt=1)
    """Of the running mean of the student's own NLL of a row; 0: its last one."""


def no_harm_gate(
    agreement: Tensor, mixture_nll: Tensor, student_nll: Tensor, known: Tensor, config: RowGateConfig
) -> Tensor:
    """g_i = clip(k (sum_m w^m b^m) 1[NLL(p̄_i) < NLL(student)_i + margin], 0, 2), brought to the batch mean 1.

    It is clipped first and scaled after: the clip bounds how much rows differ from each other, and the mean of 1 keeps
    lambda's meaning; a gate can so be above 2 where most of a batch is closed. The mean is over the rows that a teacher
    scored. Where all of them are closed nothing is scaled: every g is 0.

    Args:
        agreement: sum_m w^m b^m, float[R].
        mixture_nll: -ln p̄_i(y_i) at T = 1, float[R].
        student_nll: what the student's own has been, float[R]; inf opens the row.
        known: bool[R], the rows that a teacher scored; the others get 0.
        config: k, margin.

    Returns:
        float[R], at least 0; it carries no gradient.
    """
    taught = known & (mixture_nll < student_nll + config.margin)  # [R]
    gate = torch.where(taught, (config.k * agreement).clamp(0, _MOST), 0.0)  # [R]
    mean = gate.sum() / known.sum().clamp(min=1)  # []
    return torch.where(mean > 0, gate / mean, 0.0).detach()  # [R]


class RowGate:
    """The gate over S rows, and what it remembers of the student: the running mean of its NLL of each row.

    A row that the student has not met yet is open (its NLL counts as inf): in the first epoch teachers are heard on
    every row. The memory costs 4 bytes a row, is the training's alone, and begins afresh where a training goes on.
    """

    def __init__(
        self, agreement: NDArray[np.floating], mixture_nll: NDArray[np.floating], config: RowGateConfig
    ) -> None:
        """What the teachers say of the S rows: sum_m w^m b^m [S] and -ln p̄_i(y_i) [S]."""
        self._agreement, self._mixture_nll, self._config = agreement, mixture_nll, config
        self.student_nll = np.full(agreement.shape, np.inf, dtype=np.float32)  # [S]

    def of(self, place: NDArray[np.int64], nll: Tensor, known: Tensor) -> Tensor:
        """The gate of R rows, by what the student was before; then remember what it is now.

        Args:
            place: [R] where the rows stand among the S.
            nll: -ln q_i(y_i) of the student, float[R].
            known: bool[R]; where False `place` means nothing, the gate is 0 and nothing is remembered.

        Returns:
            float[R]
        """
        said = (self._agreement[place], self._mixture_nll[place], self.student_nll[place])  # [R] each
        agreement, mixture_nll, before = (torch.from_numpy(one.astype(np.float32)).to(nll.device) for one in said)
        gate = no_harm_gate(agreement, mixture_nll, before, known, self._config)  # [R]
        heard = known.cpu().numpy()  # [R]
        self._remember(place[heard], nll.detach().cpu().numpy()[heard].astype(np.float32))
        return gate

    def _remember(self, place: NDArray[np.int64], nll: NDArray[np.float32]) -> None:
        before, momentum = self.student_nll[place], self._config.momentum  # [R']
        first = np.isinf(before)  # [R']
        self.student_nll[place] = np.where(first, nll, momentum * np.where(first, 0, before) + (1 - momentum) * nll)
