"""Real things for the service's tests: a bundle, a Redis-compatible server, running services."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
import uvicorn
from numpy.typing import NDArray

from service.app import create_app
from service.bundle import BundleDraft, Golden, ModelBundle, PackedStrings, seal
from service.bundle.files import CARDS
from service.bundle.manifest import RerankerInfo
from service.embedded_redis import embedded_redis
from service.models.opening import Model, open_model
from service.settings import Settings

DATA = Path(__file__).parent / "data"
Serve = Callable[[Settings], httpx.Client]


@pytest.fixture(scope="session")
def tiny_bundle() -> Path:
    return DATA / "tiny_bundle"


@pytest.fixture(scope="session")
def interactions() -> Path:
    return DATA / "interactions.csv.gz"


@pytest.fixture(scope="session")
def bundle(tiny_bundle: Path) -> ModelBundle:
    return ModelBundle.read(tiny_bundle)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with embedded_redis(32) as url:
        yield url


@pytest.fixture(scope="session")
def settings(tiny_bundle: Path, redis_url: str) -> Settings:
    """A patient time-out: on a busy machine a healthy Redis must not look dead."""
    return Settings(bundle=tiny_bundle, redis_url=redis_url, redis_timeout_ms=2000)


@pytest.fixture(scope="session")
def model(settings: Settings) -> Model:
    return open_model(settings)


CANDIDATES = 20


def pair_score(history: NDArray[np.int64], candidates: NDArray[np.int64]) -> NDArray[np.float32]:
    """What `rerank.onnx` of the tests computes: int64[B, L], int64[B, C] -> float32[B, C]; no two items score alike."""
    scores: NDArray[np.float32] = ((7 * candidates + history[:, -1:]) % 61).astype(np.float32)
    return scores


@pytest.fixture
def reranked_bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    """The tiny bundle with a re-ranker that disagrees with retrieval about everything."""
    folder = Path(shutil.copytree(tiny_bundle, tmp_path / "reranked"))
    shutil.copy(DATA / "rerank.onnx", folder)
    golden = Golden.read(folder / "golden.npz")
    replace(golden, reranked=pair_score(golden.history, golden.items)).write(folder / "golden.npz")
    draft = ModelBundle.read(tiny_bundle).manifest.model_dump(exclude={"model_version", "files"})
    info = RerankerInfo(candidates=CANDIDATES, recall=CANDIDATES / 60, max_abs_diff=0)
    seal(folder, BundleDraft.model_validate(draft | {"reranker": info}))
    return folder


@pytest.fixture(scope="session")
def sold_out_bundle(bundle: ModelBundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle with every third item unavailable, and cards of all kinds: no brand, a category twice, none."""
    folder = Path(shutil.copytree(bundle.folder, tmp_path_factory.mktemp("sold-out") / "bundle"))
    changes: dict[int, dict[str, object]] = {
        10: {"brand": ""},
        20: {"categories": ("Crime", "Crime", "Rare")},
        21: {"categories": ()},
        30: {"brand": "Crime"},
    }
    cards = [bundle.card(k).model_copy(update={"available": k % 3 != 0, **changes.get(k, {})}) for k in range(1, 61)]
    PackedStrings.pack(card.to_json() for card in cards).write(folder, CARDS)
    seal(folder, BundleDraft.model_validate(bundle.manifest.model_dump(exclude={"model_version", "files"})))
    return folder


@pytest.fixture(scope="session")
def sold_out_model(sold_out_bundle: Path) -> Model:
    return open_model(Settings(bundle=sold_out_bundle))


@pytest.fixture
def bundle_copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A bundle to damage."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


class Running:
    """A uvicorn server in a thread."""

    def __init__(self, settings: Settings) -> None:
        app = create_app(settings)
        config = uvicorn.Config(app, port=0, loop="uvloop", http="httptools", log_config=None, access_log=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self) -> httpx.Client:
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the service did not start")
            time.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20)
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._server.should_exit = True
        self._thread.join()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start services that run until the test ends."""
    with ExitStack() as stack:
        yield lambda settings: stack.enter_context(Running(settings))


@pytest.fixture(scope="session")
def client(settings: Settings) -> Iterator[httpx.Client]:
    """One service that tests share: each uses user ids of its own."""
    with Running(settings) as running:
        yield running
