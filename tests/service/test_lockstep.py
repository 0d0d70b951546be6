"""Side by side, everybody gets what they would get alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from service.lockstep import Fetch, Found, Steps, in_lockstep
from service.models.opening import Model
from service.recommender import Query
from service.timings import Timings


def double(fetches: Sequence[Fetch]) -> list[Found]:
    """Retrieval that finds twice its n."""
    return [(np.array([2.0 * one.n], np.float32), np.array([one.n])) for one in fetches]


def asking(numbers: list[int]) -> Steps[list[float]]:
    """Fetches one number after the other; a negative one is an error of its own."""
    found = []
    for number in numbers:
        if number < 0:
            raise ValueError(str(number))
        scores, _ = yield Fetch(np.zeros((1, 1), np.float32), number)
        found.append(float(scores[0]))
    return found


@examples(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(-1, 5), max_size=5), max_size=6))
def test_nobody_is_touched_by_the_others(asked: list[list[int]]) -> None:
    runs: list[int] = []

    def fetch(fetches: Sequence[Fetch]) -> list[Found]:
        runs.append(len(fetches))
        return double(fetches)

    timings = [Timings() for _ in asked]
    for numbers, result in zip(asked, in_lockstep([asking(one) for one in asked], timings, fetch), strict=True):
        if -1 in numbers:
            assert isinstance(result, ValueError)
        else:
            assert result == [2.0 * number for number in numbers]
    fetched = [len(one) if -1 not in one else one.index(-1) for one in asked]
    assert sum(runs) == sum(fetched)
    assert len(runs) == max(fetched, default=0)  # the n-th fetches of all are one run
    assert [("retrieve" in one.seconds) for one in timings] == [k > 0 for k in fetched]


queries = st.builds(
    lambda history, n, exclude_seen: Query([f"book-{k:02}" for k in history], n, (), exclude_seen),
    st.lists(st.integers(0, 60), max_size=12), st.integers(1, 70), st.booleans(),
)  # fmt: skip


@examples(max_examples=30, deadline=None)
@given(st.lists(queries, min_size=1, max_size=8))
def test_a_recommendation_is_the_same_alone_and_in_company(model: Model, asked: list[Query]) -> None:
    alone = [model.recommender.recommend(query, Timings()) for query in asked]
    assert model.recommender.recommend_many(asked, [Timings() for _ in asked]) == alone
