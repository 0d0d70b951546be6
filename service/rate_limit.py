"""A rate for every caller: token buckets, kept by each worker for itself."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from time import perf_counter

from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import RateLimited

Clock = Callable[[], float]
_ROUNDING = 1e-6
"""Tokens that adding up may lose: who waited as long as it was told must not be refused for them."""


class Bucket:
    """Fills with `rate` tokens a second up to `burst`; every request takes one."""

    def __init__(self, rate: float, burst: int, clock: Clock = perf_counter) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._filled = clock()

    def take(self, tokens: int, taken: int = 0) -> None:
        """Take so many. More than `burst` are had from a full bucket, and owed until as many have come in.

        Args:
            tokens: how many.
            taken: how many the same request has taken before, from what must be a full bucket.

        Raises:
            RateLimited: they are not there; it says in how many seconds they will be, those that were taken before
                included, if nobody takes any meanwhile.
        """
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        needed = min(taken + tokens, self._burst)
        missing = needed - self._tokens
        if missing - taken > _ROUNDING:
            raise RateLimited(f"more than {self._rate:g} requests a second", retry_after=ceil(missing / self._rate))
        self._tokens -= tokens


class RateLimit:
    """ASGI middleware that stands behind Authentication and gives every key its bucket."""

    def __init__(self, app: ASGIApp, rate: float, burst: int) -> None:
        self._app = app
        self._rate = rate
        self._burst = burst
        self._buckets: dict[str, Bucket] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a token of the caller's bucket, `scope["state"]["bucket"]`; requests without a key pass.

        Raises:
            RateLimited: it has none.
        """
        state = scope.get("state", {})
        if "key" in state:
            bucket = self._buckets.get(state["key"])
            if bucket is None:
                bucket = self._buckets[state["key"]] = Bucket(self._rate, self._burst)
            bucket.take(1)
            state["bucket"] = bucket
        await self._app(scope, receive, send)
