import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from service.bundle import PAD
from training.config import ConfigError
from training.distillation.relaxed_ranking import draw_uninteresting, ranking_nll

SEED = st.integers(0, 10_000)


def scored(seed: int, ranked: int = 3, others: int = 4) -> tuple[Tensor, Tensor]:
    """Logits of ranked and other items, float64[5, K] and float64[5, L]."""
    source = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(5, ranked + others, generator=source, dtype=torch.float64)
    return logits[:, :ranked], logits[:, ranked:]


@given(SEED, st.integers(1, 4), st.integers(0, 3))
def test_it_is_the_definition(seed: int, ranked: int, others: int) -> None:
    interesting, uninteresting = scored(seed, ranked, others)
    found = ranking_nll(interesting, uninteresting)
    for row in range(5):
        z, rest = interesting[row].tolist(), sum(map(math.exp, uninteresting[row].tolist()))
        wanted = sum(math.log(sum(map(math.exp, z[k:])) + rest) - z[k] for k in range(ranked))
        assert math.isclose(found[row].item(), wanted, rel_tol=1e-9, abs_tol=1e-12)


@given(SEED)
def test_likelihoods_of_all_orders_of_all_items_sum_to_1(seed: int) -> None:
    everything, nothing = scored(seed, 4, 0)
    orders = itertools.permutations(range(4))
    total = sum((-ranking_nll(everything[:, list(order)], nothing)).exp() for order in orders)
    assert torch.allclose(torch.as_tensor(total), torch.ones(5, dtype=torch.float64))


@given(SEED)
def test_one_ranked_item_is_the_next_item_loss(seed: int) -> None:
    interesting, uninteresting = scored(seed, 1, 6)
    logits = torch.cat([interesting, uninteresting], dim=-1)
    assert torch.allclose(ranking_nll(interesting, uninteresting), -logits.log_softmax(dim=-1)[:, 0])


@given(SEED, st.permutations(range(4)), st.floats(-1e4, 1e4))
def test_the_order_of_the_uninteresting_and_a_constant_do_not_matter(
    seed: int, order: list[int], constant: float
) -> None:
    interesting, uninteresting = scored(seed)
    moved = ranking_nll(interesting + constant, uninteresting[:, order] + constant)
    assert torch.allclose(moved, ranking_nll(interesting, uninteresting), atol=1e-9)


@given(SEED)
def test_no_order_is_likelier_than_the_students_own(seed: int) -> None:
    interesting, uninteresting = scored(seed)
    best = ranking_nll(interesting.sort(dim=-1, descending=True).values, uninteresting)
    assert bool((best >= 0).all())
    assert bool((ranking_nll(interesting, uninteresting) >= best - 1e-12).all())


@pytest.mark.parametrize("size", [1e2, 1e4])
def test_huge_logits_cost_no_nan_in_loss_or_gradient(size: float) -> None:
    interesting, uninteresting = ((size * one.float()).requires_grad_() for one in scored(0))
    loss = ranking_nll(interesting, uninteresting).sum()
    gradients = torch.autograd.grad(loss, [interesting, uninteresting])
    assert bool(loss.isfinite())
    assert all(bool(one.isfinite().all()) for one in gradients)


@given(SEED, st.integers(1, 6), st.integers(7, 12))
def test_the_uninteresting_are_items_that_are_not_interesting(seed: int, ranked: int, items: int) -> None:
    torch.manual_seed(seed)
    interesting = torch.stack([torch.randperm(items)[:ranked] + PAD + 1 for _ in range(3)])
    found = draw_uninteresting(interesting, items, 20)
    assert found.shape == (3, 20)
    assert not (found[..., None] == interesting[:, None]).any()
    assert int(found.min()) > PAD
    assert int(found.max()) <= items


def test_every_other_item_is_drawn_about_as_often() -> None:
    torch.manual_seed(0)
    drawn = draw_uninteresting(torch.tensor([[1, 4, 5, 9]]), 9, 50_000)
    count = torch.bincount(drawn[0], minlength=10)
    assert count[[0, 1, 4, 5, 9]].tolist() == [0] * 5
    assert bool(((count[[2, 3, 6, 7, 8]] - 10_000).abs() < 500).all())  # over 5 standard deviations


def test_a_catalogue_that_is_ranked_whole_is_refused() -> None:
    with pytest.raises(ConfigError, match="all 3 items are ranked"):
        draw_uninteresting(torch.tensor([[2, 1, 3]]), 3, 5)
