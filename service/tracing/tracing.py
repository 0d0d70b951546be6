"""From a request to spans at a collector. Whatever happens there, no request waits for it, and none fails."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from starlette.types import Scope

from service.observation import Finished
from service.tracing.address import traces_address
from service.tracing.spans import Spans
from service.tracing.trace import Trace, Traces

UNTRACED = frozenset({"/livez", "/readyz", "/metrics"})
"""Machines ask for them all day, and nobody asks what became of it."""
BATCH_VARIABLE, BATCH_SPANS = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 64
"""The thread that writes a batch keeps the interpreter lock while it does, up to 5 ms at a time, and a request wants it
a dozen times. So many spans are written within one turn; with the SDK's 512 they take several, and that is felt."""
FLUSH_SECONDS = 2.0
"""How long the end of a worker may wait for its last spans to be sent, after `drain_seconds` and `shutdown_seconds`."""


class Tracing:
    """Gives requests their place in a trace, makes spans of what they were, and has them sent.

    A thread sends them, in batches. Before it is a queue of bounded length: what does not fit is dropped, and a
    collector that is slow or dead costs spans and nothing else. OTEL_BSP_* and OTEL_EXPORTER_OTLP_* apply.
    """

    def __init__(self, endpoint: str, sample: float) -> None:
        """Start nothing.

        Args:
            endpoint: address of the collector.
            sample: 0 to 1, how many of the traces that begin here are kept.
        """
        self._address = traces_address(endpoint)
        self._traces = Traces(sample)
        self._spans = Spans()
        self._outbox: BatchSpanProcessor | None = None
        self._log: structlog.stdlib.BoundLogger = structlog.get_logger("service.tracing")

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Send spans for as long as the `with` lasts; then those that are left, as far as FLUSH_SECONDS allow."""
        # It would be told of each span that finds the queue full, in the middle of a request, which takes longer than
        # to make the span. That the collector does not take them, the exporter tells.
        logging.getLogger("opentelemetry.sdk").setLevel(logging.ERROR)
        batch = None if BATCH_VARIABLE in os.environ else BATCH_SPANS
        self._outbox = BatchSpanProcessor(OTLPSpanExporter(self._address), max_export_batch_size=batch)
        try:
            yield
        finally:
            self._flush(self._outbox)

    def begin(self, scope: Scope) -> Trace | None:
        """The place of a request that has just come; None: it has none."""
        if scope["path"] in UNTRACED:
            return None
        try:
            return self._traces.of(scope)
        except Exception:  # noqa: BLE001 an answer is worth more than its trace
            self._log.exception("a request is not traced")
            return None

    def end(self, trace: Trace, finished: Finished) -> None:
        """Have the spans of a request sent that has been answered."""
        if self._outbox is None or not trace.is_sampled:
            return
        try:
            for span in self._spans.of(trace, finished):
                self._outbox.on_end(span)
        except Exception:  # noqa: BLE001 the same
            self._log.exception("a request is not traced")

    def _flush(self, outbox: BatchSpanProcessor) -> None:
        """The SDK would wait for half a minute. The thread that waits is a daemon, so the process ends without it."""
        waiting = threading.Thread(target=outbox.shutdown, name="last-spans", daemon=True)
        waiting.start()
        waiting.join(FLUSH_SECONDS)
        if waiting.is_alive():
            self._log.warning("the collector did not take the last spans in time", seconds=FLUSH_SECONDS)
