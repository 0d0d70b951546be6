import math

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from training.teachers.contrastive import info_nce

SEED = st.integers(0, 10_000)
LABELS = st.lists(st.integers(0, 3), min_size=1, max_size=7)


def pairs(seed: int, rows: int) -> tuple[Tensor, Tensor]:
    both = torch.randn(2, rows, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return both[0], both[1]


def loop(anchor: Tensor, positive: Tensor, label: list[int], temperature: float) -> float:
    """The docstring's formula, one row and one negative at a time."""

    def score(i: int, j: int) -> float:
        return math.exp(torch.cosine_similarity(anchor[i], positive[j], dim=0).item() / temperature)

    total = 0.0
    for i in range(len(label)):
        negatives = [j for j in range(len(label)) if j == i or label[j] != label[i]]
        total -= math.log(score(i, i) / sum(score(i, j) for j in negatives))
    return total / len(label)


@given(SEED, LABELS, st.floats(0.05, 2))
def test_it_is_the_formula(seed: int, label: list[int], temperature: float) -> None:
    anchor, positive = pairs(seed, len(label))
    found = info_nce(anchor, positive, torch.tensor(label), temperature)
    assert math.isclose(found.item(), loop(anchor, positive, label, temperature), rel_tol=1e-8, abs_tol=1e-10)


def test_rows_of_one_label_are_no_negatives_of_each_other() -> None:
    anchor, positive = pairs(0, 4)
    assert info_nce(anchor, positive, torch.zeros(4, dtype=torch.long), 0.07).item() == 0


@given(SEED, LABELS)
def test_lengths_do_not_count(seed: int, label: list[int]) -> None:
    anchor, positive = pairs(seed, len(label))
    found = info_nce(anchor, positive, torch.tensor(label), 0.5)
    assert torch.allclose(found, info_nce(anchor * 7, positive / 3, torch.tensor(label), 0.5))


@given(SEED, LABELS)
def test_gradients_are_finite(seed: int, label: list[int]) -> None:
    anchor, positive = (one.requires_grad_() for one in pairs(seed, len(label)))
    gradients = torch.autograd.grad(info_nce(anchor, positive, torch.tensor(label), 0.07), (anchor, positive))
    assert all(bool(one.isfinite().all()) for one in gradients)
