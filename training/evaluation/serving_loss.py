"""What a student loses by how it is served, where what is served is not the whole of what was trained.

Two families pay for being served. DeepFM's score of every pair is asked of the items alone that its retrieval finds.
LightGCN's vector of a user, a node of the graph with an embedding of its own, is replaced by one that is made from a
live history and knows no such embedding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from service.bundle import PAD
from training.dataset import Dataset
from training.evaluation.metrics import ndcg, rank_of_target
from training.evaluation.pair_scorer import PairScorer
from training.evaluation.ranking import Scorer, TwoTowerScorer
from training.evaluation.selection import calibration_half
from training.evaluation.two_stage import TwoStageScorer
from training.interactions import Interactions
from training.reranker import CANDIDATES, Reranker
from training.splits import EvaluationRows
from training.students.lightgcn import LightGCN
from training.two_tower import TwoTower

TOP = 10
_CHUNK = 512


@dataclass(frozen=True)
class ServingLoss:
    """One student, everything of the same users, the whole catalogue ranked, histories unmasked."""

    how: str
    """What is served, and in place of what."""
    trained: float
    """NDCG@10 of the student as it was trained."""
    served: float
    """NDCG@10 of the student as it is served."""
    overlap: float
    """Share of the trained student's first 10 items that are among the served one's first 10."""
    users: int

    def __str__(self) -> str:
        return (
            f"served as {self.how}, NDCG@{TOP} is {self.served:.4f}, as trained {self.trained:.4f}; "
            f"{self.overlap:.1%} of the first {TOP} items are the same ({self.users:,} users)"
        )

    def as_json(self) -> dict[str, float]:
        """The figures."""
        return {
            "trained ndcg@10": self.trained,
            "served ndcg@10": self.served,
            "overlap@10": self.overlap,
            "users": float(self.users),
        }


@dataclass(frozen=True, eq=False)
class NodeScorer:
    """A LightGCN by its own users: nodes of the train graph."""

    users: NDArray[np.float32]
    """[U, D]"""
    items: NDArray[np.float32]
    """[N+1, D]"""

    @classmethod
    def of(cls, model: LightGCN) -> NodeScorer:
        """Take a model whose weights stand still."""
        with torch.no_grad():
            users, items = (one.cpu().numpy() for one in model.propagated())
        return cls(users, items)

    def scores(self, interactions: Interactions, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[E, N+1]; what a user did after training counts for nothing."""
        scores: NDArray[np.float32] = self.users[interactions.user[rows]] @ self.items.T  # [E, N+1]
        return scores


def serving_loss(model: TwoTower, dataset: Dataset, candidates: int = CANDIDATES) -> ServingLoss | None:
    """Compare both; None: what is served is what was trained, or there is nobody to compare on.

    A student that re-ranks is compared on the test users. A LightGCN is compared where node and history know the same,
    the train part alone: on the users of validation who have one, without the half of them that chose its epoch.

    Args:
        model: in evaluation mode.
        dataset: that it was trained on.
        candidates: how many items retrieval hands over.

    Raises:
        SplitImpossible: validation has less than two users.
    """
    if isinstance(model, Reranker):
        how = f"the first {candidates} items of retrieval re-ranked, in place of every pair scored"
        served = TwoStageScorer(model, TwoTowerScorer.of(model), candidates)
        return _compare(how, (PairScorer.of(model), served), dataset.interactions, dataset.split.test)
    if isinstance(model, LightGCN):
        how = "users by their history, in place of their nodes in the graph"
        return _compare(
            how, (NodeScorer.of(model), TwoTowerScorer.of(model)), dataset.interactions, _right_after_training(dataset)
        )
    return None


def _right_after_training(dataset: Dataset) -> EvaluationRows:
    """Those of the calibration half whose history is the train part."""
    interactions, split = dataset.interactions, dataset.split
    row = calibration_half(split.validation).row  # [E]
    user = interactions.user[row]  # [E]
    return EvaluationRows(row[row - interactions.offsets[user] == split.train_end[user]])


def _compare(
    how: str, scorers: tuple[Scorer, Scorer], interactions: Interactions, rows: EvaluationRows
) -> ServingLoss | None:
    """What was trained first, what is served second."""
    if not len(rows):
        return None
    ranks: list[list[NDArray[np.float64]]] = [[], []]
    common: list[NDArray[np.float64]] = []
    for start in range(0, len(rows), _CHUNK):
        row = rows.row[start : start + _CHUNK]  # [E]
        target = interactions.item[row].astype(np.int64)  # [E]
        first = []
        for found, scorer in zip(ranks, scorers, strict=True):
            scores = scorer.scores(interactions, row)  # [E, N+1]
            scores[:, PAD] = -np.inf
            found.append(rank_of_target(scores, target))
            first.append(np.argsort(-scores, axis=1)[:, : min(TOP, scores.shape[1] - 1)])  # [E, <= TOP]
        common.append((first[0][:, :, None] == first[1][:, None, :]).any(axis=2).mean(axis=1))  # [E]
    trained, served = (ndcg(np.concatenate(one), TOP) for one in ranks)
    return ServingLoss(how, trained, served, float(np.concatenate(common).mean()), len(rows))
