from collections.abc import Callable

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from training.distillation.integration import mixture
from training.distillation.losses import kl_to_mixture, next_item_loss

SEED = st.integers(0, 10_000)
TEMPERATURE = st.floats(0.5, 5)
Draw = Callable[..., Tensor]


def some_weights(seed: int, teachers: int = 3, rows: int = 4) -> Tensor:
    """float64[M, R], summing to 1 over teachers."""
    source = torch.Generator().manual_seed(seed)
    return torch.randn(teachers, rows, generator=source, dtype=torch.float64).softmax(dim=0)


def divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p||q) over the last dimension, by the definition."""
    p = log_p.exp()
    return torch.where(p > 0, p * (log_p - log_q), 0.0).sum(dim=-1)


def open_gate(rows: int = 4) -> Tensor:
    return torch.ones(rows, dtype=torch.float64)


@given(seed=SEED, temperature=TEMPERATURE, masked=st.booleans())
def test_one_teacher_is_plain_distillation(some_logits: Draw, *, seed: int, temperature: float, masked: bool) -> None:
    teacher = some_logits(seed, 1, masked=masked)
    student = some_logits(seed + 1, 1)[0]
    log_p = (teacher / temperature).log_softmax(dim=-1)
    blocked = teacher[0].isneginf()
    log_q = (student.masked_fill(blocked, -torch.inf) / temperature).log_softmax(dim=-1)
    target = mixture(log_p, torch.ones(1, 4, dtype=torch.float64))
    wanted = temperature**2 * divergence(log_p[0], log_q).mean()
    assert torch.allclose(kl_to_mixture(target, student, open_gate(), temperature), wanted)


@given(SEED, TEMPERATURE)
def test_the_sum_over_teachers_is_the_loss_and_their_own_disagreement(
    some_logits: Draw, seed: int, temperature: float
) -> None:
    """sum_m w^m KL(p^m||q) = KL(p̄||q) + JSD_w: the last term is the teachers' alone."""
    log_p, weights = (some_logits(seed) / temperature).log_softmax(dim=-1), some_weights(seed)
    student = some_logits(seed + 1, 1)[0]
    log_q = (student / temperature).log_softmax(dim=-1)
    target = mixture(log_p, weights)
    one_by_one = (weights * divergence(log_p, log_q)).sum(dim=0)
    disagreement = (weights * divergence(log_p, target)).sum(dim=0)
    loss = kl_to_mixture(target, student, open_gate(), temperature)
    assert torch.allclose(temperature**2 * (one_by_one - disagreement).mean(), loss, atol=1e-9)


@given(seed=SEED, temperature=TEMPERATURE, masked=st.booleans())
def test_the_loss_is_0_for_a_student_that_says_the_same_and_positive_otherwise(
    some_logits: Draw, *, seed: int, temperature: float, masked: bool
) -> None:
    teacher = some_logits(seed, 1, masked=masked)
    target = (teacher[0] / temperature).log_softmax(dim=-1)
    same = torch.where(teacher[0].isneginf(), 99.0, teacher[0] + 5)  # moved by a constant, anything where masked
    assert torch.allclose(kl_to_mixture(target, same, open_gate(), temperature), torch.zeros(1).double(), atol=1e-9)
    assert kl_to_mixture(target, some_logits(seed + 1, 1)[0], open_gate(), temperature) > -1e-12


@given(SEED)
def test_a_masked_candidate_takes_no_part(some_logits: Draw, seed: int) -> None:
    target = some_logits(seed, 1, masked=True)[0].log_softmax(dim=-1)
    student = some_logits(seed + 1, 1)[0].requires_grad_()
    loss = kl_to_mixture(target, student, open_gate(), 2.0)
    (gradient,) = torch.autograd.grad(loss, student)
    assert not gradient[target.isneginf()].any()
    moved = student.detach() + 50 * target.isneginf()
    assert torch.allclose(kl_to_mixture(target, moved, open_gate(), 2.0), loss)


@given(SEED, st.lists(st.booleans(), min_size=4, max_size=4))
def test_a_closed_gate_takes_a_row_out_and_every_gradient_is_finite(
    some_logits: Draw, seed: int, heard: list[bool]
) -> None:
    """A row that no teacher scored has a target that is -inf everywhere."""
    gate = torch.tensor(heard)
    weights = some_weights(seed) * gate
    target = mixture(some_logits(seed, masked=True).log_softmax(dim=-1), weights)
    student = some_logits(seed + 1, 1)[0].requires_grad_()
    loss = kl_to_mixture(target, student, gate.double(), 2.0)
    (gradient,) = torch.autograd.grad(loss, student)
    assert bool(loss.isfinite())
    assert bool(gradient.isfinite().all())
    assert not gradient[~gate].any()
    if gate.any():
        alone = kl_to_mixture(target[gate], student[gate], open_gate(int(gate.sum())), 2.0)
        assert torch.allclose(loss, alone * gate.double().mean())


@given(SEED, TEMPERATURE)
def test_the_gradient_is_the_difference_of_the_distributions(some_logits: Draw, seed: int, temperature: float) -> None:
    """d/dz of T^2 KL(p̄ || softmax(z / T)) is T (q - p̄): its size does not fall with T."""
    target = (some_logits(seed, 1)[0] / temperature).log_softmax(dim=-1)
    student = some_logits(seed + 1, 1)[0].requires_grad_()
    (gradient,) = torch.autograd.grad(kl_to_mixture(target, student, open_gate(), temperature), student)
    wanted = temperature * ((student / temperature).softmax(dim=-1) - target.exp()) / 4
    assert torch.allclose(gradient, wanted)


@given(SEED)
def test_the_next_item_loss_is_the_mean_negative_log_likelihood(some_logits: Draw, seed: int) -> None:
    logits, target = some_logits(seed, 1)[0], torch.tensor([0, 2, 5, 1])
    wanted = -logits.log_softmax(dim=-1)[torch.arange(4), target].mean()
    assert torch.allclose(next_item_loss(logits, target), wanted)
