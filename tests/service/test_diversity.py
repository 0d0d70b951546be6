"""Maximal marginal relevance against its definition."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.diversity import diversified, pool_size
from service.filters import Filters
from service.item_vectors import ItemVectors
from service.models.opening import Model, open_model
from service.ranked import Ranked
from service.recommender import Query
from service.settings import Settings
from service.timings import Timings
from tests.service.asked_filters import filters

sizes = st.tuples(st.integers(1, 25), st.integers(1, 30), st.integers(0, 99))
shares = st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0])


def pool_of(size: int, seed: int) -> tuple[Ranked, NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    units = rng.normal(size=(size, 4))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    scores = np.sort(rng.normal(scale=5, size=size))[::-1].astype(np.float32)
    return Ranked(rng.permutation(size) + 1, scores), units.astype(np.float32)


def by_definition(pool: Ranked, units: NDArray[np.float32], n: int, diversity: float) -> list[int]:
    """The formula of the paper, place by place."""
    scores = pool.scores.astype(np.float64).tolist()
    spread = (scores[0] - scores[-1]) or 1.0
    relevance = [(score - scores[-1]) / spread for score in scores]
    taken: list[int] = []
    while len(taken) < min(n, len(scores)):
        left = [k for k in range(len(scores)) if k not in taken]
        nearest = {k: max((float(np.vecdot(units[k], units[j])) for j in taken), default=-1.0) for k in left}
        taken.append(max(left, key=lambda k: ((1 - diversity) * relevance[k] - diversity * nearest[k], -k)))
    return [int(pool.items[k]) for k in taken]


@examples(deadline=None)
@given(sizes, shares)
def test_it_is_what_the_paper_defines(size: tuple[int, int, int], diversity: float) -> None:
    (items, n, seed) = size
    pool, units = pool_of(items, seed)
    found = diversified(pool, units, n, diversity)
    assert found.items.tolist() == by_definition(pool, units, n, diversity)
    own = dict(zip(pool.items.tolist(), pool.scores.tolist(), strict=True))
    assert found.scores.tolist() == [own[item] for item in found.items.tolist()]


@examples(deadline=None)
@given(sizes, shares)
def test_the_first_is_the_best_and_a_shorter_list_the_head_of_a_longer(
    size: tuple[int, int, int], diversity: float
) -> None:
    (items, n, seed) = size
    pool, units = pool_of(items, seed)
    everything = diversified(pool, units, items, diversity).items.tolist()
    assert everything[0] == pool.items[0]
    assert sorted(everything) == sorted(pool.items.tolist())
    assert diversified(pool, units, n, diversity).items.tolist() == everything[:n]


@examples(deadline=None)
@given(sizes)
def test_without_diversity_nothing_changes(size: tuple[int, int, int]) -> None:
    (items, n, seed) = size
    pool, units = pool_of(items, seed)
    assert diversified(pool, units, n, 0).items.tolist() == pool.items[:n].tolist()


def test_two_of_a_kind_do_not_follow_each_other() -> None:
    units = np.array([[1, 0], [1, 0], [0, 1], [-1, 0]], np.float32)
    pool = Ranked(np.array([7, 8, 9, 10]), np.array([1.0, 0.9, 0.2, 0.0], np.float32))
    assert diversified(pool, units, 3, 0.1).items.tolist() == [7, 8, 9]  # 8 still has .9 * .9 - .1 * 1
    assert diversified(pool, units, 3, 0.5).items.tolist() == [7, 10, 9]  # 10 has 0 + .5 * 1, 9 .1, 8 -.05


def test_equal_scores_keep_their_order_and_nothing_stays_nothing() -> None:
    units = np.eye(3, dtype=np.float32)
    assert diversified(Ranked(np.arange(3), np.ones(3)), units, 3, 0.5).items.tolist() == [0, 1, 2]
    assert diversified(Ranked(np.empty(0, np.int64), np.empty(0)), units[:0], 3, 0.5).items.tolist() == []


def test_the_pool_is_larger_than_the_list_within_bounds() -> None:
    assert [pool_size(n) for n in (1, 10, 50, 300)] == [100, 100, 250, 1000]
    assert pool_size(2000) == 2000


@examples(max_examples=60, deadline=None)
@given(
    history=st.lists(st.integers(1, 60), max_size=5),
    n=st.integers(1, 70),
    diversity=shares,
    wanted=st.none() | filters,
)
def test_a_diverse_list_is_chosen_from_all_that_is_allowed(
    model: Model, history: list[int], n: int, diversity: float, wanted: Filters | None
) -> None:
    check(model, Query([model.bundle.catalog.item_id(k) for k in history], n, filters=wanted), diversity)


@examples(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n=st.integers(1, 20), diversity=shares)
def test_after_a_re_ranker_it_is_chosen_from_its_candidates(reranked_bundle: Path, n: int, diversity: float) -> None:
    model = open_model(Settings(bundle=reranked_bundle))
    check(model, Query(["book-30", "book-31"], n), diversity, pool=20)


def check(model: Model, query: Query, diversity: float, pool: int = 60) -> None:
    """The list is what the paper's formula makes of the whole list; without diversity it is its head, to the digit."""
    everything = model.recommender.recommend(replace(query, n=pool), Timings())
    found = model.recommender.recommend(replace(query, diversity=diversity), Timings())
    items = model.bundle.catalog.indices(everything.item_ids)
    ranked = Ranked(items, np.array(everything.scores))
    order = by_definition(ranked, ItemVectors(model.bundle).units(items - 1), query.n, diversity) if items.size else []
    if diversity == 0:
        assert order == items.tolist()[: query.n]
    assert model.bundle.catalog.indices(found.item_ids).tolist() == order
    own = dict(zip(everything.item_ids, everything.scores, strict=True))
    np.testing.assert_allclose(found.scores, [own[item] for item in found.item_ids], rtol=1e-5)
    assert found.source == everything.source
