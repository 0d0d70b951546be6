"""The offset on what was seen: it takes away what stands in the answer's way, and leaves alone what is right."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from training.dataset import Dataset
from training.errors import SplitImpossible
from training.evaluation.metrics import ndcg
from training.evaluation.ranking import target_ranks
from training.evaluation.repeat_offset import fit_repeat_offset, repeat_aware, repeat_aware_ranks
from training.evaluation.selection import calibration_half
from training.interactions import Interactions
from training.splits import EvaluationRows


@dataclass(frozen=True)
class Knowing:
    """It knows the answer, and likes what was seen by so much more or less."""

    items: int
    liking: float

    def scores(self, interactions: Interactions, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        found = np.zeros((rows.size, self.items + 1), dtype=np.float32)
        for line, row in enumerate(rows):
            found[line, interactions.item[row]] = 1.0
            seen = np.unique(interactions.item[interactions.offsets[interactions.user[row]] : row])
            found[line, seen] += self.liking
        return found


def test_seen_items_above_the_answer_are_moved_below_it(markov: Dataset) -> None:
    fond = Knowing(len(markov.catalog), 3.0)
    plain = target_ranks(fond, markov.interactions, markov.split.test, "unmasked")
    found = repeat_aware(fond, markov)
    assert found.offset <= -2.0
    assert ndcg(found.ranks, 10) > ndcg(plain, 10)


def test_where_nothing_stands_in_the_way_nothing_is_moved(markov: Dataset) -> None:
    wise = Knowing(len(markov.catalog), 0.0)
    assert fit_repeat_offset(wise, markov) == 0.0
    plain = target_ranks(wise, markov.interactions, markov.split.test, "unmasked")
    assert np.array_equal(repeat_aware(wise, markov).ranks, plain)


@dataclass(frozen=True)
class Blind(Knowing):
    """It gives the answer no chance, and notes whom it is asked about."""

    asked: set[int]

    def scores(self, interactions: Interactions, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        self.asked.update(rows.tolist())
        found = super().scores(interactions, rows)
        found[np.arange(rows.size), interactions.item[rows]] = -np.inf
        return found


def test_where_no_offset_could_help_nothing_is_moved_and_nobody_is_asked_but_the_calibration_half(
    markov: Dataset,
) -> None:
    """Neither the users that select an epoch nor those of the test."""
    blind = Blind(len(markov.catalog), 1.0, set())
    assert fit_repeat_offset(blind, markov) == 0.0
    assert blind.asked == {*calibration_half(markov.split.validation).row.tolist()}


def test_of_one_user_no_half_is_made(markov: Dataset) -> None:
    split = replace(markov.split, validation=EvaluationRows(markov.split.validation.row[:1]))
    with pytest.raises(SplitImpossible, match="1 users"):
        fit_repeat_offset(Knowing(len(markov.catalog), 3.0), replace(markov, split=split))


def test_on_the_users_it_is_fitted_to_it_never_loses(markov: Dataset) -> None:
    rows = calibration_half(markov.split.validation)
    for liking in (-2.0, 0.4, 5.0):
        scorer = Knowing(len(markov.catalog), liking)
        offset = fit_repeat_offset(scorer, markov)
        moved = repeat_aware_ranks(scorer, markov.interactions, rows, offset)
        assert ndcg(moved, 10) >= ndcg(target_ranks(scorer, markov.interactions, rows, "unmasked"), 10)


def test_far_below_it_is_the_masked_ranking_of_new_answers(markov: Dataset) -> None:
    scorer = Knowing(len(markov.catalog), 3.0)
    rows = markov.split.test
    masked = target_ranks(scorer, markov.interactions, rows, "masked")
    moved = repeat_aware_ranks(scorer, markov.interactions, rows, -1e6)
    first = markov.interactions.offsets[markov.interactions.user[rows.row]]
    new = np.array(
        [
            markov.interactions.item[row] not in markov.interactions.item[start:row]
            for start, row in zip(first, rows.row, strict=True)
        ]
    )
    assert new.any()
    assert np.array_equal(moved[new], masked[new])
