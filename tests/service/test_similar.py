"""What is like an item, by cosine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from service.bundle import ModelBundle
from service.filters import Filters
from service.item_vectors import ItemVectors
from service.models.opening import Model
from service.similar import Neighbours, SimilarTo
from service.timings import Timings
from tests.service.asked_filters import filters, meets


@examples(max_examples=100, deadline=None)
@given(item=st.integers(1, 60), n=st.integers(1, 70), mask=st.none() | st.lists(st.integers(0, 59), unique=True))
def test_they_are_the_full_sort_by_cosine(bundle: ModelBundle, item: int, n: int, mask: list[int] | None) -> None:
    vectors = ItemVectors(bundle)
    units = vectors.table.astype(np.float64)
    units /= np.linalg.norm(units, axis=1, keepdims=True)  # [N, D]
    cosines = units @ units[item - 1]  # [N]
    rows = [row for row in range(60) if row != item - 1 and (mask is None or row in mask)]
    wanted = sorted(rows, key=lambda row: -cosines[row])[:n]
    found = Neighbours(vectors).of(item, n, None if mask is None else np.isin(np.arange(60), mask))
    assert (found.items - 1).tolist() == wanted
    np.testing.assert_allclose(found.scores, cosines[wanted], atol=1e-6)


@examples(max_examples=60, deadline=None)
@given(item=st.integers(1, 60), n=st.integers(1, 70), wanted=filters)
def test_filters_drop_what_does_not_pass_and_fill_the_list(
    sold_out_model: Model, item: int, n: int, wanted: Filters
) -> None:
    bundle, recommender = sold_out_model.bundle, sold_out_model.recommender
    everything = recommender.recommend(SimilarTo(item, 60), Timings())
    timings = Timings()
    found = recommender.recommend(SimilarTo(item, n, wanted), timings)
    passes = {bundle.catalog.item_id(k) for k in range(1, 61) if meets(bundle.card(k), wanted)}
    assert list(found.item_ids) == [one for one in everything.item_ids if one in passes][:n]
    assert ("filter" in timings.seconds) == wanted.constrain


def test_an_item_whose_vector_has_no_length_is_like_nothing(bundle_copy: Path, bundle: ModelBundle) -> None:
    content = bytearray((bundle_copy / "item_vectors.bin").read_bytes())
    content[: 2 * bundle.manifest.encoder.width * 4] = bytes(2 * bundle.manifest.encoder.width * 4)  # items 1 and 2
    (bundle_copy / "item_vectors.bin").write_bytes(content)
    neighbours = Neighbours(ItemVectors(replace(bundle, folder=bundle_copy)))
    assert neighbours.of(1, 3, None).items.tolist() == [2, 3, 4]
    assert neighbours.of(1, 3, None).scores.tolist() == [0, 0, 0]
    everyone = neighbours.of(3, 59, None)
    assert everyone.scores[everyone.items.tolist().index(1)] == 0
