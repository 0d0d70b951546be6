import itertools
import math
from collections.abc import Callable

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from training.distillation.consistency import consistency, jensen_shannon

SEED = st.integers(0, 10_000)
Draw = Callable[..., Tensor]


def everybody(teachers: int, rows: int) -> Tensor:
    return torch.ones(teachers, rows, dtype=torch.bool)


def plain_divergence(p: list[float], q: list[float]) -> float:
    """By the definition, in plain Python."""
    mean = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
    return sum(sum(a * math.log(a / m) for a, m in zip(one, mean, strict=True) if a > 0) / 2 for one in (p, q))


@given(seed=SEED, masked=st.booleans())
def test_the_divergence_is_the_definition_symmetric_and_at_most_ln_2(
    some_logits: Draw, *, seed: int, masked: bool
) -> None:
    p, q = some_logits(seed, 2, masked=masked).log_softmax(dim=-1)
    found = jensen_shannon(p, q)
    assert torch.allclose(found, jensen_shannon(q, p))
    assert bool((found >= -1e-12).all())
    assert bool((found <= math.log(2) + 1e-12).all())
    for row in range(4):
        wanted = plain_divergence(p[row].exp().tolist(), q[row].exp().tolist())
        assert math.isclose(found[row].item(), wanted, abs_tol=1e-12)


@given(seed=SEED, teachers=st.integers(1, 5), masked=st.booleans())
def test_consistency_lies_between_0_and_1(some_logits: Draw, *, seed: int, teachers: int, masked: bool) -> None:
    log_p = some_logits(seed, teachers, masked=masked).log_softmax(dim=-1)
    found = consistency(log_p, everybody(teachers, 4))
    assert bool(((found >= 0) & (found <= 1)).all())


@given(SEED, st.permutations(range(4)))
def test_the_order_of_teachers_does_not_matter(some_logits: Draw, seed: int, order: list[int]) -> None:
    log_p = some_logits(seed, 4).log_softmax(dim=-1)
    moved = consistency(log_p[order], everybody(4, 4))
    assert torch.allclose(moved, consistency(log_p, everybody(4, 4))[order])


@given(SEED)
def test_it_is_one_minus_the_mean_divergence_from_the_others(some_logits: Draw, seed: int) -> None:
    log_p = some_logits(seed, 3).log_softmax(dim=-1)
    total = torch.zeros(3, 4, dtype=torch.float64)
    for one, other in itertools.permutations(range(3), 2):
        total[one] += jensen_shannon(log_p[one], log_p[other])
    assert torch.allclose(consistency(log_p, everybody(3, 4)), 1 - total / (2 * math.log(2)))


def test_teachers_of_one_mind_have_1(some_logits: Draw) -> None:
    log_p = some_logits(0, 1).log_softmax(dim=-1).expand(3, -1, -1)
    assert torch.allclose(consistency(log_p, everybody(3, 4)), torch.ones(3, 4, dtype=torch.float64))


def test_teachers_with_nothing_in_common_have_0() -> None:
    log_p = torch.eye(3).log()[:, None]  # each is certain of another candidate
    assert torch.allclose(consistency(log_p, everybody(3, 1)), torch.zeros(3, 1), atol=1e-6)


def test_who_is_alone_has_1(some_logits: Draw) -> None:
    assert torch.equal(consistency(some_logits(0, 1).log_softmax(dim=-1), everybody(1, 4)), torch.ones(1, 4))


@given(SEED)
def test_an_absent_teacher_is_as_if_it_were_not_there(some_logits: Draw, seed: int) -> None:
    log_p = some_logits(seed, 3).log_softmax(dim=-1)
    present = everybody(3, 4)
    present[1, 2:] = False
    found = consistency(log_p, present)
    two = consistency(log_p[[0, 2]], everybody(2, 4))
    three = consistency(log_p, everybody(3, 4))
    assert torch.allclose(found[[0, 2], 2:], two[:, 2:])
    assert torch.allclose(found[:, :2], three[:, :2])
