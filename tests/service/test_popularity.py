"""What is popular among what is allowed."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.allowed import Allowed
from service.popularity import Popularity

SIZE = 300
POPULAR = np.random.default_rng(0).permutation(SIZE).astype(np.int32) + 1
rows = st.lists(st.integers(1, SIZE), unique=True, max_size=SIZE)


@given(mask=st.none() | rows, drop=rows, kept=st.integers(1, 40))
def test_it_is_the_list_without_the_others(mask: list[int] | None, drop: list[int], kept: int) -> None:
    dropped = np.array(sorted(drop), np.int64)
    allowed = Allowed(dropped) if mask is None else Allowed.within(np.isin(np.arange(1, SIZE + 1), mask), dropped)
    found = Popularity(POPULAR).best(kept, allowed)
    wanted = [
        (item, place)
        for place, item in enumerate(POPULAR.tolist(), start=1)
        if item not in drop and (mask is None or item in mask)
    ][:kept]
    assert found.items.tolist() == [item for item, _ in wanted]
    assert found.scores.tolist() == [1 / place for _, place in wanted]
