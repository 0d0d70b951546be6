import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from training.distillation.alignment import Alignment

SEED = st.integers(0, 10_000)
WIDTHS = (3, 6, 4)


def drawn(seed: int, rows: int = 5) -> tuple[Alignment, Tensor, list[Tensor], Tensor]:
    """Maps from width 4, the student's vectors, the teachers', and weights that sum to 1 over them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        weights = torch.randn(len(WIDTHS), rows).softmax(dim=0)
        return Alignment(4, WIDTHS), torch.randn(rows, 4), [torch.randn(rows, one) for one in WIDTHS], weights


@given(SEED)
def test_both_losses_are_the_weighted_mean_of_1_minus_cosine(seed: int) -> None:
    alignment, student, teachers, weights = drawn(seed)
    for maps, loss in ((alignment.item_maps, alignment.item_loss), (alignment.user_maps, alignment.user_loss)):
        wanted = torch.zeros(())
        for one, vectors, weight in zip(maps, teachers, weights, strict=True):
            mapped = one(student)
            cosine = (mapped * vectors).sum(dim=-1) / mapped.norm(dim=-1) / vectors.norm(dim=-1)
            wanted += (weight * (1 - cosine)).sum() / 5
        assert torch.allclose(loss(student, teachers, weights), wanted, atol=1e-6)


@given(SEED, st.floats(0.01, 100))
def test_it_lies_between_0_and_2_and_lengths_do_not_matter(seed: int, length: float) -> None:
    alignment, student, teachers, weights = drawn(seed)
    found = alignment.user_loss(student, teachers, weights)
    assert -1e-6 <= found.item() <= 2 + 1e-6
    longer = alignment.user_loss(length * student, [length * one for one in teachers], weights)
    assert torch.allclose(longer, found, atol=1e-4)


@pytest.mark.parametrize("side", ["item", "user"])
def test_who_points_the_same_way_costs_nothing_and_the_other_way_2(side: str) -> None:
    alignment, student, _, weights = drawn(0)
    maps, loss = getattr(alignment, f"{side}_maps"), getattr(alignment, f"{side}_loss")
    same = [one(student).detach() for one in maps]
    assert loss(student, same, weights).item() == pytest.approx(0, abs=1e-6)
    assert loss(student, [-one for one in same], weights).item() == pytest.approx(2, abs=1e-6)


@given(SEED)
def test_an_absent_teacher_neither_costs_nor_teaches_whatever_its_vectors_are(seed: int) -> None:
    alignment, student, teachers, weights = drawn(seed)
    weights[1] = 0
    found = alignment.user_loss(student, teachers, weights)
    other = alignment.user_loss(student, [teachers[0], torch.zeros(5, 6), teachers[2]], weights)
    assert torch.equal(found, other)
    gradients = torch.autograd.grad(found, list(alignment.user_maps.parameters()))
    assert [bool(one.any()) for one in gradients] == [True, False, True]


@given(SEED)
def test_a_row_without_teachers_gets_no_gradient(seed: int) -> None:
    alignment, student, teachers, weights = drawn(seed)
    weights[:, 2] = 0
    loss = alignment.user_loss(student.requires_grad_(), teachers, weights)
    (gradient,) = torch.autograd.grad(loss, student)
    assert gradient.any(dim=-1).tolist() == [True, True, False, True, True]


def test_the_maps_can_be_learnt() -> None:
    alignment, student, teachers, weights = drawn(0)
    optimiser = torch.optim.Adam(alignment.parameters(), lr=0.05)
    before = alignment.item_loss(student, teachers, weights).item()
    for _ in range(60):
        optimiser.zero_grad()
        alignment.item_loss(student, teachers, weights).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert alignment.item_loss(student, teachers, weights).item() < before / 4


def test_a_teacher_too_many_is_refused() -> None:
    alignment, student, teachers, weights = drawn(0)
    with pytest.raises(ValueError, match="zip"):
        alignment.item_loss(student, teachers[:2], weights[:2])
