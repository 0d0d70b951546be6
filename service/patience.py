"""How long somebody waits for an answer: until a deadline, and as long as they are there at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from time import perf_counter

from starlette.types import Receive

from service.errors import ClientGone, DeadlineExceeded

GiveUp = Callable[[Exception], None]


class Caller:
    """The other end of a request. Make one per request, after its body was read; it is only listened to while somebody
    asks, by one task however many ask."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._listeners: set[GiveUp] = set()
        self._ear: asyncio.Task[None] | None = None

    @contextmanager
    def watched(self, give_up: GiveUp) -> Iterator[None]:
        """Inside the `with`, `give_up` is called with ClientGone, at least once, when the caller hangs up."""
        self._listeners.add(give_up)
        if self._ear is None or self._ear.done():
            self._ear = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            self._listeners.discard(give_up)
            if not self._listeners:
                self._ear.cancel()
                self._ear = None

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        for give_up in list(self._listeners):
            give_up(ClientGone("the connection was closed before there was an answer"))


@dataclass(frozen=True, eq=False)
class Patience:
    """When waiting is pointless."""

    deadline: float | None = None
    """On the clock of `time.perf_counter`; None: no deadline."""
    caller: Caller | None = None
    """None: always there."""

    @classmethod
    def of(cls, started: float, deadline_ms: int | None, caller: Caller | None = None) -> Patience:
        """Until so many milliseconds after the request began to arrive."""
        return cls(None if deadline_ms is None else started + deadline_ms / 1000, caller)

    @property
    def over(self) -> bool:
        """The deadline has passed."""
        return self.deadline is not None and perf_counter() >= self.deadline

    @contextmanager
    def timed(self, give_up: GiveUp) -> Iterator[None]:
        """Inside the `with`, `give_up` is called with DeadlineExceeded when the deadline passes."""
        if self.deadline is None:
            yield
            return
        seconds = max(0.0, self.deadline - perf_counter())
        timer = asyncio.get_running_loop().call_later(seconds, give_up, exceeded())
        try:
            yield
        finally:
            timer.cancel()

    def watched(self, give_up: GiveUp) -> AbstractContextManager[None]:
        """Inside the `with`, `give_up` is called with ClientGone when the caller hangs up."""
        return nullcontext() if self.caller is None else self.caller.watched(give_up)


def exceeded() -> DeadlineExceeded:
    """What a caller is told whose deadline passed."""
    return DeadlineExceeded("there was no answer within deadline_ms")


FOREVER = Patience()
