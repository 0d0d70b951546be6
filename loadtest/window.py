"""A while at a fixed rate, and what was seen of the service."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from time import perf_counter
from typing import Any

from loadtest.asking import Asker
from loadtest.open_loop import OpenLoop, Seen, percentiles

MOST_LAG = 0.005
"""Seconds; a loader whose own p99 lateness is beyond that measures itself."""
MOST_AT_ONCE = 2000


@dataclass(frozen=True)
class Window:
    """What an open loop saw of a service."""

    rate: float
    seconds: float
    seen: Seen
    statuses: Counter[str]
    refusal_seconds: list[float]

    @classmethod
    def of_all(cls, parts: Sequence[Window]) -> Window:
        """Several as one."""
        seen = Seen(
            seconds=[one for part in parts for one in part.seen.seconds],
            lags=[one for part in parts for one in part.seen.lags],
            dropped=sum(part.seen.dropped for part in parts),
        )
        statuses: Counter[str] = sum((part.statuses for part in parts), Counter())
        refusals = [one for part in parts for one in part.refusal_seconds]
        return cls(mean(part.rate for part in parts), sum(part.seconds for part in parts), seen, statuses, refusals)

    @property
    def per_second(self) -> float:
        """Lists."""
        return len(self.seen.seconds) / self.seconds

    @property
    def p99(self) -> float:
        """Milliseconds until a list was there."""
        return percentiles(self.seen.seconds).get("p99", 0.0)

    @property
    def is_void(self) -> bool:
        """The loader was late itself."""
        return percentiles(self.seen.lags).get("p99", 0.0) > MOST_LAG * 1000

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "rate": round(self.rate, 1),
            "seconds": round(self.seconds, 1),
            "answered_per_second": round(self.per_second, 1),
            "statuses": dict(self.statuses),
            "dropped_by_the_loader": self.seen.dropped,
            "ms": percentiles(self.seen.seconds),
            "refusal_ms": percentiles(self.refusal_seconds),
            "loader_lag_ms": percentiles(self.seen.lags),
            "void": self.is_void,
        }


async def at_rate(asker: Asker, rate: float, seconds: float) -> Window:
    """An open loop at a fixed rate. What is answered after its end takes its time as well."""
    asker.forget()
    loop = OpenLoop(rate, MOST_AT_ONCE, asker.ask)
    started = perf_counter()
    running = asyncio.create_task(loop.run())
    await asyncio.sleep(seconds)
    loop.stop()
    seen = await running
    return Window(rate, perf_counter() - started, seen, asker.statuses, asker.refusal_seconds)
