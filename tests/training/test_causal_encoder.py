"""One pass over a history must be exact for all of its prefixes: everything else in training rests on it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from training.causal_encoder import CausalEncoder, CausalEncoderConfig

WIDTH, LONGEST = 8, 10
PRESENT = st.lists(st.booleans(), min_size=1, max_size=LONGEST)


@pytest.fixture(scope="module")
def encoder() -> CausalEncoder:
    torch.manual_seed(0)
    config = CausalEncoderConfig(width=WIDTH, inner=16, layers=2, heads=2, max_history=LONGEST)
    made = CausalEncoder(config).double()
    for one in made.parameters():  # as drawn they are so small that position and attention hardly count
        torch.nn.init.normal_(one, std=0.5)
    return made.eval()


def items_of(length: int, seed: int = 1) -> Tensor:
    return torch.randn(1, length, WIDTH, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def everything(length: int) -> Tensor:
    return torch.ones(1, length, dtype=torch.bool)


def same(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, atol=1e-10, rtol=0)


@given(st.integers(1, LONGEST), st.data())
def test_a_prefix_inside_a_longer_history_has_the_vectors_that_it_has_alone(
    encoder: CausalEncoder, length: int, data: st.DataObject
) -> None:
    prefix = data.draw(st.integers(1, length))
    items = items_of(length)
    whole = encoder(items, everything(length))[:, :prefix]
    assert same(whole, encoder(items[:, :prefix], everything(prefix)))


@given(st.integers(1, LONGEST), st.integers(0, LONGEST))
def test_padding_changes_no_answer(encoder: CausalEncoder, length: int, padding: int) -> None:
    items = items_of(length)
    padded = torch.cat([items_of(padding, seed=2) * 100, items], dim=1)
    present = torch.arange(padding + length)[None] >= padding
    assert same(encoder(padded, present)[:, padding:], encoder(items, everything(length)))


@given(st.integers(2, LONGEST), st.data())
def test_the_future_never_leaks(encoder: CausalEncoder, length: int, data: st.DataObject) -> None:
    changed = data.draw(st.integers(0, length - 1))
    items = items_of(length)
    other = items.clone()
    other[:, changed:] = items_of(length, seed=3)[:, changed:]
    before, after = encoder(items, everything(length)), encoder(other, everything(length))
    assert same(before[:, :changed], after[:, :changed])
    assert not same(before[:, changed:], after[:, changed:])


@given(PRESENT.filter(any))
def test_gaps_are_as_if_the_items_had_never_been_there(encoder: CausalEncoder, kept: list[bool]) -> None:
    items, present = items_of(len(kept)), torch.tensor([kept])
    alone = encoder(items[present][None], everything(sum(kept)))
    assert same(encoder(items, present)[present], alone[0])


@given(PRESENT)
def test_every_state_is_finite_even_where_nothing_is_present(encoder: CausalEncoder, kept: list[bool]) -> None:
    none = torch.zeros(1, len(kept), dtype=torch.bool)
    for present in (none, torch.tensor([kept])):
        assert bool(encoder(items_of(len(kept)), present).isfinite().all())


def test_an_empty_history_has_finite_gradients() -> None:
    encoder = CausalEncoder(CausalEncoderConfig(width=WIDTH, inner=16, max_history=4))
    encoder(torch.zeros(2, 4, WIDTH), torch.zeros(2, 4, dtype=torch.bool)).square().sum().backward()
    assert all(bool(one.grad.isfinite().all()) for one in encoder.parameters() if one.grad is not None)


def test_the_order_of_items_counts(encoder: CausalEncoder) -> None:
    items = items_of(4)
    last = encoder(items, everything(4))[:, -1]
    swapped = encoder(items[:, [1, 0, 2, 3]], everything(4))[:, -1]
    assert not same(last, swapped)


def test_heads_that_cannot_share_the_width_are_refused() -> None:
    with pytest.raises(ValueError, match="width 10 is no multiple of heads 4"):
        CausalEncoderConfig(width=10, heads=4)


def test_dropout_only_works_in_training(encoder: CausalEncoder) -> None:
    items = items_of(5)
    assert torch.equal(encoder(items, everything(5)), encoder(items, everything(5)))
    encoder.train()
    assert not same(encoder(items, everything(5)), encoder(items, everything(5)))
    encoder.eval()
