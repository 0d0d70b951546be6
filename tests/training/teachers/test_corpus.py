from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from service.bundle import PAD
from training.config import ConfigError
from training.dataset import Dataset
from training.features.item_features import EncoderInfo, ItemFeatures
from training.prepare import PrepareConfig, prepare
from training.sequences import train_windows
from training.sources.synthetic import SyntheticConfig
from training.teachers.corpus import Corpus

LENGTH = 8
PICTURES = EncoderInfo(name="pictures", fingerprint="1" * 64, width=3)


def seen(dataset: Dataset, encoder: EncoderInfo = PICTURES) -> Dataset:
    """The data set with a picture of every other item."""
    present = np.arange(len(dataset.catalog) + 1) % 2 == 1
    values = np.where(present[:, None], np.arange(present.size)[:, None] + np.ones(encoder.width), 0)
    return replace(dataset, image=ItemFeatures(values.astype(np.float32), present, encoder))


def in_domains(dataset: Dataset, *names: str) -> Dataset:
    """The data set, its items dealt out to some domains in turn."""
    items = (one.model_copy(update={"domain": names[k % len(names)]}) for k, one in enumerate(dataset.items))
    return replace(dataset, items=tuple(items))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    root = tmp_path_factory.mktemp("small")
    shape = SyntheticConfig(users=9, items=4, clusters=2)
    config = PrepareConfig(source="synthetic", encoder="hashed-words", synthetic=shape, cache=root / "cache")
    return prepare(config, root / "data", Console(file=io.StringIO()))


def test_one_data_set_is_its_own_corpus(markov: Dataset) -> None:
    corpus = Corpus.of([markov])
    found, windows = corpus.windows(LENGTH), train_windows(markov.interactions, markov.split, LENGTH)
    assert np.array_equal(corpus.text.values, markov.text.values)
    assert np.array_equal(corpus.text.present, markov.text.present)
    assert np.array_equal(corpus.text_word_drop.values, markov.text_word_drop.values)
    assert np.array_equal(found.history, windows.history)
    assert np.array_equal(found.target, windows.target)
    assert corpus.items == markov.items
    assert np.array_equal(corpus.domain, markov.domain)
    assert corpus.image is None


def test_every_data_set_has_indices_of_its_own_and_keeps_its_texts(markov: Dataset, noise: Dataset) -> None:
    corpus = Corpus.of([markov, noise])
    whole, first, start = corpus.windows(LENGTH), len(markov.catalog), 0
    assert len(corpus.text) == corpus.size == first + len(noise.catalog)
    assert corpus.items == markov.items + noise.items
    assert corpus.starts.tolist() == [0, first, corpus.size]
    assert not corpus.text.values[PAD].any()
    for number, dataset in enumerate((markov, noise)):
        windows = train_windows(dataset.interactions, dataset.split, LENGTH)
        mine = slice(start, start + len(windows))
        for name in ("history", "target"):
            found, wanted = getattr(whole, name)[mine], getattr(windows, name)
            assert np.array_equal(found, np.where(wanted == PAD, PAD, wanted + number * first))
            asked = wanted != PAD
            assert np.array_equal(corpus.text.values[found[asked]], dataset.text.values[wanted[asked]])
            dropped, own = corpus.text_word_drop.values, dataset.text_word_drop.values
            assert np.array_equal(dropped[found[asked]], own[wanted[asked]])
        start += len(windows)
    assert start == len(whole)


def test_nothing_of_validation_and_test_is_in_it(markov: Dataset) -> None:
    rows = Corpus.of([markov]).windows(LENGTH).row
    held_out = np.concatenate([markov.split.validation.row, markov.split.test.row])
    assert not np.isin(rows, held_out).any()


def test_a_data_set_without_pictures_has_none_among_others_that_have(markov: Dataset, small: Dataset) -> None:
    pictured = seen(small)
    assert pictured.image is not None
    for order in ((markov, pictured), (pictured, markov)):
        corpus = Corpus.of(order)
        assert corpus.image is not None
        assert len(corpus.image) == corpus.size
        start = 0
        for dataset in order:
            here = slice(1 + start, 1 + start + len(dataset.catalog))
            if dataset.image is None:
                assert not corpus.image.present[here].any()
            else:
                assert np.array_equal(corpus.image.present[here], pictured.image.present[1:])
                assert np.array_equal(corpus.image.values[here], pictured.image.values[1:])
            start += len(dataset.catalog)


def test_domains_of_several_data_sets_do_not_meet(markov: Dataset, small: Dataset) -> None:
    first, second = in_domains(markov, "games", "books", "films"), in_domains(small, "books", "tools")
    corpus = Corpus.of([first, second])
    assert corpus.domains == tuple(f"synthetic {name}" for name in ("books", "films", "games", "books", "tools"))
    assert corpus.domain[PAD] == 0
    assert corpus.domain.tolist()[1:4] == [2, 0, 1]
    assert corpus.domain.tolist()[1 + len(markov.catalog) :] == [3, 4, 3, 4]
    named = [corpus.domains[number].split()[-1] for number in corpus.domain[1:]]
    assert named == [item.domain for item in corpus.items]


def test_a_data_set_that_states_no_domain_is_one(markov: Dataset, small: Dataset) -> None:
    corpus = Corpus.of([markov, small])
    assert corpus.domains == ("synthetic", "synthetic")
    assert np.array_equal(corpus.domain[1:], np.repeat([0, 1], [len(markov.catalog), len(small.catalog)]))


def test_one_data_set_twice_is_refused(markov: Dataset, small: Dataset) -> None:
    with pytest.raises(ConfigError, match="the same data set twice among") as caught:
        Corpus.of([markov, small, markov])
    assert str(markov.folder) in str(caught.value)


def test_texts_of_two_encoders_make_no_corpus(markov: Dataset, small: Dataset) -> None:
    encoder = small.text.encoder.model_copy(update={"name": "another"})
    other = replace(small, text=replace(small.text, encoder=encoder))
    with pytest.raises(ConfigError, match="one corpus needs one text encoder") as caught:
        Corpus.of([markov, other])
    for part in (markov.folder, small.folder, "another"):
        assert str(part) in str(caught.value)


def test_pictures_of_two_encoders_make_no_corpus(markov: Dataset, small: Dataset) -> None:
    other = PICTURES.model_copy(update={"fingerprint": "2" * 64})
    with pytest.raises(ConfigError, match="one corpus needs one image encoder") as caught:
        Corpus.of([seen(markov), seen(small, other)])
    assert str(small.folder) in str(caught.value)
