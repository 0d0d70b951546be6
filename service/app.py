"""create_app: the parts put together. Importing it starts nothing."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from service import batch_routes, item_routes, model_routes, probes, routes
from service.admission import Permits
from service.console import pages
from service.door import Door
from service.errors import answer
from service.histories import Histories
from service.limit import Limit
from service.logs import configure_logs
from service.metrics import Metrics
from service.middleware import middleware_of
from service.model_thread import ModelThread
from service.models.running import running_models
from service.observation import Observed, note_error
from service.openapi import TAGS, describe, errors
from service.scraping import Scraping
from service.settings import Settings, read_settings
from service.shutdown import Shutdown
from service.state import Service, State
from service.tracing.opening import tracing_of
from service.turns import short_turns
from service.worker_metrics import forget_dead_workers, forget_this_worker

if TYPE_CHECKING:
    from service.tracing.tracing import Tracing


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service as an ASGI app; without settings, with those of the environment (so it is a factory for uvicorn).

    Its lifespan raises BundleError, and the server does not start, when the bundle is doubtful in any way.

    Raises:
        TracingUnavailable: the settings ask for traces, and the extra `otel` is not installed.
    """
    settings = settings or read_settings()
    configure_logs(settings.log_level)
    metrics, shutdown = Metrics(), Shutdown(settings.drain_seconds)
    limit = Limit(settings.permits, settings.standing_wait_ms / 1000)
    permits, tracing = Permits(limit, metrics), tracing_of(settings)
    door = Door(permits, shutdown, metrics, access_log=settings.access_log)
    app = FastAPI(
        title="PRM-KD recommendations",
        version="1",
        lifespan=_lifespan(settings, _Parts(metrics, shutdown, door, limit, tracing)),
        middleware=middleware_of(settings, metrics, shutdown, permits, tracing),
        # What FastAPI itself would send, if its environment says so, has paths in it, and paths have user ids.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        redoc_url=None,
        openapi_tags=TAGS,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.metrics = metrics
    app.state.settings = settings
    for expected in (RequestValidationError, HTTPException):
        app.add_exception_handler(expected, _answer)
    guarded = errors(401, 429)
    for guarded_router in (routes.router, batch_routes.router, item_routes.router):
        app.include_router(guarded_router, responses=guarded)
    app.include_router(probes.router)
    app.include_router(model_routes.router, responses=guarded)
    if settings.console:
        app.include_router(pages.data_router, responses=guarded)
        app.include_router(pages.router)
    plain = app.openapi
    app.openapi = lambda: describe(plain(), settings)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


@dataclass(frozen=True, eq=False)
class _Parts:
    """What is made with the app and lives as long."""

    metrics: Metrics
    shutdown: Shutdown
    door: Door
    limit: Limit
    tracing: Tracing | None


def _lifespan(settings: Settings, parts: _Parts) -> Callable[[FastAPI], AbstractAsyncContextManager[State]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        forget_dead_workers()
        histories, scraping = Histories(settings, parts.metrics), Scraping(parts.metrics)
        start_thread = partial(
            ModelThread, most_queued=settings.queue, metrics=parts.metrics, waited=parts.limit.waited
        )
        sending = nullcontext() if parts.tracing is None else parts.tracing.sending()
        async with running_models(settings, parts.metrics, start_thread) as (models, reloads):
            redis = "up" if await histories.is_up() else "down"
            structlog.get_logger("service").info(
                "ready", model_version=models.now.active, device=str(models.active.model.device), redis=redis
            )
            _leave_to_itself_what_stays()
            with sending, parts.shutdown.on_sigterm(), short_turns():
                yield {"service": Service(models, reloads, histories, scraping), "door": parts.door}
        parts.door.settle()
        scraping.close()
        await histories.close()
        forget_this_worker()

    return lifespan


def _leave_to_itself_what_stays() -> None:
    """Tell the garbage collector to look no more at what was made until now: modules, schemas, the model.

    A full collection looks at all of it, on whatever thread it strikes, and meanwhile nobody is answered. Opening
    another model makes so many objects that one is certain: it was the longest stall of a reload.
    """
    gc.collect()
    gc.freeze()


async def _answer(request: Request, error: Exception) -> JSONResponse:
    observed: Observed = request.state.observed
    note_error(error, observed, request.app.state.metrics)
    return answer(error, observed.request_id)
