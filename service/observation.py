"""What is noted of every request: its id, its status and its times; and what it ends in when nobody else says."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import INTERNAL, ClientGone, answer, row_of
from service.metrics import UNMATCHED, Metrics
from service.outcome import Outcome
from service.request_id import request_id_of
from service.timings import Timings


@dataclass
class Observed:
    """One request under observation; `scope["state"]["observed"]`."""

    request_id: str
    timings: Timings
    started: float
    status: int | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    """Of each list that was given."""
    errors: list[str] = field(default_factory=list)
    """Names of what it ended in instead; of a batch, of what some of its requests ended in."""

    def log_fields(self) -> dict[str, object]:
        """What it came to, in a line: of several lists their number, and whether any was degraded."""
        fields: dict[str, object] = {}
        if len(self.outcomes) == 1:
            fields |= self.outcomes[0].log_fields()
        elif self.outcomes:
            fields |= {"lists": len(self.outcomes), "degraded": any(one.degraded for one in self.outcomes)}
        if self.errors:
            fields["errors"] = self.errors
        return fields | self.timings.log_fields()


class Observation:
    """ASGI middleware, the outermost: gives every request an id, every response its headers, every error a body."""

    def __init__(self, app: ASGIApp, metrics: Metrics, *, access_log: bool) -> None:
        self._app = app
        self._metrics = metrics
        self._access_log = access_log
        self._log: structlog.stdlib.BoundLogger = structlog.get_logger("service.request")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and answer for whatever is raised."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        observed = Observed(request_id_of(scope["headers"]), Timings(), perf_counter())
        scope.setdefault("state", {})["observed"] = observed

        async def send_observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(message, observed)
            await send(message)

        try:
            await self._app(scope, receive, send_observed)
        except Exception as error:  # noqa: BLE001 the edge: whatever went wrong becomes an answer here
            await self._answer(error, observed, scope, receive, send_observed)
        finally:
            self._note(scope, observed)

    async def _answer(self, error: Exception, observed: Observed, scope: Scope, receive: Receive, send: Send) -> None:
        note_error(error, observed, self._metrics)
        if row_of(error) is INTERNAL:
            self._log.error("request failed", request_id=observed.request_id, path=_route(scope), exc_info=error)
        if observed.status is None and not isinstance(error, ClientGone):
            await answer(error, observed.request_id)(scope, receive, send)

    def _note(self, scope: Scope, observed: Observed) -> None:
        seconds, route, status = perf_counter() - observed.started, _route(scope), observed.status or 499
        self._metrics.observe_request(route, status, seconds)
        self._metrics.observe_stages(observed.timings)
        if self._access_log:
            self._log.info(
                "request",
                request_id=observed.request_id,
                method=scope["method"],
                route=route,
                status=status,
                ms=round(seconds * 1000, 3),
                **observed.log_fields(),
            )


def note_error(error: Exception, observed: Observed, metrics: Metrics) -> None:
    """Count an error, by its name, and remember it for the request's line in the log."""
    name = row_of(error).error
    metrics.errors.labels(name).inc()
    observed.errors.append(name)


def _add_headers(message: Message, observed: Observed) -> None:
    observed.status = message["status"]
    headers = MutableHeaders(scope=message)
    headers["X-Request-Id"] = observed.request_id
    if observed.timings.seconds:
        headers["Server-Timing"] = observed.timings.server_timing()


def _route(scope: Scope) -> str:
    """The pattern and not the path: a path may hold a user id, and would make endless label values."""
    return getattr(scope.get("route"), "path_format", UNMATCHED)
