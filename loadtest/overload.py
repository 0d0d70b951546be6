"""What a service does when three times as much is asked of it as it can do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from loadtest.asking import Asker
from loadtest.connections import Connections
from loadtest.open_loop import OpenLoop, percentiles

MOST_LAG = 0.005
"""Seconds; a loader whose own p99 lateness is beyond that measures itself."""
MOST_AT_ONCE = 2000
SATURATING = 48
"""Requests under way while the peak is looked for: fewer than the 64 permits of a worker, more than one batch."""
GAUGES = ("rec_model_queue", "rec_in_flight")
NORMAL = 2.0
"""Normal is a p99 of at most so many times the idle one."""


@dataclass(frozen=True)
class Load:
    """How hard and how long."""

    seconds: float
    times: float = 3.0
    """The rate over the peak."""
    idle_rate: float = 20.0
    """Requests per second that no service feels."""


async def measure(host: str, port: int, load: Load) -> dict[str, Any]:
    """Idle, peak, overload, and how soon after it everything is as it was.

    Raises:
        RuntimeError: the service recommends nothing.
    """
    async with Connections(host, port) as connections:
        asker = await Asker.meet(connections)
        idle = await at_rate(asker, load.idle_rate, load.seconds / 2)
        peak = await saturated(asker, load.seconds / 2)
        gauges = Gauges(host, port)
        watching = asyncio.create_task(gauges.watch())
        over = await at_rate(asker, load.times * peak, load.seconds)
        watching.cancel()
        await asyncio.wait({watching})
        after = [await at_rate(asker, load.idle_rate, 1.0) for _ in range(5)]
    normal = [one["ms"].get("p99", 0) <= NORMAL * idle["ms"].get("p99", 0) for one in after]
    return {
        "idle": idle,
        "peak_per_second": round(peak, 1),
        "overload": over | {"most": gauges.most},
        "goodput_of_peak": round(over["answered_per_second"] / peak, 3),
        "seconds_until_normal": normal.index(True) + 1 if True in normal else None,
        "after": after[-1],
        "void": any(one["void"] for one in (idle, over)),
    }


async def at_rate(asker: Asker, rate: float, seconds: float) -> dict[str, Any]:
    """An open loop at a fixed rate."""
    asker.forget()
    loop = OpenLoop(rate, MOST_AT_ONCE, asker.ask)
    running = asyncio.create_task(loop.run())
    await asyncio.sleep(seconds)
    loop.stop()
    seen = await running
    lag = percentiles(seen.lags)
    return {
        "rate": round(rate, 1),
        "seconds": seconds,
        "answered_per_second": round(len(seen.seconds) / seconds, 1),
        "statuses": dict(asker.statuses),
        "dropped_by_the_loader": seen.dropped,
        "ms": percentiles(seen.seconds),
        "refusal_ms": percentiles(asker.refusal_seconds),
        "loader_lag_ms": lag,
        "void": lag.get("p99", 0) > MOST_LAG * 1000,
    }


async def saturated(asker: Asker, seconds: float) -> float:
    """Lists per second when as many askers as fit wait for each other: the peak."""
    asker.forget()
    ends = perf_counter() + seconds
    await asyncio.gather(*(_until(ends, asker.ask) for _ in range(SATURATING)))
    return asker.statuses["200"] / seconds


async def _until(ends: float, ask: Callable[[], Awaitable[object]]) -> None:
    while perf_counter() < ends:
        await ask()


class Gauges:
    """The highest values of some gauges, looked at several times a second."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self.most = dict.fromkeys(GAUGES, 0.0)

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            text = await self._metrics()
            for name in GAUGES:
                found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
                self.most[name] = max(self.most[name], float(found[1]) if found else 0.0)
            await asyncio.sleep(0.2)

    async def _metrics(self) -> str:
        reader, writer = await asyncio.open_connection(*self._address)
        try:
            writer.write(f"GET /metrics HTTP/1.1\r\nHost: {self._address[0]}\r\nConnection: close\r\n\r\n".encode())
            return (await reader.read()).decode()
        finally:  # also when the watch is over in the middle of an answer
            writer.close()
