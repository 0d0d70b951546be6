from __future__ import annotations

import numpy as np
import torch

from training.dataset import Dataset
from training.teachers.corpus import Corpus
from training.teachers.unim2rec.content import ItemContent


def test_it_is_the_corpus_in_the_modalities_that_are_read(pictured: Dataset, noise: Dataset) -> None:
    corpus = Corpus.of([pictured, noise])
    content = ItemContent.of(corpus, {"text": 64, "image": 5})
    assert corpus.image is not None
    everything = torch.arange(len(content))
    assert len(content) == 1 + len(pictured.catalog) + len(noise.catalog)
    assert np.array_equal(content.vectors("text", everything), corpus.text.values)
    assert np.array_equal(content.vectors("image", everything), corpus.image.values)
    assert np.array_equal(content.present, np.stack([corpus.text.present, corpus.image.present], axis=1))
    assert np.array_equal(content.domain, corpus.domain)
    assert ItemContent.of(corpus, {"image": 5}).names == ("image",)


def test_what_a_corpus_lacks_is_missing_everywhere(markov: Dataset) -> None:
    """A model that reads pictures can be looked at over a catalogue that has none."""
    content = ItemContent.of(Corpus.of([markov]), {"text": 64, "image": 5})
    assert not content.present[:, 1].any()
    assert content.vectors("image", torch.tensor([3])).shape == (1, 5)


def test_nothing_of_it_is_saved(markov: Dataset) -> None:
    assert not ItemContent.of(Corpus.of([markov]), {"text": 64}).state_dict()
