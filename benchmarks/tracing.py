"""What traces cost those who are served: the same requests to services with and without, in turns.

    python -m benchmarks.tracing BUNDLE --out benchmarks/results/tracing.json

Each way of tracing has a service of its own; all run side by side, and each in turn, several rounds over, is sent
requests at Poisson moments. Latencies count from when a request was due. The collector is a process of its own, too.
What is worth quoting are ratios to the service that traces nothing, turn by turn, and of them the median over the
rounds: milliseconds are those of this machine and of what else it did.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from threading import Event
from typing import Annotated, Any

import typer

from loadtest.connections import Connections
from loadtest.open_loop import OpenLoop, percentiles
from service.bundle import ModelBundle

MOST_AT_ONCE = 64
LONGEST = 30
OFF = "off"
TICKS = os.sysconf("SC_CLK_TCK")

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)


@dataclass
class Way:
    """One way of tracing, and what was seen of its service."""

    name: str
    environment: dict[str, str]
    port: int = 0
    pid: int = 0
    turns: list[dict[str, float]] = field(default_factory=list)
    """Of each its percentiles, and `processor`: milliseconds of it for each request."""
    seconds: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    complaints: int = 0


@app.command()
def measure(
    bundle: Annotated[Path, typer.Argument(help="The bundle that is served.")],
    out: Annotated[Path, typer.Option(help="JSON with what was measured.")],
    rate: Annotated[float, typer.Option(min=1, help="Requests per second.")] = 100,
    seconds: Annotated[float, typer.Option(min=0.5, help="Of each turn.")] = 4,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each service.")] = 8,
) -> None:
    """Measure and write."""
    bodies = _bodies(list(ModelBundle.read(bundle).catalog))
    with ExitStack() as stack:
        ways = _ways(stack.enter_context(_collector("takes")), stack.enter_context(_collector("hangs")))
        for way in ways:
            stack.enter_context(_service(bundle, way))
        asyncio.run(_in_turns(ways, bodies, (rate, seconds, rounds)))
    told = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python -m benchmarks.tracing", *sys.argv[1:]]),
        "machine": {"cores": os.cpu_count(), "processor": platform.machine(), "load_average": os.getloadavg()},
        "versions": {"python": platform.python_version(), "opentelemetry": version("opentelemetry-sdk")},
        "requests_per_second": rate,
        "ways": {way.name: _told(way, ways[0]) for way in ways},
    }
    out.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    typer.echo(json.dumps(told["ways"], indent=2))
    raise typer.Exit(1 if any(way.complaints for way in ways) else 0)


def _ways(taking: int, hanging: int) -> list[Way]:
    address = "http://127.0.0.1:{}".format
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = taken.getsockname()[1]
    return [
        Way(OFF, {}),
        Way("all", {"REC_OTLP_ENDPOINT": address(taking)}),
        Way("a tenth", {"REC_OTLP_ENDPOINT": address(taking), "REC_OTLP_SAMPLE": "0.1"}),
        Way("collector gone", {"REC_OTLP_ENDPOINT": address(nobody)}),
        Way("collector hangs", {"REC_OTLP_ENDPOINT": address(hanging)}),
    ]


def _bodies(item_ids: list[str]) -> list[dict[str, Any]]:
    draw = random.Random(0)
    return [
        {"history": draw.sample(item_ids, draw.randint(1, min(LONGEST, len(item_ids)))), "n": 20} for _ in range(50)
    ]


async def _in_turns(ways: list[Way], bodies: list[dict[str, Any]], plan: tuple[float, float, int]) -> None:
    rate, seconds, rounds = plan
    for way in ways:
        await _until_it_answers(way)
        await _turn(way, bodies, rate, seconds / 2)  # what is done once, is done now
        way.turns, way.seconds, way.lags, way.complaints = [], [], [], 0
    for at in range(rounds):
        for way in ways[at % len(ways) :] + ways[: at % len(ways)]:
            await _turn(way, bodies, rate, seconds)


async def _turn(way: Way, bodies: list[dict[str, Any]], rate: float, seconds: float) -> None:
    async with Connections("127.0.0.1", way.port) as connections:

        async def ask() -> str | None:
            status, _ = await connections.post("/recommend", random.choice(bodies))
            return None if status == 200 else str(status)

        loop = OpenLoop(rate, MOST_AT_ONCE, ask)
        before = _processor_seconds(way.pid)
        running = asyncio.create_task(loop.run())
        await asyncio.sleep(seconds)
        loop.stop()
        seen = await running
        await asyncio.sleep(0.2)
        used = _processor_seconds(way.pid) - before
    way.turns.append(percentiles(seen.seconds) | {"processor": used / len(seen.seconds) * 1000})
    way.seconds += seen.seconds
    way.lags += seen.lags
    way.complaints += len(seen.complaints) + seen.dropped


async def _until_it_answers(way: Way) -> None:
    for _ in range(1200):
        try:
            async with Connections("127.0.0.1", way.port) as connections:
                await connections.post("/recommend", {})
        except OSError:
            await asyncio.sleep(0.1)
        else:
            return
    raise RuntimeError("a service did not start within two minutes")


def _processor_seconds(pid: int) -> float:
    """Of a process, all its threads, since it began."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _told(way: Way, off: Way) -> dict[str, Any]:
    ratios = {
        name: [one[name] / other[name] for one, other in zip(way.turns, off.turns, strict=True)]
        for name in ("p50", "p90", "p99", "processor")
    }
    return {
        "requests": len(way.seconds),
        "failed": way.complaints,
        "ms": percentiles(way.seconds),
        "processor_ms_each": round(median(one["processor"] for one in way.turns), 3),
        "times_off": {name: round(median(found), 3) for name, found in ratios.items()},
        "loader_lag_ms": percentiles(way.lags),
    }


@contextmanager
def _service(bundle: Path, way: Way) -> Iterator[None]:
    """A service of one worker, with the embedded server; its log goes nowhere."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        way.port = taken.getsockname()[1]
    command = [sys.executable, "-m", "service", "serve", str(bundle), "--port", str(way.port)]
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(command, env=os.environ | way.environment, stdout=nowhere, stderr=nowhere)  # noqa: S603
    way.pid = process.pid
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@contextmanager
def _collector(kind: str) -> Iterator[int]:
    """The port of a collector that throws away what it is sent, or never answers."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_collect, args=(kind, theirs), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def _collect(kind: str, told: Any) -> None:  # noqa: ANN401 a connection, whose class differs by system
    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if kind == "hangs":
                Event().wait()
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    told.send(server.server_address[1])
    server.serve_forever()


if __name__ == "__main__":
    app()
