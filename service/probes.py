"""Liveness, readiness, metrics: what machines ask."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from service.openapi import errors
from service.routes import ServiceHere
from service.schemas import Liveness, Readiness

router = APIRouter()
EXPOSED: dict[str, Any] = {
    "description": "Prometheus' text format",
    "content": {"text/plain": {"schema": {"type": "string"}}},
}


@router.get("/livez", responses=errors(500), summary="Tell whether the process answers", tags=["operation"])
async def livez() -> Liveness:
    """The process answers."""
    return Liveness()


@router.get("/readyz", responses=errors(500, 503), summary="Tell whether it may be sent requests", tags=["operation"])
async def readyz(service: ServiceHere) -> Readiness:
    """The model has given its golden answers; whether Redis answers now is told, and no reason to be unready."""
    redis_up = await service.histories.is_up()
    manifest = service.models.active.model.bundle.manifest
    return Readiness(
        model_version=manifest.model_version, items=manifest.catalog.size, redis="up" if redis_up else "down"
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: EXPOSED, **errors(401, 500)},
    summary="Show the metrics",
    tags=["operation"],
)
async def metrics(request: Request, service: ServiceHere) -> Response:
    """What Prometheus scrapes."""
    request.state.door.settle()
    return Response(await service.scraping.exposition(), media_type=CONTENT_TYPE_LATEST)
