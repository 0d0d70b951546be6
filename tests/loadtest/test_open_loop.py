"""The loader that does not wait for answers, against loads and servers of which one knows what must be seen."""

from __future__ import annotations

import asyncio

from loadtest.open_loop import OpenLoop, Seen, percentiles


async def run_for(seconds: float, loop: OpenLoop) -> Seen:
    running = asyncio.create_task(loop.run())
    await asyncio.sleep(seconds)
    loop.stop()
    return await running


def test_a_stall_is_charged_for_everybody_who_would_have_come() -> None:
    """Where a closed loop would see one slow answer."""

    async def scenario() -> Seen:
        free = asyncio.Event()

        async def send() -> None:
            await free.wait()

        loop = OpenLoop(100, 1000, send)
        running = asyncio.create_task(run_for(1.0, loop))
        await asyncio.sleep(0.5)
        free.set()
        return await running

    seen = asyncio.run(scenario())
    assert 50 < len(seen.seconds) < 160  # 100 are expected: five standard deviations
    assert sum(one > 0.1 for one in seen.seconds) > 15  # 40 came while there were more than 0.1 s of the stall left


def test_what_it_cannot_send_is_counted_and_what_is_wrong_is_kept() -> None:
    async def scenario() -> Seen:
        async def send() -> str:
            await asyncio.sleep(0.3)
            return "wrong"

        return await run_for(0.5, OpenLoop(200, 5, send))

    seen = asyncio.run(scenario())
    assert seen.dropped > 0
    assert seen.complaints
    assert set(seen.complaints) == {"wrong"}
    assert not seen.seconds


def test_percentiles_are_those_of_the_ordered_times() -> None:
    found = percentiles([k / 1000 for k in range(1000)])
    assert (found["p50"], found["p90"], found["max"]) == (500.0, 900.0, 999.0)
    assert percentiles([]) == {}
