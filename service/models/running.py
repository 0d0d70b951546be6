"""The models of a worker from its start to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from service.metrics import Metrics
from service.models.first import open_first
from service.models.loader import Loader, StartsThread
from service.models.refusals import Refusals
from service.models.registry import Models
from service.models.reload import Reloads
from service.models.served import Served
from service.settings import Settings


@asynccontextmanager
async def running_models(
    settings: Settings, metrics: Metrics, start_thread: StartsThread
) -> AsyncIterator[tuple[Models, Reloads]]:
    """Open what is active, follow the active file while the `with` lasts, let go of everything.

    Raises:
        BundleError, DeviceUnavailable, ActiveFileUnreadable: there is no model that may serve.
    """
    refusals = Refusals()
    now, model = open_first(settings, refusals)
    models = Models(Served(model, start_thread(model.recommender)), now)
    metrics.answers_with(model.version, len(model.bundle.catalog))
    del model  # whoever holds it keeps its memory
    loader = Loader(settings, start_thread)
    reloads = Reloads(settings, models, loader, metrics, refusals)
    follower = asyncio.create_task(_follow(reloads, settings.active_poll_seconds))
    try:
        yield models, reloads
    finally:
        follower.cancel()
        with suppress(asyncio.CancelledError):
            await follower
        await reloads.close()
        models.close()
        loader.close()


async def _follow(reloads: Reloads, seconds: float) -> None:
    await reloads.keep_ready()
    while True:
        await asyncio.sleep(seconds)
        try:
            await reloads.follow()
        except Exception:  # noqa: BLE001 a worker that no longer follows would answer with the old model for ever
            structlog.get_logger("service.models").error("looking at the active file failed", exc_info=True)
