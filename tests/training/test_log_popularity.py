"""Popularity as a distribution: every item once more than it was met in training, and nothing of what came later."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from training.dataset import Dataset
from training.log_popularity import log_popularity


def test_it_is_the_share_of_train_interactions_each_item_counted_once_more(markov: Dataset) -> None:
    count = np.ones(len(markov.catalog))
    for user, end in enumerate(markov.split.train_end):
        first = markov.interactions.offsets[user]
        for item in markov.interactions.item[first : first + end]:
            count[item - 1] += 1
    found = log_popularity(markov).exp()
    torch.testing.assert_close(found, torch.from_numpy(count / count.sum()).float())


def test_held_out_answers_do_not_enter(markov: Dataset) -> None:
    item = markov.interactions.item.copy()
    item[markov.split.held_out_rows] = 1
    other = replace(markov, interactions=replace(markov.interactions, item=item))
    assert torch.equal(log_popularity(other), log_popularity(markov))
