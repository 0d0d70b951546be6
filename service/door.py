"""The door: while no permit is free, what comes is refused in front of everything else.

An overloaded service refuses more requests than it answers. Where a refusal passes through what every request passes
through (a task, the middleware, the framework), refusing is what the service does with its time.
"""

from __future__ import annotations

import asyncio

import structlog

from service.admission import GUARDED, NONE_FREE, Permits
from service.errors import Overloaded
from service.metrics import UNMATCHED, Metrics
from service.refusal import Refusal
from service.request_id import Headers, request_id_of
from service.shutdown import Shutdown

SETTLED_AFTER = 0.1
"""Seconds. Counting costs more than refusing, so refusals are counted together."""
_PATHS = tuple(path.encode() for path in GUARDED)


class Door:
    """Decides and words refusals; whatever speaks HTTP asks it when the head of a request has come."""

    def __init__(self, permits: Permits, shutdown: Shutdown, metrics: Metrics, *, access_log: bool) -> None:
        self._permits = permits
        self._shutdown = shutdown
        self._metrics = metrics
        self._access_log = access_log
        self._refusal = Refusal(Overloaded(NONE_FREE))
        self._coming = 0
        self._refused = 0

    def lets_in(self, url: bytes) -> bool:
        """Whether this may go on to where a permit is taken. During a shutdown everything may: then every answer must
        end its connection.

        Requests that arrive together are looked at before the first of them takes its permit. So who is let in counts
        as if it had one, for the rest of this turn of the event loop; without that all would be let in for the sake of
        one permit, and refused where it is dear.
        """
        if not url.startswith(_PATHS):
            return True
        if self._permits.free <= self._coming and not self._shutdown.begun:
            return False
        self._coming += 1
        asyncio.get_running_loop().call_soon(self._has_come)
        return True

    def _has_come(self) -> None:
        self._coming -= 1

    def refusal(self, headers: Headers, more: Headers) -> bytes:
        """The response to a request that is not let in, and counted.

        Args:
            headers: those of the request.
            more: of the response, beside its own.
        """
        if not self._refused:
            asyncio.get_running_loop().call_later(SETTLED_AFTER, self.settle)
        self._refused += 1
        return self._refusal.written(request_id_of(headers).encode(), more)

    def settle(self) -> None:
        """Bring the metrics, and the log, up to date."""
        refused, self._refused = self._refused, 0
        if not refused:
            return
        row = self._refusal.row
        self._metrics.requests.labels(UNMATCHED, row.status).inc(refused)
        self._metrics.errors.labels(row.error).inc(refused)
        if self._access_log:
            log: structlog.stdlib.BoundLogger = structlog.get_logger("service.request")
            log.info("refused", route=UNMATCHED, status=row.status, errors=[row.error], requests=refused)
