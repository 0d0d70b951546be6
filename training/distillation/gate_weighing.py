"""Weights by the learned gate (row A14): fitted on the calibration half of validation, used on train rows."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.dataset import Contents
from training.distillation.cast import HeardTeachers
from training.distillation.confidence import label_confidence
from training.distillation.learned_gate import LearnedGate, LearnedGateConfig, RowFacts, fit_gate, gate_features
from training.distillation.soft_targets import Weigh
from training.distillation.weighting import Judged
from training.evaluation.baselines import Popularity
from training.evaluation.selection import calibration_half

_ROWS = 512


def gate_weights(dataset: Contents, teachers: HeardTeachers, config: LearnedGateConfig) -> Weigh:
    """Fit a gate, and give back what makes weights by it. The other half of validation, which selects, is not seen.

    Raises:
        ConfigError: a teacher was not asked for validation rows.
    """
    facts = _Facts(dataset)
    rows = calibration_half(dataset.split.validation).row  # [H]
    parts = [_held_out(dataset, teachers, rows[start : start + _ROWS], facts) for start in range(0, rows.size, _ROWS)]
    features, likelihood, present = (torch.cat(one, dim=1) for one in zip(*parts, strict=True))
    gate = fit_gate(features, likelihood, present, config)

    def weigh(rows: NDArray[np.int64], judged: Judged) -> Tensor:
        return _weigh(gate, judged, facts.of(rows))

    return weigh


def _weigh(gate: LearnedGate, judged: Judged, facts: RowFacts) -> Tensor:
    """float[M, R]; no label enters."""
    features = gate_features(judged.log_p, judged.consistency, judged.present, facts)  # [M, R, F]
    return gate.weights(features, judged.present)  # [M, R]


class _Facts:
    """What is known of rows themselves."""

    def __init__(self, dataset: Contents) -> None:
        self._interactions = dataset.interactions
        self._count = Popularity.fit(dataset.interactions, dataset.split, len(dataset.catalog)).count  # [N+1]

    def of(self, rows: NDArray[np.int64]) -> RowFacts:
        """Every row has a history: train rows begin at a user's second interaction, held-out ones come later."""
        interactions = self._interactions
        length = rows - interactions.offsets[interactions.user[rows]]  # [R]
        popularity = self._count[interactions.item[rows - 1]]  # [R]
        return RowFacts(torch.from_numpy(length), torch.from_numpy(popularity))


def _held_out(
    dataset: Contents, teachers: HeardTeachers, rows: NDArray[np.int64], facts: _Facts
) -> tuple[Tensor, Tensor, Tensor]:
    """Features [M, R, F], ln p(y) [M, R] and presence [M, R] of validation rows: every teacher scored all of them."""
    log_p = torch.stack([one.held_out_log_p(rows) for one in teachers.memories])  # [M, R, N]
    target = torch.from_numpy(dataset.interactions.item[rows].astype(np.int64) - 1).to(log_p.device)  # [R]
    present = torch.ones(log_p.shape[:2], dtype=torch.bool, device=log_p.device)  # [M, R]
    judged = Judged.of(log_p, target, present)
    features = gate_features(log_p, judged.consistency, present, facts.of(rows))  # [M, R, F]
    return features, (label_confidence(log_p, target) + 1e-8).log(), present
