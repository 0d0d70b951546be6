"""Who may call: those who have a key, where the settings name any."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from service.console.files import FILES
from service.keys import Keys, presented_key
from service.metrics import Metrics

OPEN = frozenset(
    {
        "/livez",
        "/readyz",
        "/docs",
        "/docs/oauth2-redirect",
        "/openapi.json",
        "/",
        *(f"/console/{name}" for name in FILES),
    }
)
"""Probes and pages that hold no data. Whatever is not named here needs a key, so a new path is closed at first."""
ADMIN = "/admin/"
"""Has a key of its own."""
METRICS = "/metrics"


class Authentication:
    """ASGI middleware that asks for a key before the body is read; its name is then `scope["state"]["key"]`."""

    def __init__(self, app: ASGIApp, keys: Keys, metrics: Metrics, *, guard_metrics: bool) -> None:
        self._app = app
        self._keys = keys
        self._metrics = metrics
        self._open = OPEN if guard_metrics else OPEN | {METRICS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is open and what has a key.

        Raises:
            Unauthorized: no key, or nobody's.
        """
        if scope["type"] == "http" and scope["path"] not in self._open and not scope["path"].startswith(ADMIN):
            name = self._keys.name_of(presented_key(scope))
            self._metrics.key_requests.labels(name).inc()
            scope.setdefault("state", {})["key"] = name
        await self._app(scope, receive, send)
