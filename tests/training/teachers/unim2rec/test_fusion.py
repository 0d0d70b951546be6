from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.teachers.unim2rec.content import ItemContent, Modality
from training.teachers.unim2rec.fusion import AdaptorSizes, ContentFusion, drop_modalities

PRESENT = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=20)
ITEM = torch.arange(13)
SIZES = AdaptorSizes(width=8, experts=2, dropout=0.5)


@pytest.fixture
def fusion() -> ContentFusion:
    torch.manual_seed(0)
    made = ContentFusion({"text": 6, "image": 5}, SIZES)
    for one in made.parameters():
        torch.nn.init.normal_(one, std=0.3)
    return made.eval()


@given(PRESENT, st.floats(0, 0.99), st.integers(0, 99))
def test_an_item_never_loses_all_that_it_has_and_gains_nothing(
    rows: list[tuple[bool, bool]], probability: float, seed: int
) -> None:
    torch.manual_seed(seed)
    present = torch.tensor(rows)
    kept = drop_modalities(present, probability)
    assert not kept[~present].any()
    assert torch.equal(kept.any(dim=1), present.any(dim=1))


def test_modalities_are_dropped_as_often_as_asked() -> None:
    """Of two: p (1 - p) alone, and half of the times p^2 that both would go. A lone one: never."""
    torch.manual_seed(0)
    kept = drop_modalities(torch.ones(40_000, 2, dtype=torch.bool), 0.2)
    assert (~kept).float().mean(dim=0).tolist() == pytest.approx([0.18, 0.18], abs=0.01)
    lone = torch.tensor([[True, False], [False, True]]).repeat(500, 1)
    assert torch.equal(drop_modalities(lone, 0.9), lone)
    assert bool(drop_modalities(torch.ones(9, 2, dtype=torch.bool), 0.0).all())


def test_the_gate_gives_no_weight_to_what_is_missing(fusion: ContentFusion, content: ItemContent) -> None:
    weights = fusion.weights(fusion.read(fusion.adapt(content, ITEM), content.present), content.present)
    assert torch.allclose(weights.sum(dim=1), torch.ones(13))
    something = content.present.any(dim=1)
    assert not weights[something][~content.present[something]].any()
    assert torch.equal(weights[~something], torch.full((2, 2), 0.5))  # PAD and the item that has nothing
    both = weights[content.present.all(dim=1)]
    assert len(set(both.flatten().tolist())) == both.numel()  # a drawn gate hears every item its own way


def test_what_is_missing_is_never_read(fusion: ContentFusion, content: ItemContent) -> None:
    """It is NaN in the fixture."""
    adapted = fusion.adapt(content, ITEM)
    assert bool(adapted.isfinite().all())
    read = fusion.read(adapted, content.present)
    assert torch.equal(read[3, 0], fusion.missing["text"])
    assert torch.equal(read[2, 1], fusion.missing["image"])


def test_it_is_the_formula(fusion: ContentFusion, content: ItemContent) -> None:
    found = fusion(fusion.adapt(content, ITEM), content.present)
    assert fusion.gate is not None
    for item in range(1, 13):
        there = content.present[item]
        h = [
            fusion.adapted(name, content.vectors(name, ITEM[item : item + 1]))[0] if known else fusion.missing[name]
            for name, known in zip(fusion.names, there, strict=True)
        ]
        logits = fusion.gate(torch.cat([*h, there.float()]))
        read = there if there.any() else torch.ones(2, dtype=torch.bool)
        powers = [logits[m].exp() if read[m] else torch.zeros(()) for m in range(2)]
        wanted = (powers[0] * h[0] + powers[1] * h[1]) / (powers[0] + powers[1])
        if not there.any():
            wanted = (h[0] + h[1]) / 2
        assert torch.allclose(found[item], wanted, atol=1e-5)


def test_a_dropped_modality_is_as_if_it_had_never_been(fusion: ContentFusion, content: ItemContent) -> None:
    dropped = content.present.clone()
    dropped[5, 1] = False
    without = ItemContent(
        {name: Modality(content.vectors(name, ITEM), dropped[:, place]) for place, name in enumerate(content.names)},
        content.domain,
    )
    found, wanted = (fusion(fusion.adapt(one, ITEM), dropped) for one in (content, without))
    assert torch.allclose(found, wanted, atol=1e-6)


def test_training_begins_with_both_equally_heard(content: ItemContent) -> None:
    fresh = ContentFusion({"text": 6, "image": 5}, SIZES)
    weights = fresh.weights(fresh.read(fresh.adapt(content, ITEM), content.present), content.present)
    assert torch.equal(weights[content.present.all(dim=1)], torch.full((6, 2), 0.5))


def test_the_loudness_of_an_encoder_does_not_count(fusion: ContentFusion, content: ItemContent) -> None:
    values = content.vectors("text", ITEM[4:7])
    assert torch.allclose(fusion.adapted("text", values), fusion.adapted("text", 100 * values), atol=1e-5)


def test_one_modality_needs_no_gate(content: ItemContent) -> None:
    only = ContentFusion({"text": 6}, SIZES).eval()
    assert only.gate is None
    vectors = only.adapt(content, ITEM)
    assert torch.equal(only(vectors, content.present[:, :1])[1], vectors[1, 0])
    assert torch.equal(only(vectors, content.present[:, :1])[3], only.missing["text"])


def test_what_both_have_is_adopted(fusion: ContentFusion) -> None:
    torch.manual_seed(5)
    same = ContentFusion({"text": 6, "image": 5}, SIZES)
    same.adopt(fusion)
    assert all(torch.equal(one, fusion.state_dict()[name]) for name, one in same.state_dict().items())
    only = ContentFusion({"text": 6}, SIZES)
    only.adopt(fusion)
    assert all(torch.equal(one, fusion.state_dict()[name]) for name, one in only.state_dict().items())
    fresh = ContentFusion({"text": 6, "image": 5}, SIZES)
    before = {name: one.clone() for name, one in fresh.state_dict().items()}
    fresh.adopt(only)
    changed = {name for name, one in fresh.state_dict().items() if not torch.equal(one, before[name])}
    assert changed == {name for name in changed if "text" in name}
    assert torch.equal(fresh.missing["text"], fusion.missing["text"])


def test_without_noise_and_dropout_training_and_asking_say_the_same(content: ItemContent) -> None:
    for noisy in (True, False):
        sizes = AdaptorSizes(width=8, experts=2, dropout=0.0, gate_noise=noisy)
        fresh = ContentFusion({"text": 6}, sizes)
        trained, asked = fresh.train().adapt(content, ITEM), fresh.eval().adapt(content, ITEM)
        assert torch.equal(trained, asked) != noisy
