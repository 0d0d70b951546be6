"""A trained model as something that can be evaluated, the way it is served."""

from __future__ import annotations

from training.evaluation.ranking import Scorer, TwoTowerScorer
from training.two_tower import TwoTower


def scorer_of(model: TwoTower) -> Scorer:
    """By dot products with every item."""
    return TwoTowerScorer.of(model)
