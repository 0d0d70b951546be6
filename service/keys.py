"""API keys: 256 random bits, shown once; the service knows only their sha256.

A plain hash is enough because a key is random and long: there is nothing to guess. Whoever reads the settings cannot
call the service with what stands there. Comparisons take the same time wherever two hashes differ.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass
from hashlib import sha256

from starlette.types import Scope

from service.errors import Unauthorized

HASHED_KEY = r"[0-9a-f]{64}"
"""How a hash is written: sha256, hexadecimal, lower case. For patterns of settings."""
NAMED_HASH = rf"[A-Za-z0-9._-]{{1,64}}={HASHED_KEY}"
NAMED_HASHES = rf"^{NAMED_HASH}(,{NAMED_HASH})*$"
"""`name=hash,name=hash`; the names stand in logs and documents, never on the wire."""
_BEARER = re.compile(rb"Bearer +([\x21-\x7e]+)", re.IGNORECASE)


def new_key() -> str:
    """A key that nobody has: 43 characters of `A-Za-z0-9_-`."""
    return secrets.token_urlsafe(32)


def hash_of(key: str | bytes) -> str:
    """What the settings hold of a key."""
    return sha256(key.encode() if isinstance(key, str) else key).hexdigest()


def is_key(key: bytes, hashed: str) -> bool:
    """Whether the key has this hash; in constant time."""
    return hmac.compare_digest(hash_of(key), hashed)


def presented_key(scope: Scope) -> bytes:
    """The key in the request's `Authorization: Bearer KEY`.

    Raises:
        Unauthorized: there is none.
    """
    for name, value in scope["headers"]:
        if name == b"authorization" and (found := _BEARER.fullmatch(value.strip())):
            key: bytes = found[1]
            return key
    raise Unauthorized("send a key: Authorization: Bearer KEY")


@dataclass(frozen=True)
class Keys:
    """The keys of those who may call, by name."""

    hashes: dict[str, str]

    @classmethod
    def parse(cls, text: str) -> Keys:
        """From `name=hash,name=hash`, as NAMED_HASHES has it.

        Raises:
            ValueError: a name stands there twice.
        """
        pairs = [pair.partition("=") for pair in text.split(",")]
        hashes = {name: hashed for name, _, hashed in pairs}
        if len(hashes) < len(pairs):
            raise ValueError("every key needs a name of its own")
        return cls(hashes)

    def name_of(self, key: bytes) -> str:
        """Whose key it is. Every hash is compared, so that the time does not tell whose it nearly was.

        Raises:
            Unauthorized: nobody's.
        """
        names = [name for name, hashed in self.hashes.items() if is_key(key, hashed)]
        if not names:
            raise Unauthorized("nobody has this key")
        return names[0]
