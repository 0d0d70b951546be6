"""Who may change what is served."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from service.errors import AdminClosed, Unauthorized
from service.keys import is_key, presented_key


async def require_admin(request: Request) -> None:
    """Let the admin pass.

    Raises:
        AdminClosed: there is none.
        Unauthorized: it is somebody else.
    """
    hashed = request.app.state.settings.admin_key_sha256
    if hashed is None:
        raise AdminClosed("nobody may: no admin key is set (REC_ADMIN_KEY_SHA256)")
    if not is_key(presented_key(request.scope), hashed):
        raise Unauthorized("this is not the admin key")


AdminOnly = Annotated[None, Depends(require_admin)]
