"""The server under the app: uvicorn, as this service runs it."""

from __future__ import annotations

import sys
from contextlib import suppress
from socket import socket

import uvicorn
from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE

from service.http_protocol import HttpWithDoor
from service.settings import Settings
from service.workers import Workers

ACCEPTED_AT_ONCE = 16
"""Connections that a worker accepts in one turn of its event loop, at most."""


def run(settings: Settings, host: str, port: int, workers: int) -> None:
    """Serve what the environment says, until SIGTERM; `settings`: the same, as far as the server needs them."""
    config = config_of("service.app:create_app", settings, host, port, workers)
    sockets = listening(config)
    if workers > 1:
        Workers(config, sockets).run()
        return
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):
        server.run(sockets)
    if not server.started:
        sys.exit(STARTUP_FAILURE)


def config_of(
    app: FastAPI | str, settings: Settings, host: str = "127.0.0.1", port: int = 0, workers: int = 1
) -> uvicorn.Config:
    """How uvicorn is to run; `app`: the app, or where the factory is that makes it in every worker."""
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        host=host,
        port=port,
        workers=workers,
        loop="uvloop",
        http=HttpWithDoor,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )


def listening(config: uvicorn.Config) -> list[socket]:
    """The port, under several descriptors.

    libuv accepts one connection per turn of the loop and descriptor. When many callers come at once, to a loop whose
    turns are long because it is busy, with one descriptor the last of them wait for seconds in the kernel, where nobody
    refuses them.
    """
    port = config.bind_socket()
    return [port, *(port.dup() for _ in range(ACCEPTED_AT_ONCE - 1))]
