from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import LongformerConfig, LongformerForMaskedLM, LongformerModel

from training.artefacts import ArtefactCorrupt, ArtefactMismatch, ArtefactMissing
from training.dataset import Dataset
from training.features.text import sentence_encoder
from training.teachers.corpus import Corpus
from training.teachers.recformer.config import RecformerConfig
from training.teachers.recformer.official import read_official
from training.teachers.recformer.recformer import Recformer

SIZES = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
Form = Callable[[dict[str, Tensor]], dict[str, Tensor]]


def longformer() -> LongformerConfig:
    return LongformerConfig.from_dict(
        {"vocab_size": 30522, "max_position_embeddings": 70, "attention_window": 4} | SIZES
    )


@pytest.fixture
def config(tmp_path: Path) -> RecformerConfig:
    """The backbone that such a checkpoint was made from: a tiny random Longformer over MiniLM's words."""
    for path in sentence_encoder("minilm").folder.glob("*token*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    LongformerModel(longformer()).save_pretrained(tmp_path)
    return RecformerConfig(backbone=str(tmp_path), max_tokens=40, attention_window=4)


@pytest.fixture
def published() -> dict[str, Tensor]:
    """Names and shapes of `recformer_seqrec_ckpt.bin`: Longformer's, four token types, 51 item positions, a counter."""
    torch.manual_seed(1)
    weights = {name: torch.randn_like(one) for name, one in LongformerForMaskedLM(longformer()).state_dict().items()}
    front = "longformer.embeddings"
    added = {
        f"{front}.token_type_embeddings.weight": torch.randn(4, 8),
        f"{front}.item_position_embeddings.weight": torch.randn(51, 8),
        f"{front}.position_ids": torch.arange(70)[None],
    }
    return weights | added


def bare(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("longformer."): one for name, one in weights.items() if name.startswith("longformer.")}


def as_trained(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"_forward_module.model.{name}": one for name, one in weights.items() if "word_embeddings" not in name}


def fitted_to_items(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {**weights, "item_embedding.weight": torch.randn(7, 8)}


def read(weights: dict[str, Tensor], folder: Path, config: RecformerConfig, dataset: Dataset) -> Recformer:
    path = folder / "recformer_seqrec_ckpt.bin"
    torch.save(weights, path)
    return read_official(path, config, Corpus.of([dataset])).eval()


@pytest.mark.parametrize("form", [dict, bare, as_trained, fitted_to_items])
def test_every_published_form_is_read(
    form: Form, published: dict[str, Tensor], config: RecformerConfig, markov: Dataset, tmp_path: Path
) -> None:
    model = read(form(published), tmp_path, config, markov)
    front = "longformer.embeddings"
    assert torch.equal(model.embeddings.types.weight, published[f"{front}.token_type_embeddings.weight"])
    assert torch.equal(model.embeddings.items.weight, published[f"{front}.item_position_embeddings.weight"])
    assert torch.equal(model.embeddings.positions.weight, published[f"{front}.position_embeddings.weight"][2:])
    assert torch.equal(model.embeddings.norm.bias, published[f"{front}.LayerNorm.bias"])
    for name, one in model.backbone.layers.state_dict().items():
        assert torch.equal(one, published[f"longformer.encoder.layer.{name}"]), name
    words = torch.equal(model.embeddings.words.weight, published[f"{front}.word_embeddings.weight"])
    assert words == (form is not as_trained)  # frozen words are not in the trainer's own file
    assert torch.equal(model.head.dense.weight, published["lm_head.dense.weight"]) == (form is not bare)
    assert len(model.items) == 0


def test_a_history_is_read_as_the_official_code_reads_it(
    published: dict[str, Tensor], config: RecformerConfig, markov: Dataset, tmp_path: Path
) -> None:
    """Its embedding layer is summed here by hand from the published tables; transformers' encoder does the rest."""
    model = read(published, tmp_path, config, markov)
    batch = model.sequences(torch.tensor([[3, 1, 2]]).numpy())
    tables = {name: published[f"longformer.embeddings.{name}.weight"] for name in (
        "word_embeddings", "position_embeddings", "token_type_embeddings", "item_position_embeddings"
    )}  # fmt: skip
    summed = (
        tables["word_embeddings"][batch.token]
        + tables["position_embeddings"][torch.arange(batch.token.shape[1]) + 2]  # fairseq: padding_idx + 1 is the first
        + tables["token_type_embeddings"][batch.kind]
        + tables["item_position_embeddings"][batch.item]
    )
    norm = (published["longformer.embeddings.LayerNorm.weight"], published["longformer.embeddings.LayerNorm.bias"])
    embedded = torch.nn.functional.layer_norm(summed, (8,), *norm, eps=longformer().layer_norm_eps)
    official = LongformerModel(longformer(), add_pooling_layer=False).train(mode=False)
    official.load_state_dict({n: w for n, w in bare(published).items() if n.startswith("encoder")}, strict=False)
    length = embedded.shape[1]
    padded = torch.nn.functional.pad(embedded, (0, 0, 0, -length % 4))
    mask = torch.full(padded.shape[:2], -1.0)
    mask[:, :length], mask[:, 0] = 0.0, 1.0
    with torch.no_grad():
        wanted = official.encoder(padded, attention_mask=mask).last_hidden_state[:, 0]
        found = model.encode(torch.tensor([[3, 1, 2]]))
    assert torch.allclose(found, torch.nn.functional.normalize(wanted, dim=-1), atol=1e-5)


def changed(weights: dict[str, Tensor], name: str, one: Tensor | None) -> dict[str, Tensor]:
    rest = {other: tensor for other, tensor in weights.items() if other != name}
    return rest if one is None else {**rest, name: one}


@pytest.mark.parametrize(
    ("name", "one", "said"),
    [
        ("longformer.encoder.layer.0.output.dense.bias", None, "backbone.layers.0.output.dense.bias is missing"),
        ("longformer.embeddings.word_embeddings.weight", None, "embeddings.words.weight is missing"),
        ("longformer.pooler.dense.weight", torch.ones(8, 8), "longformer.pooler.dense.weight is unknown"),
        (
            "longformer.embeddings.token_type_embeddings.weight",
            torch.ones(2, 8),
            r"is \[2, 8\] there and \[4, 8\] here",
        ),
    ],
)
def test_what_does_not_fit_is_named(
    name: str,
    one: Tensor | None,
    said: str,
    published: dict[str, Tensor],
    config: RecformerConfig,
    markov: Dataset,
    tmp_path: Path,
) -> None:
    with pytest.raises(ArtefactMismatch, match=said):
        read(changed(published, name, one), tmp_path, config, markov)


def test_another_backbone_than_longformer_is_refused(
    published: dict[str, Tensor], markov: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(ArtefactMismatch, match=r"no Recformer checkpoint for backbone none: .* and .* more"):
        read(published, tmp_path, RecformerConfig(backbone="none"), markov)


def test_no_file_and_no_checkpoint_are_refused(config: RecformerConfig, markov: Dataset, tmp_path: Path) -> None:
    corpus = Corpus.of([markov])
    with pytest.raises(ArtefactMissing):
        read_official(tmp_path / "nothing.bin", config, corpus)
    (tmp_path / "text.bin").write_text("not weights")
    with pytest.raises(ArtefactCorrupt):
        read_official(tmp_path / "text.bin", config, corpus)
