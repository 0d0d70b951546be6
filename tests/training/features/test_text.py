import shutil
from pathlib import Path

import numpy as np
import pytest

from training.errors import EncoderUnavailable
from training.features.text import SentenceEncoder, require_weights, sentence_encoder

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


def test_weights_that_are_not_the_published_ones_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with pytest.raises(EncoderUnavailable, match="is not there"):
        require_weights(path, "0" * 64)
    path.write_bytes(b"other")
    with pytest.raises(EncoderUnavailable, match="not the published"):
        require_weights(path, "0" * 64)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderUnavailable, match="states no hidden_size"):
        _ = sentence_encoder(str(tmp_path)).info


def test_a_name_that_is_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EncoderUnavailable, match="neither a folder here nor a model"):
        sentence_encoder("not a model name")
