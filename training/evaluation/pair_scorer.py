"""Students that score pairs, evaluated by these scores: the whole catalogue in chunks, no candidate left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from training.evaluation.ranking import cut_histories
from training.interactions import Interactions
from training.reranker import Reranker


@dataclass(frozen=True)
class PairScorer:
    """A student in evaluation mode, on whatever device its weights are."""

    model: Reranker
    device: torch.device

    @classmethod
    def of(cls, model: Reranker) -> PairScorer:
        """Take a model in evaluation mode."""
        return cls(model, model.item_matrix().device)

    def scores(self, interactions: Interactions, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[E, N+1]."""
        history = cut_histories(interactions, rows, self.model.max_history)  # [E, L]
        with torch.no_grad():
            scores = self.model.catalogue_scores(history.to(self.device))  # [E, N+1]
        return scores.cpu().numpy()
