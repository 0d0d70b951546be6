from collections.abc import Callable

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from training.distillation.confidence import label_confidence
from training.distillation.integration import integration_weights, mixture

SEED = st.integers(0, 10_000)
POWERS = st.tuples(st.floats(0, 3), st.floats(0, 5))
Draw = Callable[..., Tensor]


def judged(seed: int, teachers: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Confidence, consistency and presence of random teachers, float64[M, 8]; in row 0 all, in row 1 none are there."""
    source = torch.Generator().manual_seed(seed)
    a, b = torch.rand(2, teachers, 8, generator=source, dtype=torch.float64)
    present = torch.rand(teachers, 8, generator=source) < 0.6
    present[:, 0], present[:, 1] = True, False
    return a, b, present


@given(SEED, POWERS)
def test_weights_sum_to_1_over_those_who_are_there(seed: int, powers: tuple[float, float]) -> None:
    a, b, present = judged(seed)
    weights = integration_weights(a, b, present, powers)
    assert not weights[~present].any()
    assert bool((weights >= 0).all())
    assert torch.allclose(weights.sum(dim=0), present.any(dim=0).double())


@given(SEED, POWERS, st.permutations(range(3)))
def test_weights_follow_their_teachers(seed: int, powers: tuple[float, float], order: list[int]) -> None:
    a, b, present = judged(seed)
    moved = integration_weights(a[order], b[order], present[order], powers)
    assert torch.allclose(moved, integration_weights(a, b, present, powers)[order])


@given(SEED)
def test_the_more_confident_and_the_more_consistent_weigh_more(seed: int) -> None:
    a, b, _ = judged(seed)
    everybody, level = torch.ones(3, 8, dtype=torch.bool), torch.full((3, 8), 0.5, dtype=torch.float64)
    by_confidence = integration_weights(a, level, everybody, (1, 2))
    by_consistency = integration_weights(level, b, everybody, (1, 2))
    assert torch.equal(by_confidence.argsort(dim=0), a.argsort(dim=0))
    assert torch.equal(by_consistency.argsort(dim=0), b.argsort(dim=0))


@given(SEED)
def test_both_powers_0_is_the_plain_mean_of_those_who_are_there(seed: int) -> None:
    a, b, present = judged(seed)
    weights = integration_weights(a, b, present, (0, 0))
    assert torch.allclose(weights, present.double() / present.sum(dim=0).clamp(min=1))


@given(SEED, st.lists(st.integers(0, 5), min_size=4, max_size=4))
def test_confidence_alone_is_the_posterior_over_teachers(some_logits: Draw, seed: int, label: list[int]) -> None:
    """Bayes, under a uniform prior: P(m | y) = p^m(y) / sum_n p^n(y)."""
    log_p, target = some_logits(seed).log_softmax(dim=-1), torch.tensor(label)
    likelihood = log_p.exp()[:, torch.arange(4), target]
    everybody = torch.ones(3, 4, dtype=torch.bool)
    weights = integration_weights(label_confidence(log_p, target), torch.rand(3, 4), everybody, (1, 0))
    told = likelihood.sum(dim=0)
    apart = (weights - likelihood / told).abs()
    assert bool((apart <= 2e-8 / told + 1e-12).all())  # of three teachers, what the 1e-8 under the logarithm moves


def test_no_gradient_reaches_the_weights() -> None:
    a, b, present = judged(0)
    assert not integration_weights(a.requires_grad_(), b.requires_grad_(), present, (1, 2)).requires_grad


def test_a_teacher_that_gives_the_label_nothing_still_gives_finite_weights() -> None:
    weights = integration_weights(torch.zeros(2, 1), torch.ones(2, 1), torch.ones(2, 1, dtype=torch.bool), (1, 2))
    assert torch.allclose(weights, torch.full((2, 1), 0.5))


@given(seed=SEED, powers=POWERS, masked=st.booleans())
def test_the_mixture_is_the_weighted_mean(
    some_logits: Draw, *, seed: int, powers: tuple[float, float], masked: bool
) -> None:
    log_p = some_logits(seed, rows=8, masked=masked).log_softmax(dim=-1)
    a, b, present = judged(seed)
    weights = integration_weights(a, b, present, powers)
    found = mixture(log_p, weights)
    assert torch.allclose(found.exp(), (weights[..., None] * log_p.exp()).sum(dim=0))
    assert torch.allclose(found.exp().sum(dim=-1), present.any(dim=0).double())
    assert not found.isnan().any()
