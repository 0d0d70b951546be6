from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import LongformerConfig, LongformerModel

from training.features.text import sentence_encoder
from training.items import Item
from training.teachers.recformer.recformer import Recformer

Build = Callable[..., Recformer]
HISTORIES = st.lists(st.lists(st.integers(1, 12), max_size=8), min_size=1, max_size=6)
POOLING = pytest.mark.parametrize("pooling", ["first", "mean"])
one_model = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)


def padded(histories: list[list[int]], width: int = 8) -> Tensor:
    return torch.tensor([[0] * (width - len(one)) + one for one in histories])


@POOLING
def test_vectors_have_length_one_the_empty_history_s_too(build: Build, pooling: str) -> None:
    model = build(pooling=pooling)
    with torch.no_grad():
        users, items = model.encode(padded([[], [3], [1, 2, 3]])), model.item_matrix()
    assert torch.allclose(users.norm(dim=1), torch.ones(3))
    assert torch.allclose(items.norm(dim=1), torch.tensor([0.0] + [1.0] * 12))


@one_model
@given(HISTORIES, st.integers(1, 200))
def test_a_batch_says_what_its_histories_say_alone_however_it_is_cut(
    build: Build, histories: list[list[int]], budget: int
) -> None:
    model, cut = build(), build(tokens_per_pass=budget)
    with torch.no_grad():
        alone = torch.cat([model.encode(padded([one])) for one in histories])
        assert torch.allclose(model.encode(padded(histories)), alone, atol=1e-5)
        assert torch.allclose(cut.encode(padded(histories)), alone, atol=1e-5)


@POOLING
def test_padding_on_the_left_changes_nothing(build: Build, pooling: str) -> None:
    model, histories = build(pooling=pooling), [[1, 2, 3], [7], []]
    with torch.no_grad():
        assert torch.allclose(model.encode(padded(histories, 3)), model.encode(padded(histories, 20)), atol=1e-6)


def test_the_order_of_what_is_read_counts_and_that_of_older_items_does_not(build: Build) -> None:
    model = build(max_items=3)
    with torch.no_grad():
        found = model.encode(padded([[9, 8, 1, 2, 3], [8, 9, 4, 1, 2, 3], [9, 8, 2, 1, 3]]))
    assert torch.allclose(found[0], found[1], atol=1e-6)
    assert not torch.allclose(found[0], found[2], atol=1e-5)


def test_an_item_s_vector_is_that_of_a_history_of_it_alone(build: Build) -> None:
    model = build()
    with torch.no_grad():
        assert torch.allclose(model.item_matrix()[1:], model.encode(torch.arange(1, 13)[:, None]), atol=1e-6)


def test_items_are_what_their_words_say(build: Build, catalogue: Sequence[Item]) -> None:
    model = build()
    with torch.no_grad():
        items = model.item_matrix()
        assert torch.equal(items[11], items[12])
        assert len(torch.unique((items[1:12] * 1e4).round(), dim=0)) == 11
        again = build(items=catalogue[::-1]).item_matrix()
    assert torch.allclose(again[1:], items[1:].flip(0), atol=1e-6)


def test_gradients_reach_every_part_that_reads(build: Build) -> None:
    model = build()
    model.encode(padded([[1, 2], [3]])).sum().backward()  # type: ignore[no-untyped-call]
    silent = {name for name, one in model.named_parameters() if one.grad is None or not one.grad.any()}
    # softmax does not feel what is added to all of its logits; the head only guesses words
    assert all(name.startswith("head.") or name.endswith("attention.self.key.bias") for name in silent), silent


def test_no_history_at_all_gives_no_vector(build: Build) -> None:
    assert build().encode(torch.zeros(0, 4, dtype=torch.long)).shape == (0, 16)


def test_kept_items_are_what_was_read_then(build: Build) -> None:
    model = build(dropout=0.5).train()
    assert model.items.shape == (0, 16)
    model.keep_items()
    assert model.training
    kept = model.items.clone()
    model.eval()
    with torch.no_grad():
        assert torch.allclose(kept, model.read_items(), atol=1e-6)
        model.embeddings.norm.weight.mul_(2).add_(torch.arange(16))
        assert torch.equal(model.item_matrix(), kept)
        assert not torch.allclose(model.read_items(), kept, atol=1e-2)


def test_kept_items_are_saved_and_read_back_whether_there_are_some_or_not(build: Build) -> None:
    empty, filled = build(), build()
    filled.keep_items()
    for source in (filled, empty):
        for target in (build(), filled):
            target.load_state_dict({name: one.clone() for name, one in source.state_dict().items()})
            assert torch.equal(target.items, source.items)


def test_kept_items_of_another_catalogue_are_refused(build: Build, catalogue: Sequence[Item]) -> None:
    other = build(items=catalogue[:5])
    other.keep_items()
    with pytest.raises(RuntimeError, match="items"):
        build().load_state_dict(other.state_dict())


def test_without_kept_items_weights_of_one_catalogue_read_another(build: Build, catalogue: Sequence[Item]) -> None:
    model = build(items=catalogue[:5])
    model.load_state_dict(build().state_dict())
    with torch.no_grad():
        assert torch.allclose(model.item_matrix(), build().item_matrix()[:6], atol=1e-6)


def test_bf16_says_about_the_same(build: Build) -> None:
    exact, rounded = build(), build(precision="bf16")
    with torch.no_grad():
        first, second = (model.encode(padded([[1, 2, 3], [4]])) for model in (exact, rounded))
    assert second.dtype == torch.float32
    assert not torch.equal(first, second)
    assert torch.allclose(first, second, atol=0.05)


def test_guesses_are_of_the_chosen_tokens(build: Build) -> None:
    model = build()
    batch = model.sequences(padded([[1, 2], [3]]).numpy())
    chosen = torch.zeros_like(batch.present)
    chosen[0, 2] = chosen[1, 1] = True
    with torch.no_grad():
        found = model.guesses(batch, chosen)
        states = model.backbone(model.embeddings(batch), batch.present)[chosen]
        wanted = model.head(states, model.embeddings.words.weight)
    assert found.shape == (2, 515)
    assert torch.allclose(found, wanted)


@pytest.mark.parametrize("backbone", ["minilm", "longformer"])
def test_real_vocabularies_and_both_attentions_obey_the_laws(
    build: Build, backbone: Literal["minilm", "longformer"], tmp_path: Path
) -> None:
    where = _longformer(tmp_path) if backbone == "longformer" else backbone
    model = build(backbone=where, layers=1, attention_window=4)
    histories = [[1, 2, 3, 4], [7], [], [5, 1]]
    with torch.no_grad():
        found = model.encode(padded(histories))
        alone = torch.cat([model.encode(padded([one], 12)) for one in histories])
    assert torch.allclose(found, alone, atol=1e-5)
    assert torch.allclose(found.norm(dim=1), torch.ones(4))


def _longformer(folder: Path) -> str:
    """A tiny random one, over MiniLM's words."""
    for path in sentence_encoder("minilm").folder.glob("*token*"):
        (folder / path.name).write_bytes(path.read_bytes())
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    config = LongformerConfig.from_dict(
        {"vocab_size": 30522, "max_position_embeddings": 70, "attention_window": 16} | sizes
    )
    LongformerModel(config).save_pretrained(folder)
    return str(folder)
