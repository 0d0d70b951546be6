"""The histories on which the proof rests."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from export.histories import ORDINARY, awkward_histories, proof_histories
from service.bundle import PAD
from training.dataset import Dataset
from training.sequences import evaluation_sequences


@given(items=st.integers(1, 100), length=st.integers(1, 60))
def test_the_awkward_ones_are_all_there(items: int, length: int) -> None:
    found = awkward_histories(items, length)  # [8, L]
    assert found.shape == (8, length)
    assert found.dtype == np.int64
    assert found.min() >= PAD
    assert found.max() == items
    known = (found != PAD).sum(axis=1)  # [8]
    assert known.min() == 0
    assert known.max() == length
    assert bool((found == items).all(axis=1).any())  # one item over and over
    assert bool((np.diff((found != PAD).astype(int), axis=1) >= 0).all())  # PAD is on the left alone


def test_a_thousand_in_all_with_the_test_users_own(dataset: Dataset) -> None:
    length = 12
    found = proof_histories(dataset, length)  # [H, L]
    assert found.shape == (ORDINARY, length)
    own = evaluation_sequences(dataset.interactions, dataset.split.test, length).history  # [E, L]
    assert {row.tobytes() for row in own} <= {row.tobytes() for row in found}
    assert np.array_equal(found, proof_histories(dataset, length))
