"""Requests at moments that do not depend on the answers: Poisson arrivals at a fixed rate.

A latency counts from the moment at which a request was due, so a service that stalls is charged for everybody who
would have come meanwhile. A user who waits for the answer before asking again (a closed loop) hides that.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import perf_counter


@dataclass
class Seen:
    """What an open loop saw."""

    seconds: list[float] = field(default_factory=list)
    """From due to done, of the answered."""
    lags: list[float] = field(default_factory=list)
    """From due to sent: the loader's own lateness. Where it is not small, the latencies are the loader's."""
    complaints: list[str] = field(default_factory=list)
    """What was wrong, of those that were answered wrongly or not at all."""
    dropped: int = 0
    """Never sent, because too many were under way."""


class OpenLoop:
    """Sends requests at `rate` per second until it is told to stop."""

    def __init__(self, rate: float, most_at_once: int, send: Callable[[], Awaitable[str | None]]) -> None:
        """`send` makes one request and returns what is wrong with the answer, or None."""
        self.seen = Seen()
        self._rate = rate
        self._most = most_at_once
        self._send = send
        self._under_way: set[asyncio.Task[None]] = set()
        self._stopped = False

    async def run(self) -> Seen:
        """Send until stopped, then wait for the answers under way."""
        draw = random.Random(0)
        due = perf_counter()
        while not self._stopped:
            due += draw.expovariate(self._rate)
            await asyncio.sleep(max(0.0, due - perf_counter()))
            if len(self._under_way) >= self._most:
                self.seen.dropped += 1
                continue
            task = asyncio.create_task(self._one(due))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        await asyncio.gather(*self._under_way)
        return self.seen

    def stop(self) -> None:
        """Send nothing more."""
        self._stopped = True

    async def _one(self, due: float) -> None:
        self.seen.lags.append(perf_counter() - due)
        complaint = await self._send()
        if complaint is None:
            self.seen.seconds.append(perf_counter() - due)
        else:
            self.seen.complaints.append(complaint)


def percentiles(seconds: list[float]) -> dict[str, float]:
    """Milliseconds: p50, p90, p99, p99.9 and the most; empty of nothing."""
    ordered = sorted(seconds)
    places = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999, "max": 1.0}
    return {
        name: round(ordered[min(int(place * len(ordered)), len(ordered) - 1)] * 1000, 2)
        for name, place in places.items()
        if ordered
    }
