import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from training.distillation.confidence import entropy_confidence, label_confidence

SEED = st.integers(0, 10_000)


def log_p_of(seed: int, *, sharpness: float = 3.0) -> torch.Tensor:
    """float64[3, 4, 6]; candidate 5 is masked in row 0."""
    logits = sharpness * torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    logits[:, 0, 5] = -torch.inf
    return logits.log_softmax(dim=-1)


@given(SEED, st.lists(st.integers(0, 4), min_size=4, max_size=4))
def test_label_confidence_is_the_probability_of_the_label(seed: int, target: list[int]) -> None:
    log_p = log_p_of(seed)
    found = label_confidence(log_p, torch.tensor(target))
    for teacher in range(3):
        for row in range(4):
            assert math.isclose(found[teacher, row].item(), math.exp(log_p[teacher, row, target[row]].item()))


@given(SEED)
def test_entropy_confidence_lies_between_0_and_1(seed: int) -> None:
    found = entropy_confidence(log_p_of(seed))
    assert bool((found >= -1e-12).all())
    assert bool((found <= 1 + 1e-12).all())


def test_who_is_certain_has_1_and_who_knows_nothing_has_0() -> None:
    nothing = torch.tensor([[[0.0, 0.0, 0.0, -torch.inf]]]).log_softmax(dim=-1)
    certain = torch.tensor([[[0.0, -torch.inf, -torch.inf, -torch.inf]]]).log_softmax(dim=-1)
    assert torch.allclose(entropy_confidence(nothing), torch.zeros(1, 1), atol=1e-6)  # of the 3 that are open
    assert torch.allclose(entropy_confidence(certain), torch.ones(1, 1))


@given(SEED)
def test_entropy_confidence_grows_with_sharpness(seed: int) -> None:
    mild, sharp = (entropy_confidence(log_p_of(seed, sharpness=one)) for one in (1.0, 1.5))
    assert bool((sharp > mild).all())


@given(SEED, st.permutations(range(3)))
def test_each_teacher_is_judged_by_itself(seed: int, order: list[int]) -> None:
    log_p, target = log_p_of(seed), torch.tensor([0, 1, 2, 3])
    assert torch.equal(label_confidence(log_p[order], target), label_confidence(log_p, target)[order])
    assert torch.equal(entropy_confidence(log_p[order]), entropy_confidence(log_p)[order])
