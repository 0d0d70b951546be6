"""A student that scores pairs as it serves: retrieval proposes, the score of pairs decides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from service.bundle import PAD
from training.evaluation.ranking import TwoTowerScorer, cut_histories
from training.interactions import Interactions
from training.reranker import CANDIDATES, Reranker

_HISTORIES = 16
"""Whose candidates are scored at once: 4 MB a layer at 500 candidates and 128 units."""


@dataclass(frozen=True)
class TwoStageScorer:
    """A student in evaluation mode, on whatever device its weights are."""

    model: Reranker
    retrieval: TwoTowerScorer
    """Of the same model."""
    candidates: int = CANDIDATES
    """How many retrieval hands over."""

    def scores(self, interactions: Interactions, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[E, N+1]; -inf for what retrieval does not hand over: no candidate, and never a hit."""
        proposed = torch.from_numpy(self.retrieval.scores(interactions, rows))  # [E, N+1]
        proposed[:, PAD] = -torch.inf
        candidates = proposed.topk(min(self.candidates, proposed.shape[1] - 1), dim=1).indices  # [E, C]
        history = cut_histories(interactions, rows, self.model.max_history)  # [E, L]
        found = torch.full_like(proposed, -torch.inf)  # [E, N+1]
        return found.scatter(1, candidates, self._rerank(history, candidates)).numpy()

    @torch.no_grad()
    def _rerank(self, history: Tensor, candidates: Tensor) -> Tensor:
        device = self.retrieval.items.device
        whole = history.to(device), candidates.to(device)  # [E, L], [E, C]
        pieces = zip(*(torch.split(one, _HISTORIES) for one in whole), strict=True)
        return torch.cat([self.model.rerank(*piece) for piece in pieces]).cpu()  # [E, C]
