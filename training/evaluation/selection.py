"""The validation value that stops a training, and the halves that keep calibration and selection apart."""

from __future__ import annotations

import numpy as np

from training.dataset import Dataset
from training.errors import SplitImpossible
from training.evaluation.metrics import ndcg
from training.evaluation.ranking import Masking, ranks_by_protocol, target_ranks
from training.evaluation.scoring import served_scorer
from training.splits import EvaluationRows
from training.two_tower import TwoTower

SelectOn = Masking


def validation_ndcg(model: TwoTower, dataset: Dataset, rows: EvaluationRows, select_on: SelectOn) -> float:
    """NDCG@10 of a model on some validation rows, as it would serve them."""
    return ndcg(target_ranks(served_scorer(model), dataset.interactions, rows, select_on), 10)


def validation_by_protocol(model: TwoTower, dataset: Dataset) -> dict[Masking, float]:
    """NDCG@10 on the selection half of the validation users, with what they have seen as candidates and without."""
    ranks = ranks_by_protocol(served_scorer(model), dataset.interactions, selection_half(dataset.split.validation))
    return {protocol: ndcg(found, 10) for protocol, found in ranks.items()}


def evenly(rows: EvaluationRows, users: int) -> EvaluationRows:
    """At most so many rows, evenly taken; 0: all of them."""
    if not 0 < users < len(rows):
        return rows
    return EvaluationRows(rows.row[np.linspace(0, len(rows) - 1, users).astype(np.int64)])


def calibration_half(validation: EvaluationRows) -> EvaluationRows:
    """Every other validation user: for what is fitted on validation (temperatures), never for selection.

    Raises:
        SplitImpossible: fewer than two users make no halves.
    """
    return _half(validation, 0)


def selection_half(validation: EvaluationRows) -> EvaluationRows:
    """The other validation users: for choosing the epoch of a student.

    Raises:
        SplitImpossible: fewer than two users make no halves.
    """
    return _half(validation, 1)


def _half(validation: EvaluationRows, which: int) -> EvaluationRows:
    if len(validation) < 2:
        raise SplitImpossible(
            f"validation: {len(validation)} users; one half calibrates, the other selects: 2 at least"
        )
    return EvaluationRows(validation.row[which::2])
