"""Laws that hold across the parts of joint distillation; those of one part stand with that part."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from training.distillation.ca_mkd import ca_mkd_weights
from training.distillation.confidence import label_confidence
from training.distillation.consistency import consistency, jensen_shannon
from training.distillation.ebkd import ebkd_weights
from training.distillation.integration import integration_weights, mixture
from training.distillation.losses import kl_to_mixture

SEED = st.integers(0, 10_000)
POWERS = st.tuples(st.floats(0, 3), st.floats(0, 5))
TARGET = torch.tensor([0, 0, 0, 0])
"""The first candidate is never masked."""
Draw = Callable[..., Tensor]
Weighting = Callable[[Tensor, Tensor], Tensor]


def by_confidence_and_consistency(log_p: Tensor, present: Tensor) -> Tensor:
    agreement = consistency(log_p, present)
    return integration_weights(label_confidence(log_p, TARGET), agreement, present, (1, 2))


def by_ca_mkd(log_p: Tensor, present: Tensor) -> Tensor:
    return ca_mkd_weights(log_p, TARGET, present)


WEIGHTINGS = (by_confidence_and_consistency, by_ca_mkd, ebkd_weights)
every_weighting = pytest.mark.parametrize("weigh", WEIGHTINGS)


def said(draw: Draw, seed: int, teachers: int = 3) -> Tensor:
    """What random teachers say, some candidates masked: float64[M, 4, 6]."""
    return draw(seed, teachers, masked=True).log_softmax(dim=-1)


def some_presence(seed: int, teachers: int = 3) -> Tensor:
    """bool[M, 4]: in row 0 all are there, in row 1 nobody is."""
    present = torch.rand(teachers, 4, generator=torch.Generator().manual_seed(seed)) < 0.6
    present[:, 0], present[:, 1] = True, False
    return present


def loss_of(weigh: Weighting, log_p: Tensor, present: Tensor, student: Tensor) -> Tensor:
    """From what teachers say to what the student minimises, at T = 1."""
    target = mixture(log_p, weigh(log_p, present))
    return kl_to_mixture(target, student, present.any(dim=0).double(), 1.0)


@every_weighting
@given(seed=SEED, teachers=st.integers(1, 5))
def test_weights_sum_to_1_over_those_who_are_there_and_carry_no_gradient(
    some_logits: Draw, weigh: Weighting, *, seed: int, teachers: int
) -> None:
    log_p, present = said(some_logits, seed, teachers).requires_grad_(), some_presence(seed, teachers)
    found = weigh(log_p, present)
    assert not found.requires_grad
    assert bool((found >= 0).all())
    assert not found[~present].any()
    assert torch.allclose(found.sum(dim=0), present.any(dim=0).double())


@every_weighting
@given(seed=SEED, order=st.permutations(range(4)))
def test_weights_follow_their_teachers(some_logits: Draw, weigh: Weighting, *, seed: int, order: list[int]) -> None:
    log_p, present = said(some_logits, seed, 4), some_presence(seed, 4)
    assert torch.allclose(weigh(log_p[order], present[order]), weigh(log_p, present)[order])


@every_weighting
@given(seed=SEED, who=st.integers(0, 2))
def test_who_is_alone_has_all_the_weight(some_logits: Draw, weigh: Weighting, *, seed: int, who: int) -> None:
    present = torch.zeros(3, 4, dtype=torch.bool)
    present[who] = True
    assert torch.allclose(weigh(said(some_logits, seed), present), present.double())


@every_weighting
@given(seed=SEED)
def test_what_an_absent_teacher_would_say_does_not_matter(some_logits: Draw, weigh: Weighting, *, seed: int) -> None:
    log_p, present = said(some_logits, seed), some_presence(seed)
    other = some_logits(seed, masked=True)  # the same candidates are masked
    other = (1.7 * other.flip(0)).log_softmax(dim=-1)
    mixed = torch.where(present[..., None], log_p, other)
    assert torch.allclose(weigh(mixed, present), weigh(log_p, present))


@every_weighting
@given(seed=SEED)
def test_teachers_of_one_mind_weigh_the_same_and_teach_as_one(
    some_logits: Draw, weigh: Weighting, *, seed: int
) -> None:
    one, student = said(some_logits, seed, 1), some_logits(seed + 1, 1)[0]
    three, everybody = one.expand(3, -1, -1), torch.ones(3, 4, dtype=torch.bool)
    assert torch.allclose(weigh(three, everybody), torch.full((3, 4), 1 / 3, dtype=torch.float64))
    together = loss_of(weigh, three, everybody, student)
    assert torch.allclose(together, loss_of(weigh, one, everybody[:1], student))


@every_weighting
@given(seed=SEED, order=st.permutations(range(3)))
def test_the_loss_does_not_depend_on_the_order_of_the_teachers(
    some_logits: Draw, weigh: Weighting, *, seed: int, order: list[int]
) -> None:
    log_p, present, student = said(some_logits, seed), some_presence(seed), some_logits(seed + 1, 1)[0]
    moved = loss_of(weigh, log_p[order], present[order], student)
    assert torch.allclose(moved, loss_of(weigh, log_p, present, student))


@every_weighting
@given(seed=SEED)
def test_the_gradient_is_that_of_the_weighted_sum_over_the_teachers_who_are_there(
    some_logits: Draw, weigh: Weighting, *, seed: int
) -> None:
    """sum_m w^m KL(p^m||q) = KL(p̄||q) + JSD_w with teachers absent and candidates masked, on the gradient's side."""
    log_p, present = said(some_logits, seed), some_presence(seed)
    student = some_logits(seed + 1, 1)[0].requires_grad_()
    (jointly,) = torch.autograd.grad(loss_of(weigh, log_p, present, student), student)
    weights, everywhere = weigh(log_p, present), torch.ones(4, dtype=torch.float64)
    one_by_one = sum(kl_to_mixture(log_p[one], student, weights[one] * everywhere, 1.0) for one in range(3))
    (severally,) = torch.autograd.grad(torch.as_tensor(one_by_one), student)
    assert torch.allclose(jointly, severally, atol=1e-9)


@given(SEED, POWERS)
def test_the_mixture_is_no_worse_on_the_label_than_its_teachers_on_the_mean(
    some_logits: Draw, seed: int, powers: tuple[float, float]
) -> None:
    """Jensen: -ln p̄(y) <= sum_m w^m (-ln p^m(y))."""
    log_p, present = said(some_logits, seed), torch.ones(3, 4, dtype=torch.bool)
    weights = integration_weights(label_confidence(log_p, TARGET), consistency(log_p, present), present, powers)
    assert bool((-mixture(log_p, weights)[:, 0] <= -(weights * log_p[..., 0]).sum(dim=0) + 1e-12).all())


@given(SEED)
def test_two_alike_heard_teachers_disagree_by_their_jensen_shannon_divergence(some_logits: Draw, seed: int) -> None:
    """JSD_w of equation 6 at w = 1/2 is the JSD that consistency is made of."""
    log_p = said(some_logits, seed, 2)
    target = mixture(log_p, torch.full((2, 4), 0.5, dtype=torch.float64))
    p = log_p.exp()
    disagreement = torch.where(p > 0, 0.5 * p * (log_p - target), 0.0).sum(dim=(0, 2))
    assert torch.allclose(disagreement, jensen_shannon(*log_p))
    both = torch.ones(2, 4, dtype=torch.bool)
    assert torch.allclose(consistency(log_p, both), (1 - disagreement / math.log(2)).expand(2, -1))


@given(SEED, st.integers(1, 5))
def test_consistency_stays_between_0_and_1_whoever_is_absent(some_logits: Draw, seed: int, teachers: int) -> None:
    found = consistency(said(some_logits, seed, teachers), some_presence(seed, teachers))
    assert bool(((found >= 0) & (found <= 1)).all())
