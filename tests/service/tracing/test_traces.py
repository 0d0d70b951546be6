"""A real service, a real collector: what was observed of a request arrives as spans, and nothing that it was about."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from loadtest.stages import durations
from service.keys import hash_of, new_key
from tests.service.test_main import serving
from tests.service.tracing.collector import Collector, attributes, collecting

KEY = new_key()
USER, ITEM = "someone-secret", "book-17"
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ENVIRONMENT = {
    "OTEL_BSP_SCHEDULE_DELAY": "50",
    "FASTAPI_OTEL_AUTO_CONFIGURE": "true",  # and still FastAPI must send nothing of its own
    "REC_ACCESS_LOG": "true",
    "REC_API_KEYS_SHA256": f"shop={hash_of(KEY)}",
    "REC_REDIS_TIMEOUT_MS": "2000",
    "REC_VARIANTS": "control=active:100",
}


@dataclass
class Traced:
    """A service whose requests are traced."""

    client: httpx.Client
    collector: Collector
    log: Path

    def ask(self, path: str, body: object, **headers: str) -> tuple[httpx.Response, Span]:
        """The answer, and the span of the request when it has come, its stages too."""
        request_id = secrets.token_hex(8)
        answer = self.client.post(path, json=body, headers={"X-Request-Id": request_id, **headers})
        return answer, self.collector.of_request(request_id)

    def line(self, request_id: str) -> dict[str, Any]:
        for _ in range(200):  # it is written after its answer has gone
            lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
            found = [line for line in lines if line.get("request_id") == request_id and line["event"] == "request"]
            if found:
                return dict(found[0])
            time.sleep(0.05)
        pytest.fail("no line")


@pytest.fixture(scope="module")
def traced(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    log = tmp_path_factory.mktemp("traced") / "log"
    with collecting() as collector:
        environment = ENVIRONMENT | {
            "REC_OTLP_ENDPOINT": f"{collector.url}/",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        }
        with serving(log, str(tiny_bundle), **environment) as (client, _):
            client.headers["Authorization"] = f"Bearer {KEY}"
            yield Traced(client, collector, log)


def stages_of(traced: Traced, parent: Span, wanted: int) -> list[Span]:
    traced.collector.wait_for(lambda one: len(one.children(parent)) >= wanted)
    return traced.collector.children(parent)


def seconds(span: Span) -> float:
    return (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9


def test_a_recommendation_is_a_span_with_what_is_known_of_it(traced: Traced) -> None:
    before = time.time_ns()
    answer, span = traced.ask("/recommend", {"user_id": USER, "history": [ITEM]})
    assert (span.name, span.kind) == ("POST /recommend", Span.SPAN_KIND_SERVER)
    assert attributes(span.attributes) == {
        "http.request.method": "POST",
        "http.route": "/recommend",
        "http.response.status_code": 200,
        "rec.request_id": answer.headers["X-Request-Id"],
        "rec.source": "model",
        "rec.degraded": False,
        "rec.history": "not_read",
        "rec.model_version": answer.json()["model_version"],
        "rec.variant": "control",
    }
    assert span.status.code == Status.STATUS_CODE_UNSET
    assert before <= span.start_time_unix_nano <= span.end_time_unix_nano <= time.time_ns()
    assert span.parent_span_id == b""


def test_its_stages_are_its_children_and_as_long_as_the_answer_says(traced: Traced) -> None:
    answer, span = traced.ask(
        "/recommend", {"user_id": USER, "context_items": [ITEM], "explain": True, "diversity": 0.2}
    )
    told = durations(answer.headers["Server-Timing"])
    assert {"history", "queue", "encode", "retrieve", "diversify", "explain", "rank"} == told.keys()
    children = stages_of(traced, span, len(told))
    assert {child.name: seconds(child) * 1000 for child in children} == pytest.approx(told, abs=0.001)
    assert all(child.trace_id == span.trace_id and child.kind == Span.SPAN_KIND_INTERNAL for child in children)
    assert len({child.span_id for child in children} | {span.span_id}) == len(children) + 1
    slack = 1000  # nanoseconds of rounding
    assert all(span.start_time_unix_nano <= child.start_time_unix_nano + slack for child in children)
    assert all(child.end_time_unix_nano <= span.end_time_unix_nano + slack for child in children)
    assert 0 < sum(seconds(child) for child in children) <= seconds(span)
    begun = [child.name for child in sorted(children, key=lambda child: child.start_time_unix_nano)]
    assert begun.index("history") < begun.index("queue") < begun.index("encode") < begun.index("retrieve")


def test_the_trace_of_the_caller_goes_on_and_the_log_names_it(traced: Traced) -> None:
    answer, span = traced.ask(
        "/recommend", {"history": [ITEM]}, traceparent=f"00-{TRACE}-{CALLER}-01", tracestate="a=b"
    )
    assert (span.trace_id.hex(), span.parent_span_id.hex(), span.trace_state) == (TRACE, CALLER, "a=b")
    assert traced.line(answer.headers["X-Request-Id"])["trace_id"] == TRACE


def test_without_one_a_trace_begins_here(traced: Traced) -> None:
    answer, span = traced.ask("/recommend", {"history": [ITEM]})
    _, other = traced.ask("/recommend", {"history": [ITEM]}, traceparent="00-garbage")
    assert span.trace_id != other.trace_id
    assert traced.line(answer.headers["X-Request-Id"])["trace_id"] == span.trace_id.hex()


def test_what_the_caller_does_not_keep_is_not_sent(traced: Traced) -> None:
    headers = {"X-Request-Id": "unkept", "traceparent": f"00-{TRACE}-{CALLER}-00"}
    traced.client.post("/recommend", json={"history": [ITEM]}, headers=headers)
    assert traced.line("unkept")["trace_id"] == TRACE
    traced.ask("/recommend", {})  # by now it would have come
    assert not traced.collector._of("unkept")


def test_a_batch_has_a_span_for_each_of_its_requests(traced: Traced) -> None:
    bodies = [{"history": [ITEM]}, {"n": 0}, {"user_id": USER}]
    _, span = traced.ask("/recommend/batch", {"requests": bodies})
    told = attributes(span.attributes)
    assert (told["rec.lists"], told["rec.degraded"], told["rec.errors"]) == (2, False, ["invalid_request"])
    assert told["http.response.status_code"] == 200
    children = stages_of(traced, span, 3)
    assert sorted(child.name for child in children) == ["history", "recommend", "recommend"]
    for part in (child for child in children if child.name == "recommend"):
        stages = stages_of(traced, part, 3)
        assert {"queue", "encode", "rank"} <= {stage.name for stage in stages}
        assert 0 < sum(seconds(stage) for stage in stages) <= seconds(part) + 1e-6


@pytest.mark.parametrize(
    ("method", "path", "name", "status"),
    [
        ("GET", f"/users/{USER}/history", "GET /users/{user_id}/history", 200),
        ("GET", f"/items/{ITEM}/similar", "GET /items/{item_id}/similar", 200),
        ("GET", f"/items/{USER}/similar", "GET /items/{item_id}/similar", 404),
        ("GET", f"/nowhere/{USER}", "GET unmatched", 404),
        ("PROPFIND", "/recommend", "_OTHER /recommend", 405),
        ("POST", "/recommend", "POST /recommend", 422),
    ],
)
def test_other_requests_are_spans_by_their_pattern(
    traced: Traced, method: str, path: str, name: str, status: int
) -> None:
    request_id = secrets.token_hex(8)
    traced.client.request(method, path, json={"user_id": USER, "n": 0}, headers={"X-Request-Id": request_id})
    span = traced.collector.of_request(request_id)
    assert span.name == name
    assert attributes(span.attributes)["http.response.status_code"] == status
    assert ("error.type" in attributes(span.attributes)) == (status >= 400)
    assert span.status.code == Status.STATUS_CODE_UNSET  # the caller's mistake is no failure of the service


def test_similar_items_tell_whose_they_are(traced: Traced) -> None:
    request_id = secrets.token_hex(8)
    path = f"/items/{ITEM}/similar?user_id={USER}"
    answer = traced.client.get(path, headers={"X-Request-Id": request_id}).raise_for_status().json()
    told = attributes(traced.collector.of_request(request_id).attributes)
    assert (told["rec.model_version"], told["rec.variant"]) == (answer["model_version"], "control")


def test_nobody_without_a_key_is_told_apart_from_the_others(traced: Traced) -> None:
    _, span = traced.ask("/recommend", {}, Authorization="Bearer wrong-key-of-somebody")
    assert attributes(span.attributes)["error.type"] == "unauthorized"


def test_machines_that_ask_all_day_are_not_traced(traced: Traced) -> None:
    for path in ("/livez", "/readyz", "/metrics"):
        assert traced.client.get(path).status_code == 200
    traced.ask("/recommend", {})
    names = {span.name for span in traced.collector.spans}
    assert not {name for name in names if re.search("livez|readyz|metrics", name)}


def test_the_service_names_itself_and_its_process(traced: Traced) -> None:
    traced.ask("/recommend", {})
    (told,) = {(one["service.name"], one["telemetry.sdk.name"]) for one in traced.collector.resources}
    assert told == ("prm-kd", "opentelemetry")
    assert all(isinstance(one["process.pid"], int) for one in traced.collector.resources)
    assert traced.collector.paths == {"/v1/traces"}


def test_no_user_no_item_and_no_key_leaves_the_service(traced: Traced) -> None:
    """Whatever the tests above have sent, in whatever place."""
    traced.client.get(f"/users/{USER}/history?ids={USER}", headers={"Cookie": USER, "User-Agent": USER})
    traced.client.post("/events", json={"events": [{"user_id": USER, "item_id": ITEM, "event_id": USER}]})
    traced.ask("/recommend", {"user_id": USER, "exclude": [ITEM], "model": USER})
    traced.ask("/recommend", {})
    assert len(traced.collector.raw) > 1000
    for secret in (USER, ITEM, KEY, hash_of(KEY), "Bearer", "somebody", "127.0.0.1:6379"):
        assert secret.encode() not in traced.collector.raw
