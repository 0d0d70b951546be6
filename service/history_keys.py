"""Names of the Redis keys of one user, and the way back."""

from __future__ import annotations

from urllib.parse import quote, unquote

_START, _HISTORY, _EVENTS = "rec:v2:{", "}:h", "}:e"


def history_key(user_id: str) -> str:
    """`rec:v2:{<user>}:h`, the STRING of packed item ids, newest last.

    The braces are a Cluster hash tag: both keys of a user lie on one node. The id is percent-encoded, so that braces in
    it cannot cut the tag short.
    """
    return f"{_START}{quote(user_id, safe='')}{_HISTORY}"


def events_key(user_id: str) -> str:
    """`rec:v2:{<user>}:e`, the ZSET of event ids already taken, by order of arrival."""
    return f"{_START}{quote(user_id, safe='')}{_EVENTS}"


def user_of(key: str) -> str | None:
    """The user whose history lies under a key; None for any other key."""
    if key.startswith(_START) and key.endswith(_HISTORY):
        return unquote(key[len(_START) : -len(_HISTORY)])
    return None
