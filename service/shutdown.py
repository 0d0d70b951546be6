"""The end of a worker, in an order that loses nothing.

SIGTERM makes `/readyz` a 503 at once, and every answer asks its connection to close, so that nobody sends the next
request here. Whoever distributes the requests needs a moment to notice: until then what still comes is answered. Then
the server (uvicorn) stops listening, finishes what is under way and ends.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import ShuttingDown

READINESS = "/readyz"


class Shutdown:
    """Whether this worker is about to end."""

    def __init__(self, drain_seconds: float) -> None:
        self.begun = False
        self._drain_seconds = drain_seconds

    @contextmanager
    def on_sigterm(self) -> Iterator[None]:
        """Inside the `with`, SIGTERM begins the shutdown; the server learns of it when the time to drain is over, or by
        a second SIGTERM. Only where the server runs in the main thread and listens to SIGTERM itself."""
        ends_server = signal.getsignal(signal.SIGTERM)
        if threading.current_thread() is not threading.main_thread() or not callable(ends_server):
            yield
            return
        loop = asyncio.get_running_loop()

        def begin(number: int, frame: object) -> None:
            pause = 0 if self.begun else self._drain_seconds
            self.begun = True
            loop.call_soon_threadsafe(loop.call_later, pause, ends_server, number, None)
            structlog.get_logger("service").info("shutting down", drain_seconds=pause)

        signal.signal(signal.SIGTERM, begin)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, ends_server)


class Draining:
    """ASGI middleware that tells everybody when the shutdown has begun."""

    def __init__(self, app: ASGIApp, shutdown: Shutdown) -> None:
        self._app = app
        self._shutdown = shutdown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; from the beginning of the shutdown, with a word that its connection closes.

        Raises:
            ShuttingDown: it asked whether the worker is ready.
        """

        async def send_last(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        if scope["type"] != "http" or not self._shutdown.begun:
            await self._app(scope, receive, send)
        elif scope["path"] == READINESS:
            raise ShuttingDown("this worker is about to end")
        else:
            await self._app(scope, receive, send_last)
