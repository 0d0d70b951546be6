"""Histories in a real Redis Cluster: a node that fails is felt by its own users only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from redis.crc import key_slot

from service.bundle import ModelBundle
from service.errors import HistoryUnavailable
from service.histories import Histories, StoredEvent
from service.history_keys import history_key
from service.interactions_file import InteractionsFile, SeedError
from service.metrics import Metrics
from service.seed_store import SeedLimits
from service.seeding import seed
from service.settings import Settings
from tests.service.redis_cluster import REPLICATED, SLOTS, ClusterServers, redis_cluster, wait_until

Serve = Callable[[Settings], httpx.Client]
USERS = [f"u{k}" for k in range(300)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterServers]:
    with redis_cluster(tmp_path_factory.mktemp("cluster")) as servers:
        yield servers


@pytest.fixture
def clustered(settings: Settings, cluster: ClusterServers) -> Settings:
    """Patient with healthy nodes; only tests of unhealthy ones are not."""
    patient = {"redis_url": cluster.url, "redis_long_timeout_ms": 2000, "breaker_open_seconds": 0.3}
    return settings.model_copy(update=patient)


def with_histories(settings: Settings, scenario: Callable[[Histories], Awaitable[None]]) -> None:
    async def run() -> None:
        histories = Histories(settings, Metrics())
        try:
            await scenario(histories)
        finally:
            await histories.close()

    asyncio.run(run())


def test_every_slot_is_written_read_drawn_from_and_erased(clustered: Settings, cluster: ClusterServers) -> None:
    assert {cluster.node_of(user) for user in USERS} == {0, 1, 2}

    async def scenario(histories: Histories) -> None:
        events = {user: [StoredEvent(f"a{user}", "e1"), StoredEvent("b")] for user in USERS}
        assert await histories.append(events) == 2 * len(USERS)
        assert await histories.append(events) == len(USERS)  # those with an id were known
        assert await histories.read_many(USERS) == [[f"a{user}", "b", "b"] for user in USERS]
        assert await histories.read(USERS[7]) == [f"a{USERS[7]}", "b", "b"]
        drawn = await histories.sample(24)
        assert len(drawn) == len(set(drawn)) == 24
        assert {cluster.node_of(user) for user in drawn} == {0, 1, 2}
        assert await histories.is_up()
        for user in USERS:
            await histories.erase(user)
        assert await histories.read_many(USERS) == [[]] * len(USERS)
        assert await histories.sample(24) == []
        assert await histories.append({USERS[0]: [StoredEvent("a", "e1")]}) == 1  # its event ids were forgotten too
        await histories.erase(USERS[0])

    with_histories(clustered, scenario)


def test_seeding_fills_every_node_and_leaves_what_is_there(
    clustered: Settings, cluster: ClusterServers, bundle: ModelBundle, tmp_path: Path
) -> None:
    rows = "".join(f"{user},book-01,1\n{user},book-02,2\n" for user in USERS)
    (tmp_path / "rows.csv").write_text("user_id,item_id,timestamp\n" + rows)

    async def scenario(histories: Histories) -> None:
        await histories.append({USERS[0]: [StoredEvent("book-03")]})
        found = seed(
            InteractionsFile(tmp_path / "rows.csv"), bundle.catalog, cluster.url, SeedLimits(9, 60), lambda _: None
        )
        assert (found.users, found.already_there) == (len(USERS) - 1, 1)
        seeded = await histories.read_many(USERS)
        assert seeded == [["book-03"]] + [["book-01", "book-02"]] * (len(USERS) - 1)
        for user in USERS:
            await histories.erase(user)

    with_histories(clustered, scenario)


def test_a_cluster_that_is_not_there_is_told(bundle: ModelBundle, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("user_id,item_id,timestamp\nu,book-01,1\n")
    with pytest.raises(SeedError, match="Redis"):
        seed(
            InteractionsFile(tmp_path / "rows.csv"),
            bundle.catalog,
            "redis+cluster://127.0.0.1:1",
            SeedLimits(9, 60),
            lambda _: None,
        )


def test_a_slot_that_moves_is_followed_at_every_stage(clustered: Settings, cluster: ClusterServers) -> None:
    """As an operator reshards: ASK while its keys are on their way, MOVED afterwards."""
    user = next(user for user in USERS if cluster.node_of(user) == 0)
    key, slot = history_key(user), key_slot(history_key(user).encode())
    ids = [str(cluster.tell(node, "CLUSTER", "MYID")) for node in range(3)]

    async def scenario(histories: Histories) -> None:
        await histories.append({user: [StoredEvent("a")]})
        for here, there in ((0, 1), (1, 0)):
            cluster.tell(there, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[here])
            cluster.tell(here, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[there])
            assert await histories.read(user) == ["a"]
            cluster.tell(here, "MIGRATE", "127.0.0.1", cluster.ports[there], key, 0, 5000)
            assert await histories.read(user) == ["a"]
            for node in (there, here):
                cluster.tell(node, "CLUSTER", "SETSLOT", slot, "NODE", ids[there])
            assert await histories.read(user) == ["a"]
            others = await histories.read_many(USERS)
            assert others == [["a"] if other == user else [] for other in USERS]
        await histories.append({user: [StoredEvent("b", "e")]})
        assert await histories.read(user) == ["a", "b"]
        await histories.erase(user)

    with_histories(clustered, scenario)
    wait_until(lambda: len(list(cluster.tell(1, "CLUSTER", "SLOTS"))) == len(SLOTS))  # type: ignore[call-overload]


def test_a_hung_node_is_felt_by_its_own_users_and_soon_not_even_by_them(
    clustered: Settings, cluster: ClusterServers
) -> None:
    """So patient a time-out, because healthy nodes must answer within it on a busy machine, too."""
    hurried = clustered.model_copy(update={"redis_timeout_ms": 600, "breaker_open_seconds": 60.0})
    hung = [user for user in USERS if cluster.node_of(user) == 1][:20]
    well = [user for user in USERS if cluster.node_of(user) != 1][:20]

    async def scenario(histories: Histories) -> None:
        await histories.append({user: [StoredEvent("a")] for user in [*hung, *well]})
        cluster.pause(1)
        try:
            for turn in range(6):
                started = time.perf_counter()
                answers = await histories.read_many([*hung, *well])
                waited = time.perf_counter() - started
                assert answers == [None] * len(hung) + [["a"]] * len(well)
                assert (waited < 0.5) == (turn >= hurried.breaker_failures)
            with pytest.raises(HistoryUnavailable, match="trying again shortly"):
                await histories.read(hung[0])
            assert not await histories.is_up()
            assert await histories.sample(5)  # of the nodes that answer
        finally:
            cluster.resume(1)

    with_histories(hurried, scenario)
    with_histories(clustered, _erase_all)


async def _erase_all(histories: Histories) -> None:
    for user in USERS:
        await histories.erase(user)


def test_a_node_dies_under_a_serving_service_and_comes_back(
    serve: Serve, clustered: Settings, cluster: ClusterServers
) -> None:
    client = serve(clustered)
    of_dead = next(user for user in USERS if cluster.node_of(user) == 0)
    of_living = next(user for user in USERS if cluster.node_of(user) == 1)

    def degraded(user: str) -> bool:
        answer = client.post("/recommend", json={"user_id": user})
        assert answer.status_code == 200
        return bool(answer.json()["degraded"])

    def send(user: str) -> int:
        return client.post("/events", json={"events": [{"user_id": user, "item_id": "book-01"}]}).status_code

    assert [send(of_dead), send(of_living)] == [200, 200]
    cluster.kill(0)
    for _ in range(10):
        assert (degraded(of_dead), degraded(of_living)) == (True, False)
        assert (send(of_dead), send(of_living)) == (503, 200)
        time.sleep(0.05)
    assert client.get("/readyz").json()["redis"] == "down"
    assert "rec_redis_breaker_open 1.0" in client.get("/metrics").text
    cluster.start(0)
    started = time.monotonic()
    wait_until(lambda: not degraded(of_dead))
    assert time.monotonic() - started < 5
    assert (send(of_dead), degraded(of_living)) == (200, False)
    cluster.wait_until_whole()
    assert client.get("/readyz").json()["redis"] == "up"
    assert "rec_redis_breaker_open 0.0" in client.get("/metrics").text


def test_the_copy_of_a_node_takes_over(clustered: Settings, cluster: ClusterServers) -> None:
    """The last test: the cluster has another shape afterwards."""
    user = next(user for user in USERS if cluster.node_of(user) == REPLICATED)

    async def scenario(histories: Histories) -> None:
        await histories.append({user: [StoredEvent("a")]})
        cluster.tell(REPLICATED, "WAIT", 1, 5000)
        cluster.kill(REPLICATED)
        deadline = time.monotonic() + 20
        while await histories.read_many([user]) != [["a"]]:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        assert await histories.append({user: [StoredEvent("b")]}) == 1
        assert await histories.is_up()

    with_histories(clustered, scenario)
