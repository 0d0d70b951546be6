"""What comes out depends on the vectors alone: not on the company, and not on the last bits of the graph."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.bundle import ModelBundle
from service.item_vectors import ItemVectors
from service.lockstep import Fetch, Found
from service.models.opening import Model
from service.recommender import Query, Recommender
from service.retrieval import Retrieval
from service.shared_retrieval import LONGEST, SharedRetrieval, retrieval_of
from service.timings import Timings


class Table(ItemVectors):
    """Vectors that lie in no file."""

    def __init__(self, table: NDArray[np.float32]) -> None:
        self.table = table


class Wavering:
    """A graph whose every score is off by as much as float32 allows, one way or the other, anew in every run."""

    def __init__(self, table: NDArray[np.float32], seed: int) -> None:
        self._table = table.astype(np.float64)  # [N, D]
        self._random = np.random.default_rng(seed)
        self.proposed: list[int] = []

    def best(self, user: NDArray[np.float32], n: int) -> Found:
        self.proposed.append(n)
        scores = user @ self._table.T  # [B, N]
        width = user.shape[1]
        off = width * 2.0**-24 * np.abs(user) @ np.abs(self._table.T)  # [B, N]
        scores = (scores + 0.99 * off * self._random.choice([-1, 1], scores.shape)).astype(np.float32)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :n]  # [B, n]
        return np.take_along_axis(scores, order, axis=1), order + 1


def full_sort(vectors: Table, user: NDArray[np.float32], n: int) -> Found:
    scores = vectors.dots(user[0], np.arange(len(vectors.table)))  # [N]
    order = np.argsort(-scores, kind="stable")[:n]  # [n]
    return scores[order], order + 1


@examples(max_examples=40, deadline=None)
@given(
    size=st.integers(1, 300), distinct=st.integers(1, 300), width=st.integers(1, 8), seed=st.integers(0, 10**6),
    lengths=st.lists(st.integers(1, 300), min_size=1, max_size=8),
)  # fmt: skip
def test_it_is_the_full_sort_however_the_graph_wavers(
    size: int, distinct: int, width: int, seed: int, lengths: list[int]
) -> None:
    """Also where many items are the same, so that no proposal short of the whole catalogue proves anything."""
    random = np.random.default_rng(seed)
    table = random.normal(size=(min(distinct, size), width)).astype(np.float32)[
        random.integers(0, min(distinct, size), size)
    ]
    vectors = Table(table)
    shared = SharedRetrieval(Wavering(table, seed), vectors)
    fetches = [Fetch(random.normal(size=(1, width)).astype(np.float32), min(n, size)) for n in lengths]
    for fetch, found in zip(fetches, shared.best_many(fetches), strict=True):
        expected = full_sort(vectors, fetch.user, fetch.n)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])
        alone = shared.best(fetch.user, fetch.n)
        np.testing.assert_array_equal(alone[1][0], expected[1])


def test_a_few_run_alone_and_more_but_the_longest_together() -> None:
    table = np.random.default_rng(0).normal(size=(5000, 4)).astype(np.float32)
    graph = Wavering(table, 0)
    shared = SharedRetrieval(graph, Table(table))
    lengths = (10, 40, LONGEST + 1, 20, 30)
    users = np.random.default_rng(1).normal(size=(len(lengths), 1, 4)).astype(np.float32)
    fetches = [Fetch(user, n) for user, n in zip(users, lengths, strict=True)]
    assert [len(scores) for scores, _ in shared.best_many(fetches)] == list(lengths)
    assert len(graph.proposed) == 2
    assert min(graph.proposed) < 100
    shared.best_many(fetches[:3])
    assert len(graph.proposed) == 5


queries = st.builds(
    lambda history, n: Query([f"book-{k:02}" for k in history], n),
    st.lists(st.integers(0, 60), min_size=1, max_size=12), st.integers(1, 70),
)  # fmt: skip


@examples(max_examples=30, deadline=None)
@given(asked=st.lists(queries, min_size=1, max_size=32))
def test_real_graphs_say_the_same_alone_and_in_any_company(model: Model, asked: list[Query]) -> None:
    folder = model.bundle.folder
    graph = Retrieval(folder, "cpu", 1)
    encoder = model.recommender._encoder
    shared = Recommender(model.bundle, encoder, SharedRetrieval(graph, ItemVectors(model.bundle)))
    alone = [shared.recommend(query, Timings()) for query in asked]
    assert shared.recommend_many(asked, [Timings() for _ in asked]) == alone
    for query, found in zip(asked, alone, strict=True):
        plain = model.recommender.recommend(query, Timings())
        np.testing.assert_allclose(found.scores, plain.scores, rtol=1e-5, atol=1e-6)


def test_only_large_tables_are_shared(bundle: ModelBundle) -> None:
    assert retrieval_of(bundle, "cpu", 1).most_at_once == 1
    size = 60 * 8 * 4
    assert retrieval_of(bundle, "cpu", 1, size + 1).most_at_once == 1
    assert retrieval_of(bundle, "cpu", 1, size).most_at_once > 1
