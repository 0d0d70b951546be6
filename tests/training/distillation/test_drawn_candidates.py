import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from training.distillation.drawn_candidates import DrawnCandidates, draw_candidates
from training.distillation.soft_targets import Targets

ITEMS = 90
SPREAD = st.sampled_from([0.0, 1.0, 5.0, 30.0])
"""From a retrieval that knows nothing to one that is sure of one item."""


def some_logits(seed: int, rows: int, spread: float, items: int = ITEMS) -> Tensor:
    return spread * torch.randn(rows, items, generator=torch.Generator().manual_seed(seed))


def some_targets(rows: int, named: int = 6) -> Targets:
    """All rows are told the same, the last one nothing."""
    item = torch.arange(10, 10 + named).expand(rows, -1)  # [R, K]
    known = torch.ones(rows, dtype=torch.bool)
    known[-1] = False
    p = torch.softmax(-torch.arange(float(named)), dim=0) * 0.9  # [K]
    return Targets(item, p.log().expand(rows, -1), known, np.zeros(rows, dtype=np.int64))


@given(st.integers(0, 1000), SPREAD, st.integers(1, 64))
def test_the_answer_comes_first_and_never_again(seed: int, spread: float, others: int) -> None:
    torch.manual_seed(seed)
    target = torch.randint(1, ITEMS + 1, (7,))
    found = draw_candidates(some_logits(seed, 7, spread), target, None, others)
    assert found.item.shape == found.expected.shape == (7, 1 + others)
    assert torch.equal(found.item[:, 0], target)
    assert not bool((found.item[:, 1:] == target[:, None]).any())
    assert bool(((found.item >= 1) & (found.item <= ITEMS)).all())
    assert bool((found.expected[:, 0] == 1).all())
    assert bool((found.expected > 0).all())


@given(st.integers(0, 1000), SPREAD)
def test_what_is_expected_at_most_once_is_drawn_at_most_once(seed: int, spread: float) -> None:
    torch.manual_seed(seed)
    found = draw_candidates(some_logits(seed, 5, spread), torch.randint(1, ITEMS + 1, (5,)), None, 24)
    for items, expected in zip(found.item.tolist(), found.expected.tolist(), strict=True):
        for item, often in zip(items, expected, strict=True):
            assert math.floor(often - 1e-3) <= items.count(item) <= math.ceil(often + 1e-3)


@settings(max_examples=10)
@given(st.integers(0, 1000), SPREAD)
def test_every_item_is_drawn_as_often_as_expected_so_that_sums_are_right_on_average(seed: int, spread: float) -> None:
    """4,000 times the same row: a count's deviation is at most .5 a draw, so 5 of them are .04."""
    torch.manual_seed(seed)
    logits = some_logits(seed, 1, spread).expand(4000, -1)  # [R, N]
    target = torch.full((4000,), 3)
    found = draw_candidates(logits, target, None, 16)
    often = torch.bincount(found.item[:, 1:].flatten(), minlength=ITEMS + 1) / 4000  # [N+1]
    told = torch.zeros(ITEMS + 1).scatter(0, found.item[:, 1:].flatten(), found.expected[:, 1:].flatten())  # [N+1]
    met = told > 0  # [N+1]
    assert float((often - told)[met].abs().max()) < 0.04
    assert bool(met[[*range(1, 3), *range(4, ITEMS + 1)]].all())  # half is uniform: nothing is out of reach
    ones = (1 / found.expected[:, 1:]).sum(dim=1).mean()  # f = 1: how many items there are beside the answer
    assert float(ones) == pytest.approx(ITEMS - 1, rel=0.1)


def test_a_small_catalogue_is_taken_whole() -> None:
    found = draw_candidates(some_logits(0, 3, 5.0, items=8), torch.tensor([1, 4, 8]), None, 64)
    assert found.item.sort(dim=1).values.tolist() == [list(range(1, 9))] * 3
    assert torch.allclose(found.expected, torch.ones(3, 8), atol=1e-5)


def test_what_teachers_name_is_drawn_and_told() -> None:
    torch.manual_seed(0)
    found = draw_candidates(torch.zeros(500, ITEMS), torch.full((500,), 10), some_targets(500), 16)
    assert found.p is not None
    wanted = torch.zeros(ITEMS + 1)
    wanted[10:16] = torch.softmax(-torch.arange(6.0), dim=0) * 0.9
    assert torch.allclose(found.p[:-1], wanted[found.item[:-1]], atol=1e-6)
    assert not bool(found.p[-1].any())
    assert _share(found, 11) > 0.9  # without the teachers 16 of 89 would be it


def test_without_teachers_nothing_is_told() -> None:
    assert draw_candidates(torch.zeros(2, ITEMS), torch.tensor([1, 2]), None, 4).p is None


def _share(found: DrawnCandidates, item: int) -> float:
    """Of the rows, how many have an item."""
    return float((found.item == item).any(dim=1).float().mean())
