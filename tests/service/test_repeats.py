"""Where what was seen may come back: the list against the whole catalogue scored, moved and sorted by anybody.

Vectors, user vectors and offsets are small whole numbers: every sum is exact in whatever order it is added, and many
scores are equal, so that lists can be compared to the item and to the digit, whichever graph or product made a score.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.bundle import PAD, ModelBundle
from service.bundle.files import ITEM_VECTORS
from service.diversity import diversified, pool_size
from service.filters import Filters
from service.item_vectors import ItemVectors
from service.models.opening import open_model
from service.ranked import Ranked
from service.recommender import Query, Recommendation, Recommender
from service.reranking import Reranker
from service.retrieval import Retrieval
from service.settings import Settings
from service.shared_retrieval import SharedRetrieval
from service.similar import SimilarTo
from service.timings import Timings
from tests.service.asked_filters import filters, meets
from tests.service.conftest import CANDIDATES, pair_score
from tests.service.versions import reseal

Serve = Callable[[Settings], httpx.Client]
Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
OFFSETS = (None, 0.0, -60.0, -7.0, -1.0, 1.0, 5.0, 60.0)


class WholeEncoder:
    """Of a history the sum of the newest three vectors: whole numbers."""

    def __init__(self, table: Floats) -> None:
        self._table = np.concatenate([np.zeros((1, table.shape[1]), np.float32), table])  # [N+1, D]

    def encode(self, history: Ints) -> Floats:
        """[B, L] -> [B, D]."""
        user: Floats = self._table[history[:, -3:]].sum(axis=1)
        return user


@dataclass(frozen=True)
class Kit:
    """The parts of a recommender over whole numbers."""

    bundle: ModelBundle
    reranker: Reranker | None
    made: dict[tuple[float | None, bool], Recommender] = field(default_factory=dict)

    @cached_property
    def vectors(self) -> ItemVectors:
        return ItemVectors(self.bundle)

    @cached_property
    def encoder(self) -> WholeEncoder:
        return WholeEncoder(self.vectors.table)

    @cached_property
    def graph(self) -> Retrieval:
        return Retrieval(self.bundle.folder, "cpu", 1)

    def with_offset(self, offset: float | None, *, shared: bool = False) -> Recommender:
        if (offset, shared) not in self.made:
            manifest = self.bundle.manifest.model_copy(update={"repeat_offset": offset})
            retrieval = SharedRetrieval(self.graph, self.vectors) if shared else self.graph
            self.made[offset, shared] = Recommender(
                replace(self.bundle, manifest=manifest), self.encoder, retrieval, self.reranker
            )
        return self.made[offset, shared]

    def wanted(self, query: Query, offset: float | None) -> tuple[list[int], list[float]]:
        """Every item scored, moved, sorted; what must not come back taken out; diversity last."""
        table, seen = self.vectors.table, self.indices(query.history)
        history = np.pad(seen, (10, 0))[-10:][np.newaxis]  # [1, L]
        scores = table @ self.encoder.encode(history)[0]  # [N]
        moved = np.unique(seen) if offset and not query.exclude_seen else seen[:0]
        dropped = {*self.indices(query.exclude).tolist(), *(seen.tolist() if query.exclude_seen else [])}
        allowed = np.array([k not in dropped and self.passes(k, query.filters) for k in range(1, 61)])  # [N]
        items, considered = np.flatnonzero(allowed) + 1, pool_size(query.n) if query.diversity else query.n
        if self.reranker is not None:
            considered = max(query.n, CANDIDATES)
            items = items[np.argsort(-scores[items - 1], kind="stable")]  # as retrieval has them
            new = ~np.isin(items, moved)
            items = items[~new | (np.cumsum(new) <= considered)]  # the best that are new, and all that are not
            scores[items - 1] = pair_score(history, items[np.newaxis])[0]
        scores[moved - 1] += np.float32(offset or 0)
        order = np.argsort(-scores[items - 1], kind="stable")[:considered]
        pool = Ranked(items[order], scores[items[order] - 1])
        if query.diversity:
            pool = diversified(pool, self.vectors.units(pool.items - 1), query.n, query.diversity)
        found = pool.first(query.n)
        return found.items.tolist(), found.scores.tolist()

    def passes(self, item: int, wanted: Filters | None) -> bool:
        return wanted is None or meets(self.bundle.card(item), wanted)

    def indices(self, item_ids: Sequence[str]) -> Ints:
        found = self.bundle.catalog.indices(item_ids)
        known: Ints = found[found != PAD]
        return known


def whole_numbers(source: Path, folder: Path) -> ModelBundle:
    """A bundle's copy whose items have vectors of whole numbers from -3 to 3, some of them alike."""
    shutil.copytree(source, folder)
    table = np.random.default_rng(0).integers(-3, 4, (60, 8)).astype(np.float32)  # [N, D]
    table[40:50] = table[10:20]
    table.tofile(folder / ITEM_VECTORS)
    reseal(folder)
    return ModelBundle.read(folder)


@pytest.fixture(scope="module")
def plain(sold_out_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Kit:
    return Kit(whole_numbers(sold_out_bundle, tmp_path_factory.mktemp("plain") / "bundle"), None)


@pytest.fixture
def reranked(reranked_bundle: Path, tmp_path: Path) -> Kit:
    bundle = whole_numbers(reranked_bundle, tmp_path / "whole")
    return Kit(bundle, Reranker(bundle.folder, "cpu", 1))


ids = st.one_of(st.integers(1, 60).map(lambda k: f"book-{k:02d}"), st.sampled_from(["книга-23", "📗-41", "nobody"]))
queries = st.builds(
    Query,
    history=st.lists(ids, max_size=25),
    n=st.integers(1, 70),
    exclude=st.lists(ids, max_size=15),
    exclude_seen=st.sampled_from([False, False, True]),
    filters=st.none() | filters,
    diversity=st.sampled_from([0.0, 0.0, 0.4]),
    explain=st.booleans(),
)


def same(kit: Kit, found: Recommendation, query: Query, offset: float | None) -> None:
    items, scores = kit.wanted(query, offset)
    assert found.source == "model"
    assert found.items.tolist() == items
    assert list(found.scores) == scores


@examples(max_examples=300, deadline=None)
@given(query=queries, offset=st.sampled_from(OFFSETS), shared=st.booleans())
def test_it_is_the_whole_catalogue_scored_moved_and_sorted(
    plain: Kit, query: Query, offset: float | None, *, shared: bool
) -> None:
    found = plain.with_offset(offset, shared=shared).recommend(query, Timings())
    if plain.indices(query.history).size:
        same(plain, found, query, offset)
    else:
        assert found == plain.with_offset(None).recommend(query, Timings())  # popular: nothing of it was seen


@examples(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=queries, offset=st.sampled_from(OFFSETS))
def test_a_re_ranker_is_given_all_that_was_seen_and_its_scores_are_moved(
    reranked: Kit, query: Query, offset: float | None
) -> None:
    if reranked.indices(query.history).size:
        same(reranked, reranked.with_offset(offset).recommend(query, Timings()), query, offset)


def test_long_histories_in_full_lists(plain: Kit, reranked: Kit) -> None:
    """Where many are moved and nearly all come back, equal scores are many, and each must stand in its place."""
    rng = np.random.default_rng(0)
    for _ in range(400):
        history = [plain.bundle.catalog.item_id(item) for item in rng.integers(1, 61, rng.integers(1, 40)).tolist()]
        query = Query(history, int(rng.integers(20, 61)), exclude_seen=False)
        offset = float(rng.choice(OFFSETS[2:]))
        for kit in (plain, reranked):
            same(kit, kit.with_offset(offset).recommend(query, Timings()), query, offset)


@pytest.mark.parametrize("shared", [False, True])
@examples(max_examples=40, deadline=None)
@given(asked=st.lists(queries, min_size=1, max_size=8))
def test_everybody_gets_what_they_get_alone(plain: Kit, asked: list[Query], *, shared: bool) -> None:
    recommender = plain.with_offset(-7.0, shared=shared)
    alone = [recommender.recommend(query, Timings()) for query in asked]
    assert recommender.recommend_many(asked, [Timings() for _ in asked]) == alone


def test_a_large_one_lifts_the_whole_history_and_a_low_one_sinks_it(plain: Kit) -> None:
    """Of a history as long as the list nothing was among the best: without an offset each stands at the end."""
    worst = plain.wanted(Query(["book-01"], 60, exclude_seen=False), None)[0][-3:]
    history = [plain.bundle.catalog.item_id(item) for item in worst] + ["book-01"]
    query = Query(history, 4, exclude_seen=False)
    lifted = plain.with_offset(1000.0).recommend(query, Timings())
    assert {*lifted.item_ids} == {*history}
    assert not {*plain.with_offset(None).recommend(query, Timings()).item_ids} >= {*history}
    sunk = plain.with_offset(-1000.0).recommend(replace(query, n=60), Timings())
    assert {*sunk.item_ids[-4:]} == {*history}
    assert sunk.item_ids[:56] == plain.with_offset(None).recommend(Query(history, 60), Timings()).item_ids


def test_reasons_and_similar_items_are_about_vectors_alone(plain: Kit) -> None:
    query = Query(["book-01", "book-02"], 60, exclude_seen=False, explain=True)
    still, moved = (plain.with_offset(offset).recommend(query, Timings()) for offset in (None, -7.0))
    assert still.reasons is not None
    assert moved.reasons is not None
    assert still.item_ids != moved.item_ids
    assert dict(zip(still.item_ids, still.reasons, strict=True)) == dict(
        zip(moved.item_ids, moved.reasons, strict=True)
    )
    similar = SimilarTo(1, 60)
    assert plain.with_offset(-7.0).recommend(similar, Timings()) == plain.with_offset(None).recommend(
        similar, Timings()
    )


@pytest.fixture(scope="module")
def service(
    keep_serving: Serve, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory, settings: Settings
) -> tuple[httpx.Client, dict[float | None, str], Path]:
    """Three models of the same files, told apart by their offsets alone: their versions, and where they lie."""
    models, versions = tmp_path_factory.mktemp("models"), {}
    for name, offset in {"a": None, "b": -3.0, "c": 4.0}.items():
        shutil.copytree(tiny_bundle, models / name)
        versions[offset] = reseal(models / name, repeat_offset=offset)
    divided = ",".join(f"v{at}={version}:{34 - (at > 0)}" for at, version in enumerate(versions.values()))
    asked = settings.model_copy(update={"bundle": models, "variants": divided})
    return keep_serving(asked), versions, models


def scored(answer: dict[str, Any]) -> dict[str, float]:
    return {item["item_id"]: item["score"] for item in answer["items"]}


def test_over_http_each_model_has_its_own(service: tuple[httpx.Client, dict[float | None, str], Path]) -> None:
    client, versions, models = service
    assert len({*versions.values()}) == 3
    asked: dict[str, Any] = {
        "history": ["book-01", "book-02", "book-17"],
        "context_items": ["book-30"],
        "n": 60,
        "exclude_seen": False,
    }
    answers = {}
    for offset, version in versions.items():
        answers[offset] = client.post("/recommend", json=asked | {"model": version}).json()
        assert answers[offset]["model_version"] == version
    still = scored(answers[None])
    for offset, answer in answers.items():
        seen = {"book-01", "book-02", "book-17", "book-30"}
        moved = {item: score + (offset or 0) * (item in seen) for item, score in still.items()}
        assert scored(answer) == pytest.approx(moved, abs=1e-5)
        assert [item["score"] for item in answer["items"]] == sorted(scored(answer).values(), reverse=True)
    batch = {"requests": [asked | {"model": version} for version in versions.values()]}
    together = client.post("/recommend/batch", json=batch).json()["responses"]
    assert [one["items"] for one in together] == [one["items"] for one in answers.values()]
    excluded = {
        version: client.post("/recommend", json=asked | {"model": version, "exclude_seen": True}).json()
        for version in versions.values()
    }
    assert len({str(one["items"]) for one in excluded.values()}) == 1
    similar = [client.get("/items/book-01/similar", params={"model": one}).json()["items"] for one in versions.values()]
    assert similar[0] == similar[1] == similar[2]
    for name, (offset, _) in zip("abc", versions.items(), strict=True):
        recommender = open_model(Settings(bundle=models / name)).recommender
        found = recommender.recommend(Query([*asked["history"], "book-30"], 60, exclude_seen=False), Timings())
        assert {**scored(answers[offset])} == dict(zip(found.item_ids, found.scores, strict=True))


def test_a_stored_history_is_moved_as_a_whole(service: tuple[httpx.Client, dict[float | None, str], Path]) -> None:
    """All of it, not only what the model sees of it: that is the newest 10."""
    client, versions, _ = service
    seen = [f"book-{k:02d}" for k in range(10, 23)]
    events = {"events": [{"user_id": "far back", "item_id": item} for item in seen]}
    assert client.post("/events", json=events).json()["accepted"] == len(seen)
    asked = {"user_id": "far back", "n": 60, "exclude_seen": False}
    still, sunk = (
        scored(client.post("/recommend", json=asked | {"model": versions[one]}).json()) for one in (None, -3.0)
    )
    assert {item for item in still if abs(still[item] - sunk[item] - 3) < 1e-5} == {*seen}
    assert all(sunk[item] == pytest.approx(still[item], abs=1e-6) for item in {*still} - {*seen})
