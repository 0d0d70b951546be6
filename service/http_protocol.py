"""uvicorn's HTTP, with a door in it."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from typing import Any

from uvicorn import Config
from uvicorn.server import ServerState

from service.door import Door
from service.last_look import LastLook

_PLAIN_METHODS = frozenset({b"GET", b"POST", b"DELETE"})


class HttpWithDoor(LastLook):
    """Asks the door as soon as the head of a request has come, and answers for it there and then.

    Only where that is simple: a request of HTTP/1.1 on a connection that stays open and owes nothing. All others take
    the ordinary way, and are refused at its beginning, by `service.admission.FirstLook`. So is everything under a
    server that does not speak this protocol.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._door: Door | None = app_state.get("door")
        self._refused = False

    def on_headers_complete(self) -> None:
        """Refuse, or go the ordinary way."""
        self._refused = self._door is not None and not self._door.lets_in(self.url) and self._is_simple()
        if not self._refused:
            self._unset_keepalive_if_required()  # what is left of a refused one may have come with this one
            super().on_headers_complete()
        elif self._door is not None:
            self.transport.write(self._door.refusal(self.headers, self.server_state.default_headers))
            self.server_state.total_requests += 1
            self._keep_alive()

    def _is_simple(self) -> bool:
        owes = self.cycle is not None and not self.cycle.response_complete
        return (
            not owes
            and not self.expect_100_continue
            and not self.flow.write_paused
            and not self.transport.is_closing()
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and not self.parser.should_upgrade()
            and self.parser.get_method() in _PLAIN_METHODS
        )

    def on_body(self, body: bytes) -> None:
        """Of a request that was refused it is not kept."""
        if self._refused:
            self._keep_alive()
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Of a request that was refused: wait for the next."""
        if self._refused:
            self._keep_alive()
        else:
            super().on_message_complete()

    def _keep_alive(self) -> None:
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
