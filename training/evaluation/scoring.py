"""A trained model as something that can be evaluated, by its own scores of every item."""

from __future__ import annotations

from training.evaluation.pair_scorer import PairScorer
from training.evaluation.ranking import Scorer, TwoTowerScorer
from training.reranker import Reranker
from training.two_tower import TwoTower


def scorer_of(model: TwoTower) -> Scorer:
    """By the score of every pair where the model has such, else by dot products with every item."""
    return PairScorer.of(model) if isinstance(model, Reranker) else TwoTowerScorer.of(model)
