"""The validation value that stops a training, and the halves that keep calibration and selection apart."""

from __future__ import annotations

from training.dataset import Dataset
from training.evaluation.metrics import ndcg
from training.evaluation.ranking import Protocol_, TwoTowerScorer, target_ranks
from training.splits import EvaluationRows
from training.two_tower import TwoTower

SelectOn = Protocol_


def validation_ndcg(model: TwoTower, dataset: Dataset, rows: EvaluationRows, select_on: SelectOn) -> float:
    """NDCG@10 of a model on some validation rows."""
    return ndcg(target_ranks(TwoTowerScorer.of(model), dataset.interactions, rows, select_on), 10)


def calibration_half(validation: EvaluationRows) -> EvaluationRows:
    """Every other validation user: for what is fitted on validation (temperatures), never for selection."""
    return EvaluationRows(validation.row[0::2])


def selection_half(validation: EvaluationRows) -> EvaluationRows:
    """The other validation users: for choosing the epoch of a student."""
    return EvaluationRows(validation.row[1::2])
