"""When waiting is pointless, everybody who waits is told, early and late."""

from __future__ import annotations

import asyncio
from time import perf_counter

from starlette.types import Message

from service.errors import ClientGone, DeadlineExceeded
from service.patience import FOREVER, Caller, Patience


def test_all_who_wait_for_a_caller_that_goes_are_told_also_those_that_come_later() -> None:
    async def scenario() -> tuple[list[Exception], ...]:
        listening = 0
        gone = asyncio.Event()
        early, too, late = list[Exception](), list[Exception](), list[Exception]()

        async def receive() -> Message:
            nonlocal listening
            listening += 1
            assert listening == 1
            await gone.wait()
            listening -= 1
            return {"type": "http.disconnect"}

        caller = Caller(receive)
        with caller.watched(early.append), caller.watched(too.append):
            await asyncio.sleep(0)
            assert listening == 1
            gone.set()
            await asyncio.sleep(0.01)
            with caller.watched(late.append):
                await asyncio.sleep(0.01)
        return early, too, late

    for told in asyncio.run(scenario()):
        assert isinstance(told[0], ClientGone)


def test_nobody_listens_when_nobody_waits_any_more() -> None:
    async def scenario() -> None:
        heard = asyncio.Event()

        async def receive() -> Message:
            try:
                await asyncio.sleep(60)
            finally:
                heard.set()
            return {"type": "http.disconnect"}

        with Caller(receive).watched(lambda _: None):
            await asyncio.sleep(0)
        await asyncio.wait_for(heard.wait(), 5)

    asyncio.run(scenario())


def test_a_deadline_counts_from_when_the_request_began() -> None:
    async def scenario() -> list[Exception]:
        told: list[Exception] = []
        with Patience.of(perf_counter() - 10, 10_050).timed(told.append):
            assert told == []
            await asyncio.sleep(0.5)
        with Patience.of(perf_counter(), 50).timed(told.append):
            pass
        await asyncio.sleep(0.2)
        return told

    (only,) = asyncio.run(scenario())
    assert isinstance(only, DeadlineExceeded)
    assert Patience.of(perf_counter() - 1, 999).over
    assert not Patience.of(perf_counter(), 60_000).over
    assert not FOREVER.over
