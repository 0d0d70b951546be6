"""The best of what is allowed, whichever way they were found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.allowed import Allowed
from service.candidates import FEW, Candidates
from service.item_vectors import ItemVectors
from service.lockstep import Fetch, Found, in_lockstep
from service.models.opening import Model
from service.ranked import Ranked
from service.retrieval import Retrieval
from service.timings import Timings

rows = st.lists(st.integers(0, 59), unique=True, max_size=60)


class Ways:
    """Candidates of the tiny bundle, and what they asked of its retrieval graph."""

    def __init__(self, model: Model) -> None:
        self._retrieval = Retrieval(model.bundle.folder, "cpu", 1)
        self.vectors = ItemVectors(model.bundle)
        self.candidates = Candidates(self.vectors)
        self.asked: list[int] = []

    def best(self, user: NDArray[np.float32], kept: int, allowed: Allowed) -> Ranked:
        def fetch(fetches: Sequence[Fetch]) -> list[Found]:
            self.asked += [one.n for one in fetches]
            return self._retrieval.best_many(fetches)

        timings = Timings()
        (found,) = in_lockstep([self.candidates.best(user, kept, allowed, timings)], [timings], fetch)
        assert isinstance(found, Ranked)
        assert "retrieve" in timings.seconds
        return found


@pytest.fixture(scope="module")
def ways(model: Model) -> Ways:
    return Ways(model)


def masked(mask: list[int], drop: list[int]) -> Allowed:
    return Allowed.within(np.isin(np.arange(60), mask), np.array(sorted(drop), np.int64) + 1)


@examples(max_examples=200, deadline=None)
@given(mask=st.none() | rows, drop=rows, kept=st.integers(1, 70), seed=st.integers(0, 9))
def test_it_is_the_full_sort_of_what_is_allowed(
    ways: Ways, mask: list[int] | None, drop: list[int], kept: int, seed: int
) -> None:
    user = np.random.default_rng(seed).normal(size=(1, 8)).astype(np.float32)
    scores = ways.vectors.table.astype(np.float64) @ user[0]  # [N]
    left = [row for row in np.argsort(-scores).tolist() if row not in drop and (mask is None or row in mask)][:kept]
    allowed = Allowed(np.array(sorted(drop), np.int64) + 1) if mask is None else masked(mask, drop)
    found = ways.best(user, kept, allowed)
    assert (found.items - 1).tolist() == left
    np.testing.assert_allclose(found.scores, scores[left], atol=1e-5)


def test_many_allowed_are_found_by_retrieval_alone_and_few_without_it(ways: Ways) -> None:
    user = ways.vectors.table[:1]
    best = np.argsort(-(ways.vectors.table @ user[0])).tolist()
    ways.asked.clear()
    ways.best(user, 5, masked(list(range(0, 60, 2)), []))
    assert ways.asked == [20]  # half is allowed: 5 lie among 10 if evenly spread, and there is something to spare
    ways.best(user, 5, masked(best[-30:], []))  # as many, but all of them at the end
    assert ways.asked == [20, 20]
    ways.best(user, 5, masked(best[: int(60 * FEW) - 1], []))
    assert ways.asked == [20, 20]


def test_an_item_scores_the_same_whoever_else_is_asked_for(ways: Ways) -> None:
    user = np.random.default_rng(3).normal(size=8).astype(np.float32)
    everyone = ways.vectors.dots(user, np.arange(60))
    for rows in (np.arange(7), np.arange(59, -1, -1), np.arange(1, 60, 13), np.array([], np.int64)):
        assert np.array_equal(ways.vectors.dots(user, rows), everyone[rows])
