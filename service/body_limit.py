"""Bodies are read here, whole or not at all: never more than the limit, never longer than the patience."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import BodyTooLarge, BodyTooSlow, ClientGone


class BodyLimit:
    """ASGI middleware that reads a body of at most `max_bytes` within `seconds` and hands it on in one piece."""

    def __init__(self, app: ASGIApp, max_bytes: int, seconds: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, then pass the request on.

        Raises:
            BodyTooLarge: by its Content-Length before anything is read, or as soon as a chunk goes beyond.
            BodyTooSlow: it was not whole in time.
            ClientGone: the caller hung up first.
        """
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        self._check(_content_length(scope))
        try:
            async with asyncio.timeout(self._seconds):
                body = await self._read(receive)
        except TimeoutError as error:
            raise BodyTooSlow(f"the body did not arrive within {self._seconds:g} s") from error
        await self._app(scope, _replay(body, receive), send)

    async def _read(self, receive: Receive) -> bytes:
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            body: bytes = message.get("body", b"")  # nearly always: no copy
            self._check(len(body))
            return body
        chunks = bytearray()
        while message["type"] == "http.request":
            chunks += message.get("body", b"")
            self._check(len(chunks))
            if not message.get("more_body"):
                return bytes(chunks)
            message = await receive()
        raise ClientGone("the connection was closed before the body was whole")

    def _check(self, size: int) -> None:
        if size > self._max_bytes:
            raise BodyTooLarge(f"the body is longer than {self._max_bytes} bytes")


def _content_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once, and then what the server has to say (that the caller has gone)."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay
