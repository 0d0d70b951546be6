import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from training.causal_encoder import CausalEncoder, CausalEncoderConfig
from training.teachers.augmentation import drop_items, drop_words

LENGTHS = st.lists(st.integers(0, 8), min_size=1, max_size=6)
RATIO = st.floats(0, 0.95)


def present_of(lengths: list[int]) -> Tensor:
    """Left-padded histories of these lengths: bool[B, 8]."""
    return torch.arange(8)[None] >= 8 - torch.tensor(lengths)[:, None]


@given(LENGTHS, RATIO, st.integers(0, 99))
def test_only_what_is_there_is_kept_and_the_oldest_always(lengths: list[int], ratio: float, seed: int) -> None:
    torch.manual_seed(seed)
    present = present_of(lengths)
    kept = drop_items(present, ratio).kept
    assert not kept[~present].any()
    for line, length in zip(kept, lengths, strict=True):
        assert length == 0 or bool(line[8 - length])


@given(LENGTHS, RATIO, st.integers(0, 99))
def test_last_kept_is_the_newest_kept_so_far(lengths: list[int], ratio: float, seed: int) -> None:
    torch.manual_seed(seed)
    view = drop_items(present_of(lengths), ratio)
    for kept, found in zip(view.kept.tolist(), view.last_kept().tolist(), strict=True):
        assert found == [max((k for k in range(end + 1) if kept[k]), default=0) for end in range(8)]


def test_items_are_dropped_as_often_as_asked() -> None:
    torch.manual_seed(0)
    kept = drop_items(present_of([8] * 2000), 0.2).kept
    assert kept[:, 1:].float().mean().item() == pytest.approx(0.8, abs=0.02)
    assert bool(drop_items(present_of([8] * 9), 0.0).kept.all())


def test_the_state_at_the_last_kept_place_is_that_of_the_shortened_history() -> None:
    torch.manual_seed(0)
    config = CausalEncoderConfig(width=4, inner=8, max_history=8)
    encoder, items = CausalEncoder(config).eval(), torch.randn(1, 8, 4)
    view = drop_items(present_of([8]), 0.5)
    states = encoder(items, view.kept)
    for end, place in enumerate(view.last_kept()[0].tolist()):
        shortened = items[:, : end + 1][:, view.kept[0, : end + 1]]
        alone = encoder(shortened, torch.ones(1, shortened.shape[1], dtype=torch.bool))[:, -1]
        assert torch.allclose(states[:, place], alone, atol=1e-5)


@given(LENGTHS, st.floats(0, 1), st.integers(0, 99))
def test_words_are_dropped_of_items_that_are_there(lengths: list[int], share: float, seed: int) -> None:
    torch.manual_seed(seed)
    present = present_of(lengths)
    assert not drop_words(present, share)[~present].any()


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_words_are_dropped_as_often_as_asked(share: float) -> None:
    torch.manual_seed(0)
    chosen = drop_words(present_of([8] * 2000), share)
    assert chosen.float().mean().item() == pytest.approx(share, abs=0.02)
