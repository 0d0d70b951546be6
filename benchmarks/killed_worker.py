"""kill -9 of a worker under load: who notices, and how soon there is another?

    python -m benchmarks.killed_worker BUNDLE --out benchmarks/results/killed_worker.json

Starts a service of two workers, sends recommendations at a fixed rate over connections whose worker is known, and kills
one worker after the other. Ends with exit code 1 when a request failed that a living worker had, when anything but a
200 came, also of /readyz, when a dead worker was named among the living, or when a new one took longer than 3 s.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import random
import signal
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer
import uvloop

from benchmarks.running_service import running_service
from loadtest.connections import Connections
from loadtest.lines import Lines
from loadtest.open_loop import OpenLoop, percentiles

WORKERS, LINES = 2, 32
LONGEST = 3.0
"""Seconds until another worker answers."""
DYING = 0.1
"""Seconds that a process may take to be gone after the signal."""
app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Plan:
    """What is done to the service."""

    rate: float
    kills: int
    pause: float


@dataclass
class Noticed:
    """What was seen from outside while workers died."""

    dead: set[int] = field(default_factory=set)
    back_seconds: list[float] = field(default_factory=list)
    """From the kill to the first answer of the new worker."""
    ready_seconds: list[float] = field(default_factory=list)
    """Of /readyz, over a new connection each time, while one worker was missing."""
    readiness: Counter[str] = field(default_factory=Counter)
    named_dead: int = 0
    """Answers that counted a dead worker among the living."""


@app.command()
def measure(
    bundle: Annotated[Path, typer.Argument(help="A bundle, or a folder of several.")],
    out: Annotated[Path, typer.Option(help="JSON with what was measured.")],
    rate: Annotated[float, typer.Option(min=1, help="Requests per second.")] = 200,
    kills: Annotated[int, typer.Option(min=1, help="Workers that are killed, one after the other.")] = 10,
    pause: Annotated[float, typer.Option(min=0, help="Seconds of rest after each.")] = 2,
) -> None:
    """Kill, and write what was seen."""
    with running_service(bundle, WORKERS) as (port, _), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        told = _circumstances() | runner.run(scenario(port, Plan(rate, kills, pause)))
    out.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    typer.echo(json.dumps(told, indent=2))
    raise typer.Exit(0 if told["as_promised"] else 1)


async def scenario(port: int, plan: Plan) -> dict[str, Any]:
    """The kills under load, as JSON."""
    await _until_it_answers(port)
    async with Lines("127.0.0.1", port, LINES) as lines:
        await _until_all_are_there(lines)
        request = Connections("127.0.0.1", port).request("/recommend", {"n": 20})
        loop = OpenLoop(plan.rate, 10 * LINES, lambda: lines.send(request))
        running = asyncio.create_task(loop.run())
        noticed = Noticed()
        for _ in range(plan.kills):
            await asyncio.sleep(plan.pause)
            await _kill_one(lines, noticed)
        await asyncio.sleep(plan.pause)
        loop.stop()
        seen = await running
    return _told(plan, lines, noticed) | {
        "requests": len(seen.seconds) + len(seen.complaints),
        "ms": percentiles(seen.seconds),
        "loader_lag_ms": percentiles(seen.lags),
    }


async def _until_it_answers(port: int) -> None:
    lines = Lines("127.0.0.1", port, 0)
    for _ in range(600):
        try:
            await lines.get("/readyz")
        except OSError:
            await asyncio.sleep(0.1)
        else:
            return
    raise RuntimeError("the service did not start within a minute")


async def _until_all_are_there(lines: Lines) -> None:
    for _ in range(600):
        if len(await _workers(lines)) == WORKERS:
            return
        await asyncio.sleep(0.1)
    raise RuntimeError(f"{WORKERS} workers did not start within a minute")


async def _workers(lines: Lines) -> set[int]:
    _, told = await lines.get("/models")
    return {one["pid"] for one in told["workers"]}


async def _kill_one(lines: Lines, noticed: Noticed) -> None:
    """And look until another one has answered."""
    before = await _workers(lines)
    victim = random.choice(sorted(before))
    os.kill(victim, signal.SIGKILL)
    noticed.dead.add(victim)
    killed = perf_counter()
    while True:
        await _look_at_readiness(lines, noticed)
        try:
            _, told = await lines.get("/models")
        except OSError:  # the connection had been taken by the one that died
            continue
        if perf_counter() - killed > DYING:
            noticed.named_dead += bool(noticed.dead & {one["pid"] for one in told["workers"]})
        if told["answered_by"] not in before:
            break
        await asyncio.sleep(0.005)
    noticed.back_seconds.append(perf_counter() - killed)


async def _look_at_readiness(lines: Lines, noticed: Noticed) -> None:
    started = perf_counter()
    try:
        status, _ = await lines.get("/readyz")
    except OSError as error:
        noticed.readiness[type(error).__name__] += 1
        return
    noticed.ready_seconds.append(perf_counter() - started)
    noticed.readiness[str(status)] += 1


def _told(plan: Plan, lines: Lines, noticed: Noticed) -> dict[str, Any]:
    of_the_dead = sum(count for worker, count in lines.broken.items() if worker in noticed.dead)
    of_the_living = sum(lines.broken.values()) - of_the_dead
    others = {str(status): count for status, count in lines.statuses.items() if status != 200}
    return {
        "as_promised": not of_the_living
        and not others
        and not noticed.named_dead
        and noticed.readiness.keys() <= {"200", "ConnectionResetError"}
        and max(noticed.back_seconds) <= LONGEST,
        "rate": plan.rate,
        "kills": plan.kills,
        "ms_until_another_answered": percentiles(noticed.back_seconds),
        "failed_with_the_dead": of_the_dead,
        "failed_with_the_living": of_the_living,
        "other_statuses": others,
        "readyz": dict(noticed.readiness),
        "readyz_ms": percentiles(noticed.ready_seconds),
        "answers_that_named_a_dead_worker": noticed.named_dead,
    }


def _circumstances() -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python -m benchmarks.killed_worker", *sys.argv[1:]]),
        "machine": {"cores": os.cpu_count(), "processor": platform.machine(), "load_average": os.getloadavg()},
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    app()
