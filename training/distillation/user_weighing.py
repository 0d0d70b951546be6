"""Weights by confidence in the user (row A19), as strong as they make the teachers' own mixture better."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.dataset import Contents
from training.distillation.cast import HeardTeachers, present_rows
from training.distillation.confidence import label_confidence
from training.distillation.consistency import consistency
from training.distillation.integration import integration_weights, mixture
from training.distillation.soft_targets import Weigh
from training.distillation.teacher_panel import TeacherPanel
from training.distillation.user_confidence import others_confidence, user_confidence
from training.distillation.weighting import Judged
from training.evaluation.metrics import ndcg
from training.evaluation.ranking import Masking, target_ranks
from training.evaluation.selection import calibration_half, evenly
from training.interactions import Interactions
from training.progress import progress_bar

STRENGTHS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
"""What alpha and beta are multiplied by; 0 is the plain mean."""
SHRINKAGE = 4.0
"""k: so many rows of a user are worth as much as what a teacher is worth on the whole."""
_USERS = 2000
"""So many tell one number."""
_ROWS = 512
_LEAST = 1e-8


@dataclass(frozen=True, eq=False)
class UserConfidence:
    """What M teachers gave to the answers of all train rows."""

    row: NDArray[np.int64]
    """[S] flat rows, ascending"""
    user: Tensor
    """int64[S]"""
    log_a: Tensor
    """ln a, float[M, S]: each teacher's optimism taken off"""
    present: Tensor
    """bool[M, S]"""

    @classmethod
    def of(cls, dataset: Contents, teachers: HeardTeachers) -> UserConfidence:
        """Ask every teacher about every train row that one of them scored."""
        rows = present_rows(teachers.memories)  # [S]
        panel = TeacherPanel(teachers.memories, teachers.device)
        everything = torch.arange(1, len(dataset.catalog) + 1)  # [N]
        found, present = [], []
        with torch.no_grad(), progress_bar("confidence in users", rows.size) as bar:
            for start in range(0, rows.size, _ROWS):
                part = rows[start : start + _ROWS]  # [R]
                said = panel.opinions(torch.from_numpy(part), everything)
                target = _target(dataset.interactions, part).to(teachers.device)  # [R]
                found.append((label_confidence(said.log_p(1.0), target) + _LEAST).log().cpu())  # [M, R]
                present.append(said.present.cpu())  # [M, R]
                bar.advance(steps=part.size)
        user = torch.from_numpy(dataset.interactions.user[rows].astype(np.int64))  # [S]
        log_a = torch.cat(found, dim=1) - panel.optimism.cpu()[:, None]  # [M, S]
        return cls(rows, user, log_a, torch.cat(present, dim=1))

    def of_others(self) -> Tensor:
        """At every train row, by the user's other rows: float[M, S]."""
        return others_confidence(self.log_a, self.present, self.user, SHRINKAGE)  # [M, S]

    def of_users(self, users: NDArray[np.int64]) -> Tensor:
        """At held-out rows of some users int64[E]: float[M, E]."""
        return user_confidence(self.log_a, self.present, self.user, torch.from_numpy(users), SHRINKAGE)  # [M, E]


@dataclass(frozen=True, eq=False)
class WeighedMixture:
    """The teachers' own mixture at held-out rows, weighed so, as a scorer."""

    teachers: HeardTeachers
    confidence: UserConfidence
    powers: tuple[float, float]
    """(alpha, beta) of equation 5"""

    def scores(self, interactions: Interactions, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[E, N+1]: ln p̄; PAD's is -inf."""
        log_p = torch.stack([one.held_out_log_p(rows) for one in self.teachers.memories])  # [M, E, N]
        present = torch.ones(log_p.shape[:2], dtype=torch.bool, device=log_p.device)  # [M, E]
        known = self.confidence.of_users(interactions.user[rows].astype(np.int64)).to(log_p.device)  # [M, E]
        weight = integration_weights(known.exp(), consistency(log_p, present), present, self.powers)  # [M, E]
        mixed = mixture(log_p, weight)  # [E, N]
        return np.pad(mixed.cpu().numpy(), ((0, 0), (1, 0)), constant_values=-np.inf)  # [E, N+1]


def user_weights(dataset: Contents, teachers: HeardTeachers, powers: tuple[float, float], select_on: Masking) -> Weigh:
    """Choose a strength, and give back what makes weights by it.

    Args:
        dataset: whose users.
        teachers: who is heard; at least two.
        powers: (alpha, beta) at strength 1.
        select_on: the protocol under which the mixture is to be good, on the calibration half of validation. The half
            that selects epochs is not seen.

    Raises:
        ConfigError: a teacher was not asked for validation rows.
        SplitImpossible: there are no two validation users.
    """
    confidence = UserConfidence.of(dataset, teachers)
    chosen = best_mixture(dataset, WeighedMixture(teachers, confidence, powers), select_on).powers
    others = confidence.of_others()  # [M, S]

    def weigh(rows: NDArray[np.int64], judged: Judged) -> Tensor:
        place = torch.from_numpy(np.searchsorted(confidence.row, rows))  # [R]
        known = others[:, place].to(judged.log_p.device)  # [M, R]
        return integration_weights(known.exp(), judged.consistency, judged.present, chosen)  # [M, R]

    return weigh


def best_mixture(dataset: Contents, full: WeighedMixture, select_on: Masking) -> WeighedMixture:
    """The strength whose mixture ranks best, on the calibration half of validation; of equals the weakest.

    Args:
        dataset: whose users.
        full: at strength 1.
        select_on: the protocol whose NDCG@10 decides.

    Raises:
        ConfigError: a teacher was not asked for validation rows.
        SplitImpossible: there are no two validation users.
    """
    rows = evenly(calibration_half(dataset.split.validation), _USERS)
    alpha, beta = full.powers
    ways = [replace(full, powers=(strength * alpha, strength * beta)) for strength in STRENGTHS]
    found = []
    with progress_bar("strengths of weights", len(ways)) as bar:
        for way in ways:
            found.append(ndcg(target_ranks(way, dataset.interactions, rows, select_on), 10))
            bar.advance(steps=1)
    return ways[int(np.argmax(found))]  # the first of equals


def _target(interactions: Interactions, rows: NDArray[np.int64]) -> Tensor:
    return torch.from_numpy(interactions.item[rows].astype(np.int64) - 1)  # [R]
