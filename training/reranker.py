"""What is asked of a student whose score needs the pair of history and item: then no dot product is the whole of it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

CANDIDATES = 500
"""How many items retrieval hands over, when an epoch is chosen and when a bundle serves.

On Amazon Scientific a DeepFM taught by A7 has, on 1,500 test users, an NDCG@10 of .0606 over all 4,385 items, .0567
over 200 candidates, .0596 over 500 and .0617 over 1,000; one history took 0.46, 0.69 and 0.95 ms in torch, one thread.
"""


@runtime_checkable
class Reranker(Protocol):
    """A two-tower model finds candidates; this scores them. What has both is exported with a graph for each."""

    max_history: int
    """L."""

    def item_matrix(self) -> Tensor:
        """float[N+1, D], of the two-tower part."""
        ...

    def rerank(self, history: Tensor, candidates: Tensor) -> Tensor:
        """float[B, C] of histories int64[B, L] and candidates int64[B, C]; where a candidate is PAD, any number."""
        ...

    def catalogue_scores(self, history: Tensor) -> Tensor:
        """float[B, N+1] of every item, column 0 (PAD) any number: what evaluation ranks by."""
        ...
