import math
from collections.abc import Callable

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from training.distillation.ca_mkd import ca_mkd_weights

SEED = st.integers(0, 10_000)
LABELS = st.lists(st.integers(0, 5), min_size=4, max_size=4)
Draw = Callable[..., Tensor]


def everybody(teachers: int = 3, rows: int = 4) -> Tensor:
    return torch.ones(teachers, rows, dtype=torch.bool)


@given(SEED, LABELS)
def test_it_is_the_definition(some_logits: Draw, seed: int, label: list[int]) -> None:
    log_p = some_logits(seed).log_softmax(dim=-1)
    found = ca_mkd_weights(log_p, torch.tensor(label), everybody())
    for row in range(4):
        raised = [math.exp(-log_p[teacher, row, label[row]].item()) for teacher in range(3)]
        for teacher in range(3):
            wanted = (1 - raised[teacher] / sum(raised)) / 2
            assert math.isclose(found[teacher, row].item(), wanted, abs_tol=1e-12)


@given(SEED, LABELS)
def test_the_closer_to_the_label_the_more_weight_and_never_more_than_one_over_the_others(
    some_logits: Draw, seed: int, label: list[int]
) -> None:
    log_p, target = some_logits(seed).log_softmax(dim=-1), torch.tensor(label)
    found = ca_mkd_weights(log_p, target, everybody())
    closeness = log_p[:, torch.arange(4), target]
    for row in range(4):
        ordered = found[closeness[:, row].argsort(), row]
        assert bool((ordered.diff() >= -1e-12).all())
    assert bool((found <= 0.5 + 1e-12).all())


def test_a_teacher_that_gives_the_label_nothing_weighs_nothing_and_two_of_them_are_no_nan() -> None:
    log_p = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]], [[0.0, 1.0]]]).log()
    first = torch.tensor([0])
    assert torch.allclose(ca_mkd_weights(log_p[:2], first, everybody(2, 1)), torch.tensor([[1.0], [0.0]]))
    assert torch.allclose(ca_mkd_weights(log_p, first, everybody(3, 1)), torch.tensor([[0.5], [0.25], [0.25]]))
