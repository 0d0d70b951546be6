"""What is asked of a student whose score needs the pair of history and item: then no dot product is the whole of it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

CANDIDATES = 200
"""How many items retrieval hands over, when an epoch is chosen and when a bundle serves."""


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
