from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.dataset import Dataset
from training.errors import SplitImpossible
from training.sequences import sequences_at
from training.teachers.corpus import Corpus
from training.teachers.recformer.examples import Examples, batches_of_like_length


def test_one_data_set_gives_the_histories_that_others_see(markov: Dataset) -> None:
    examples = Examples.of([markov], np.zeros(1, np.int64))
    rows = markov.split.train_rows(markov.interactions)
    found, wanted = examples.before(rows, 6), sequences_at(markov.interactions, rows, 6)
    assert np.array_equal(found.history, wanted.history)
    assert np.array_equal(found.target, wanted.target)


def test_a_sample_is_one_train_target_of_each_user(markov: Dataset) -> None:
    examples, seen = Examples.of([markov], np.zeros(1, np.int64)), set()
    for seed in range(200):
        rows = examples.sample(np.random.default_rng(seed), None)
        assert np.unique(markov.interactions.user[rows]).size == rows.size == len(markov.interactions.user_ids)
        seen |= set(rows.tolist())
    train = set(markov.split.train_rows(markov.interactions).tolist())
    assert seen <= train
    assert len(seen) > 0.99 * len(train)


def test_several_data_sets_are_laid_side_by_side(markov: Dataset, noise: Dataset) -> None:
    corpus = Corpus.of([markov, noise])
    examples = Examples.of(corpus.datasets, corpus.starts)
    rows = noise.split.train_rows(noise.interactions)
    found = examples.before(rows + len(markov.interactions), 6)
    wanted = sequences_at(noise.interactions, rows, 6)
    moved = np.where(wanted.history == 0, 0, wanted.history + len(markov.catalog))
    assert np.array_equal(found.history, moved)
    assert np.array_equal(found.target, wanted.target + len(markov.catalog))


def test_a_limit_takes_some_users_of_all_data_sets(markov: Dataset, noise: Dataset) -> None:
    corpus = Corpus.of([markov, noise])
    rows = Examples.of(corpus.datasets, corpus.starts).sample(np.random.default_rng(0), 100)
    assert rows.size == 100
    assert 20 < np.count_nonzero(rows < len(markov.interactions)) < 80


def test_users_without_a_target_are_left_out() -> None:
    examples = Examples(np.arange(1, 7), np.array([0, 1, 4]), np.array([0, 2, 0]))
    assert {int(examples.sample(np.random.default_rng(seed), None)[0]) for seed in range(20)} == {2, 3}
    assert examples.before(np.array([3]), 4).history.tolist() == [[0, 0, 2, 3]]


def test_nobody_to_learn_from_is_refused(markov: Dataset) -> None:
    """One interaction in the train part of each user."""
    one = np.ones(len(markov.interactions.user_ids), np.int64)
    split = type(markov.split)(markov.split.name, one, markov.split.validation, markov.split.test)
    with pytest.raises(SplitImpossible, match="nothing to learn from"):
        Examples.of([replace(markov, split=split)], np.zeros(1, np.int64))


@given(st.lists(st.integers(1, 99), max_size=200), st.integers(1, 9), st.integers(0, 99))
def test_every_example_is_in_one_batch_of_like_length(lengths: list[int], rows: int, seed: int) -> None:
    examples = np.arange(len(lengths)) + 1000
    batches = batches_of_like_length(examples, np.array(lengths, np.int64), rows, np.random.default_rng(seed))
    assert sorted(np.concatenate(batches)) == examples.tolist() if batches else not lengths
    assert all(0 < one.size <= rows for one in batches)
    if len(lengths) <= 16 * rows:  # one pool: no batch begins before another one ends
        spans = sorted((min(lengths[k - 1000] for k in one), max(lengths[k - 1000] for k in one)) for one in batches)
        assert all(low >= high for (_, high), (low, _) in pairwise(spans))
