"""A connection that seems idle is looked at once more before it is closed.

The event loop of a busy machine is late. When at last it comes to its timers, the next request may lie in the socket
already, unread: who closes then, answers a request that came in time with a connection reset.
"""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

TURNS = 2
"""Of the event loop. What it calls soon it may call before it reads, so it has read for certain only after two."""


class LastLook(HttpToolsProtocol):
    """uvicorn's HTTP; closes what is idle, but a moment later."""

    def timeout_keep_alive_handler(self, turns: int = TURNS) -> None:
        """Close, unless something comes meanwhile: that takes the timer back."""
        if turns:
            self.timeout_keep_alive_task = self.loop.call_later(0, self.timeout_keep_alive_handler, turns - 1)
        else:
            super().timeout_keep_alive_handler()

    def shutdown(self, turns: int = TURNS) -> None:
        """The server ends: close, but what comes meanwhile is answered first."""
        if turns:
            self.loop.call_later(0, self.shutdown, turns - 1)
        else:
            super().shutdown()
