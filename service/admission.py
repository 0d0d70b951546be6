"""Admission: a fixed number of requests at once, and an early no to the next. There is no queue to grow."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import Overloaded
from service.metrics import Metrics

GUARDED = ("/recommend", "/events", "/users/", "/items", "/console/users")
"""Paths that cost work. Probes, metrics and pages stay open, so that an overloaded service can be told from a dead
one."""


class Admission:
    """ASGI middleware that lets `permits` guarded requests in. It stands behind BodyLimit, so that a caller who sends
    slowly holds no permit, and before any parsing, so that a refusal costs next to nothing."""

    def __init__(self, app: ASGIApp, permits: int, metrics: Metrics) -> None:
        self._app = app
        self._free = permits
        self._permits = permits
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a permit, pass the request on, give the permit back.

        Raises:
            Overloaded: none is free.
        """
        if scope["type"] != "http" or not scope["path"].startswith(GUARDED):
            await self._app(scope, receive, send)
            return
        if self._free == 0:
            raise Overloaded(f"all {self._permits} permits are taken; try again in a moment")
        self._free -= 1
        self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive, send)
        finally:
            self._free += 1
            self._metrics.in_flight.dec()
