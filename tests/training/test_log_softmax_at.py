"""The softmax at a few places is the whole softmax, read there: in values and in gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.log_softmax_at import log_softmax_at


def drawn(rows: int, seed: int, count: int = 11) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    users = torch.randn(rows, 5, generator=generator, dtype=torch.double).mul(3).requires_grad_()
    items = torch.randn(count, 5, generator=generator, dtype=torch.double).mul(3).requires_grad_()
    return users, items, torch.randint(0, count, (rows, 4), generator=generator)  # a column may be named twice


@given(st.sampled_from([1, 2, 255, 256, 257, 600]), st.sampled_from([1, 11, 16, 17, 32, 33]), st.integers(0, 1000))
def test_values_and_gradients_are_those_of_the_whole_softmax(rows: int, count: int, seed: int) -> None:
    users, items, places = drawn(rows, seed, count)
    wanted = torch.randn(rows, 4, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.double)
    whole = (users @ items.T).log_softmax(dim=1).gather(1, places)
    found = log_softmax_at(users, items, places)
    torch.testing.assert_close(found, whole)
    theirs = torch.autograd.grad((whole * wanted).sum(), (users, items))
    ours = torch.autograd.grad((found * wanted).sum(), (users, items))
    torch.testing.assert_close(ours, theirs)


def test_it_goes_backward_once() -> None:
    users, items, places = drawn(3, seed=0)
    total = log_softmax_at(users, items, places).sum()
    total.backward(retain_graph=True)  # type: ignore[no-untyped-call]
    with pytest.raises(RuntimeError, match="backward once"):
        total.backward()  # type: ignore[no-untyped-call]
