"""What a service does when three times as much is asked of it as it can do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean, median
from time import perf_counter
from typing import Any

from loadtest.asking import Asker
from loadtest.connections import Connections
from loadtest.window import Window, at_rate

SATURATING = (8, 16, 48)
"""Requests under way while the peak is looked for. The peak is that of the crowd which got most in the whole run: it
depends on how many share a run of the model, and on how long a queue the worker suffers. (The most of each moment would
be that of the luckiest, and no peak.)"""
GAUGES = ("rec_model_queue", "rec_in_flight")
NORMAL = 2.0
"""Normal is a p99 of at most so many times the idle one."""


@dataclass(frozen=True)
class Load:
    """How hard and how long."""

    seconds: float
    """Of overload, in all."""
    times: float = 3.0
    """The rate over the peak."""
    rounds: int = 8
    """Parts of the overload; before and after each the peak is looked for. A machine that others use is not always
    equally fast, so a ratio means something only of moments that lie close together."""
    idle_rate: float = 20.0
    """Requests per second that no service feels."""


async def measure(host: str, port: int, load: Load) -> dict[str, Any]:
    """Idle, peak and overload in turn, and how soon after it everything is as it was.

    Raises:
        RuntimeError: the service recommends nothing.
    """
    part = load.seconds / load.rounds
    async with Connections(host, port) as connections:
        asker = await Asker.meet(connections)
        idle = await at_rate(asker, load.idle_rate, load.seconds / 2)
        looks, parts = [await look_for_peak(asker, part)], list[Window]()
        gauges = Gauges(host, port)
        for _ in range(load.rounds):
            with gauges.watched():
                parts.append(await at_rate(asker, load.times * max(looks[-1].values()), part))
            looks.append(await look_for_peak(asker, part))
        after = [await at_rate(asker, load.idle_rate, 1.0) for _ in range(5)]
    over, normal = Window.of_all(parts), [one.p99 <= NORMAL * idle.p99 for one in after]
    crowd = max(SATURATING, key=lambda one: mean(look[one] for look in looks))
    peaks = [look[crowd] for look in looks]
    ratios = [one.per_second / mean(around) for one, around in zip(parts, pairwise(peaks), strict=True)]
    return {
        "idle": idle.told(),
        "peak_per_second": round(median(peaks), 1),
        "peak_of_crowd": crowd,
        "peaks": [round(peak, 1) for peak in peaks],
        "overload": over.told() | {"most": gauges.most},
        "goodput_of_peak": round(median(ratios), 3),
        "goodput_by_round": [round(ratio, 3) for ratio in ratios],
        "seconds_until_normal": normal.index(True) + 1 if True in normal else None,
        "after": after[-1].told(),
        "void": idle.is_void or over.is_void,
    }


async def look_for_peak(asker: Asker, seconds: float) -> dict[int, float]:
    """Lists per second when so many ask who wait for each other."""
    each = seconds / len(SATURATING)
    return {crowd: await _saturated(asker, crowd, each) for crowd in SATURATING}


async def _saturated(asker: Asker, crowd: int, seconds: float) -> float:
    """Without the beginning, in which the queue fills, and what is answered after the end."""
    asker.forget()
    ends = perf_counter() + seconds
    asking = [asyncio.create_task(_until(ends, asker.ask)) for _ in range(crowd)]
    await asyncio.sleep(seconds / 4)
    before, started = asker.statuses["200"], perf_counter()
    await asyncio.sleep(ends - started)
    per_second = (asker.statuses["200"] - before) / (perf_counter() - started)
    await asyncio.gather(*asking)
    return per_second


async def _until(ends: float, ask: Callable[[], Awaitable[object]]) -> None:
    while perf_counter() < ends:
        await ask()


class Gauges:
    """The highest values of some gauges, looked at several times a second."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self.most = dict.fromkeys(GAUGES, 0.0)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Inside the `with`."""
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()

    async def _watch(self) -> None:
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
