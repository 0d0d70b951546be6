import math
from collections.abc import Callable

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from training.distillation.ebkd import ebkd_weights

SEED = st.integers(0, 10_000)
Draw = Callable[..., Tensor]


def everybody(teachers: int = 3, rows: int = 4) -> Tensor:
    return torch.ones(teachers, rows, dtype=torch.bool)


@given(seed=SEED, masked=st.booleans())
def test_it_is_the_definition_brought_to_the_sum_of_1(some_logits: Draw, *, seed: int, masked: bool) -> None:
    log_p = some_logits(seed, masked=masked).log_softmax(dim=-1)
    found = ebkd_weights(log_p, everybody())
    for row in range(4):
        entropy = [-sum(p * math.log(p) for p in log_p[one, row].exp().tolist() if p > 0) for one in range(3)]
        raw = [1 - one / sum(entropy) if sum(entropy) else 1 for one in entropy]
        for teacher in range(3):
            assert math.isclose(found[teacher, row].item(), raw[teacher] / sum(raw), abs_tol=1e-12)


@given(SEED)
def test_the_sharper_of_two_weighs_more(some_logits: Draw, seed: int) -> None:
    mild = some_logits(seed, 1)
    log_p = torch.cat([mild, 1.5 * mild]).log_softmax(dim=-1)
    found = ebkd_weights(log_p, everybody(2))
    assert bool((found[1] > found[0]).all())


def test_who_is_certain_gets_all_that_one_can_and_all_certain_are_alike() -> None:
    certain = torch.eye(2).log()[:, None]  # two teachers, each certain of another item
    unsure = torch.full((1, 1, 2), 0.5).log()
    assert torch.allclose(ebkd_weights(certain, everybody(2, 1)), torch.full((2, 1), 0.5))
    assert torch.allclose(
        ebkd_weights(torch.cat([certain, unsure]), everybody(3, 1)), torch.tensor([[0.5], [0.5], [0.0]])
    )
