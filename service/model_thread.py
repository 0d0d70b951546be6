"""One thread that runs the model, so that a long run never keeps the event loop from its probes and refusals.

Why a thread and not inline: measured on the smallest bundle, where it matters most, the hop is lost in the noise of one
recommendation; and over a large catalogue a run inline would stall every other request of the worker. Why one: a run
already uses its core whole, and admission bounds how many wait.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from service.recommender import Query, Recommendation, Recommender
from service.timings import Timings


class ModelThread:
    """Recommends on a thread of its own, one query after the other."""

    def __init__(self, recommender: Recommender) -> None:
        self._recommender = recommender
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")

    async def recommend(self, query: Query, timings: Timings) -> Recommendation:
        """Wait for the thread, then for the model. A query whose request was cancelled while it waited never runs."""
        called = perf_counter()

        def run() -> Recommendation:
            timings.add("queue", perf_counter() - called)
            return self._recommender.recommend(query, timings)

        return await asyncio.get_running_loop().run_in_executor(self._executor, run)

    def close(self) -> None:
        """Wait for the query under way; the waiting ones are dropped."""
        self._executor.shutdown(cancel_futures=True)
