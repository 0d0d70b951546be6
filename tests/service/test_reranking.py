"""A bundle with a re-ranker: its list against what anybody can compute, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.bundle import BundleCorrupt, BundleDraft, BundleError, BundleMissing, Golden, SelfTestFailed, seal
from service.bundle.files import MANIFEST, MANIFEST_HASH, RERANK
from service.filters import Filters
from service.models.opening import Model, open_model
from service.recommender import Query
from service.reranking import Reranker
from service.settings import Settings
from service.timings import Timings
from tests.service.asked_filters import filters, meets

CANDIDATES = 20
indices = st.lists(st.integers(1, 60), max_size=25)


@pytest.fixture
def model(reranked_bundle: Path) -> Model:
    return open_model(Settings(bundle=reranked_bundle))


def retrieved(folder: Path, history: list[int]) -> NDArray[np.int64]:
    """All items by the dot product with the mean of the newest ten, best first: what the tiny graphs compute."""
    vectors = np.frombuffer((folder / "item_vectors.bin").read_bytes(), np.float32).reshape(60, -1)  # [N, D]
    user = vectors[np.array(history[-10:]) - 1].mean(axis=0)  # [D]
    order: NDArray[np.int64] = np.argsort(-(vectors @ user), kind="stable") + 1  # [N]
    return order


def wanted(
    folder: Path, query: tuple[list[int], int, list[int], bool], unfit: frozenset[int] = frozenset()
) -> list[int]:
    """The best allowed by retrieval, as many as are handed over, by the score of the pair."""
    history, n, exclude, exclude_seen = query
    dropped = unfit.union(exclude, history if exclude_seen else [])
    allowed = [item for item in retrieved(folder, history).tolist() if item not in dropped]
    candidates = allowed[: max(n, CANDIDATES)]
    return sorted(candidates, key=lambda item: -((7 * item + history[-1]) % 61))[:n]


@examples(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.tuples(indices.filter(bool), st.integers(1, 70), indices, st.booleans()), asked=st.none() | filters)
def test_it_is_the_head_of_retrieval_ordered_anew(
    model: Model, query: tuple[list[int], int, list[int], bool], asked: Filters | None
) -> None:
    (history, n, exclude, exclude_seen), catalog = query, model.bundle.catalog
    ids, excluded = [catalog.item_id(k) for k in history], [catalog.item_id(k) for k in exclude]
    found = model.recommender.recommend(Query(ids, n, excluded, exclude_seen, asked), Timings())
    unfit = frozenset(k for k in range(1, 61) if asked is not None and not meets(model.bundle.card(k), asked))
    order = wanted(model.bundle.folder, query, unfit)
    assert [catalog.index(item) for item in found.item_ids] == order
    assert list(found.scores) == [(7 * item + history[-1]) % 61 for item in order]
    assert len(order) == min(n, 60 - len({*unfit, *exclude, *(history if exclude_seen else [])}))


def test_a_shorter_list_is_the_head_of_a_longer_one_whatever_is_dropped(model: Model) -> None:
    catalog, exclude = model.bundle.catalog, [f"book-{k:02d}" for k in range(10, 20)]
    lists = [model.recommender.recommend(Query(["book-30"], n, exclude), Timings()) for n in range(1, CANDIDATES + 1)]
    assert all(one.item_ids == lists[-1].item_ids[: len(one.item_ids)] for one in lists)
    assert not set(exclude) & {*lists[-1].item_ids}
    assert all(item in catalog for item in lists[-1].item_ids)


def test_when_all_is_dropped_nothing_is_left_to_rank(model: Model) -> None:
    everything = list(model.bundle.catalog)
    timings = Timings()
    assert model.recommender.recommend(Query(["book-30"], 5, everything), timings).item_ids == ()
    assert "rerank" not in timings.seconds


def test_over_http_with_its_stage(
    reranked_bundle: Path, redis_url: str, serve: Callable[[Settings], httpx.Client]
) -> None:
    client = serve(Settings(bundle=reranked_bundle, redis_url=redis_url, redis_timeout_ms=2000))
    answer = client.post("/recommend", json={"history": ["book-30", "book-31"], "n": 5})
    order = wanted(reranked_bundle, ([30, 31], 5, [], True))
    assert [item["score"] for item in answer.json()["items"]] == [(7 * item + 31) % 61 for item in order]
    stages = [part.split(";")[0] for part in answer.headers["Server-Timing"].split(", ")]
    assert set(stages) == {"queue", "encode", "retrieve", "rerank", "rank"}
    assert 'rec_stage_seconds_count{stage="rerank"} 1.0' in client.get("/metrics").text
    assert "rerank" not in client.post("/recommend", json={}).headers["Server-Timing"]  # popular


def test_a_batch_of_any_size_gives_each_what_it_gives_alone(reranked_bundle: Path) -> None:
    reranker = Reranker(reranked_bundle, "cpu", 1)
    rng = np.random.default_rng(0)
    history, candidates = rng.integers(0, 61, (7, 10)), rng.integers(0, 61, (7, 33))
    together = reranker.score(history, candidates)  # [7, 33]
    assert np.array_equal(together, (7 * candidates + history[:, -1:]) % 61)
    for row in range(7):
        assert np.array_equal(reranker.score(history[row : row + 1], candidates[row : row + 1])[0], together[row])


def test_other_golden_scores_are_refused(reranked_bundle: Path) -> None:
    golden = Golden.read(reranked_bundle / "golden.npz")
    assert golden.reranked is not None
    replace(golden, reranked=golden.reranked + np.float32(0.5)).write(reranked_bundle / "golden.npz")
    reseal(reranked_bundle, lambda manifest: None)
    with pytest.raises(SelfTestFailed, match=r"rerank\.onnx"):
        open_model(Settings(bundle=reranked_bundle))


@pytest.mark.parametrize("reranked", [None, np.zeros((12, 3), np.float32)])
def test_golden_answers_that_do_not_fit_are_refused(
    reranked_bundle: Path, reranked: NDArray[np.float32] | None
) -> None:
    golden = Golden.read(reranked_bundle / "golden.npz")
    replace(golden, reranked=reranked).write(reranked_bundle / "golden.npz")
    reseal(reranked_bundle, lambda manifest: None)
    with pytest.raises(BundleCorrupt, match=r"golden\.npz: .*rerank"):
        open_model(Settings(bundle=reranked_bundle))


def test_a_graph_that_is_none_is_refused(reranked_bundle: Path) -> None:
    (reranked_bundle / RERANK).write_bytes(b"no graph")
    reseal(reranked_bundle, lambda manifest: None)
    with pytest.raises(BundleCorrupt, match=r"rerank\.onnx"):
        open_model(Settings(bundle=reranked_bundle))


def test_a_flipped_byte_of_it_is_refused(reranked_bundle: Path) -> None:
    content = bytearray((reranked_bundle / RERANK).read_bytes())
    content[99] ^= 1
    (reranked_bundle / RERANK).write_bytes(content)
    with pytest.raises(BundleCorrupt, match=r"rerank\.onnx: its sha256"):
        open_model(Settings(bundle=reranked_bundle))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda manifest: manifest.pop("reranker"), BundleCorrupt),
        (lambda manifest: (manifest.pop("reranker"), manifest["files"].pop(RERANK)), BundleCorrupt),
        (lambda manifest: manifest["files"].pop(RERANK), BundleMissing),
    ],
)
def test_file_and_entry_go_together(
    reranked_bundle: Path, change: Callable[[dict[str, Any]], object], error: type[BundleError]
) -> None:
    """Neither a file that is not spoken of, nor an entry without a hashed file."""
    rewrite(reranked_bundle, change)
    with pytest.raises(error, match=r"rerank\.onnx"):
        open_model(Settings(bundle=reranked_bundle))


def test_sealing_asks_for_both_too(reranked_bundle: Path, bundle_copy: Path) -> None:
    with pytest.raises(BundleCorrupt, match=r"rerank\.onnx"):
        reseal(reranked_bundle, lambda manifest: manifest.pop("reranker"))
    spoken_of = json.loads((reranked_bundle / MANIFEST).read_text())["reranker"]
    with pytest.raises(BundleMissing, match=r"rerank\.onnx"):
        reseal(bundle_copy, lambda manifest: manifest.update(reranker=spoken_of))


def test_without_one_the_manifest_is_what_older_services_read(bundle_copy: Path) -> None:
    reseal(bundle_copy, lambda manifest: None)
    assert "reranker" not in json.loads((bundle_copy / MANIFEST).read_text())


def reseal(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Make the hashes true again."""
    manifest = json.loads((folder / MANIFEST).read_text())
    change(manifest)
    seal(folder, BundleDraft.model_validate({k: v for k, v in manifest.items() if k not in {"model_version", "files"}}))


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Another manifest under a true seal."""
    manifest = json.loads((folder / MANIFEST).read_text())
    change(manifest)
    text = json.dumps(manifest)
    (folder / MANIFEST).write_text(text)
    (folder / MANIFEST_HASH).write_text(sha256(text.encode()).hexdigest() + "\n")
