from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from service.bundle import PAD
from training.batches import Batch
from training.distillation.answers import Answers
from training.distillation.candidates import AddedCandidates, candidates
from training.distillation.teacher_panel import TeacherPanel

ITEMS = 9
HISTORIES = st.lists(st.lists(st.integers(1, ITEMS), min_size=2, max_size=6), min_size=1, max_size=5)
MODES = get_args(AddedCandidates)
NOBODY = TeacherPanel((), torch.device("cpu"))


def answers_of(users: list[list[int]]) -> Answers:
    """Every item of a user but the first is a target; the student likes the last items of the catalogue best."""
    longest = max(map(len, users)) - 1
    history = [[PAD] * (longest - len(one) + 1) + one[:-1] for one in users]
    target = [[PAD] * (longest - len(one) + 1) + one[1:] for one in users]
    batch = Batch(torch.tensor(history), torch.tensor(target), torch.zeros(len(users), longest, dtype=torch.long))
    rows = int(batch.asked.sum())
    items = torch.arange(ITEMS + 1, dtype=torch.float)[:, None]  # [N+1, 1]
    return Answers(batch.row[batch.asked], batch.target[batch.asked], batch.prefixes, torch.ones(rows, 1), items)


@given(HISTORIES, st.sampled_from(MODES))
def test_candidates_are_distinct_ascending_items_among_which_every_target_stands_open(
    users: list[list[int]], mode: AddedCandidates
) -> None:
    answers = answers_of(users)
    found = candidates(answers, mode, NOBODY)
    assert found.items.tolist() == sorted(set(found.items.tolist()) - {PAD})
    assert torch.equal(found.items[found.target], answers.target)
    assert not found.blocked[torch.arange(found.target.numel()), found.target].any()


@given(HISTORIES, st.sampled_from(MODES))
def test_blocked_are_the_prefix_items_that_are_not_the_target(users: list[list[int]], mode: AddedCandidates) -> None:
    answers = answers_of(users)
    found = candidates(answers, mode, NOBODY)
    rows = [(one[:end], one[end]) for one in users for end in range(1, len(one))]
    wanted = [[item in prefix and item != target for item in found.items.tolist()] for prefix, target in rows]
    assert found.blocked.tolist() == wanted


@given(HISTORIES)
def test_modes_differ_in_what_is_compared(users: list[list[int]]) -> None:
    answers = answers_of(users)
    targets = {item for one in users for item in one[1:]}
    assert set(candidates(answers, "in-batch", NOBODY).items.tolist()) == targets
    wider = set(candidates(answers, "in-batch+uniform", NOBODY).items.tolist())
    assert targets <= wider
    assert len(wider) <= 2 * len(targets)
    assert set(candidates(answers, "in-batch+uniform+top-k", NOBODY).items.tolist()) == set(range(1, ITEMS + 1))


@pytest.mark.parametrize("item", [1, ITEMS])
def test_uniform_candidates_reach_both_ends_of_the_catalogue(item: int) -> None:
    torch.manual_seed(0)
    drawn = (candidates(answers_of([[4, 5]]), "in-batch+uniform", NOBODY).items.tolist() for _ in range(200))
    assert any(item in one for one in drawn)
