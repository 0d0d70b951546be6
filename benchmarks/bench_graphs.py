"""How long the graphs of a bundle take, one history at a time and in batches: `make bench`.

The bundle is the one that PRMKD_BUNDLE names. Histories are drawn uniformly: what is in them does not change the work.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from service.bundle import ModelBundle
from service.encoder import Encoder
from service.recommender import Query, Recommender
from service.retrieval import Retrieval
from service.timings import Timings

KEPT = 100
"""Items asked of retrieval: about what ten results and a stored history need."""
in_batches = pytest.mark.parametrize("batch", [1, 8, 32])


@pytest.fixture(scope="module")
def bundle() -> ModelBundle:
    return ModelBundle.read(Path(os.environ["PRMKD_BUNDLE"]))


@pytest.fixture(scope="module")
def encoder(bundle: ModelBundle) -> Encoder:
    return Encoder(bundle.folder, "cpu", threads=1)


@pytest.fixture(scope="module")
def retrieval(bundle: ModelBundle) -> Retrieval:
    return Retrieval(bundle.folder, "cpu", threads=1)


@in_batches
def test_encode(benchmark: BenchmarkFixture, bundle: ModelBundle, encoder: Encoder, batch: int) -> None:
    shape = (batch, bundle.manifest.encoder.max_history)
    history = np.random.default_rng(0).integers(1, len(bundle.catalog) + 1, shape)  # [B, L]
    assert benchmark(encoder.encode, history).shape == (batch, bundle.manifest.encoder.width)


@in_batches
def test_retrieve(benchmark: BenchmarkFixture, bundle: ModelBundle, retrieval: Retrieval, batch: int) -> None:
    shape = (batch, bundle.manifest.encoder.width)
    user = np.random.default_rng(0).normal(size=shape).astype(np.float32)  # [B, D]
    kept = min(KEPT, len(bundle.catalog))
    scores, items = benchmark(retrieval.best, user, kept)
    assert scores.shape == items.shape == (batch, kept)


def test_recommend(benchmark: BenchmarkFixture, bundle: ModelBundle, encoder: Encoder, retrieval: Retrieval) -> None:
    """The whole of what a request asks of the model: window, encode, retrieve, leave out what was seen."""
    recommender = Recommender(bundle, encoder, retrieval)
    chosen = np.random.default_rng(0).integers(1, len(bundle.catalog) + 1, 30)
    query = Query([bundle.catalog.item_id(int(one)) for one in chosen], n=10)
    found = benchmark(recommender.recommend, query, Timings())
    assert not set(found.item_ids) & set(query.history)
