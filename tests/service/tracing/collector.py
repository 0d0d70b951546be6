"""A small OTLP/HTTP collector: a real server, real protobuf; it can be made slow, unwilling or deaf."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

Value = str | bool | int | list["Value"]


@dataclass
class Collector:
    """What has arrived, and how it answers."""

    port: int = 0
    status: int = 200
    spans: list[Span] = field(default_factory=list)
    resources: list[dict[str, Value]] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    raw: bytes = b""
    """Every request, its line, headers and body."""
    hangs: threading.Event = field(default_factory=threading.Event)
    """Set: it takes what comes and never answers."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def take(self, head: str, body: bytes) -> None:
        self.raw += head.encode() + body
        for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append(attributes(resource_spans.resource.attributes))
            for scope_spans in resource_spans.scope_spans:
                self.spans += scope_spans.spans

    def wait_for(self, there: Callable[[Collector], bool]) -> None:
        """Until the spans are there; a test that waits for long has failed."""
        deadline = time.monotonic() + 30
        while not there(self):
            assert time.monotonic() < deadline, [span.name for span in self.spans]
            time.sleep(0.02)

    def of_request(self, request_id: str) -> Span:
        """The span of a request, when it has come."""
        self.wait_for(lambda one: bool(one._of(request_id)))
        (found,) = self._of(request_id)
        return found

    def _of(self, request_id: str) -> list[Span]:
        return [span for span in self.spans if attributes(span.attributes).get("rec.request_id") == request_id]

    def children(self, parent: Span) -> list[Span]:
        """They are sent behind it, so maybe in the next batch."""
        return [span for span in self.spans if span.parent_span_id == parent.span_id]


def attributes(pairs: list[KeyValue]) -> dict[str, Value]:
    return {pair.key: value(pair.value) for pair in pairs}


def value(told: AnyValue) -> Value:
    if told.HasField("array_value"):
        return [value(one) for one in told.array_value.values]
    found: Value = getattr(told, str(told.WhichOneof("value")))
    return found


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.paths.add(self.path)
            if collector.hangs.is_set():
                released.wait()
                return
            if collector.status == 200:
                collector.take(f"{self.requestline}\n{self.headers}", body)
            self.send_response(collector.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    released = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    collector.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield collector
    finally:
        released.set()
        server.shutdown()
        thread.join()
        server.server_close()
