"""Load at a rate that does not depend on the answers; results as JSON.

    python -m loadtest rate --rate 300 --seconds 30
    python -m loadtest overload --seconds 20 --out overload.json

Ends with exit code 1 when something else came back than lists and refusals, and with 2 when the loader itself was so
late that the run says nothing of the service. Give the loader a core of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
from collections.abc import Coroutine, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

from loadtest.asking import Asker
from loadtest.connections import Connections
from loadtest.overload import Load, measure
from loadtest.window import at_rate

EXPECTED = {"200", "429", "503"}
app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
Host = Annotated[str, typer.Option(help="Address of the service.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Its port.")]
Seconds = Annotated[float, typer.Option(min=0.1, help="How long.")]
Out = Annotated[Path | None, typer.Option(help="File for the JSON, beside the screen.")]


@app.command()
def rate(
    rate: Annotated[float, typer.Option(min=0.1, help="Requests per second; Poisson arrivals.")],
    seconds: Seconds = 30,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    out: Out = None,
) -> None:
    """Recommendations at a fixed rate."""

    async def scenario() -> dict[str, Any]:
        async with Connections(host, port) as connections:
            return (await at_rate(await Asker.meet(connections), rate, seconds)).told()

    told = _run(scenario())
    _tell(told, out, void=told["void"], statuses=told["statuses"])


@app.command()
def overload(
    seconds: Seconds = 20,
    times: Annotated[float, typer.Option(min=1, help="The rate over the peak.")] = 3,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    out: Out = None,
) -> None:
    """Idle, peak, several times the peak, and how soon all is as before."""
    told = _run(measure(host, port, Load(seconds, times)))
    _tell(told, out, void=told["void"], statuses=told["overload"]["statuses"])


def _run(scenario: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(scenario)
    except RuntimeError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


def _tell(told: dict[str, Any], out: Path | None, *, void: bool, statuses: Iterable[str]) -> None:
    circumstances = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python -m loadtest", *sys.argv[1:]]),
        "machine": {"cores": os.cpu_count(), "processor": platform.machine(), "load_average": os.getloadavg()},
        "python": platform.python_version(),
    }
    text = json.dumps(circumstances | told, indent=2)
    typer.echo(text)
    if out is not None:
        out.write_text(text + "\n", encoding="utf-8")
    if set(statuses) - EXPECTED:
        raise typer.Exit(1)
    if void:
        typer.echo("void: the loader itself was late (loader_lag_ms)", err=True)
        raise typer.Exit(2)


if __name__ == "__main__":
    app()
