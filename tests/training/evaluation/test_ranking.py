from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from service.bundle import PackedStrings
from training.errors import SplitImpossible
from training.evaluation.ranking import PROTOCOLS, TwoTowerScorer, ranks_by_protocol, target_ranks
from training.interactions import Interactions
from training.sequences import sequences_at
from training.splits import EvaluationRows, leave_one_out
from training.two_tower import CausalTwoTower

ITEMS = 7
USERS = st.lists(st.lists(st.integers(1, ITEMS), min_size=3, max_size=9), min_size=1, max_size=6)


def interactions_of(users: list[list[int]]) -> Interactions:
    user = np.repeat(np.arange(len(users)), [len(one) for one in users])
    ids = PackedStrings.pack(str(k) for k in range(len(users)))
    return Interactions.sort(ids, user, np.concatenate([*users]), np.arange(user.size))


class ByHash:
    """Scores that look like chance and depend on the row alone; some tie. PAD is always first."""

    def scores(self, interactions: Interactions, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        del interactions
        drawn = [np.random.default_rng(row).integers(0, 5, ITEMS + 1) for row in rows.tolist()]
        scores = np.stack(drawn).astype(np.float32)
        scores[:, 0] = 99
        return scores


@given(USERS)
def test_ranks_are_those_of_a_loop_over_users(users: list[list[int]]) -> None:
    interactions = interactions_of(users)
    rows = leave_one_out(interactions).test
    found = ranks_by_protocol(ByHash(), interactions, rows)
    for number, (row, items) in enumerate(zip(rows.row.tolist(), users, strict=True)):
        scores, target = ByHash().scores(interactions, np.array([row]))[0], items[-1]
        seen = set(items[:-1]) - {target}  # a target met before stays a candidate
        for protocol, others in (("unmasked", range(1, ITEMS + 1)), ("masked", set(range(1, ITEMS + 1)) - seen)):
            better = sum(scores[item] > scores[target] for item in others)
            equal = sum(scores[item] == scores[target] for item in others)
            assert found[protocol][number] == better + (equal + 1) / 2  # type: ignore[index]


@given(USERS, st.sampled_from(PROTOCOLS))
def test_one_protocol_alone_gives_the_same(users: list[list[int]], protocol: str) -> None:
    interactions = interactions_of(users)
    rows = leave_one_out(interactions).validation
    both = ranks_by_protocol(ByHash(), interactions, rows)
    assert protocol == "masked" or protocol == "unmasked"
    assert np.array_equal(target_ranks(ByHash(), interactions, rows, protocol), both[protocol])  # type: ignore[index, arg-type]


def test_many_users_are_asked_in_parts_and_come_back_in_order() -> None:
    interactions = interactions_of([[1 + k % ITEMS, 1 + (k * k) % ITEMS, 3, 1 + k % 5] for k in range(1300)])
    rows = leave_one_out(interactions).test
    whole = target_ranks(ByHash(), interactions, rows, "masked")
    some = EvaluationRows(rows.row[510:515])  # around the seam
    assert np.array_equal(whole[510:515], target_ranks(ByHash(), interactions, some, "masked"))


class NewestFirst(CausalTwoTower):
    """Scores an item by how lately it was met: 1 for the newest, less for older ones."""

    def __init__(self, max_history: int) -> None:
        super().__init__()
        self.max_history = max_history

    def hidden(self, history: Tensor) -> Tensor:
        states = torch.zeros(*history.shape, ITEMS + 1)
        state = torch.zeros(len(history), ITEMS + 1)
        for place in range(history.shape[1]):
            state = (state / 2).scatter(1, history[:, place : place + 1], 1.0)
            states[:, place] = state
        return states

    def item_matrix(self) -> Tensor:
        return torch.eye(ITEMS + 1)


@given(USERS, st.integers(1, 9))
def test_a_model_is_scored_from_its_window_as_the_service_scores(users: list[list[int]], length: int) -> None:
    interactions = interactions_of(users)
    rows = leave_one_out(interactions).test.row
    model = NewestFirst(length)
    found = TwoTowerScorer.of(model).scores(interactions, rows)
    window = torch.from_numpy(sequences_at(interactions, rows, length).history.copy())
    assert found.dtype == np.float32
    assert np.array_equal(found[:, 1:], (model.encode(window) @ model.item_matrix().T).numpy()[:, 1:])


def test_histories_of_like_length_are_read_together_and_users_come_back_in_order() -> None:
    lengths = np.random.default_rng(1).integers(3, 14, 200).tolist()
    interactions = interactions_of([[1 + (k * place) % ITEMS for place in range(n)] for k, n in enumerate(lengths)])
    rows = leave_one_out(interactions).test.row
    model = NewestFirst(9)
    asked: list[int] = []

    def encode(history: Tensor) -> Tensor:
        asked.append(history.shape[1])
        return model.encode(history)

    scorer = replace(TwoTowerScorer.of(model), encode=encode)
    window = torch.from_numpy(sequences_at(interactions, rows, 9).history.copy())
    wanted = (model.encode(window) @ model.item_matrix().T).numpy()
    assert np.array_equal(scorer.scores(interactions, rows)[:, 1:], wanted[:, 1:])
    assert asked == sorted(asked)
    assert asked[0] < asked[-1] == 9


def test_scoring_keeps_no_gradients() -> None:
    interactions = interactions_of([[1, 2, 3]])
    scorer = TwoTowerScorer.of(NewestFirst(3))
    assert not scorer.items.requires_grad
    assert scorer.scores(interactions, np.array([2]))[0, 1:4].tolist() == pytest.approx([0.5, 1, 0])


def test_a_part_without_users_is_refused() -> None:
    nobody = EvaluationRows(np.array([], dtype=np.int64))
    with pytest.raises(SplitImpossible, match="nobody to evaluate"):
        target_ranks(ByHash(), interactions_of([[1, 2, 3]]), nobody, "masked")
