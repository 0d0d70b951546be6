"""Counted transitions against their own definition, and a user left out as if never met."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from training.config import ConfigError
from training.dataset import Dataset
from training.teachers.transitions import MOST_ITEMS, Transitions, TransitionsConfig, TransitionsSearch, count_pairs

CONFIG = TransitionsConfig(window=3, fade=0.5, backward=0.25, decay=0.6, root=0.5, mass=2.0, max_history=4)


@pytest.fixture(scope="module")
def model(markov: Dataset) -> Transitions:
    items = len(markov.catalog)
    count = count_pairs(markov.interactions, markov.split, items, CONFIG)
    popularity = torch.arange(1, items + 1) / sum(range(1, items + 1))
    return Transitions(CONFIG, count, popularity, markov.interactions, markov.split)


def by_hand(dataset: Dataset, model: Transitions, row: int, without: int | None) -> np.ndarray:
    """Loops, from the formula; `without`: a user who was never met."""
    interactions, items = dataset.interactions, len(dataset.catalog)
    count = np.zeros((items, items))
    for user, length in enumerate(dataset.split.train_end):
        first = interactions.offsets[user]
        met = (interactions.item[first : first + length] - 1).tolist()
        for later, after in enumerate(met):
            for distance in range(1, min(CONFIG.window, later) + 1):
                before = met[later - distance]
                if user != without and before != after:
                    count[before, after] += CONFIG.fade ** (distance - 1)
                    count[after, before] += CONFIG.fade ** (distance - 1) * CONFIG.backward
    first = interactions.offsets[interactions.user[row]]
    newest = (interactions.item[first:row][::-1][: CONFIG.max_history] - 1).tolist()
    heard = {item: CONFIG.decay**age for age, item in reversed(list(enumerate(newest)))}
    evidence = np.zeros(items)
    for item, worth in heard.items():
        if count[item].sum() > 0:
            evidence += worth * count[item].sum() ** (CONFIG.root - 1) * count[item]
    p: np.ndarray = (evidence + CONFIG.mass * model.popularity.numpy()) / (evidence.sum() + CONFIG.mass)
    return p


@pytest.mark.parametrize("leave_out", [True, False])
def test_answers_are_those_of_the_formula(markov: Dataset, model: Transitions, *, leave_out: bool) -> None:
    rows = np.random.default_rng(0).choice(markov.split.train_rows(markov.interactions), 12, replace=False)
    rows = np.concatenate([rows, rows[:3]])  # users who are asked about twice
    found = model.log_p(rows, leave_out=leave_out).exp()
    for row, p in zip(rows.tolist(), found, strict=True):
        user = int(markov.interactions.user[row]) if leave_out else None
        np.testing.assert_allclose(p.numpy(), by_hand(markov, model, row, user), atol=1e-6)


def test_they_are_probabilities_before_and_after_somebody_is_left_out(markov: Dataset, model: Transitions) -> None:
    rows = markov.split.train_rows(markov.interactions)[::17]
    for leave_out in (True, False):
        p = model.log_p(rows, leave_out=leave_out).exp()
        torch.testing.assert_close(p.sum(dim=1), torch.ones(rows.size))


def test_what_a_user_did_tells_nothing_about_itself_to_who_is_left_out(markov: Dataset, model: Transitions) -> None:
    rows = markov.split.train_rows(markov.interactions)[:400]
    target = torch.from_numpy(markov.interactions.item[rows].astype(np.int64) - 1)[:, None]
    known = model.log_p(rows, leave_out=False).gather(1, target).mean()
    left_out = model.log_p(rows, leave_out=True).gather(1, target).mean()
    assert known > left_out


def test_of_who_nobody_else_can_tell_anything_popularity_is_all_that_is_said(
    markov: Dataset, model: Transitions
) -> None:
    """One user has done something in training, and is left out: nothing but rounding is left of T."""
    user = int(np.argmax(markov.split.train_end))
    end = np.zeros_like(markov.split.train_end)
    end[user] = markov.split.train_end[user]
    alone = replace(markov.split, train_end=end)
    count = count_pairs(markov.interactions, alone, len(markov.catalog), CONFIG)
    assert count.sum() > 0
    first = markov.interactions.offsets[user]
    said = replace(model, count=count, split=alone).log_p(np.array([first + 3]), leave_out=True)
    torch.testing.assert_close(said.exp()[0], model.popularity)


def test_nothing_follows_itself(model: Transitions) -> None:
    assert not model.count.diagonal().any()


def test_the_more_popularity_is_worth_the_more_it_is_heard(markov: Dataset, model: Transitions) -> None:
    rows = markov.split.test.row[:20]
    far = [
        (replace(model, config=CONFIG.model_copy(update={"mass": mass})).log_p(rows, leave_out=False).exp()
         - model.popularity).abs().sum()
        for mass in (0.1, 10.0, 1e6)
    ]  # fmt: skip
    assert far[0] > far[1] > far[2]
    assert far[2] < 1e-3


def test_a_catalogue_beyond_its_reach_is_refused(markov: Dataset) -> None:
    with pytest.raises(ConfigError, match=f"{MOST_ITEMS + 1:,} items"):
        count_pairs(markov.interactions, markov.split, MOST_ITEMS + 1, CONFIG)


def test_pairs_so_far_apart_that_they_count_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match=r"fade \*\* \(window - 1\)"):
        TransitionsConfig(window=20, fade=0.5)
    with pytest.raises(ValueError, match="times backward"):
        TransitionsConfig(window=10, fade=0.7, backward=0.1)


@pytest.mark.parametrize(
    ("name", "value"), [("windows", ((0, 1.0),)), ("decays", (0.0, 0.5)), ("masses", (-1.0,)), ("backwards", (2.0,))]
)
def test_a_search_among_impossible_ways_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name.removesuffix("s")[:4]):
        TransitionsSearch.model_validate({name: value})


def test_evidence_is_nowhere_negative(markov: Dataset, model: Transitions) -> None:
    rows = markov.split.train_rows(markov.interactions)
    assert float(model.evidence(rows, leave_out=True).min()) >= 0


def test_without_the_other_order_only_what_came_later_is_counted(markov: Dataset) -> None:
    items = len(markov.catalog)
    one_way = count_pairs(markov.interactions, markov.split, items, CONFIG.model_copy(update={"backward": 0.0}))
    both = count_pairs(markov.interactions, markov.split, items, CONFIG)
    torch.testing.assert_close(both, one_way + CONFIG.backward * one_way.T)
    assert not torch.equal(one_way, one_way.T)
