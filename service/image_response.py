"""How a picture of an item is sent: as what it is and nothing else, and only to those who do not have it yet."""

from __future__ import annotations

from hashlib import sha256
from http import HTTPStatus
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response

from service.bundle.item_images import MEDIA_TYPE

FOR_GOOD = "private, max-age=86400, immutable"
"""For an address that names the model: a version is its files, so the picture there never changes. Private, because it
was asked for with a key."""
ASK_AGAIN = "private, no-cache"
"""For one that does not: the model that answers may be another one the next time."""

_ETAG = {"description": "A hash of the picture.", "schema": {"type": "string"}}
_CACHE = {"description": f"`{FOR_GOOD}` where `model` was named, else `{ASK_AGAIN}`.", "schema": {"type": "string"}}
_HEADERS = {"ETag": _ETAG, "Cache-Control": _CACHE}
RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The picture",
        "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        "headers": _HEADERS,
    },
    304: {"description": "`If-None-Match` names this very picture", "headers": _HEADERS},
}


def image_response(picture: bytes, asked: Headers, *, for_good: bool) -> Response:
    """200 with the picture, or 304 without.

    Args:
        picture: a WebP file.
        asked: headers of the request, of which `If-None-Match` counts.
        for_good: whether the same address will always be answered with this picture.
    """
    etag = f'"{sha256(picture).hexdigest()[:32]}"'
    headers = {
        "ETag": etag,
        "Cache-Control": FOR_GOOD if for_good else ASK_AGAIN,
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if _has_it(asked.getlist("if-none-match"), etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(picture, media_type=MEDIA_TYPE, headers=headers)


def _has_it(named: list[str], etag: str) -> bool:
    """Whether `If-None-Match` names the tag (RFC 9110, 13.1.2: compared weakly), or anything at all."""
    tags = [tag.strip().removeprefix("W/") for line in named for tag in line.split(",")]
    return etag in tags or "*" in tags
