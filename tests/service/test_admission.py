"""Permits: never more are held than there are, and every one comes back."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from prometheus_client import generate_latest
from starlette.types import Message, Receive, Scope, Send

from service.admission import FirstLook, Permit, Permits
from service.errors import Overloaded, RateLimited
from service.limit import Limit
from service.metrics import Metrics
from service.rate_limit import Bucket


@examples(max_examples=60)
@given(total=st.integers(1, 8), weights=st.lists(st.integers(1, 12), max_size=12))
def test_what_is_held_never_exceeds_what_there_is_and_all_comes_back(total: int, weights: list[int]) -> None:
    metrics = Metrics()
    permits = Permits(Limit(total, 1), metrics)
    held: list[Permit] = []
    for weight in weights:
        free = total - sum(one.held for one in held)
        try:
            permits.take(1)
        except Overloaded:
            assert free == 0
            continue
        permit = Permit(permits, None)
        held.append(permit)
        if free < min(weight, total):
            with pytest.raises(Overloaded):
                permit.take(weight)
        else:
            permit.take(weight)
            assert permit.held == min(weight, total)
        assert f"rec_in_flight {sum(one.held for one in held)}.0" in generate_latest(metrics.registry).decode()
    for permit in held:
        permits.give_back(permit.held)
    permits.take(total)


def test_a_request_of_several_takes_as_many_tokens() -> None:
    bucket = Bucket(0.001, 5)
    permits = Permits(Limit(10, 1), Metrics())
    bucket.take(1)
    permits.take(1)
    Permit(permits, bucket).take(5)
    with pytest.raises(RateLimited):
        bucket.take(1)


def test_while_no_permit_is_free_nothing_is_read() -> None:
    permits = Permits(Limit(1, 1), Metrics())
    permits.take(1)
    passed: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        passed.append(scope["path"])

    async def never() -> Message:
        raise AssertionError("the body was read")

    async def send(_: Message) -> None:
        raise AssertionError("answered by whoever raised")

    async def ask(path: str) -> None:
        await FirstLook(app, permits)({"type": "http", "path": path}, never, send)

    with pytest.raises(Overloaded):
        asyncio.run(ask("/recommend"))
    asyncio.run(ask("/livez"))
    permits.give_back(1)
    asyncio.run(ask("/recommend"))
    assert passed == ["/livez", "/recommend"]
