"""Laws of every student that answers for all prefixes in one pass; what is a family's own is tested beside it."""

from __future__ import annotations

import pytest
import torch

from training.dataset import Dataset
from training.students.registry import STUDENTS
from training.two_tower import CausalTwoTower

HISTORIES = torch.tensor([[0, 0, 3, 5, 3, 7, 0, 9], [1, 2, 3, 4, 5, 6, 7, 8]])
LENGTH = HISTORIES.shape[1]


CAUSAL = sorted(STUDENTS.keys() - {"lightgcn"})
"""Its users are nodes of a graph: it answers for whole histories alone."""


@pytest.fixture(params=CAUSAL)
def student(request: pytest.FixtureRequest, markov: Dataset) -> CausalTwoTower:
    torch.manual_seed(0)
    made = STUDENTS[request.param].build({}, markov)
    assert isinstance(made, CausalTwoTower)
    return made.eval()


def test_one_pass_answers_for_every_prefix_as_the_service_asks_for_it(student: CausalTwoTower) -> None:
    states = student.hidden(HISTORIES)
    for line in range(len(HISTORIES)):
        for end in range(LENGTH):
            prefix = torch.zeros(1, LENGTH, dtype=torch.long)  # as served: newest right, PAD on the left
            prefix[0, LENGTH - 1 - end :] = HISTORIES[line, : end + 1]
            if prefix.any():
                assert torch.allclose(student.encode(prefix)[0], states[line, end], atol=1e-5)


def test_histories_may_be_cut_to_their_longest(student: CausalTwoTower) -> None:
    history = torch.tensor([[0, 0, 0, 0, 0, 5, 3, 7]])
    assert torch.allclose(student.encode(history), student.encode(history[:, 5:]), atol=1e-5)


def test_a_gap_is_as_if_it_had_never_been_there(student: CausalTwoTower) -> None:
    gaps, none = torch.tensor([[5, 0, 0, 3, 5, 0, 7, 0]]), torch.tensor([[0, 0, 0, 0, 5, 3, 5, 7]])
    assert torch.allclose(student.hidden(gaps)[0, 6], student.encode(none)[0], atol=1e-5)


def test_an_empty_history_has_a_finite_answer(student: CausalTwoTower) -> None:
    assert bool(student.encode(torch.zeros(1, LENGTH, dtype=torch.long)).isfinite().all())
