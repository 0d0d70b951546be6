"""The profile `monitor`: Prometheus in its container scrapes the service in its own. Grafana is not started here."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx

from benchmarks.containers.engine import docker, state_of
from benchmarks.containers.load import Users, while_asked
from benchmarks.containers.stack import FIRST, Stack, Told
from benchmarks.monitoring.panels import read_panels
from benchmarks.monitoring.prometheus import Prometheus

USED_SECONDS = 75
"""Five scrapes: a rate over a minute has something to go by."""
WINDOW_SECONDS = 60.0
PATIENCE_SECONDS = 240
ALERT = "ServiceGone"


def watch(stack: Stack) -> Told:
    """Scrape, ask every query of the dashboard, and see the alert come and go when the service does."""
    stack.compose.do("--profile", "monitor", "up", "--detach", "--no-deps", "prometheus")
    with httpx.Client(base_url=f"http://127.0.0.1:{stack.prometheus_port}/api/v1", timeout=30) as client:
        version = _until_up(client)
        used = while_asked(stack.service.port, Users(stack.truth(FIRST)), lambda: time.sleep(USED_SECONDS))
        prometheus = Prometheus(client, version)
        found = _queries(prometheus)
        fired = _gone(stack, client)
        rules = prometheus.rules()
    written = state_of(stack.compose.container("prometheus"))
    seen = {
        "prometheus": version,
        "image": written.image,
        "requests": used.requests,
        "queries": len(found),
        "queries_with_data": sum(found.values()),
        "without_data": sorted(query for query, points in found.items() if not points),
        "alert_seconds": fired,
    }
    return Told(seen, {
        "the service is scraped": found["up"],
        "recommendations are counted": found["sum(rate(rec_requests_total[1m]))"],
        "every alert can be evaluated": bool(rules) and set(rules.values()) == {"ok"},
    })  # fmt: skip


def _until_up(client: httpx.Client) -> str:
    """Until the service was scraped. The version of Prometheus."""

    def is_up() -> bool:
        try:
            targets = client.get("/targets").json()["data"]["activeTargets"]
        except (httpx.TransportError, ValueError):
            return False
        return [one["health"] for one in targets] == ["up"]

    _until(is_up)
    return f"Prometheus {client.get('/status/buildinfo').json()['data']['version']}"


def _queries(prometheus: Prometheus) -> dict[str, bool]:
    """Whether each query of the dashboard finds data. One that cannot be evaluated raises."""
    of_panels = [target.expr for panel in read_panels() for target in panel.targets]
    asked = ["up", "sum(rate(rec_requests_total[1m]))", *of_panels]
    return {expr: _has_data(prometheus, expr) for expr in asked}


def _has_data(prometheus: Prometheus, expr: str) -> bool:
    return any(one.values for one in prometheus.over(expr.replace("$__rate_interval", "1m"), WINDOW_SECONDS))


def _gone(stack: Stack, client: httpx.Client) -> dict[str, float]:
    """Seconds from the end of the service to the alert, and from its return to the end of the alert."""
    service = stack.compose.container("service")
    docker("kill", service)
    fired = _until(lambda: ALERT in _firing(client))
    docker("start", service)
    return {"until_it_fires": fired, "until_it_ends": _until(lambda: ALERT not in _firing(client))}


def _firing(client: httpx.Client) -> set[str]:
    alerts = client.get("/alerts").json()["data"]["alerts"]
    return {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}


def _until(holds: Callable[[], bool]) -> float:
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > PATIENCE_SECONDS:
            raise TimeoutError(f"not within {PATIENCE_SECONDS} s")
        time.sleep(0.5)
    return round(time.monotonic() - began, 1)
