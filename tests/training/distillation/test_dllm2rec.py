import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from training.distillation.dllm2rec import DLLM2RecConfig, importance_weights, in_common, list_weights
from training.distillation.rank_lists import Ranked

SEED = st.integers(0, 10_000)
SHARE = st.floats(0, 1)
CONFIG = st.builds(
    DLLM2RecConfig, top=st.integers(1, 8), position=st.floats(0.01, 1), confidence=SHARE, consistency=SHARE
)
Draw = Callable[..., Tensor]


def some_presence(seed: int, teachers: int = 3) -> Tensor:
    """bool[M, 4]: in row 0 all, in row 1 nobody."""
    present = torch.rand(teachers, 4, generator=torch.Generator().manual_seed(seed)) < 0.6
    present[:, 0], present[:, 1] = True, False
    return present


def ranked_target(log_p: Tensor, log_q: Tensor, present: Tensor, config: DLLM2RecConfig) -> Tensor:
    """The weights of the lists of float[M, R, C], spread over all candidates: float[R, C]."""
    top = min(config.top, log_p.shape[-1])
    listed, items = log_p.topk(top, dim=-1)
    weights = list_weights(Ranked(items, listed, present), log_q.topk(top, dim=-1).indices, config)
    return torch.zeros_like(log_p).scatter(-1, items, weights).sum(dim=0)


@given(SEED, st.lists(st.booleans(), min_size=4, max_size=4))
def test_it_is_the_published_formula(some_logits: Draw, seed: int, common: list[bool]) -> None:
    """Over the first 4 of 6."""
    log_p = some_logits(seed, 1, 1).log_softmax(dim=-1)[0, 0].topk(4).values
    p = log_p.exp().tolist()
    by_rank = [math.exp(-rank) for rank in range(1, 5)]
    raw = [0.3 * by_rank[r] / sum(by_rank) + 0.5 * p[r] / sum(p) + 0.1 * common[r] for r in range(4)]
    found = importance_weights(log_p, torch.tensor(common), DLLM2RecConfig())
    assert torch.allclose(found, torch.tensor(raw, dtype=torch.float64) / sum(raw), atol=1e-6)  # the 1e-8 of their code


@given(seed=SEED, shared=st.booleans(), config=CONFIG, masked=st.booleans())
def test_weights_sum_to_1_and_fall_with_the_rank(
    some_logits: Draw, *, seed: int, shared: bool, config: DLLM2RecConfig, masked: bool
) -> None:
    log_p = some_logits(seed, masked=masked).log_softmax(dim=-1).sort(descending=True).values
    found = importance_weights(log_p, torch.full((3, 4, 6), shared), config)
    assert torch.allclose(found.sum(dim=-1), torch.ones(3, 4, dtype=torch.float64))
    assert bool((found.diff(dim=-1) <= 1e-12).all())
    assert not found[log_p.isneginf()].any()


@given(SEED)
def test_an_item_that_the_student_has_itself_weighs_more(some_logits: Draw, seed: int) -> None:
    log_p = some_logits(seed, 1, 1).log_softmax(dim=-1)[0, 0].sort(descending=True).values
    alone, shared = torch.zeros(6, dtype=torch.bool), torch.eye(6, dtype=torch.bool)[3]
    found = [importance_weights(log_p, one, DLLM2RecConfig()) for one in (alone, shared)]
    assert found[1][3] > found[0][3]
    assert bool((found[1][:3] < found[0][:3]).all())


def test_in_common_is_membership_row_by_row() -> None:
    items = torch.tensor([[[3, 1], [2, 4]], [[5, 9], [9, 2]]])
    students = torch.tensor([[1, 9, 8], [2, 3, 4]])
    assert in_common(items, students).tolist() == [[[False, True], [True, True]], [[False, True], [False, True]]]


@given(seed=SEED, config=CONFIG, masked=st.booleans())
def test_the_target_is_a_distribution_over_open_items_and_0_where_nobody_is_there(
    some_logits: Draw, *, seed: int, config: DLLM2RecConfig, masked: bool
) -> None:
    log_p, present = some_logits(seed, masked=masked).log_softmax(dim=-1), some_presence(seed)
    found = ranked_target(log_p, some_logits(seed + 1, 1)[0], present, config)
    assert bool((found >= 0).all())
    assert torch.allclose(found.sum(dim=-1), present.any(dim=0).double())
    assert not found[log_p[0].isneginf()].any()


@given(SEED, CONFIG, st.permutations(range(3)))
def test_the_order_of_teachers_does_not_matter(
    some_logits: Draw, seed: int, config: DLLM2RecConfig, order: list[int]
) -> None:
    log_p, present = some_logits(seed).log_softmax(dim=-1), some_presence(seed)
    student = some_logits(seed + 1, 1)[0]
    moved = ranked_target(log_p[order], student, present[order], config)
    assert torch.allclose(moved, ranked_target(log_p, student, present, config))


@given(SEED, CONFIG)
def test_one_teacher_is_its_own_list_and_the_absent_are_as_if_they_were_not_there(
    some_logits: Draw, seed: int, config: DLLM2RecConfig
) -> None:
    log_p, student = some_logits(seed).log_softmax(dim=-1), some_logits(seed + 1, 1)[0]
    present = torch.tensor([[True], [False], [False]]).expand(3, 4)
    found = ranked_target(log_p, student, present, config)
    top = min(config.top, 6)
    best, items = log_p[0].topk(top)
    weights = importance_weights(best, in_common(items, student.topk(top).indices), config)
    assert torch.allclose(found.gather(1, items), weights)
    assert torch.equal((found > 0).sum(dim=-1) <= top, torch.ones(4, dtype=torch.bool))


def test_no_gradient_reaches_the_target(some_logits: Draw) -> None:
    log_p, student = some_logits(0).log_softmax(dim=-1), some_logits(1, 1)[0].requires_grad_()
    assert not ranked_target(log_p.requires_grad_(), student, some_presence(0), DLLM2RecConfig()).requires_grad


def test_log_p_is_minus_half_the_squared_distance_over_the_temperature_up_to_a_constant() -> None:
    """The reading of `dist` in the module's docstring, on vectors of length 1."""
    user, items = torch.randn(1, 8, dtype=torch.float64), torch.randn(5, 8, dtype=torch.float64)
    user, items = (one / one.norm(dim=-1, keepdim=True) for one in (user, items))
    log_p = (user @ items.T / 0.07).log_softmax(dim=-1)[0]
    constant = log_p + (user - items).square().sum(dim=-1) / (2 * 0.07)
    assert constant.std().item() == pytest.approx(0, abs=1e-9)
