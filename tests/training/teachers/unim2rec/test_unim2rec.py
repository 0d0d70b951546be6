from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from service.bundle import PAD
from training.teachers.unim2rec.content import ItemContent, Modality
from training.teachers.unim2rec.unim2rec import UniM2Rec

Build = Callable[..., UniM2Rec]
HISTORIES = st.lists(st.lists(st.integers(1, 12), min_size=1, max_size=7), min_size=1, max_size=4)
ALL = torch.arange(1, 13)


def padded(histories: list[list[int]]) -> Tensor:
    length = max(map(len, histories))
    return torch.tensor([[PAD] * (length - len(one)) + one for one in histories])


def same(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, atol=1e-10, rtol=0)


@pytest.fixture(scope="module")
def whole(build: Build) -> UniM2Rec:
    return build()


@given(HISTORIES)
def test_a_batch_says_what_each_history_says_alone(whole: UniM2Rec, histories: list[list[int]]) -> None:
    """Also: left padding changes nothing."""
    found = whole.encode(padded(histories))
    assert same(found.norm(dim=1), torch.ones(len(histories), dtype=torch.float64))
    for line, one in zip(found, histories, strict=True):
        assert same(line, whole.encode(torch.tensor([one]))[0])


@given(st.lists(st.integers(1, 12), min_size=1, max_size=7))
def test_one_pass_is_exact_for_every_prefix(whole: UniM2Rec, history: list[int]) -> None:
    prefixes = padded([history[:end] for end in range(1, len(history) + 1)])
    assert same(whole.hidden(torch.tensor([history]))[0], whole.encode(prefixes))


def test_domains_left_behind_are_heard(build: Build) -> None:
    """Items 1-4 are of domain a, 5-8 of b, 9-12 of c."""
    model, without = build(), build(all_domains=False)
    without.load_state_dict(model.state_dict(), strict=False)
    pure, mixed = torch.tensor([[5, 6, 8]]), torch.tensor([[1, 6, 8]])
    assert torch.equal(model.encode(pure), without.encode(pure))
    assert not same(model.encode(mixed), without.encode(mixed))


def test_a_catalogue_of_one_domain_needs_nothing_of_it(build: Build, content: ItemContent) -> None:
    one = ItemContent(
        {
            name: Modality(content.vectors(name, torch.arange(13)), content.present[:, k])
            for k, name in enumerate(content.names)
        },
        torch.zeros(13, dtype=torch.long),
    )
    model, without = (build(one, domains=("a",), all_domains=several) for several in (True, False))
    history = torch.tensor([[1, 6, 8], [0, 9, 3]])
    assert model.state_dict().keys() == without.state_dict().keys()
    assert torch.equal(model.hidden(history), without.hidden(history))


def test_domains_are_told_apart_as_items_are_read_and_not_as_they_are_answered(build: Build) -> None:
    model, moved = build(all_domains=False), build(all_domains=False)
    with torch.no_grad():
        moved.domain.vectors[1] += torch.randn(8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.equal(model.item_matrix(), moved.item_matrix())
    assert torch.equal(model.encode(torch.tensor([[1, 9]])), moved.encode(torch.tensor([[1, 9]])))
    assert not same(model.encode(torch.tensor([[5]])), moved.encode(torch.tensor([[5]])))


def test_what_is_missing_is_never_read(build: Build) -> None:
    """It is NaN in the fixture."""
    model = build()
    assert bool(model.item_matrix().isfinite().all())
    assert bool(model.encode(ALL[None, :7]).isfinite().all())


def test_pad_is_nothing(build: Build) -> None:
    assert not build(item_ids=True).raw_item_matrix()[PAD].any()


def test_with_ids_an_item_of_no_content_is_still_itself(build: Build) -> None:
    plain, with_ids = build(), build(item_ids=True)
    with_ids.load_state_dict(plain.state_dict(), strict=False)
    assert with_ids.ids is not None
    assert torch.allclose(with_ids.raw_item_matrix()[1:], plain.raw_item_matrix()[1:] + with_ids.ids.weight[1:])


def test_training_drops_modalities_and_asking_does_not(build: Build) -> None:
    model = build(modality_dropout=0.9, adaptor_dropout=0.0)
    calm = model.raw_item_matrix()
    assert torch.equal(calm, model.raw_item_matrix())
    model.train()
    torch.manual_seed(0)
    adapted = model.adapt(ALL)
    first, second = model.fuse(adapted), model.fuse(adapted)
    whole = adapted.present.all(dim=1)
    changed = (first != second).any(dim=1)
    assert changed[whole].any()
    assert not changed[~whole].any()  # a lone modality stays


def test_the_content_belongs_to_the_data_and_is_not_saved(build: Build) -> None:
    assert not [name for name in build().state_dict() if name.startswith("content")]


def test_a_text_only_model_has_no_adaptor_for_pictures(build: Build, content: ItemContent) -> None:
    text = ItemContent(
        {"text": Modality(content.vectors("text", torch.arange(13)), content.present[:, 0])}, content.domain
    )
    model = build(text, image_width=0)
    assert not [name for name in model.state_dict() if "image" in name or name.startswith("fusion.gate")]
    assert bool(model.item_matrix().isfinite().all())


def test_freezing_leaves_positions_and_attention_and_nothing_else(build: Build) -> None:
    model = build()
    model.freeze_sequence_encoder()
    frozen = {name for name, one in model.named_parameters() if not one.requires_grad}
    assert frozen == {
        name for name, _ in model.named_parameters() if name.startswith(("encoder.position", "encoder.blocks"))
    }


@pytest.mark.parametrize("history", [[[0, 0, 0]], [[0, 0, 12]]])
def test_histories_of_nothing_are_finite(build: Build, history: list[list[int]]) -> None:
    assert bool(build().hidden(torch.tensor(history)).isfinite().all())
