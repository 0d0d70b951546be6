from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.dataset import Dataset
from training.errors import SplitImpossible
from training.evaluation.metrics import ndcg
from training.evaluation.ranking import PROTOCOLS, Masking, TwoTowerScorer, target_ranks
from training.evaluation.selection import calibration_half, selection_half, validation_ndcg
from training.splits import EvaluationRows
from training.teachers.steps import load_teacher


@given(st.sets(st.integers(0, 500), min_size=2, max_size=60))
def test_the_halves_share_nobody_and_leave_nobody_out(rows: set[int]) -> None:
    validation = EvaluationRows(np.array(sorted(rows), dtype=np.int64))
    halves = calibration_half(validation).row, selection_half(validation).row
    assert np.array_equal(np.sort(np.concatenate(halves)), validation.row)
    assert 0 <= halves[0].size - halves[1].size <= 1


@pytest.mark.parametrize("half", [calibration_half, selection_half])
@pytest.mark.parametrize("rows", [[], [7]])
def test_too_few_users_for_halves_are_refused(
    half: Callable[[EvaluationRows], EvaluationRows], rows: list[int]
) -> None:
    with pytest.raises(SplitImpossible, match=f"{len(rows)} users"):
        half(EvaluationRows(np.array(rows, dtype=np.int64)))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_validation_value_is_ndcg_at_10_of_these_rows(
    markov: Dataset, text_teacher: Path, protocol: Masking
) -> None:
    model, _ = load_teacher(text_teacher, markov)
    half = selection_half(markov.split.validation)
    wanted = ndcg(target_ranks(TwoTowerScorer.of(model), markov.interactions, half, protocol), 10)
    assert validation_ndcg(model, markov, half, protocol) == wanted
