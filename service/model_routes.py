"""Which models there are, and another one to answer with."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from service.admin_key import AdminOnly
from service.model_schemas import ActiveResponse, ModelsResponse
from service.models.status import status_of
from service.openapi import errors
from service.routes import ServiceHere

router = APIRouter()
Version = Annotated[str, Path(min_length=1, max_length=256)]


@router.get("/models", responses=errors(500), summary="List the models", tags=["models"])
async def models(service: ServiceHere) -> ModelsResponse:
    """The versions on disk, which one is active, and what is wrong with those that were refused."""
    return await status_of(service.models, service.reloads, service.scraping)


@router.post(
    "/admin/models/{version}/activate",
    responses=errors(401, 403, 404, 409, 422, 500),
    summary="Activate a model",
    tags=["models"],
)
async def activate(version: Version, _: AdminOnly, service: ServiceHere) -> ActiveResponse:
    """Prove a version and answer with it from now on. Whatever is wrong with it, the model that serves goes on."""
    now = await service.reloads.activate(version)
    return ActiveResponse(active=now.active, previous=now.previous)


@router.post(
    "/admin/rollback", responses=errors(401, 403, 404, 409, 500), summary="Go back to the model before", tags=["models"]
)
async def rollback(_: AdminOnly, service: ServiceHere) -> ActiveResponse:
    """Go back to the version that was active before; once more goes forth again."""
    now = await service.reloads.roll_back()
    return ActiveResponse(active=now.active, previous=now.previous)
