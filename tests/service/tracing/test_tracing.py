"""A collector that is dead, slow or unwilling costs its spans and nothing else; the end of a worker loses none."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import httpx
import pytest

from service.tracing.tracing import FLUSH_SECONDS
from tests.service.test_main import free_port, serving
from tests.service.tracing.collector import Collector, collecting

QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "50", "REC_REDIS_TIMEOUT_MS": "2000", "REC_DRAIN_SECONDS": "0"}
BODY = {"history": ["book-01", "book-17"]}
REQUESTS = 600
"""With their stages more spans than the queue has places."""
MARGIN_SECONDS = 8.0
"""For a busy machine to end a process in."""


def ask_often(client: httpx.Client) -> None:
    for _ in range(REQUESTS):
        assert client.post("/recommend", json=BODY).status_code == 200


def hang(collector: Collector) -> None:
    collector.hangs.set()


def refuse(collector: Collector) -> None:
    collector.status = 401


def fail(collector: Collector) -> None:
    collector.status = 503


def move_away(collector: Collector) -> None:
    collector.port = free_port()


@pytest.mark.parametrize("fault", [hang, refuse, fail, move_away])
def test_every_request_is_answered_and_the_worker_ends_in_time(
    tiny_bundle: Path, tmp_path: Path, fault: object
) -> None:
    log = tmp_path / "log"
    with collecting() as collector:
        assert callable(fault)
        fault(collector)
        with serving(log, str(tiny_bundle), REC_OTLP_ENDPOINT=collector.url, **QUICK) as (client, process):
            ask_often(client)
            process.send_signal(signal.SIGTERM)
            started = time.monotonic()
            assert process.wait(30) == 0
    assert time.monotonic() - started < FLUSH_SECONDS + MARGIN_SECONDS
    said = log.read_text()
    assert "Traceback" not in said
    complaints = [line for line in said.splitlines() if "opentelemetry" in line or "span" in line.lower()]
    assert 0 < len(complaints) < 8  # it is told, and not at every try


def test_the_last_spans_are_sent_before_the_end(tiny_bundle: Path, tmp_path: Path) -> None:
    environment = QUICK | {"OTEL_BSP_SCHEDULE_DELAY": "600000", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "2048"}
    with collecting() as collector:
        with serving(tmp_path / "log", str(tiny_bundle), REC_OTLP_ENDPOINT=collector.url, **environment) as served:
            client, process = served
            client.post("/recommend", json=BODY, headers={"X-Request-Id": "last"})
            assert collector.spans == []
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        span = collector.of_request("last")
        assert len(collector.children(span)) >= 3


def test_a_collector_that_comes_back_is_sent_to_again(tiny_bundle: Path, tmp_path: Path) -> None:
    with collecting() as collector:
        collector.status = 500
        with serving(tmp_path / "log", str(tiny_bundle), REC_OTLP_ENDPOINT=collector.url, **QUICK) as (client, _):
            client.post("/recommend", json=BODY, headers={"X-Request-Id": "lost"})
            collector.wait_for(lambda one: bool(one.paths))
            collector.status = 200
            client.post("/recommend", json=BODY, headers={"X-Request-Id": "found"})
            collector.of_request("found")


def test_every_worker_sends(tiny_bundle: Path, tmp_path: Path) -> None:
    with collecting() as collector:
        environment = QUICK | {"REC_OTLP_ENDPOINT": collector.url, "OTEL_SERVICE_NAME": "shop"}
        with serving(tmp_path / "log", str(tiny_bundle), "--workers", "2", **environment) as (client, process):
            for _ in range(200):
                with httpx.Client(base_url=client.base_url) as fresh:  # a new connection: any worker
                    fresh.post("/recommend", json=BODY)
                if len({one["process.pid"] for one in collector.resources}) == 2:
                    break
                time.sleep(0.05)
            else:
                pytest.fail("one of them sends nothing")
            process.send_signal(signal.SIGTERM)  # killed, it would leave its workers behind
            assert process.wait(30) == 0
        assert {one["service.name"] for one in collector.resources} == {"shop"}
