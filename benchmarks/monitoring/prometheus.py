"""A real Prometheus, with the configuration of `docker/monitoring` but for the target and the pause between scrapes."""

from __future__ import annotations

import math
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.monitoring.panels import MONITORING
from benchmarks.monitoring.served import free_port, stopped, wait_for

SCRAPE = "2s"
RATE_INTERVAL = "16s"
"""What Grafana puts in place of `$__rate_interval`: four scrapes, and here twice that, as the machine may be busy."""
STEP_SECONDS = 2


@dataclass(frozen=True)
class Series:
    """One line of a panel."""

    labels: dict[str, str]
    times: list[float]
    values: list[float]
    """Without what is not a number: Prometheus has no 0 / 0 either."""


@dataclass(frozen=True)
class Prometheus:
    """It runs and scrapes."""

    client: httpx.Client
    version: str

    @classmethod
    @contextmanager
    def scraping(cls, program: str, target_port: int, folder: Path) -> Iterator[Prometheus]:
        """Start one on the loopback for as long as the `with` lasts."""
        config, port = (MONITORING / "prometheus.yml").read_text(), free_port()
        assert "service:8000" in config
        config = config.replace("service:8000", f"127.0.0.1:{target_port}").replace(
            "interval: 15s", f"interval: {SCRAPE}"
        )
        (folder / "prometheus.yml").write_text(config)
        shutil.copy(MONITORING / "alerts.yml", folder)
        command = [
            program,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'measured'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ]
        process = subprocess.Popen(command, cwd=folder)  # noqa: S603 the command line names the program
        with stopped(process), httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=30) as client:
            wait_for(client, f"http://127.0.0.1:{port}/-/ready")
            build = client.get("/status/buildinfo").json()["data"]
            yield cls(client, f"Prometheus {build['version']}")

    def over(self, expr: str, seconds: float) -> list[Series]:
        """What a query finds over the last seconds."""
        now = time.time()
        asked: dict[str, str | float] = {
            "query": expr.replace("$__rate_interval", RATE_INTERVAL),
            "start": now - seconds,
            "end": now,
            "step": STEP_SECONDS,
        }
        answer = self.client.get("/query_range", params=asked).raise_for_status().json()
        return [_series(one) for one in answer["data"]["result"]]

    def rules(self) -> dict[str, str]:
        """The health of each alert."""
        groups = self.client.get("/rules").json()["data"]["groups"]
        return {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}


def _series(stated: dict[str, object]) -> Series:
    metric, values = stated["metric"], stated["values"]
    assert isinstance(metric, dict)
    assert isinstance(values, list)
    points = [(float(when), float(value)) for when, value in values]
    points = [(when, value) for when, value in points if math.isfinite(value)]
    return Series(metric, [when for when, _ in points], [value for _, value in points])
