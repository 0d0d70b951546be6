"""The id of a request: the caller's own when it is a plain one, else a new one."""

from __future__ import annotations

import re
from uuid import uuid4

from starlette.types import Scope

_PLAIN = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
"""What may stand in logs and headers as it is."""


def request_id_of(scope: Scope) -> str:
    """The X-Request-Id header if it is 1 to 64 of `A-Za-z0-9._:-`, else 32 random hex digits."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _PLAIN.fullmatch(value):
            return str(value, "ascii")
    return uuid4().hex
