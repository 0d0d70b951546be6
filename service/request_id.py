"""The id of a request: the caller's own when it is a plain one, else a new one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from os import urandom
from typing import TypeAlias

Headers: TypeAlias = Iterable[tuple[bytes, bytes]]
"""Names in lower case."""
_PLAIN = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
"""What may stand in logs and headers as it is."""


def request_id_of(headers: Headers) -> str:
    """The X-Request-Id header if it is 1 to 64 of `A-Za-z0-9._:-`, else 32 random hex digits."""
    for name, value in headers:
        if name == b"x-request-id" and _PLAIN.fullmatch(value):
            return str(value, "ascii")
    return urandom(16).hex()
