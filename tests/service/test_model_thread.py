"""The queue in front of the model: bounded, in order, and nothing is computed that nobody waits for."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import uvicorn
from numpy.typing import NDArray
from prometheus_client import generate_latest
from starlette.types import Message, Receive, Scope, Send

from service.bundle import ModelBundle
from service.encoder import Encoder
from service.errors import ClientGone, DeadlineExceeded, Overloaded
from service.lockstep import Fetch, Found
from service.metrics import Metrics
from service.model_thread import WOKEN_AT_ONCE, ModelThread
from service.models.opening import Model
from service.patience import Caller, Patience
from service.recommender import Query, Recommendation, Recommender
from service.retrieval import Retrieval
from service.timings import Timings

QUERY = Query(["book-01", "book-02"], 5)


class Gate(Encoder):
    """The real encoder, which counts what it is asked and holds the thread until it is opened."""

    def __init__(self, bundle: ModelBundle) -> None:
        super().__init__(bundle.folder, "cpu", 1)
        self.runs = 0
        self.reached = threading.Event()
        self.open = threading.Event()

    def encode(self, history: NDArray[np.int64]) -> NDArray[np.float32]:
        self.runs += 1
        self.reached.set()
        assert self.open.wait(20)
        return super().encode(history)


class Sharing(Retrieval):
    """The real retrieval, which likes company and notes it."""

    def __init__(self, bundle: ModelBundle, most_at_once: int) -> None:
        super().__init__(bundle.folder, "cpu", 1)
        self.most_at_once = most_at_once
        self.runs: list[int] = []
        self.fails = False

    def best_many(self, fetches: Sequence[Fetch]) -> list[Found]:
        self.runs.append(len(fetches))
        if self.fails:
            raise RuntimeError("no more memory")
        return super().best_many(fetches)


class Held:
    """A model thread that is held by its first query."""

    def __init__(self, bundle: ModelBundle, most_queued: int = 100, most_at_once: int = 1) -> None:
        self.metrics = Metrics()
        self.gate = Gate(bundle)
        self.retrieval = Sharing(bundle, most_at_once)
        self.waits: list[float] = []
        recommender = Recommender(bundle, self.gate, self.retrieval)
        self.thread = ModelThread(recommender, most_queued, self.metrics, self.waits.append)

    async def first(self) -> asyncio.Task[Recommendation]:
        """A query that is under way and cannot end."""
        task = asyncio.create_task(self.ask())
        await asyncio.to_thread(self.gate.reached.wait, 20)
        return task

    def ask(self, patience: Patience | None = None) -> Coroutine[Any, Any, Recommendation]:
        return self.thread.recommend(QUERY, Timings(), patience or Patience())

    async def queued(self, count: int) -> list[asyncio.Task[Recommendation]]:
        tasks = [asyncio.create_task(self.ask()) for _ in range(count)]
        await asyncio.sleep(0)
        return tasks

    def counted(self, line: str) -> bool:
        return line in generate_latest(self.metrics.registry).decode().splitlines()


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it never came to that")


@pytest.fixture
def hold(bundle: ModelBundle) -> Callable[..., Held]:
    return lambda **limits: Held(bundle, **limits)


def test_whose_deadline_passes_while_waiting_is_told_at_once_and_never_computed(hold: Callable[..., Held]) -> None:
    async def scenario(held: Held) -> None:
        first = await held.first()
        started = time.perf_counter()
        with pytest.raises(DeadlineExceeded):
            await held.ask(Patience.of(started, 30))
        assert time.perf_counter() - started >= 0.03
        assert not first.done()  # told while the thread was still held by another
        with pytest.raises(DeadlineExceeded):
            await held.ask(Patience.of(started, 30))  # over before it was queued
        held.gate.open.set()
        await first
        await held.ask(Patience.of(time.perf_counter(), 20_000))
        held.thread.close()

    held = hold()
    asyncio.run(scenario(held))
    assert held.gate.runs == 2
    assert held.counted('rec_dropped_total{reason="deadline_exceeded"} 2.0')
    assert held.counted("rec_model_queue 0.0")


def test_to_wait_for_the_run_under_way_is_not_to_queue(hold: Callable[..., Held]) -> None:
    async def scenario(held: Held) -> None:
        first = await held.first()
        waiting = await held.queued(3)
        await asyncio.sleep(0.3)
        held.gate.open.set()
        await asyncio.gather(first, *waiting)
        held.thread.close()

    held = hold()
    asyncio.run(scenario(held))
    alone, next_one, *others = held.waits
    assert alone < 0.1
    assert next_one < 0.1
    assert len(others) == 2
    assert all(0.2 < wait < 20 for wait in others)


def test_an_answer_that_comes_too_late_is_none(hold: Callable[..., Held]) -> None:
    async def scenario(held: Held) -> None:
        late = asyncio.create_task(held.ask(Patience.of(time.perf_counter(), 1000)))
        await asyncio.to_thread(held.gate.reached.wait, 20)  # under way, and cannot end
        with pytest.raises(DeadlineExceeded):
            await late
        held.gate.open.set()
        held.thread.close()

    held = hold()
    asyncio.run(scenario(held))
    assert held.gate.runs == 1
    assert not held.counted('rec_dropped_total{reason="deadline_exceeded"} 1.0')  # it was computed


def test_whoever_hangs_up_while_waiting_is_never_computed(hold: Callable[..., Held]) -> None:
    async def scenario(held: Held) -> None:
        async def receive() -> Message:
            return {"type": "http.disconnect"}

        first = await held.first()
        with pytest.raises(ClientGone):
            await held.ask(Patience(caller=Caller(receive)))
        cancelled, stays = await held.queued(2)
        cancelled.cancel()
        held.gate.open.set()
        assert await stays == await first
        held.thread.close()

    held = hold()
    asyncio.run(scenario(held))
    assert held.gate.runs == 2
    assert held.counted('rec_dropped_total{reason="client_gone"} 1.0')


def test_the_queue_is_bounded_and_the_dead_in_it_make_room(hold: Callable[..., Held]) -> None:
    async def scenario(held: Held) -> None:
        first = await held.first()
        waiting = await held.queued(3)
        assert held.counted("rec_model_queue 3.0")
        with pytest.raises(Overloaded):
            await held.ask()
        waiting.pop().cancel()
        await asyncio.sleep(0)
        waiting += await held.queued(1)
        with pytest.raises(Overloaded):
            await held.ask()
        held.gate.open.set()
        await asyncio.gather(first, *waiting)
        held.thread.close()

    held = hold(most_queued=3)
    asyncio.run(scenario(held))
    assert held.gate.runs == 4
    assert held.counted("rec_model_queue 0.0")


def test_what_has_queued_up_is_taken_together_and_answered_alike(hold: Callable[..., Held], model: Model) -> None:
    async def scenario(held: Held) -> list[Recommendation]:
        tasks = [await held.first(), *await held.queued(20)]
        held.gate.open.set()
        answers = await asyncio.gather(*tasks)
        held.thread.close()
        return answers

    held = hold(most_at_once=8)
    answers = asyncio.run(scenario(held))
    assert held.retrieval.runs == [1, 8, 8, 4]
    assert held.counted('rec_model_batch_size_bucket{le="4.0"} 2.0')
    assert set(answers) == {model.recommender.recommend(QUERY, Timings())}


def test_those_who_shared_a_run_are_woken_a_few_in_each_turn_of_the_loop(hold: Callable[..., Held]) -> None:
    async def scenario(held: Held) -> list[int]:
        tasks = [await held.first(), *await held.queued(16)]
        held.gate.open.set()
        answered = [0]
        while answered[-1] < len(tasks):
            await asyncio.sleep(0)
            answered.append(sum(task.done() for task in tasks))
        held.thread.close()
        return answered

    answered = asyncio.run(scenario(hold(most_at_once=16)))
    alone = 1  # the first, if the loop hears of it no earlier
    assert max(after - before for before, after in pairwise(answered)) <= WOKEN_AT_ONCE + alone < 8


def test_the_thread_outlives_a_run_that_fails(hold: Callable[..., Held]) -> None:
    async def scenario(held: Held) -> None:
        held.gate.open.set()
        held.retrieval.fails = True
        with pytest.raises(RuntimeError, match="memory"):
            await held.ask()
        held.retrieval.fails = False
        assert (await held.ask()).source == "model"
        held.thread.close()

    asyncio.run(scenario(hold()))


def test_waiting_for_the_thread_and_for_company_is_told_as_queue(hold: Callable[..., Held]) -> None:
    async def scenario(held: Held) -> Timings:
        first = await held.first()
        timings = Timings()
        second = asyncio.create_task(held.thread.recommend(QUERY, timings))
        await asyncio.sleep(0.05)
        held.gate.open.set()
        await asyncio.gather(first, second)
        held.thread.close()
        return timings

    assert asyncio.run(scenario(hold())).seconds["queue"] >= 0.05


def test_a_real_connection_that_closes_is_noticed_while_its_query_waits(hold: Callable[..., Held]) -> None:
    async def scenario(held: Held) -> None:
        gone = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            assert scope["type"] == "http"
            await receive()
            try:
                await held.ask(Patience(caller=Caller(receive)))
            except ClientGone:
                gone.set()

        server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None, http="httptools"))
        serving = asyncio.create_task(server.serve())
        await until(lambda: server.started)
        first = await held.first()
        _, writer = await asyncio.open_connection(*server.servers[0].sockets[0].getsockname())
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        await until(lambda: held.counted("rec_model_queue 1.0"))
        writer.close()
        await asyncio.wait_for(gone.wait(), 10)
        held.gate.open.set()
        await first
        server.should_exit = True
        await serving
        held.thread.close()

    held = hold()
    asyncio.run(scenario(held))
    assert held.gate.runs == 1
