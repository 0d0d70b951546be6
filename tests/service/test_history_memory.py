"""A user costs what docs/redis.md says. 5,000 users here; `python -m benchmarks.histories memory` takes 50,000."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.histories.memory import CASES, measure
from service.embedded_redis import embedded_redis

USERS = 5_000


@pytest.fixture
def empty_redis() -> Iterator[str]:
    with embedded_redis(64) as url:
        yield url


def test_fifty_amazon_items_cost_less_than_500_bytes_a_user(empty_redis: str) -> None:
    cost = measure(empty_redis, CASES[0], USERS)
    assert 300 < cost.history_key < cost.whole <= 500
    assert cost.events_key == 0
