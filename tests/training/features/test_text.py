import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import BertConfig, BertModel, BertTokenizer

from training.errors import EncoderUnavailable
from training.features.text import PoolingName, SentenceEncoder, sentence_encoder

TEXTS = ["steel hammer", "a hammer made out of steel", "silk evening dress", "word " * 300]


@pytest.fixture(scope="module")
def minilm() -> SentenceEncoder:
    return sentence_encoder("minilm", max_tokens=32)


def test_minilm_gives_unit_vectors_that_know_meaning(minilm: SentenceEncoder) -> None:
    vectors = minilm.encode(TEXTS)
    assert vectors.shape == (4, 384)
    assert vectors.dtype == np.dtype(np.float32)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.3


def test_a_vector_does_not_depend_on_the_texts_beside_it(minilm: SentenceEncoder) -> None:
    alone = np.concatenate([minilm.encode([text]) for text in TEXTS])
    assert np.allclose(minilm.encode(TEXTS), alone, atol=1e-5)


def test_only_so_many_tokens_are_read(minilm: SentenceEncoder) -> None:
    first, second = minilm.encode(["word " * 60 + "hammer", "word " * 60 + "dress"])
    assert np.array_equal(first, second)


def test_the_fingerprint_is_of_the_weights_and_the_cut(minilm: SentenceEncoder, tmp_path: Path) -> None:
    copy = shutil.copytree(minilm.folder, tmp_path / "model")
    same = SentenceEncoder("copy", copy, 32).info
    assert (same.fingerprint, same.width) == (minilm.info.fingerprint, 384)
    assert sentence_encoder("minilm", max_tokens=64).info.fingerprint != minilm.info.fingerprint
    with (copy / "model.safetensors").open("r+b") as weights:
        weights.seek(-1, 2)
        weights.write(b"\x7f")
    assert sentence_encoder(str(copy), 32).info.fingerprint != minilm.info.fingerprint


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderUnavailable, match="states no hidden_size"):
        _ = sentence_encoder(str(tmp_path)).info


def test_a_name_that_is_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EncoderUnavailable, match="neither a folder here nor a model"):
        sentence_encoder("not a model name")


@pytest.fixture(scope="module")
def plain_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT as the hub has it: model and tokenizer, and no word of sentence-transformers."""
    folder = tmp_path_factory.mktemp("encoders") / "bert"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "steel", "hammer", "silk"]
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    BertModel(config).save_pretrained(folder)
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


@torch.no_grad()
def test_pooling_is_the_first_state_or_the_mean_of_all(plain_bert: Path) -> None:
    text = "steel hammer"
    states = BertModel.from_pretrained(plain_bert)(torch.tensor([[2, 5, 6, 3]])).last_hidden_state[0].numpy()
    expected: dict[PoolingName, NDArray[np.float32]] = {
        "cls": states[0],
        "mean": states.mean(axis=0),
        "auto": states.mean(axis=0),
    }
    for pooling, vector in expected.items():
        found = sentence_encoder(str(plain_bert), 32, pooling).encode([text, "silk silk silk silk"])
        assert np.allclose(found[0], vector, atol=1e-5), pooling


def test_pooling_is_part_of_the_fingerprint(plain_bert: Path) -> None:
    poolings: tuple[PoolingName, ...] = ("auto", "mean", "cls")
    found = {sentence_encoder(str(plain_bert), 32, pooling).info.fingerprint for pooling in poolings}
    assert len(found) == 3
