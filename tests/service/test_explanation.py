"""Which items of the history a recommended one is like."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from service.bundle import ModelBundle
from service.explanation import MOST, Explanation
from service.item_vectors import ItemVectors
from service.models.opening import Model
from service.recommender import Query
from service.timings import Timings

indices = st.lists(st.integers(1, 60), min_size=1, max_size=12)


@examples(deadline=None)
@given(items=indices, history=indices)
def test_reasons_are_the_most_similar_items_of_the_history_and_their_shares(
    bundle: ModelBundle, items: list[int], history: list[int]
) -> None:
    vectors, name = ItemVectors(bundle), bundle.catalog.item_id
    found = Explanation(vectors, bundle.catalog).of(np.array(items), np.array(history))
    units = vectors.table.astype(np.float64)
    units /= np.linalg.norm(units, axis=1, keepdims=True)  # [N, D]
    for item, reasons in zip(items, found, strict=True):
        likes = {name(one): float(units[item - 1] @ units[one - 1]) for one in set(history)}
        above = {one: like for one, like in likes.items() if like > 0}
        assert [reason.item_id for reason in reasons] == sorted(above, key=lambda one: -above[one])[:MOST]
        for reason in reasons:
            assert reason.similarity == pytest.approx(above[reason.item_id], abs=1e-5)
            assert reason.share == pytest.approx(above[reason.item_id] / sum(above.values()), abs=1e-4)


def test_of_equal_reasons_the_newest_stands_first(bundle: ModelBundle, bundle_copy: Path) -> None:
    """Three items with one vector."""
    table = np.fromfile(bundle_copy / "item_vectors.bin", np.float32).reshape(60, -1)
    table[:3] = table[0]
    table.tofile(bundle_copy / "item_vectors.bin")
    explanation = Explanation(ItemVectors(replace(bundle, folder=bundle_copy)), bundle.catalog)
    (reasons,) = explanation.of(np.array([1]), np.array([2, 3, 2, 1]))
    assert [reason.item_id for reason in reasons] == ["book-01", "book-02", "book-03"]
    assert [reason.share for reason in reasons] == pytest.approx([1 / 3] * 3)
    table[:3] = 0
    table.tofile(bundle_copy / "item_vectors.bin")
    without = Explanation(ItemVectors(replace(bundle, folder=bundle_copy)), bundle.catalog)
    assert without.of(np.array([1]), np.array([2, 3])) == ((),)


def test_only_what_the_model_saw_explains(model: Model) -> None:
    """The tiny model sees the newest ten."""
    history = [f"book-{k:02d}" for k in range(8, 20)]
    found = model.recommender.recommend(Query(history, 48, explain=True), Timings())
    assert found.reasons is not None
    named = {reason.item_id for reasons in found.reasons for reason in reasons}
    assert named == set(history[-10:])
    assert len(found.reasons) == 48


def test_a_list_is_the_same_explained_or_not_and_popularity_has_no_reasons(model: Model) -> None:
    plain = model.recommender.recommend(Query(["book-01", "book-12"], 10), Timings())
    found = model.recommender.recommend(Query(["book-01", "book-12"], 10, explain=True), Timings())
    assert (found.item_ids, found.scores, plain.reasons) == (plain.item_ids, plain.scores, None)
    assert model.recommender.recommend(Query([], 4, explain=True), Timings()).reasons == ((),) * 4
