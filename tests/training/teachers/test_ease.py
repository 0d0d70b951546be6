"""EASE against its own definition: the closed form, the zero diagonal, and a user left out as if never met."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from training.config import ConfigError
from training.dataset import Dataset
from training.teachers.ease import MOST_ITEMS, Ease, EaseConfig

CONFIG = EaseConfig(ridge=5.0, decay=0.6, max_history=4)


@pytest.fixture(scope="module")
def ease(markov: Dataset) -> Ease:
    return Ease.fit(CONFIG, markov.interactions, markov.split, len(markov.catalog))


def by_hand(dataset: Dataset, row: int, without: int | None) -> np.ndarray:
    """Loops and numpy's inverse, from the formula of the paper; `without`: a user whose row is not in X."""
    interactions, items = dataset.interactions, len(dataset.catalog)
    met = np.zeros((len(interactions.offsets) - 1, items))
    for user, count in enumerate(dataset.split.train_end):
        first = interactions.offsets[user]
        met[user, interactions.item[first : first + count] - 1] = 1
    if without is not None:
        met[without] = 0
    inverse = np.linalg.inv(met.T @ met + CONFIG.ridge * np.eye(items))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    first = interactions.offsets[interactions.user[row]]
    history = np.zeros(items)
    for age, item in enumerate(interactions.item[first:row][::-1][: CONFIG.max_history]):
        history[item - 1] = max(history[item - 1], CONFIG.decay**age)
    return history @ weights


@pytest.mark.parametrize("leave_out", [True, False])
def test_scores_are_those_of_the_formula(markov: Dataset, ease: Ease, *, leave_out: bool) -> None:
    rows = np.random.default_rng(0).choice(markov.split.train_rows(markov.interactions), 12, replace=False)
    found = ease.scores(rows, leave_out=leave_out)
    for row, scores in zip(rows.tolist(), found, strict=True):
        user = int(markov.interactions.user[row]) if leave_out else None
        np.testing.assert_allclose(scores.numpy(), by_hand(markov, row, user), atol=2e-4)


def test_what_a_user_met_tells_nothing_about_itself_to_who_is_left_out(markov: Dataset, ease: Ease) -> None:
    rows = markov.split.train_rows(markov.interactions)[:400]
    target = torch.from_numpy(markov.interactions.item[rows].astype(np.int64) - 1)[:, None]
    known = ease.scores(rows, leave_out=False).gather(1, target).mean()
    left_out = ease.scores(rows, leave_out=True).gather(1, target).mean()
    assert known > left_out


def test_a_catalogue_beyond_its_reach_is_refused(markov: Dataset) -> None:
    with pytest.raises(ConfigError, match=f"{MOST_ITEMS + 1:,} items"):
        Ease.fit(CONFIG, markov.interactions, markov.split, MOST_ITEMS + 1)


def test_an_older_item_counts_less(markov: Dataset, ease: Ease) -> None:
    rows = markov.split.test.row[:5]
    flat = replace(ease, config=CONFIG.model_copy(update={"decay": 1.0}))
    assert not torch.allclose(ease.scores(rows, leave_out=False), flat.scores(rows, leave_out=False))


def test_the_rows_of_its_matrix_are_contiguous(ease: Ease) -> None:
    """Read item by item; with rows apart, as LAPACK leaves them, that takes many times as long."""
    assert ease.inverse.is_contiguous()
