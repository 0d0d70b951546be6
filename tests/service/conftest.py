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
from fastapi import FastAPI
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, expect

from service.app import create_app
from service.bundle import BundleDraft, Golden, ModelBundle, PackedStrings, seal
from service.bundle.files import CARDS
from service.bundle.manifest import RerankerInfo
from service.embedded_redis import embedded_redis
from service.interactions_file import InteractionsFile
from service.models.opening import Model, open_model
from service.seed_store import SeedLimits
from service.seeding import seed
from service.server import config_of, listening
from service.settings import Settings
from tests.service.console_page import Open, Scheme, cards
from tests.service.covers import with_covers

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
def pictured_bundle(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle with drawn covers; every fifth book has none."""
    return with_covers(tiny_bundle, tmp_path_factory.mktemp("pictured") / "bundle")


@pytest.fixture(scope="session")
def sold_out_model(sold_out_bundle: Path) -> Model:
    return open_model(Settings(bundle=sold_out_bundle))


@pytest.fixture
def bundle_copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A bundle to damage."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


class Running:
    """A uvicorn server in a thread."""

    def __init__(self, settings: Settings, app: FastAPI | None = None) -> None:
        config = config_of(app or create_app(settings), settings)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=[listening(config)])

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


@pytest.fixture(scope="module")
def keep_serving() -> Iterator[Serve]:
    """The same until the last test of the file has ended."""
    with ExitStack() as stack:
        yield lambda settings: stack.enter_context(Running(settings))


@pytest.fixture(scope="session")
def client(settings: Settings) -> Iterator[httpx.Client]:
    """One service that tests share: each uses user ids of its own."""
    with Running(settings) as running:
        yield running


@pytest.fixture(scope="module")
def seeded_settings(settings: Settings, bundle: ModelBundle, interactions: Path) -> Iterator[Settings]:
    """Of a service that knows the users of the interactions."""
    with embedded_redis(16) as url:
        seed(InteractionsFile(interactions), bundle.catalog, url, SeedLimits(100, 3600), lambda _: None)
        yield settings.model_copy(update={"redis_url": url})


@pytest.fixture(scope="module")
def shared_console(keep_serving: Serve, seeded_settings: Settings) -> str:
    """The address of one that tests share: each changes only users of its own."""
    return str(keep_serving(seeded_settings).base_url)


@pytest.fixture
def open_console(browser: Browser, serve: Serve, shared_console: str) -> Iterator[Open]:
    """The page of a service; the test fails on any script error or blocked content."""
    complaints: list[str] = []
    pages: list[Page] = []

    def opened(other: Settings | None = None, width: int = 1280, scheme: Scheme = "light") -> Page:
        page = browser.new_page(viewport={"width": width, "height": 860}, color_scheme=scheme)
        pages.append(page)
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text) if "Security Policy" in line.text else None)
        page.goto(str(serve(other).base_url) if other else shared_console)
        return page

    yield opened
    for page in pages:
        page.close()
    assert complaints == []


@pytest.fixture
def console(open_console: Open) -> Page:
    page = open_console()
    expect(cards(page)).to_have_count(12)
    return page
