"""One thread that runs the model, and the bounded queue in front of it.

Why a thread and not inline: measured on the smallest bundle, where it matters most, the hop is lost in the noise of one
recommendation; and over a large catalogue a run inline would stall every other request of the worker. Why one: a run
already uses its core whole.

Batches form by themselves: whenever the thread is free it takes what has queued up meanwhile, as much as the model
wants at once, and waits for nobody. Alone, a query is run at once; the busier the service, the more share a run.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter

from service.errors import ClientGone, DeadlineExceeded, Overloaded, row_of
from service.metrics import Metrics
from service.patience import FOREVER, Patience, exceeded
from service.recommender import Asked, Recommendation, Recommender
from service.timings import Timings

WOKEN_AT_ONCE = 4


@dataclass(eq=False)
class _Entry:
    """Somebody waits for this."""

    query: Asked
    timings: Timings
    patience: Patience
    answer: asyncio.Future[Recommendation]
    queued: float
    started: bool = False

    def give_up(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)

    def take(self, result: Recommendation | Exception) -> None:
        if isinstance(result, Exception):
            self.give_up(result)
        elif not self.answer.done():
            self.answer.set_result(result)


class ModelThread:
    """Recommends on a thread of its own.

    A query is dropped before anything is computed for it when its deadline has passed, when its caller has gone or when
    whoever awaits it was cancelled.
    """

    def __init__(
        self,
        recommender: Recommender,
        most_queued: int,
        metrics: Metrics,
        waited: Callable[[float], None] | None = None,
    ) -> None:
        """Start idle.

        Args:
            recommender: what is run.
            most_queued: queries that may wait for the thread.
            metrics: counts batches and what is dropped.
            waited: told, on the thread, how many seconds the last of each batch to come was queued beyond the run that
                was under way.
        """
        self._recommender = recommender
        self._most_queued = most_queued
        self._metrics = metrics
        self._waited = waited
        self._run_seconds = 0.0
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._queue: deque[_Entry] = deque()
        self._lock = threading.Lock()  # of all below, and of `started`: held for as long as a list is shortened
        self._busy = False

    async def recommend(self, query: Asked, timings: Timings, patience: Patience = FOREVER) -> Recommendation:
        """Wait for the thread, then for the model.

        Raises:
            Overloaded: the queue is full.
            DeadlineExceeded: there is no answer in time; also when there would be one only later.
            ClientGone: nobody waits any more.
        """
        loop = asyncio.get_running_loop()
        entry = _Entry(query, timings, patience, loop.create_future(), perf_counter())
        try:
            with patience.timed(entry.give_up):
                if self._enqueue(entry, loop):
                    return await entry.answer
                with patience.watched(entry.give_up):
                    return await entry.answer
        except (DeadlineExceeded, ClientGone) as error:
            if not entry.started:
                self._metrics.dropped.labels(row_of(error).error).inc()
            raise

    def close(self) -> None:
        """Wait until everything that somebody still wants has been answered."""
        self._executor.shutdown()

    def _enqueue(self, entry: _Entry, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether the thread was idle, so that the query is run at once."""
        if entry.patience.over:
            raise exceeded()
        with self._lock:
            if len(self._queue) >= self._most_queued:
                self._forget_the_dead()
            self._queue.append(entry)
            idle, self._busy = not self._busy, True
        self._metrics.queue.inc()
        if idle:
            self._executor.submit(self._work, loop)
        return idle

    def _forget_the_dead(self) -> None:
        """Make room by letting go of queries that nobody waits for."""
        alive = [one for one in self._queue if not one.answer.done()]
        if len(alive) >= self._most_queued:
            raise Overloaded(f"{self._most_queued} requests are waiting for the model; try again in a moment")
        self._metrics.queue.dec(len(self._queue) - len(alive))
        self._queue = deque(alive)

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """On the thread: batch after batch, until nothing is queued."""
        while batch := self._next_batch():
            results = self._run(batch)
            loop.call_soon_threadsafe(_deliver, batch, results)

    def _next_batch(self) -> list[_Entry]:
        with self._lock:
            queued, batch = len(self._queue), list[_Entry]()
            while self._queue and len(batch) < self._recommender.most_at_once:
                entry = self._queue.popleft()
                entry.started = not entry.answer.done() and not entry.patience.over
                if entry.started:
                    batch.append(entry)
            self._busy = bool(batch)
            self._metrics.queue.dec(queued - len(self._queue))
            return batch

    def _run(self, batch: Sequence[_Entry]) -> Sequence[Recommendation | Exception]:
        self._metrics.batch_size.observe(len(batch))
        started = perf_counter()
        for one in batch:
            one.timings.add("queue", started - one.queued, one.queued)
        if self._waited is not None:
            self._waited(max(0.0, started - batch[-1].queued - self._run_seconds))
        before = [one.timings.total for one in batch]
        try:
            results = self._recommender.recommend_many([one.query for one in batch], [one.timings for one in batch])
        except Exception as error:  # noqa: BLE001 whoever awaits it raises it
            results = [error] * len(batch)
        seconds = self._run_seconds = perf_counter() - started
        for one, earlier in zip(batch, before, strict=True):
            others = seconds - (one.timings.total - earlier)  # of the batch
            one.timings.add("queue", others, started)
        return results


def _deliver(batch: Sequence[_Entry], results: Sequence[Recommendation | Exception]) -> None:
    """Wake those who wait, some in each turn of the event loop: what all of a large batch do next would take so long
    that nobody else is looked at meanwhile."""
    for entry, result in zip(batch[:WOKEN_AT_ONCE], results[:WOKEN_AT_ONCE], strict=True):
        entry.take(result)
    if len(batch) > WOKEN_AT_ONCE:
        later = batch[WOKEN_AT_ONCE:], results[WOKEN_AT_ONCE:]
        asyncio.get_running_loop().call_soon(_deliver, *later)
