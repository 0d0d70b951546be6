"""Serves the console's three files and the names of some users to pick from."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import FileResponse

from service.routes import ServiceHere, errors
from service.schemas import UsersResponse

STATIC = Path(__file__).parent / "static"
SAMPLE = 24
"""Users offered in the picker."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
router = APIRouter()


@router.get("/", include_in_schema=False)
async def page() -> FileResponse:
    """The page."""
    return FileResponse(STATIC / "index.html", headers=HEADERS)


@router.get("/console/{name}", include_in_schema=False)
async def part(name: Literal["console.css", "console.js"]) -> FileResponse:
    """Its style and its program."""
    return FileResponse(STATIC / name, headers=HEADERS)


users_router = APIRouter()


@users_router.get("/console/users", responses=errors(429, 500, 503))
async def users(service: ServiceHere) -> UsersResponse:
    """Some users that have a history, drawn at random."""
    return UsersResponse(users=await service.histories.sample(SAMPLE))
