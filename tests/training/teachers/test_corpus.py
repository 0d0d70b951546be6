from pathlib import Path

import numpy as np
import pytest

from service.bundle import PAD
from training.config import ConfigError
from training.dataset import Dataset
from training.prepare import PrepareConfig, prepare
from training.sequences import train_windows
from training.sources.synthetic import SyntheticConfig
from training.teachers.corpus import Corpus

LENGTH = 8


def test_one_data_set_is_its_own_corpus(markov: Dataset) -> None:
    corpus = Corpus.of([markov], LENGTH)
    windows = train_windows(markov.interactions, markov.split, LENGTH)
    assert np.array_equal(corpus.text.numpy(), markov.text.values)
    assert np.array_equal(corpus.text_word_drop.numpy(), markov.text_word_drop.values)
    assert np.array_equal(corpus.windows.history, windows.history)
    assert np.array_equal(corpus.windows.target, windows.target)


def test_every_domain_has_indices_of_its_own_and_keeps_its_texts(markov: Dataset, noise: Dataset) -> None:
    corpus = Corpus.of([markov, noise], LENGTH)
    first, start = len(markov.catalog), 0
    assert len(corpus.text) == 1 + first + len(noise.catalog)
    assert not corpus.text[PAD].any()
    for number, dataset in enumerate((markov, noise)):
        windows = train_windows(dataset.interactions, dataset.split, LENGTH)
        mine = slice(start, start + len(windows))
        for name in ("history", "target"):
            found, wanted = getattr(corpus.windows, name)[mine], getattr(windows, name)
            assert np.array_equal(found, np.where(wanted == PAD, PAD, wanted + number * first))
            asked = wanted != PAD
            assert np.array_equal(corpus.text.numpy()[found[asked]], dataset.text.values[wanted[asked]])
        start += len(windows)
    assert start == len(corpus.windows)


def test_nothing_of_validation_and_test_is_in_it(markov: Dataset) -> None:
    rows = Corpus.of([markov], LENGTH).windows.row
    held_out = np.concatenate([markov.split.validation.row, markov.split.test.row])
    assert not np.isin(rows, held_out).any()


def test_texts_of_two_encoders_make_no_corpus(markov: Dataset, tmp_path: Path) -> None:
    shape = SyntheticConfig(users=5, items=4, clusters=2)
    config = PrepareConfig(source="synthetic", encoder="hashed-words", synthetic=shape, cache=tmp_path / "cache")
    prepared = prepare(config, tmp_path / "data")
    encoder = prepared.text.encoder.model_copy(update={"name": "another"})
    text = type(prepared.text)(prepared.text.values, prepared.text.present, encoder)
    other = Dataset(
        prepared.catalog,
        prepared.items,
        prepared.interactions,
        prepared.split,
        text,
        prepared.text_word_drop,
        prepared.folder,
        prepared.manifest,
    )
    with pytest.raises(ConfigError, match="one corpus needs one text encoder") as caught:
        Corpus.of([markov, other], LENGTH)
    assert str(prepared.folder) in str(caught.value)
