"""The list against a full sort that anybody can check."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from service.filters import Filters
from service.models.opening import Model
from service.recommender import Query
from service.timings import Timings
from tests.service.asked_filters import filters, meets

indices = st.lists(st.integers(1, 60), max_size=25)


@examples(max_examples=80, deadline=None)
@given(query=st.tuples(indices.filter(bool), st.integers(1, 70), indices, st.booleans()), wanted=st.none() | filters)
def test_it_is_the_full_sort_without_what_is_dropped(
    model: Model, query: tuple[list[int], int, list[int], bool], wanted: Filters | None
) -> None:
    history, n, exclude, exclude_seen = query
    catalog = model.bundle.catalog
    raw = (model.bundle.folder / "item_vectors.bin").read_bytes()
    vectors = np.frombuffer(raw, np.float32).reshape(60, -1).astype(np.float64)  # [N, D]
    user = vectors[np.array(history[-10:]) - 1].mean(axis=0)  # [D] the tiny encoder: the mean of the newest 10
    scores = vectors @ user  # [N]
    dropped = set(exclude) | (set(history) if exclude_seen else set())
    dropped |= {k for k in range(1, 61) if wanted is not None and not meets(model.bundle.card(k), wanted)}
    order = [int(k) + 1 for k in np.argsort(-scores, kind="stable") if int(k) + 1 not in dropped][:n]
    asked = Query([catalog.item_id(k) for k in history], n, [catalog.item_id(k) for k in exclude], exclude_seen, wanted)
    found = model.recommender.recommend(asked, Timings())
    assert found.source == "model"
    np.testing.assert_allclose(found.scores, scores[np.array(order, int) - 1], atol=1e-5)
    assert {catalog.index(item) for item in found.item_ids} == set(order)


def test_unknown_items_count_for_nothing(model: Model) -> None:
    known = model.recommender.recommend(Query(["book-01", "book-02"], 10), Timings())
    mixed = model.recommender.recommend(Query(["x", "book-01", "y", "book-02", "z"], 10, exclude=["w"]), Timings())
    assert mixed == known
    assert model.recommender.recommend(Query(["x", "y"], 10), Timings()).source == "popular"
    assert model.recommender.unknown(["x", "book-01", "x", "\ud800"]) == ["x", "\ud800"]
