"""Dropout with cheap coins: the share, the mean, the seed, and that it is nothing outside of training."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.dropout import Dropout


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.9])
def test_the_share_is_dropped_and_the_mean_stays(share: float) -> None:
    torch.manual_seed(0)
    ones = torch.ones(1000, 400)
    found = Dropout(share)(ones)
    rounded = round(share * 256) / 256
    deviation = (rounded * (1 - rounded) / ones.numel()) ** 0.5
    assert float((found == 0).float().mean()) == pytest.approx(rounded, abs=5 * deviation)
    assert found.unique().tolist() == pytest.approx([0.0, 1 / (1 - rounded)])


@given(st.lists(st.integers(0, 9), min_size=0, max_size=4), st.floats(0, 0.999))
def test_any_shape_any_share_and_no_element_is_beyond_its_scale(shape: list[int], share: float) -> None:
    values = torch.rand(shape)
    found = Dropout(share)(values)
    assert found.shape == values.shape
    assert bool(((found == 0) | (found >= values)).all())


def test_outside_of_training_and_with_no_share_nothing_changes() -> None:
    values = torch.randn(7, 3)
    assert torch.equal(Dropout(0.5).eval()(values), values)
    assert torch.equal(Dropout(0.0)(values), values)


def test_equal_seeds_give_equal_coins_and_each_call_new_ones() -> None:
    dropout, values = Dropout(0.5), torch.ones(1000)
    torch.manual_seed(3)
    first, second = dropout(values), dropout(values)
    torch.manual_seed(3)
    assert torch.equal(dropout(values), first)
    assert not torch.equal(first, second)


def test_the_gradient_is_that_of_what_was_kept() -> None:
    values = torch.ones(1000, requires_grad=True)
    found = Dropout(0.3)(values)
    found.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad, found.detach())
