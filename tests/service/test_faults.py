"""Redis gone, hung or slow; callers gone; too many callers. Only what must fail fails."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from uuid import uuid4

import httpx
import pytest
from redis import Redis

from service.embedded_redis import embedded_redis
from service.errors import HistoryUnavailable
from service.histories import Histories, StoredEvent
from service.metrics import Metrics
from service.settings import Settings

Serve = Callable[[Settings], httpx.Client]


@contextmanager
def hung_server(tmp: Path, answer: bytes = b"") -> Iterator[str]:
    """Accepts connections, reads, and answers nothing, or always the same."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    ready = threading.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(1024):
                writer.write(answer)
        finally:
            writer.close()

    async def listen() -> None:
        server = await asyncio.start_unix_server(accept, tmp / "hung.sock")
        ready.set()
        await stop.wait()
        server.close()
        connections = asyncio.all_tasks() - {asyncio.current_task()}
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await asyncio.sleep(0.01)

    thread = threading.Thread(target=loop.run_until_complete, args=(listen(),))
    thread.start()
    ready.wait(5)
    try:
        yield f"unix://{tmp / 'hung.sock'}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def test_redis_dies_under_a_serving_service_and_comes_back_never_felt(
    serve: Serve, settings: Settings, tmp_path: Path
) -> None:
    with embedded_redis(16) as url:
        client = serve(settings.model_copy(update={"redis_url": url, "breaker_open_seconds": 0.2}))
        event = {"events": [{"user_id": "u", "item_id": "book-01"}]}
        assert client.post("/events", json=event).json()["accepted"] == 1
        assert client.post("/recommend", json={"user_id": "u"}).json()["degraded"] is False
        with Redis.from_url(url) as redis:
            redis.shutdown(nosave=True)
        for _ in range(10):
            answer = client.post("/recommend", json={"user_id": "u"})
            assert answer.status_code == 200
            assert answer.json()["degraded"] is True
            assert answer.json()["source"] == "popular"
        assert (
            client.post("/recommend", json={"user_id": "u", "context_items": ["book-01"]}).json()["source"] == "model"
        )
        refused = client.post("/events", json=event)
        assert refused.status_code == 503
        assert refused.json()["error"] == "history_unavailable"
        assert refused.headers["Retry-After"] == "1"
        assert client.get("/users/u/history").status_code == 503
        assert client.delete("/users/u/history").status_code == 503
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["redis"]) == (200, "down")
        assert "rec_redis_breaker_open 1.0" in client.get("/metrics").text


@pytest.mark.parametrize("garbage", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"-OOM command not allowed\r\n"])
def test_a_hung_or_raving_redis_costs_a_timeout_and_then_nothing(
    serve: Serve, settings: Settings, tmp_path: Path, garbage: bytes
) -> None:
    with hung_server(tmp_path, garbage) as url:
        changed = {
            "redis_url": url,
            "redis_timeout_ms": 20,
            "redis_long_timeout_ms": 200,
            "breaker_open_seconds": 60.0,
        }
        client = serve(settings.model_copy(update=changed))
        felt = []
        for _ in range(12):
            answer = client.post("/recommend", json={"user_id": "u"})
            assert answer.json()["degraded"] is True
            stages = answer.headers["Server-Timing"].split(", ")
            felt.append(next(float(s.split("=")[1]) for s in stages if s.startswith("history")))
        assert sorted(felt)[-2] < 60  # ms; one may be unlucky on a busy machine
        # An error is an answer; only silence and nonsense open the breaker. A Redis that errs is asked on, for a trip.
        trips = felt[-5:] if not garbage.startswith(b"-") else [median(felt[-5:])]
        assert max(trips) < 5


def test_a_dead_redis_comes_back_after_the_pause(settings: Settings, tmp_path: Path) -> None:
    async def scenario() -> list[str]:
        dead = settings.model_copy(
            update={"redis_url": f"unix://{tmp_path / 'none.sock'}", "breaker_open_seconds": 0.05}
        )
        histories = Histories(dead, Metrics())
        for _ in range(5):
            with pytest.raises(HistoryUnavailable):
                await histories.read("u")
        (tmp_path / "none.sock").symlink_to((settings.redis_url or "").removeprefix("unix://"))
        await asyncio.sleep(0.06)
        items = await histories.read(uuid4().hex)
        await histories.close()
        return items

    assert asyncio.run(scenario()) == []


def test_cancelled_reads_never_hand_on_their_reply(settings: Settings) -> None:
    """Two connections, 40 users, reads cancelled at every possible moment between live ones."""

    async def scenario() -> None:
        histories = Histories(settings.model_copy(update={"redis_connections": 2}), Metrics())
        users = [f"cancel-{k}" for k in range(40)]
        await histories.append({user: [StoredEvent(f"item of {user}")] for user in users})
        for turn in range(25):
            tasks = {user: asyncio.create_task(histories.read(user)) for user in users}
            for _ in range(turn % 7):
                await asyncio.sleep(0)
            for user in users[turn % 3 :: 3]:
                tasks[user].cancel()
            answers = await asyncio.gather(*tasks.values(), return_exceptions=True)
            for user, answer in zip(users, answers, strict=True):
                assert isinstance(answer, asyncio.CancelledError) or answer == [f"item of {user}"]
        for user in users:
            await histories.erase(user)
        await histories.close()

    asyncio.run(scenario())


def test_callers_beyond_the_permits_are_refused_at_once_and_probes_are_not(serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"permits": 1}))
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda _: client.post("/recommend", json={"history": ["book-01"]}), range(240)))
    refused = [answer for answer in answers if answer.status_code != 200]
    assert {answer.status_code for answer in refused} <= {429}
    assert all(answer.headers["Retry-After"] == "1" for answer in refused)
    assert all(answer.json()["error"] == "overloaded" for answer in refused)
    assert client.get("/livez").status_code == 200
    assert client.post("/recommend", json={}).status_code == 200
    assert "rec_in_flight 0.0" in client.get("/metrics").text


def test_a_body_that_dawdles_is_refused_and_holds_no_permit(serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"permits": 1, "body_timeout_seconds": 0.3}))

    def dawdle() -> Iterator[bytes]:
        yield b"{"
        meanwhile = client.post("/recommend", json={})
        if meanwhile.status_code == 429:  # both heads came in one turn of the loop, for which each counts as one
            meanwhile = client.post("/recommend", json={})
        assert meanwhile.status_code == 200
        time.sleep(0.6)
        yield b"}"

    slow = httpx.Client(base_url=client.base_url)
    with slow:
        answer = slow.post("/recommend", content=dawdle(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 408
    assert answer.json()["error"] == "body_too_slow"


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter, delay: float) -> None:
    while data := await source.read(65_536):
        await asyncio.sleep(delay)
        sink.write(data)
    sink.close()


def test_a_slow_redis_degrades_recommendations_and_nothing_else(settings: Settings, tmp_path: Path) -> None:
    """Replies come 0.2 s late: longer than a recommendation waits, shorter than all else does."""

    async def scenario() -> None:
        real = (settings.redis_url or "").removeprefix("unix://")

        async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            replies, requests = await asyncio.open_unix_connection(real)
            await asyncio.gather(_pass_on(reader, requests, 0), _pass_on(replies, writer, 0.2))

        slow = {"redis_url": f"unix://{tmp_path / 'slow.sock'}", "redis_timeout_ms": 20, "redis_long_timeout_ms": 5000}
        async with await asyncio.start_unix_server(proxy, tmp_path / "slow.sock"):
            histories = Histories(settings.model_copy(update=slow), Metrics())
            user = uuid4().hex
            assert await histories.append({user: [StoredEvent("a")]}) == 1
            with pytest.raises(HistoryUnavailable):
                await histories.read(user)
            assert await histories.show(user) == ["a"]
            await histories.erase(user)
            await histories.close()

    asyncio.run(scenario())
