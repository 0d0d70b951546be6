from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from service.bundle import PAD
from training.batches import Batch
from training.distillation.candidates import CandidateMode, candidates

ITEMS = 9
HISTORIES = st.lists(st.lists(st.integers(1, ITEMS), min_size=2, max_size=6), min_size=1, max_size=5)
MODES = get_args(CandidateMode)


def batch_of(users: list[list[int]]) -> Batch:
    """Every item of a user but the first is a target."""
    longest = max(map(len, users)) - 1
    history = [[PAD] * (longest - len(one) + 1) + one[:-1] for one in users]
    target = [[PAD] * (longest - len(one) + 1) + one[1:] for one in users]
    return Batch(torch.tensor(history), torch.tensor(target), torch.zeros(len(users), longest, dtype=torch.long))


@given(HISTORIES, st.sampled_from(MODES))
def test_candidates_are_distinct_ascending_items_among_which_every_target_stands_open(
    users: list[list[int]], mode: CandidateMode
) -> None:
    batch = batch_of(users)
    found = candidates(batch, mode, ITEMS)
    assert found.items.tolist() == sorted(set(found.items.tolist()) - {PAD})
    assert torch.equal(found.items[found.target], batch.target[batch.asked])
    assert not found.blocked[torch.arange(found.target.numel()), found.target].any()


@given(HISTORIES, st.sampled_from(MODES))
def test_blocked_are_the_prefix_items_that_are_not_the_target(users: list[list[int]], mode: CandidateMode) -> None:
    batch = batch_of(users)
    found = candidates(batch, mode, ITEMS)
    rows = [(one[:end], one[end]) for one in users for end in range(1, len(one))]
    wanted = [[item in prefix and item != target for item in found.items.tolist()] for prefix, target in rows]
    assert found.blocked.tolist() == wanted


@given(HISTORIES)
def test_modes_differ_in_what_is_compared(users: list[list[int]]) -> None:
    batch = batch_of(users)
    targets = {item for one in users for item in one[1:]}
    assert candidates(batch, "catalogue", ITEMS).items.tolist() == list(range(1, ITEMS + 1))
    assert set(candidates(batch, "in-batch", ITEMS).items.tolist()) == targets
    wider = set(candidates(batch, "in-batch+uniform", ITEMS).items.tolist())
    assert targets <= wider
    assert len(wider) <= 2 * len(targets)


@pytest.mark.parametrize("item", [1, ITEMS])
def test_uniform_candidates_reach_both_ends_of_the_catalogue(item: int) -> None:
    torch.manual_seed(0)
    drawn = (candidates(batch_of([[4, 5]]), "in-batch+uniform", ITEMS).items.tolist() for _ in range(200))
    assert any(item in one for one in drawn)
