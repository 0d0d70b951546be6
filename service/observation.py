"""What is noted of every request: its id, its status and its times; and what it ends in when nobody else says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import INTERNAL, ClientGone, answer, row_of
from service.metrics import UNMATCHED, Metrics
from service.outcome import Outcome
from service.request_id import request_id_of
from service.timings import Timings

if TYPE_CHECKING:  # what they need is only there where somebody wants traces
    from service.tracing.trace import Trace
    from service.tracing.tracing import Tracing


@dataclass
class Observed:
    """One request under observation; `scope["state"]["observed"]`."""

    request_id: str
    timings: Timings
    started: float
    trace: Trace | None = None
    """Its place in a trace; None: it is not traced."""
    status: int | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    """Of each list that was given."""
    answered_by: Mapping[str, str | None] = field(default_factory=dict)
    """Of an answer about items: the model, and the variant."""
    errors: list[str] = field(default_factory=list)
    """Names of what it ended in instead; of a batch, of what some of its requests ended in."""
    parts: list[Timings] = field(default_factory=list)
    """Of a batch, the times of each of its requests."""

    @property
    def ids(self) -> dict[str, str]:
        """By which its lines in the log, its answer and its trace find each other."""
        return {"request_id": self.request_id} | ({} if self.trace is None else {"trace_id": self.trace.id})

    def outcome_fields(self) -> dict[str, str | bool | int | None]:
        """What it came to: of several lists their number, and whether any was degraded."""
        if len(self.outcomes) == 1:
            return self.outcomes[0].fields()
        if self.outcomes:
            return {"lists": len(self.outcomes), "degraded": any(one.degraded for one in self.outcomes)}
        return {**self.answered_by}

    def log_fields(self) -> dict[str, object]:
        """All of it, in a line."""
        errors = {"errors": self.errors} if self.errors else {}
        return {**self.outcome_fields(), **errors, **self.timings.log_fields()}


@dataclass(frozen=True)
class Finished:
    """A request that is over."""

    observed: Observed
    method: str
    route: str
    seconds: float

    @property
    def status(self) -> int:
        """499: the caller had gone."""
        return self.observed.status or 499


class Observation:
    """ASGI middleware, the outermost: gives every request an id, every response its headers, every error a body."""

    def __init__(self, app: ASGIApp, metrics: Metrics, tracing: Tracing | None, *, access_log: bool) -> None:
        self._app = app
        self._metrics = metrics
        self._tracing = tracing
        self._access_log = access_log
        self._log: structlog.stdlib.BoundLogger = structlog.get_logger("service.request")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and answer for whatever is raised."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        observed = Observed(request_id_of(scope["headers"]), Timings(), perf_counter())
        scope.setdefault("state", {})["observed"] = observed
        if self._tracing is not None:
            observed.trace = self._tracing.begin(scope)

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
            self._log.error("request failed", **observed.ids, path=_route(scope), exc_info=error)
        if observed.status is None and not isinstance(error, ClientGone):
            await answer(error, observed.request_id)(scope, receive, send)

    def _note(self, scope: Scope, observed: Observed) -> None:
        seconds = perf_counter() - observed.started
        finished = Finished(observed, scope["method"], _route(scope), seconds)
        self._metrics.observe_request(finished.route, finished.status, seconds)
        self._metrics.observe_stages(observed.timings)
        if self._tracing is not None and observed.trace is not None:
            self._tracing.end(observed.trace, finished)
        if self._access_log:
            self._log.info(
                "request",
                **observed.ids,
                method=finished.method,
                route=finished.route,
                status=finished.status,
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
