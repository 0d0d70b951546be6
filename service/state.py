"""What the lifespan makes and the routes use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from service.bundle import ModelBundle
from service.encoder import Encoder
from service.histories import Histories
from service.model_thread import ModelThread
from service.recommender import Query, Recommender
from service.reranking import Reranker
from service.retrieval import Retrieval
from service.self_test import self_test
from service.settings import Settings
from service.timings import Timings

WARM_UP_RUNS = 5


@dataclass(frozen=True, eq=False)
class Model:
    """A bundle that was proven, opened, tested and warmed."""

    bundle: ModelBundle
    recommender: Recommender


@dataclass(frozen=True, eq=False)
class Service:
    """All that a request needs."""

    model: Model
    thread: ModelThread
    histories: Histories


class State(TypedDict):
    """What every request finds under `request.state`."""

    service: Service


def open_model(settings: Settings) -> Model:
    """Prove every byte of the bundle, open its graphs, replay its golden inputs and warm up.

    Raises:
        BundleError: it must not be served; names the file.
        DeviceUnavailable: the device of the settings is not there.
    """
    bundle = ModelBundle.read(settings.bundle)
    encoder = Encoder(settings.bundle, settings.device, settings.model_threads)
    retrieval = Retrieval(settings.bundle, settings.device, settings.model_threads)
    reranker = None
    if bundle.manifest.reranker is not None:
        reranker = Reranker(settings.bundle, settings.device, settings.model_threads)
    self_test(bundle, encoder, retrieval, reranker)
    recommender = Recommender(bundle, encoder, retrieval, reranker)
    for _ in range(WARM_UP_RUNS):  # memory arenas and caches, before anyone waits for them
        recommender.recommend(Query([bundle.catalog.item_id(1)], n=min(500, len(bundle.catalog))), Timings())
    return Model(bundle, recommender)
