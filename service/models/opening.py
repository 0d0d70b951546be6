"""From a folder to a model that may serve: every step a proof, and no half of it is ever seen by a request."""

from __future__ import annotations

from dataclasses import dataclass

from service.bundle import BundleError, ModelBundle, SelfTestFailed
from service.devices import ChosenDevice, choose_device
from service.encoder import Encoder
from service.recommender import Query, Recommender
from service.reranking import Reranker
from service.self_test import self_test
from service.settings import Settings
from service.shared_retrieval import retrieval_of
from service.timings import Timings

WARM_UP_RUNS = 5


@dataclass(frozen=True, eq=False)
class Model:
    """A bundle that was proven, opened, tested and warmed."""

    bundle: ModelBundle
    recommender: Recommender
    device: ChosenDevice

    @property
    def version(self) -> str:
        """`model_version` of its manifest."""
        return self.bundle.manifest.model_version


def open_model(settings: Settings) -> Model:
    """Prove every byte of the bundle, open its graphs, replay its golden inputs and warm up.

    Raises:
        BundleError: it must not be served; names the file.
        DeviceUnavailable: the device of the settings is not there.
    """
    bundle = ModelBundle.read(settings.bundle)
    chosen = choose_device(settings.device)
    encoder = Encoder(settings.bundle, chosen.device, settings.model_threads)
    retrieval = retrieval_of(bundle, chosen.device, settings.model_threads)
    reranker = None
    if bundle.manifest.reranker is not None:
        reranker = Reranker(settings.bundle, chosen.device, settings.model_threads)
    recommender = Recommender(bundle, encoder, retrieval, reranker)
    try:
        self_test(bundle, encoder, retrieval, reranker)
        _warm_up(recommender, bundle)
    except BundleError:
        raise
    except Exception as error:  # onnxruntime has a class of its own for each way in which a graph can fail
        raise SelfTestFailed(f"{settings.bundle}: its graphs do not run: {error}") from error
    return Model(bundle, recommender, chosen)


def _warm_up(recommender: Recommender, bundle: ModelBundle) -> None:
    """Memory arenas and caches, before anyone waits for them."""
    query = Query([bundle.catalog.item_id(1)], n=min(500, len(bundle.catalog)))
    for together in [1] * WARM_UP_RUNS + [recommender.most_at_once]:
        recommender.recommend_many([query] * together, [Timings() for _ in range(together)])
