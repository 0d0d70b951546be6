"""Whether the dashboard shows anything: a real Prometheus scrapes a real service that has a day within minutes.

    python -m benchmarks.monitoring BUNDLE --out benchmarks/results/monitoring.json --picture docs/img/dashboard.png

The service has two workers and two versions of the bundle. It gets users, strangers, batches, events, wrong requests,
impossible deadlines and a crowd; another model is activated, one is refused, it is rolled back; Redis hangs for some
seconds. Then every query of the dashboard and every alert must have found something, or the command fails. The picture
has the panels of the dashboard, drawn from Prometheus' own answers; it is not Grafana's.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from redis import Redis

from benchmarks.monitoring.panels import Panel, read_panels
from benchmarks.monitoring.picture import draw
from benchmarks.monitoring.prometheus import Prometheus, Series
from benchmarks.monitoring.served import Served, serving, versions_of
from benchmarks.monitoring.traffic import Day
from service.embedded_redis import embedded_redis

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)


@app.command()
def run(
    bundle: Annotated[Path, typer.Argument(help="Folder of a model bundle.")],
    out: Annotated[Path, typer.Option(help="JSON with what each query found.")],
    picture: Annotated[Path, typer.Option(help="PNG of the panels.")],
    seconds: Annotated[float, typer.Option(min=60, max=600, help="How long the service is used.")] = 150,
    prometheus: Annotated[str, typer.Option(help="The program.")] = "prometheus",
) -> None:
    """Serve, scrape, use, ask, draw."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        redis_url = stack.enter_context(embedded_redis(64))
        models = Path(folder) / "models"
        versions = versions_of(bundle, models)
        served = stack.enter_context(serving(models, redis_url, versions))
        scraping = stack.enter_context(Prometheus.scraping(prometheus, served.port, Path(folder)))
        started = time.monotonic()
        asyncio.run(Day(served, _process_of(redis_url), seconds).live())
        panels, lasted = read_panels(), time.monotonic() - started
        found = [[scraping.over(target.expr, lasted) for target in panel.targets] for panel in panels]
        out.write_text(json.dumps(_report(scraping, panels, found, served), indent=1) + "\n")
        draw(panels, found, picture, f"{scraping.version}, {served.version}")
        rules = scraping.rules()
    empty = [panel.title for panel, results in zip(panels, found, strict=True) if not all(map(_points, results))]
    ailing = [name for name, health in rules.items() if health != "ok"]
    queries = sum(len(results) for results in found)
    typer.echo(f"{queries} queries, {len(rules)} alerts; without data: {empty}; ailing: {ailing}")
    raise typer.Exit(1 if empty or ailing else 0)


def _process_of(redis_url: str) -> int:
    with Redis.from_url(redis_url) as redis:
        return int(redis.info("server")["process_id"])


def _points(results: list[Series]) -> int:
    return sum(len(series.values) for series in results)


def _report(
    scraping: Prometheus, panels: list[Panel], found: list[list[list[Series]]], served: Served
) -> dict[str, object]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python -m benchmarks.monitoring", *sys.argv[1:]]),
        "prometheus": scraping.version,
        "model_version": served.version,
        "alerts": scraping.rules(),
        "queries": [
            {
                "panel": panel.title,
                "expr": target.expr,
                "series": len(results),
                "points": _points(results),
            }
            for panel, several in zip(panels, found, strict=True)
            for target, results in zip(panel.targets, several, strict=True)
        ],
    }


if __name__ == "__main__":
    app()
