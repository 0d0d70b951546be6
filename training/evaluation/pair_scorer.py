"""Students that score pairs, evaluated by these scores: the whole catalogue in chunks, no candidate left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from service.bundle import PAD
from training.interactions import Interactions
from training.reranker import Reranker
from training.sequences import sequences_at


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
        history = torch.tensor(sequences_at(interactions, rows, self.model.max_history).history)  # [E, L]
        longest = max(int((history != PAD).sum(dim=1).max()), 1)
        with torch.no_grad():
            scores = self.model.catalogue_scores(history[:, -longest:].to(self.device))  # [E, N+1]
        return scores.cpu().numpy()
