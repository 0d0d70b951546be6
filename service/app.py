"""create_app: the parts put together. Importing it starts nothing."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from prometheus_client import multiprocess
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse

from service import probes, routes
from service.admission import Admission
from service.body_limit import BodyLimit
from service.console import pages
from service.errors import answer
from service.histories import Histories
from service.logs import configure_logs
from service.metrics import MULTIPROCESS, Metrics
from service.model_thread import ModelThread
from service.models.opening import open_model
from service.models.registry import Models
from service.models.served import Served
from service.observation import Observation
from service.settings import Settings, read_settings
from service.state import Service, State


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service as an ASGI app; without settings, with those of the environment (so it is a factory for uvicorn).

    Its lifespan raises BundleError, and the server does not start, when the bundle is doubtful in any way.
    """
    settings = settings or read_settings()
    configure_logs(settings.log_level)
    metrics = Metrics()
    app = FastAPI(
        title="PRM-KD recommendations",
        version="1",
        lifespan=_lifespan(settings, metrics),
        middleware=_middleware(settings, metrics),
        redoc_url=None,
    )
    app.state.metrics = metrics
    for expected in (RequestValidationError, HTTPException):
        app.add_exception_handler(expected, _answer)
    app.include_router(routes.router)
    app.include_router(probes.router)
    if settings.console:
        app.include_router(pages.users_router)
        app.include_router(pages.router)
    return app


def _middleware(settings: Settings, metrics: Metrics) -> list[Middleware]:
    """Outermost first. Pure ASGI classes: FastAPI's function middleware would halve the throughput."""
    return [
        Middleware(Observation, metrics, access_log=settings.access_log),
        Middleware(BodyLimit, settings.max_body_bytes, settings.body_timeout_seconds),
        Middleware(Admission, settings.permits, metrics),
    ]


def _lifespan(settings: Settings, metrics: Metrics) -> Callable[[FastAPI], AbstractAsyncContextManager[State]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        histories = Histories(settings, metrics)
        model = open_model(settings)
        manifest = model.bundle.manifest
        metrics.model.labels(manifest.model_version).set(manifest.catalog.size)
        models = Models(Served(model, ModelThread(model.recommender, settings.queue, metrics)))
        del model  # whoever holds it keeps its memory
        redis = "up" if await histories.is_up() else "down"
        structlog.get_logger("service").info("ready", model_version=manifest.model_version, redis=redis)
        yield {"service": Service(models, histories)}
        models.close()
        await histories.close()
        if MULTIPROCESS in os.environ:
            multiprocess.mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]

    return lifespan


async def _answer(request: Request, error: Exception) -> JSONResponse:
    return answer(error, request.state.observed.request_id)
