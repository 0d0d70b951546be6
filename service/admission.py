"""Admission: a fixed number of requests at once, and an early no to the next. There is no queue to grow.

An operation that brings the work of several requests says so as soon as it has read its body, before it does any of it:

    request.state.permit.take(len(body.requests))

From there it counts as that many, here and against the rate limit, until its answer is sent.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import Overloaded
from service.limit import Limit
from service.metrics import Metrics
from service.rate_limit import Bucket

GUARDED = ("/recommend", "/events", "/users/", "/items", "/console/users", "/console/facets")
"""Paths that cost work. Probes, metrics and pages stay open, so that an overloaded service can be told from a dead
one."""

NONE_FREE = "no permit is free; try again in a moment"


class Permits:
    """How many requests may be worked on at once in one worker."""

    def __init__(self, limit: Limit, metrics: Metrics) -> None:
        self._limit = limit
        self._taken = 0
        self._metrics = metrics
        self._told = 0
        self._tell(limit.now)

    @property
    def total(self) -> int:
        """How many there are now."""
        now = self._limit.now
        if now != self._told:
            self._tell(now)
        return now

    @property
    def free(self) -> int:
        """How many can be taken; less than none where there are fewer now than were taken before."""
        return self.total - self._taken

    def _tell(self, total: int) -> None:
        self._told = total
        self._metrics.permits.set(total)

    def take(self, wanted: int) -> None:
        """Take so many.

        Raises:
            Overloaded: fewer are free; none was taken.
        """
        if self.free < wanted:
            raise Overloaded(NONE_FREE if wanted == 1 else f"{wanted} permits are not free; try again in a moment")
        self._taken += wanted
        self._metrics.in_flight.inc(wanted)

    def require_one(self) -> None:
        """Take none.

        Raises:
            Overloaded: none is free.
        """
        if self.free < 1:
            raise Overloaded(NONE_FREE)

    def give_back(self, held: int) -> None:
        """What was taken."""
        self._taken -= held
        self._metrics.in_flight.dec(held)


@dataclass
class Permit:
    """What one request holds; `request.state.permit`."""

    permits: Permits
    bucket: Bucket | None
    """Its caller's rate limit, where there is one."""
    held: int = 1

    def take(self, requests: int) -> None:
        """Count as so many requests from here on, the one that came included.

        More than there are permits count as all of them: such a request is let in when nothing else is under way.

        Raises:
            Overloaded: not so many permits are free.
            RateLimited: the caller's rate does not allow so many.
        """
        weight = max(self.held, min(requests, self.permits.total))
        self.permits.take(weight - self.held)
        self.held = weight
        if self.bucket is not None:
            self.bucket.take(requests - 1, taken=1)


class FirstLook:
    """ASGI middleware that stands before BodyLimit: while no permit is free, guarded requests are refused without even
    reading what they have sent. The busier a service, the less a refusal may cost."""

    def __init__(self, app: ASGIApp, permits: Permits) -> None:
        self._app = app
        self._permits = permits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on.

        Raises:
            Overloaded: no permit is free.
        """
        if scope["type"] == "http" and scope["path"].startswith(GUARDED):
            self._permits.require_one()
        await self._app(scope, receive, send)


class Admission:
    """ASGI middleware that gives a permit to every guarded request. It stands behind BodyLimit, so that a caller who
    sends slowly holds none, and before any parsing."""

    def __init__(self, app: ASGIApp, permits: Permits) -> None:
        self._app = app
        self._permits = permits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a permit, pass the request on, give back what it holds.

        Raises:
            Overloaded: none is free.
        """
        if scope["type"] != "http" or not scope["path"].startswith(GUARDED):
            await self._app(scope, receive, send)
            return
        self._permits.take(1)
        state = scope.setdefault("state", {})
        permit = state["permit"] = Permit(self._permits, state.get("bucket"))
        try:
            await self._app(scope, receive, send)
        finally:
            self._permits.give_back(permit.held)
