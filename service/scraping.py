"""Metrics are put together on a thread of their own: the event loop answers meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from service.metrics import Metrics

Told = TypeVar("Told")


class Scraping:
    """What is asked of the metrics as a whole. With several workers that means reading what each of them, and each that
    has died, left in the shared folder: tens of milliseconds.

    One thread: who asks often waits for the one before, and cannot take the interpreter from those who want lists.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="scrape")

    async def exposition(self) -> bytes:
        """As `Metrics.exposition`."""
        return await self._apart(self._metrics.exposition)

    async def active_by_worker(self) -> dict[int, str]:
        """As `Metrics.active_by_worker`."""
        return await self._apart(self._metrics.active_by_worker)

    async def _apart(self, tell: Callable[[], Told]) -> Told:
        return await asyncio.get_running_loop().run_in_executor(self._executor, tell)

    def close(self) -> None:
        """Wait for what is under way; the rest is dropped."""
        self._executor.shutdown(cancel_futures=True)
