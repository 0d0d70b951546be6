"""A real server whose loop stalls while a connection is idle, and the next request that comes meanwhile."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from fastapi import FastAPI

from service.settings import Settings
from tests.service.conftest import Running

REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
KEPT = 1
STALL = 2 * KEPT
"""Seconds that the loop is late: the idle timer is long due by then."""


@contextmanager
def stalling() -> Iterator[tuple[FastAPI, Callable[[], int]]]:
    """An app, and what makes its loop stall where it has just seen who sent something and has not come to its timers:
    who sends during the stall has not been seen."""
    app, (heard, said) = FastAPI(), os.pipe()

    def stall() -> None:
        os.read(heard, 1)
        time.sleep(STALL)

    @app.get("/")
    async def answer() -> str:
        asyncio.get_running_loop().add_reader(heard, stall)
        return "here"

    try:
        yield app, lambda: os.write(said, b".")
    finally:
        os.close(heard)
        os.close(said)


@contextmanager
def idle(running: Running) -> Iterator[socket.socket]:
    """Inside the `with` the server runs, and a connection to it has had an answer."""
    with running as client, socket.create_connection(("127.0.0.1", client.base_url.port or 0), timeout=20) as plain:
        plain.sendall(REQUEST)
        assert plain.recv(65_536).startswith(b"HTTP/1.1 200")
        yield plain


def test_what_came_before_an_overdue_timer_is_answered() -> None:
    with stalling() as (app, stall), idle(Running(Settings(keep_alive_seconds=KEPT), app)) as plain:
        for _ in range(3):
            stall()
            time.sleep(0.1)
            plain.sendall(REQUEST)
            assert plain.recv(65_536).startswith(b"HTTP/1.1 200")


def test_what_came_before_the_end_of_the_server_is_answered() -> None:
    with stalling() as (app, stall), idle(Running(Settings(), app)) as plain:
        stall()
        time.sleep(0.1)
        plain.sendall(REQUEST)
        kept = plain.dup()
    with kept:
        assert kept.recv(65_536).startswith(b"HTTP/1.1 200")
        assert kept.recv(65_536) == b""


@pytest.mark.parametrize("asked", [b"", REQUEST])
def test_who_is_idle_is_hung_up_on_after_the_time_that_was_set(asked: bytes) -> None:
    with stalling() as (app, _), idle(Running(Settings(keep_alive_seconds=KEPT), app)) as plain:
        if asked:
            time.sleep(KEPT / 2)
            plain.sendall(asked)
            plain.recv(65_536)
        began = time.monotonic()
        assert plain.recv(65_536) == b""
        assert KEPT * 0.9 < time.monotonic() - began < KEPT + 5
