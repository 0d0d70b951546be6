"""The histories on which the graphs are proven: the awkward ones, and many ordinary ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from service.bundle import history_window
from training.dataset import Dataset
from training.sequences import evaluation_sequences

ORDINARY = 1000
GOLDEN = 32


def awkward_histories(items: int, length: int) -> NDArray[np.int64]:
    """Empty, one item, full, overfull, all the same, unknown items (PAD) among known ones, all unknown: int64[8, L]."""
    rng = np.random.default_rng(0)
    cases: tuple[ArrayLike, ...] = (
        [],
        [1],
        [items],
        rng.integers(1, items + 1, length),
        rng.integers(1, items + 1, 3 * length),
        np.full(length, items),
        [0, 1, 0, items, 0],
        np.zeros(length),
    )
    return np.stack([history_window(case, length) for case in cases])  # [8, L]


def proof_histories(dataset: Dataset, length: int) -> NDArray[np.int64]:
    """The awkward ones, test users' own, and random ones up to 1,000 in all: int64[H, L]."""
    rng = np.random.default_rng(1)
    items = len(dataset.catalog)
    awkward = awkward_histories(items, length)  # [8, L]
    real = evaluation_sequences(dataset.interactions, dataset.split.test, length).history  # [E, L]
    real = real[rng.permutation(len(real))[: ORDINARY - len(awkward)]]  # [<= 992, L]
    short = ORDINARY - len(awkward) - len(real)
    made = [history_window(rng.integers(0, items + 1, size), length) for size in rng.integers(1, 2 * length, short)]
    return np.concatenate([awkward, real, np.array(made, dtype=np.int64).reshape(-1, length)])  # [1000, L]
