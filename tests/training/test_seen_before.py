"""What was met before a row is what its user met before it, and no more."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.dataset import Dataset
from training.seen_before import move_seen, seen_before


def test_it_is_the_history_before_each_row(markov: Dataset) -> None:
    interactions = markov.interactions
    rows = np.array([0, 5, 1, 77, 5, len(interactions) - 1])
    seen = seen_before(interactions, rows, len(markov.catalog))
    for line, row in zip(seen, rows, strict=True):
        first = interactions.offsets[interactions.user[row]]
        assert set(line.nonzero().flatten().tolist()) == set(interactions.item[first:row].tolist())


def test_before_the_first_there_is_nothing_and_nobody_met_the_padding(markov: Dataset) -> None:
    first = markov.interactions.offsets[:-1]
    assert not seen_before(markov.interactions, first, len(markov.catalog)).any()
    everything = np.arange(len(markov.interactions))
    assert not seen_before(markov.interactions, everything, len(markov.catalog))[:, 0].any()


@given(st.integers(0, 999), st.floats(-12, 12))
def test_what_was_seen_is_moved_and_the_rest_is_not(seed: int, offset: float) -> None:
    source = torch.Generator().manual_seed(seed)
    seen = torch.rand(4, 9, generator=source) < 0.4
    logits = torch.randn(4, 8, generator=source, dtype=torch.float64)
    moved = move_seen(logits, torch.arange(1, 9), seen, offset)
    torch.testing.assert_close(moved, torch.where(seen[:, 1:], logits + offset, logits))
    asked = torch.randint(1, 9, (4, 3), generator=source)
    of_each = move_seen(logits.gather(1, asked - 1), asked, seen, offset)
    torch.testing.assert_close(of_each, moved.gather(1, asked - 1))
