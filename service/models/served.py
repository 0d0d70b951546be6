"""A model that answers, and the requests that hold it."""

from __future__ import annotations

import asyncio

from service.model_thread import ModelThread
from service.models.opening import Model


class Served:
    """A model and its thread, leased by requests: `with served as leased: ...` around all that one answer needs.

    Another model may become the active one at any `await`. A request that holds a lease goes on with the model that it
    began with, so that its answer is of one piece; the model is released when its last lease is over. Leases are taken
    and given back on the event loop alone, so counting needs no lock.
    """

    def __init__(self, model: Model, thread: ModelThread) -> None:
        self.model = model
        self.thread = thread
        self.retired = False
        """Whether it waits for its last lease to be over, and then is let go: no more to be served from."""
        self._leases = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def version(self) -> str:
        """`model_version` of its manifest."""
        return self.model.version

    def __enter__(self) -> Served:
        self._leases += 1
        self._idle.clear()
        return self

    def __exit__(self, *_: object) -> None:
        self._leases -= 1
        if self._leases == 0:
            self._idle.set()

    async def idle(self) -> None:
        """Wait until nobody holds it."""
        await self._idle.wait()

    def close(self) -> None:
        """Wait for the run under way, then let go of graphs and tables. Blocks: not for the event loop while requests
        are served."""
        self.thread.close()
        del self.model, self.thread
