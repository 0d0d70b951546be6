"""The two clients: what they send and when they try again is one and the same, they only wait differently."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import httpx

from .calls import AnswerT, Call
from .retries import Again, Outcome, Retries, judge

IDLE_SECONDS = 2.0
"""A connection that was idle for longer is not used again: the service closes its own after REC_KEEP_ALIVE_SECONDS,
what stands between may do so much sooner, and what is sent into a closing one is lost."""


@dataclass(frozen=True)
class Options:
    """Who calls, and how patiently."""

    key: str | None = None
    """For `Authorization: Bearer`; the admin key for the admin's calls."""
    timeout_seconds: float = 2.0
    """For connecting, and for each wait for the service, of each try. Longer than any `deadline_ms` that is sent."""
    retries: Retries = field(default_factory=Retries)


class Client:
    """Calls the service. One for a program: it keeps connections, and threads may share it."""

    def __init__(self, address: str, options: Options | None = None) -> None:
        """Nothing is sent yet."""
        self._options = options or Options()
        self._http = httpx.Client(**_settings(address, self._options))

    def send(self, call: Call[AnswerT]) -> AnswerT:
        """The answer to a call.

        Raises:
            CallFailed: there is none; which of its kinds says why.
        """
        tried = 1
        while isinstance(then := judge(call, self._try(call), tried, self._options.retries), Again):
            time.sleep(then.seconds)
            tried += 1
        return then.answer

    def _try(self, call: Call[AnswerT]) -> Outcome:
        try:
            return self._http.send(_request(self._http, call))
        except httpx.TransportError as error:
            return error

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient:
    """The same for programs that await. One for an event loop."""

    def __init__(self, address: str, options: Options | None = None) -> None:
        """Nothing is sent yet."""
        self._options = options or Options()
        self._http = httpx.AsyncClient(**_settings(address, self._options))

    async def send(self, call: Call[AnswerT]) -> AnswerT:
        """The answer to a call.

        Raises:
            CallFailed: there is none; which of its kinds says why.
        """
        tried = 1
        while isinstance(then := judge(call, await self._try(call), tried, self._options.retries), Again):
            await asyncio.sleep(then.seconds)
            tried += 1
        return then.answer

    async def _try(self, call: Call[AnswerT]) -> Outcome:
        try:
            return await self._http.send(_request(self._http, call))
        except httpx.TransportError as error:
            return error

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _settings(address: str, options: Options) -> dict[str, Any]:
    return {
        "base_url": address,
        "timeout": options.timeout_seconds,
        "limits": httpx.Limits(keepalive_expiry=IDLE_SECONDS),
        "headers": {} if options.key is None else {"Authorization": f"Bearer {options.key}"},
    }


def _request(http: httpx.Client | httpx.AsyncClient, call: Call[AnswerT]) -> httpx.Request:
    if call.body is None:
        return http.build_request(call.method, call.path, params=_query(call))
    content = call.body.model_dump_json(exclude_unset=True)
    return http.build_request(call.method, call.path, content=content, headers={"Content-Type": "application/json"})


def _query(call: Call[AnswerT]) -> Mapping[str, Any]:
    return {} if call.query is None else call.query.model_dump(exclude_unset=True, exclude_none=True)
