"""The models of a worker from its start to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from service.metrics import Metrics
from service.models.first import open_first
from service.models.loader import Loader, StartsThread
from service.models.refusals import Refusals
from service.models.registry import Models
from service.models.reload import Reloads
from service.models.served import Served
from service.models.variants import Variants
from service.models.watch import Watch
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
    now, opened = open_first(settings, refusals)
    served = [Served(model, start_thread(model.recommender)) for model in opened]
    models = Models(served, now, Variants.of_settings(settings.variants))
    metrics.answers_with(models.active.version, len(models.active.model.bundle.catalog))
    del opened, served  # whoever holds a model keeps its memory
    loader = Loader(settings, start_thread)
    reloads = Reloads(settings, models, loader, metrics, refusals)
    looks = [reloads.keep_ready, reloads.follow]
    if settings.watch_models:
        looks.append(Watch(models, reloads).look)
    looking = [asyncio.create_task(_repeat(look, settings.active_poll_seconds)) for look in looks]
    try:
        yield models, reloads
    finally:
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)
        await reloads.close()
        models.close()
        loader.close()


async def _repeat(look: Callable[[], Awaitable[None]], seconds: float) -> None:
    while True:
        try:
            await look()
        except Exception:  # noqa: BLE001 a worker that no longer looks would answer with the old model for ever
            structlog.get_logger("service.models").exception("looking after the models failed")
        await asyncio.sleep(seconds)
