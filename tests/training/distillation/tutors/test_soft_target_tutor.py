import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from training.distillation.tutors.soft_target_tutor import coarse_divergence

SEED = st.integers(0, 10_000)


def distributions(seed: int, items: int = 12) -> tuple[Tensor, Tensor]:
    """ln p with its items likeliest first, and ln q of the same items: float64[5, N] each."""
    source = torch.Generator().manual_seed(seed)
    p, q = (2 * torch.randn(5, items, generator=source, dtype=torch.float64) for _ in range(2))
    order = p.argsort(dim=1, descending=True)
    return p.log_softmax(1).gather(1, order), q.log_softmax(1).gather(1, order)


def full(log_p: Tensor, log_q: Tensor) -> Tensor:
    return (log_p.exp() * (log_p - log_q)).sum(dim=1)


@given(SEED, st.integers(1, 12))
def test_it_is_never_more_than_the_divergence_over_all_items_and_never_negative(seed: int, top: int) -> None:
    log_p, log_q = distributions(seed)
    found = coarse_divergence(log_p[:, :top], log_q[:, :top])
    assert bool((found <= full(log_p, log_q) + 1e-4).all())
    assert bool((found >= -1e-4).all())


@given(SEED)
def test_it_is_the_whole_divergence_where_all_items_are_named(seed: int) -> None:
    log_p, log_q = distributions(seed)
    assert torch.allclose(coarse_divergence(log_p, log_q), full(log_p, log_q), atol=1e-5)


@given(SEED, st.integers(1, 11))
def test_more_named_items_never_tell_less(seed: int, top: int) -> None:
    log_p, log_q = distributions(seed)
    less, more = (coarse_divergence(log_p[:, :one], log_q[:, :one]) for one in (top, top + 1))
    assert bool((more >= less - 1e-4).all())


@given(SEED, st.integers(1, 12))
def test_it_is_zero_for_a_student_that_says_the_same(seed: int, top: int) -> None:
    log_p, _ = distributions(seed)
    assert torch.allclose(coarse_divergence(log_p[:, :top], log_p[:, :top]), torch.zeros(5).double(), atol=1e-6)


def test_its_gradient_is_that_of_the_whole_where_all_items_are_named() -> None:
    log_p, log_q = distributions(3)
    logits = log_q.clone().requires_grad_()
    coarse_divergence(log_p, logits.log_softmax(1)).sum().backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert torch.allclose(logits.grad, log_q.exp() - log_p.exp(), atol=1e-4)
