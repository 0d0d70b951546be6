from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    LongformerConfig,
    LongformerModel,
    PreTrainedModel,
    RobertaConfig,
    RobertaModel,
)

from training.config import ConfigError
from training.errors import EncoderUnavailable
from training.features.text import sentence_encoder
from training.teachers.recformer.backbone import FullAttention, SlidingWindow, load_backbone
from training.teachers.recformer.config import RandomBackbone, RecformerConfig
from training.teachers.recformer.vocabulary import PretrainedVocabulary, vocabulary

SIZES = {
    "vocab_size": 50,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 32,
}
LENGTHS = (3, 11, 20)
"""Tokens of three sequences: less than a window, no whole number of windows, whole windows."""


def present() -> Tensor:
    return torch.arange(max(LENGTHS))[None] < torch.tensor(LENGTHS)[:, None]


def hidden(width: int = 8) -> Tensor:
    return torch.randn(len(LENGTHS), max(LENGTHS), width, generator=torch.Generator().manual_seed(0))


def model_of(kind: str) -> Any:  # noqa: ANN401 - mypy knows little of transformers' models
    torch.manual_seed(0)
    made: dict[str, Callable[[], PreTrainedModel]] = {
        "bert": lambda: BertModel(BertConfig.from_dict(SIZES)),
        "roberta": lambda: RobertaModel(RobertaConfig.from_dict(SIZES)),
        "longformer": lambda: LongformerModel(LongformerConfig.from_dict(SIZES | {"attention_window": 16})),
    }
    return made[kind]().train(mode=False)


@pytest.fixture(params=["bert", "roberta", "longformer"])
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """A tiny random model in a folder, beside MiniLM's tokenizer: no word of it means anything."""
    model_of(request.param).save_pretrained(tmp_path)
    return request.param, tmp_path


def loaded(folder: Path | str, **changes: object) -> tuple[RecformerConfig, FullAttention | SlidingWindow]:
    config = RecformerConfig.model_validate(
        {"backbone": str(folder), "max_tokens": 24, "attention_window": 4} | changes
    )
    found = load_backbone(config, PretrainedVocabulary("minilm")).backbone.eval()
    assert isinstance(found, FullAttention | SlidingWindow)
    return config, found


def test_states_are_those_of_transformers_itself(saved: tuple[str, Path]) -> None:
    kind, folder = saved
    _, backbone = loaded(folder)
    model, tokens = model_of(kind), torch.randint(3, 50, (len(LENGTHS), max(LENGTHS)))
    given = {"input_ids": tokens.masked_fill(~present(), 1), "attention_mask": present().long()}
    if kind == "longformer":
        model.config.attention_window = [4, 4]
        for layer in model.encoder.layer:
            layer.attention.self.one_sided_attn_window_size = 2
        given["global_attention_mask"] = torch.zeros_like(tokens).index_fill_(1, torch.tensor([0]), 1)
    with torch.no_grad():
        embedded = model.embeddings(input_ids=given["input_ids"])
        wanted = model(**given).last_hidden_state
        found = backbone(embedded, present())
    assert torch.allclose(found[present()], wanted[present()], atol=1e-5)


def test_the_first_state_is_that_of_the_whole_pass(saved: tuple[str, Path]) -> None:
    _, backbone = loaded(saved[1])
    assert torch.allclose(backbone.first(hidden(), present()), backbone(hidden(), present())[:, 0], atol=1e-5)


def test_what_is_padding_does_not_count(saved: tuple[str, Path]) -> None:
    _, backbone = loaded(saved[1])
    found = backbone.first(hidden(), present())
    assert torch.allclose(backbone.first(hidden().masked_fill(~present()[..., None], 9.0), present()), found, atol=1e-5)
    for row, length in enumerate(LENGTHS):
        alone = backbone.first(hidden()[row : row + 1, :length], present()[row : row + 1, :length])
        assert torch.allclose(alone, found[row : row + 1], atol=1e-5)


def test_embeddings_begin_as_the_models_own_but_for_what_is_new(saved: tuple[str, Path]) -> None:
    kind, folder = saved
    found = load_backbone(
        RecformerConfig(backbone=str(folder), max_tokens=24), PretrainedVocabulary("minilm")
    ).embeddings
    own = model_of(kind).embeddings
    begin = 0 if kind == "bert" else 2  # RoBERTa's positions begin behind the padding's
    assert torch.equal(found.words.weight, own.word_embeddings.weight)
    assert torch.equal(found.positions.weight, own.position_embeddings.weight[begin:])
    assert torch.equal(found.norm.weight, own.LayerNorm.weight)
    assert (found.types.weight - own.token_type_embeddings.weight[0]).abs().max() < 0.2
    assert found.items.weight.shape == (51, 8)


def test_layers_are_kept_from_the_first(saved: tuple[str, Path]) -> None:
    _, whole = loaded(saved[1])
    _, cut = loaded(saved[1], layers=1)
    assert (len(whole.layers), len(cut.layers)) == (2, 1)
    assert all(torch.equal(a, b) for a, b in zip(cut.parameters(), whole.layers[0].parameters(), strict=True))
    with pytest.raises(ConfigError, match=r"layers 3: .* has 2"):
        loaded(saved[1], layers=3)


def test_more_positions_than_the_model_has_repeat(saved: tuple[str, Path]) -> None:
    config = RecformerConfig(backbone=str(saved[1]), max_tokens=70)
    found = load_backbone(config, PretrainedVocabulary("minilm")).embeddings.positions.weight
    own = len(
        load_backbone(config.model_copy(update={"max_tokens": 8}), vocabulary("minilm", 1)).embeddings.positions.weight
    )
    assert len(found) == 70
    assert torch.equal(found[own], found[0])


def test_weights_as_bin_are_read_as_well(saved: tuple[str, Path]) -> None:
    kind, folder = saved
    _, wanted = loaded(folder)
    (folder / "model.safetensors").unlink()
    torch.save(model_of(kind).state_dict(), folder / "pytorch_model.bin")
    _, found = loaded(folder)
    assert all(torch.equal(a, b) for a, b in zip(found.parameters(), wanted.parameters(), strict=True))


def test_a_longformer_token_sees_its_neighbours_and_s_sees_all(tmp_path: Path) -> None:
    model_of("longformer").save_pretrained(tmp_path)
    _, backbone = loaded(tmp_path, layers=1)
    given, all_there = hidden(), torch.ones(3, 20, dtype=torch.bool)
    changed = given.clone()
    changed[:, 15] += 1
    difference = (backbone(changed, all_there) - backbone(given, all_there)).abs().amax(dim=(0, 2)) > 1e-6
    assert difference.nonzero()[:, 0].tolist() == [0, 13, 14, 15, 16, 17]


def test_dropout_is_the_recipes(saved: tuple[str, Path]) -> None:
    for dropout in (0.0, 0.5):
        _, backbone = loaded(saved[1], dropout=dropout)
        backbone.train()
        torch.manual_seed(0)
        assert torch.equal(backbone(hidden(), present()), backbone(hidden(), present())) == (dropout == 0)


def test_a_random_backbone_has_the_sizes_asked_for() -> None:
    tiny = RandomBackbone(width=12, layers=3, heads=3, words=100, positions=40)
    found = load_backbone(RecformerConfig(backbone="none", random=tiny, max_tokens=16), vocabulary("none", 100))
    assert found.embeddings.words.weight.shape == (103, 12)
    assert found.embeddings.positions.weight.shape == (40, 12)
    assert len(found.backbone.layers) == 3


def test_minilm_is_found_without_a_network() -> None:
    _, backbone = loaded("minilm", layers=2)
    assert len(backbone.layers) == 2
    assert sum(one.numel() for one in backbone.parameters()) == 2 * 1_774_464


def test_an_unknown_type_of_model_is_refused(tmp_path: Path) -> None:
    DistilBertConfig().save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="is of type distilbert; known: bert, roberta, xlm-roberta, longformer"):
        loaded(tmp_path)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderUnavailable, match="no language model can be loaded"):
        loaded(tmp_path)


def test_weights_that_lack_a_part_are_refused(tmp_path: Path) -> None:
    shutil.copytree(sentence_encoder("minilm").folder, tmp_path, dirs_exist_ok=True)
    text = (tmp_path / "config.json").read_text(encoding="utf-8")
    (tmp_path / "config.json").write_text(text.replace('"num_hidden_layers": 6', '"num_hidden_layers": 7'), "utf-8")
    with pytest.raises(EncoderUnavailable, match=r"its weights lack encoder\.layer\.6"):
        loaded(tmp_path)


class Harmful:
    """What a pickle may hold: a call that reading it would make."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.marker,)


def test_a_pickle_that_would_run_something_is_refused(tmp_path: Path) -> None:
    model_of("bert").save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save({"harm": Harmful(tmp_path / "done")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(EncoderUnavailable, match="no language model can be loaded"):
        loaded(tmp_path)
    assert not (tmp_path / "done").exists()


def test_truncated_weights_are_refused(tmp_path: Path) -> None:
    model_of("bert").save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(EncoderUnavailable, match="no language model can be loaded"):
        loaded(tmp_path)


def test_weights_of_another_size_than_the_folder_states_are_refused(tmp_path: Path) -> None:
    model_of("bert").save_pretrained(tmp_path)
    BertConfig.from_dict(SIZES | {"intermediate_size": 12}).save_pretrained(tmp_path)
    with pytest.raises(EncoderUnavailable, match="no language model can be loaded"):
        loaded(tmp_path)
