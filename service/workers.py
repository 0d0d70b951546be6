"""Several workers behind one port: who dies is replaced at once, who hangs is ended, who cannot start ends nobody else.

uvicorn has a supervisor of its own, which starts every worker from nothing: a second and more of imports, many times
that on a busy machine, where it also takes who is slow for dead. Here a process that has everything imported, and
nothing else done, is forked.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from socket import socket
from threading import Thread
from time import monotonic

import structlog
import uvicorn
from uvicorn.config import STARTUP_FAILURE

IMPORTED = [
    "service.app",
    "service.server",
    "uvicorn.lifespan.on",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.websockets.auto",
]
"""Before the fork: the service, and what uvicorn imports only when it runs. Nothing of it may start a thread, which
would be missing afterwards. onnxruntime does, and is imported where a graph is opened; numpy's OpenBLAS does, too, but
ends its threads before a fork and starts them again when it multiplies."""
ASKED_EVERY = 1.0
HUNG_AFTER = 30.0
"""Seconds without an answer to whether it lives. A thread of its own answers, so only a worker that runs no Python at
all is silent for so long. Only seconds in which this process looked count: where it came to nothing itself (a machine
that is far too busy, a container that was paused), neither did they."""
PAUSE = 1.0
"""Seconds until another try after a worker that died before it was ready, or could not be forked."""
UNKNOWN = 255
"""The exit code of a worker of which nobody knows, because the process that forked it has died."""


@dataclass(eq=False)
class _Worker:
    """One of them, seen from here."""

    process: ForkServerProcess
    line: Connection
    silent: float | None = None
    """Seconds since it was asked; None: it has answered."""
    ready: bool = False

    def ask(self, seconds: float) -> None:
        """Hear what it has said since the look before, `seconds` ago, and ask it whether it lives."""
        try:
            while self.line.poll():
                self.ready = self.line.recv()
                self.silent = None
            if self.silent is None:
                self.line.send(None)
                self.silent = 0.0
            else:
                self.silent += min(seconds, ASKED_EVERY)
        except (OSError, EOFError):  # it has died, or is about to
            return

    @property
    def hangs(self) -> bool:
        return self.silent is not None and self.silent > HUNG_AFTER


class Workers:
    """As many as the configuration says, until a signal."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket]) -> None:
        """Nothing is started yet; the environment must be as the workers are to find it."""
        self._config = config
        self._sockets = sockets
        self._context = get_context("forkserver")
        self._context.set_forkserver_preload(IMPORTED)
        self._workers: list[_Worker] = []
        self._missing = [0.0] * config.workers
        """For each that is to be started, when."""
        self._looked = monotonic()
        self._woken, self._wake = os.pipe()
        self._forked = False
        self._ending = False
        self._failed = False
        self._log: structlog.stdlib.BoundLogger = structlog.get_logger("service.workers")

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises:
            SystemExit: no worker can start.
            OSError, EOFError: none can be forked.
        """
        with self._signals():
            while not self._ending:
                self._start_missing()
                self._wait()
                self._look()
            self._end()
        if self._failed:
            sys.exit(STARTUP_FAILURE)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def end(*_: object) -> None:
            self._ending = True
            os.write(self._wake, b".")

        before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _start_missing(self) -> None:
        now = monotonic()
        for due in [one for one in self._missing if one <= now]:
            self._missing.remove(due)
            self._start()

    def _start(self) -> None:
        """One more.

        Raises:
            OSError, EOFError: nobody could ever be forked.
        """
        here, there = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(self._config, self._sockets, there))
        try:
            process.start()
        except (OSError, EOFError) as error:
            here.close()
            if not self._forked:
                raise
            # what forks is dying: its lines are closed before anybody can learn that it is dead and start another
            self._log.error("a worker could not be forked", error=repr(error))
            self._missing.append(monotonic() + PAUSE)
        else:
            self._forked = True
            self._workers.append(_Worker(process, here))
        finally:
            there.close()

    def _wait(self) -> bool:
        """Until something happens, or it is time to ask; whether it was a signal."""
        happened = connection.wait([self._woken, *(one.process.sentinel for one in self._workers)], ASKED_EVERY)
        if self._woken in happened:
            os.read(self._woken, 1)
        return self._woken in happened

    def _look(self) -> None:
        before, self._looked = self._looked, monotonic()
        for worker in list(self._workers):
            worker.ask(self._looked - before)
            if not worker.process.is_alive():
                self._workers.remove(worker)
                self._lost(worker)
            elif worker.hangs:
                self._log.error("a worker hangs and is ended", worker=worker.process.pid)
                worker.process.kill()

    def _lost(self, worker: _Worker) -> None:
        code, pid = worker.process.exitcode, worker.process.pid
        if code == UNKNOWN and pid is not None:
            _end_for_certain(pid)
        worker.line.close()
        self._log.error("a worker died", worker=pid, exit_code=code)
        if code == STARTUP_FAILURE and not any(one.ready for one in self._workers):
            self._ending = self._failed = True
        self._missing.append(monotonic() + (0 if worker.ready else PAUSE))

    def _end(self) -> None:
        """All at once; a further signal is passed on as well."""
        self._terminate()
        while any(one.process.is_alive() for one in self._workers):
            if self._wait():
                self._terminate()
            self._workers = [one for one in self._workers if one.process.is_alive()]

    def _terminate(self) -> None:
        for worker in self._workers:
            worker.process.terminate()


def _end_for_certain(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _serve(config: uvicorn.Config, sockets: list[socket], line: Connection) -> None:
    """In the worker. The garbage collector is to leave alone what was imported before the fork: a full collection of it
    was a quarter of the work of a start."""
    gc.freeze()
    server = uvicorn.Server(config)
    Thread(target=_answer, args=(server, line), daemon=True).start()
    server.run(sockets)


def _answer(server: uvicorn.Server, line: Connection) -> None:
    """To whoever asks whether this process lives: whether it is ready. When nobody is there to ask any more, it ends:
    nobody would replace it or end it, and it would keep the port."""
    try:
        while True:
            line.recv()
            line.send(server.started)
    except (OSError, EOFError):
        os.kill(os.getpid(), signal.SIGTERM)
