"""Who is let in, and what the others are told."""

from __future__ import annotations

import asyncio
import json

import pytest
from structlog.testing import capture_logs

from service.admission import Permits
from service.door import SETTLED_AFTER, Door
from service.errors import Overloaded, answer
from service.limit import Limit
from service.metrics import Metrics
from service.refusal import Refusal
from service.shutdown import Shutdown


class House:
    def __init__(self, permits: int, *, access_log: bool = False) -> None:
        self.metrics = Metrics()
        self.permits = Permits(Limit(permits, 1), self.metrics)
        self.shutdown = Shutdown(0)
        self.door = Door(self.permits, self.shutdown, self.metrics, access_log=access_log)

    def counted(self) -> list[float]:
        told = self.metrics.exposition().decode().splitlines()
        names = 'rec_requests_total{route="unmatched",status="429"} ', 'rec_errors_total{error="overloaded"} '
        return [float(line.split()[1]) for name in names for line in told if line.startswith(name)]


def test_requests_that_arrive_together_share_the_free_permits() -> None:
    """None of them has taken one when the next is looked at."""

    async def scenario() -> None:
        house = House(3)
        house.permits.take(1)
        assert [house.door.lets_in(b"/recommend") for _ in range(4)] == [True, True, False, False]
        await asyncio.sleep(0)  # those who were let in have had their turn, and came to nothing
        assert house.door.lets_in(b"/recommend")
        await asyncio.sleep(0)
        house.permits.take(2)
        assert not house.door.lets_in(b"/events")
        house.permits.give_back(1)
        assert house.door.lets_in(b"/events")

    asyncio.run(scenario())


def test_probes_always_are_and_in_a_shutdown_everybody_is() -> None:
    async def scenario() -> None:
        house = House(1)
        house.permits.take(1)
        assert all(house.door.lets_in(url) for url in (b"/livez", b"/readyz", b"/metrics", b"/models", b"/"))
        assert not house.door.lets_in(b"/items/a/similar?n=3")
        house.shutdown.begun = True
        assert house.door.lets_in(b"/recommend")

    asyncio.run(scenario())


def test_what_was_refused_is_counted_together() -> None:
    async def scenario() -> list[float]:
        house = House(1)
        for _ in range(25):
            house.door.refusal([], [])
        assert house.counted() == [0.0]  # errors begin at zero, routes do not
        await asyncio.sleep(SETTLED_AFTER * 1.5)
        assert house.counted() == [25.0, 25.0]
        for _ in range(5):
            house.door.refusal([], [])
        house.door.settle()
        return house.counted()

    assert asyncio.run(scenario()) == [30.0, 30.0]


@pytest.mark.parametrize("access_log", [True, False])
def test_the_log_has_a_line_for_many(access_log: bool) -> None:  # noqa: FBT001
    async def scenario() -> None:
        house = House(1, access_log=access_log)
        for _ in range(25):
            house.door.refusal([], [])
        house.door.settle()
        house.door.settle()

    with capture_logs() as lines:
        asyncio.run(scenario())
    line = {"event": "refused", "log_level": "info", "route": "unmatched", "status": 429}
    assert lines == ([line | {"errors": ["overloaded"], "requests": 25}] if access_log else [])


@pytest.mark.parametrize("request_id", ["x", "0" * 32, "a" * 64])
def test_a_refusal_says_what_the_error_says(request_id: str) -> None:
    error = Overloaded("all 64 permits are taken; try again in a moment")
    written = Refusal(error).written(request_id.encode(), [(b"date", b"Fri, 27 Nov 2026 15:00:00 GMT")])
    head, body = written.split(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    expected = answer(error, request_id)
    assert status == "HTTP/1.1 429 Too Many Requests"
    assert body == expected.body
    assert json.loads(body)["request_id"] == request_id
    headers = dict(line.split(": ", 1) for line in lines)
    assert headers.pop("x-request-id") == request_id
    assert headers.pop("date").endswith("GMT")
    assert headers == dict(expected.headers)
