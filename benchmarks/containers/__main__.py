"""The compose file, run for real against a container engine: everything that docs/docker.md promises, with seconds.

    python -m benchmarks.containers --out benchmarks/results/containers.json

It uses a project of its own (volumes, networks, containers), ports of its own on the loopback, and takes it all down in
the end. It needs some 6 GB of disk, and half an hour on a quiet machine with two cores: the trainer trains. The
variables of the compose file (`REGISTRY`, `PIP_EXTRA_INDEX_URL`) count here as they do there. Ends with exit code 1
when a claim does not hold. Whatever raises leaves the containers as they are, to be looked at.
"""

from __future__ import annotations

import json
import shlex
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.containers import changes, deaths, from_nothing, monitor, redis_loss, second, stopping
from benchmarks.containers.asking import Service
from benchmarks.containers.compose import Compose
from benchmarks.containers.report import write
from benchmarks.containers.stack import Stack, Told
from benchmarks.monitoring.served import free_port

PROJECT = "prm-kd-trial"
FILE = Path(__file__).parents[2] / "docker-compose.yml"
DOWN = ("--profile", "monitor", "down", "--volumes")
ACTS: dict[str, Callable[[Stack], Told]] = {
    "build": from_nothing.build,
    "from_nothing": from_nothing.come_up,
    "up_again": from_nothing.come_up_again,
    "another_model": second.train_another,
    "variants": second.divide,
    "changes": changes.change,
    "worker_killed": deaths.worker,
    "container_killed": deaths.container,
    "container_killed_by_order": deaths.by_order,
    "stopped": stopping.stop,
    "redis_killed": redis_loss.crashed,
    "redis_gone": redis_loss.gone,
    "monitor": monitor.watch,
}
app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)


@app.command()
def run(
    out: Annotated[Path, typer.Option(help="JSON with what was seen.")],
    program: Annotated[str, typer.Option(help="`docker compose`, or `docker-compose` 1.29.")] = "docker compose",
    override: Annotated[list[Path] | None, typer.Option(help="Compose files to put above the project's.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only these acts, on what is there; it is kept.")] = None,
    without: Annotated[list[str] | None, typer.Option(help="All acts but these.")] = None,
) -> None:
    """Run it."""
    port, prometheus_port = free_port(), free_port()
    settings = {"PORT": str(port), "PROMETHEUS_PORT": str(prometheus_port)}
    compose = Compose(tuple(shlex.split(program)), (FILE, *(override or ())), PROJECT, settings)
    told: dict[str, Told] = {}
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(compose, Service(port), prometheus_port, Path(folder))
        if only:
            compose.do("up", "--detach")  # on the ports of this run
        else:
            out.unlink(missing_ok=True)
            compose.do(*DOWN)
        for name in only or [name for name in ACTS if name not in (without or ())]:
            told[name] = ACTS[name](stack)
            typer.echo(json.dumps({name: {**told[name].seen, "claims": told[name].claims}}, indent=1))
            write(out, compose, name, told[name])
        if not only:
            compose.do(*DOWN)
    wrong = [f"{name}: {claim}" for name, one in told.items() for claim in one.wrong]
    typer.echo(f"{sum(len(one.claims) for one in told.values())} claims; wrong: {wrong}")
    raise typer.Exit(1 if wrong else 0)


if __name__ == "__main__":
    app()
