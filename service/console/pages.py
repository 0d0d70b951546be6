"""Serves the console's files, the names of some users to pick from and what a catalogue can be filtered by."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException

from service.console.files import FILES, PAGE, STATIC
from service.openapi import errors
from service.routes import ServiceHere
from service.schemas import FacetsResponse, FacetValue, UsersResponse

SAMPLE = 24
"""Users offered in the picker."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
router = APIRouter()


@router.get("/", include_in_schema=False)
async def page() -> FileResponse:
    """The page."""
    return FileResponse(PAGE, headers=HEADERS)


@router.get("/console/{name}", include_in_schema=False)
async def part(name: str) -> FileResponse:
    """Its style and its program."""
    if name not in FILES:
        raise HTTPException(404)
    return FileResponse(STATIC / name, headers=HEADERS)


data_router = APIRouter()


@data_router.get(
    "/console/users", responses=errors(429, 500, 503), summary="Draw users that have a history", tags=["console"]
)
async def users(service: ServiceHere) -> UsersResponse:
    """Some users that have a history, drawn at random."""
    return UsersResponse(users=await service.histories.sample(SAMPLE))


@data_router.get(
    "/console/facets", responses=errors(429, 500), summary="Show what there is to filter by", tags=["console"]
)
async def facets(service: ServiceHere) -> FacetsResponse:
    """The categories and brands that most items of the active model have."""
    model = service.models.active.model
    found = model.recommender.facets
    return FacetsResponse(
        model_version=model.version,
        categories=[FacetValue(value=value, items=items) for value, items in found.categories],
        brands=[FacetValue(value=value, items=items) for value, items in found.brands],
    )
