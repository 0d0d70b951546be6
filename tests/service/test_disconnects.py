"""300 callers hang up here; `python -m benchmarks.histories disconnects` leaves 10,000."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import httpx

from benchmarks.histories.disconnects import prepare, run
from service.bundle import ModelBundle
from service.settings import Settings

Serve = Callable[[Settings], httpx.Client]


def test_nobody_is_given_the_list_of_another(serve: Serve, settings: Settings, bundle: ModelBundle) -> None:
    """Few connections to Redis, so that each is used again at once after its caller has gone."""
    client = serve(settings.model_copy(update={"redis_connections": 2}))
    expected = prepare(client, [bundle.catalog.item_id(index) for index in range(1, 21)])
    found = asyncio.run(run(str(client.base_url), expected, 300))
    assert (found.hung_up, found.stayed, found.wrong) == (300, 300, 0)
    assert found.others.keys() <= {"degraded", "overloaded"}  # on a busy machine
    assert sum(found.others.values()) < 100
    metrics = idle_metrics(client)
    assert "rec_in_flight 0.0" in metrics
    assert "rec_redis_breaker_open 0.0" in metrics


def idle_metrics(client: httpx.Client) -> str:
    """Metrics once nobody is worked for any more, or after five seconds: the last to hang up may just have done so."""
    end = time.monotonic() + 5
    while "rec_in_flight 0.0" not in (text := client.get("/metrics").text) and time.monotonic() < end:
        time.sleep(0.05)
    return text
