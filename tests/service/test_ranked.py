"""The best of many without sorting them all."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.ranked import Ranked


@given(st.lists(st.integers(-3, 3), max_size=40), st.integers(1, 50))
def test_it_is_the_head_of_a_stable_sort(scores: list[int], kept: int) -> None:
    items = np.arange(len(scores)) + 1
    found = Ranked.best_of(items, np.array(scores, np.float32), kept)
    order = sorted(range(len(scores)), key=lambda k: -scores[k])[:kept]
    assert found.items.tolist() == [k + 1 for k in order]
    assert found.scores.tolist() == [scores[k] for k in order]
