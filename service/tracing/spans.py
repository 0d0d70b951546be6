"""The spans of a finished request: one for all of it, and one for each of its stages.

They are made of what was observed anyway, when all is over; nothing is measured for them. That is why they are not made
by a tracer of the SDK, which accompanies a request while it lasts and takes four times as long (docs/decisions/017).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from time import perf_counter, time_ns

from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode
from opentelemetry.util.types import AttributeValue

from service.observation import Finished
from service.timings import Timings
from service.tracing.trace import Trace

NAME = "prm-kd"
"""The service's name, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES give another."""
METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
"""Those of HTTP. A caller may write anything there, and collectors count by it."""
PART = "recommend"
"""Span of one request of a batch."""
FIRST_OF_OUR_FAULTS = 500
_NANOSECONDS = 1_000_000_000


class Clock:
    """From the clock that durations are measured with to that of the world, as both are now."""

    def __init__(self) -> None:
        self._world, self._measured = time_ns(), perf_counter()

    def at(self, moment: float) -> int:
        """Nanoseconds since 1970 at a moment of `time.perf_counter`."""
        return self._world - round((self._measured - moment) * _NANOSECONDS)


class Spans:
    """Makes the spans of this process."""

    def __init__(self) -> None:
        self._ids = RandomIdGenerator()
        self._scope = InstrumentationScope(NAME)
        own = Resource.create({"service.name": NAME, "process.pid": os.getpid()})
        self._resource = own.merge(OTELResourceDetector().detect())

    def of(self, trace: Trace, finished: Finished) -> Iterator[ReadableSpan]:
        """The request's own span, its stages' and, of a batch, those of its requests and of their stages."""
        clock, observed = Clock(), finished.observed
        method = finished.method if finished.method in METHODS else "_OTHER"
        ours = finished.status >= FIRST_OF_OUR_FAULTS
        yield ReadableSpan(
            f"{method} {finished.route}",
            context=trace.span,
            parent=trace.parent,
            resource=self._resource,
            attributes=_attributes(method, finished),
            kind=SpanKind.SERVER,
            status=Status(StatusCode.ERROR if ours else StatusCode.UNSET),
            start_time=clock.at(observed.started),
            end_time=clock.at(observed.started + finished.seconds),
            instrumentation_scope=self._scope,
        )
        yield from self._stages(trace.span, observed.timings, clock)
        for timings in observed.parts:
            yield from self._part(trace.span, timings, clock)

    def _part(self, parent: SpanContext, timings: Timings, clock: Clock) -> Iterator[ReadableSpan]:
        stages = timings.spans
        if stages:
            begun = min(began for _, began, _ in stages)
            # A stage that was entered again ended later than it would by its beginning and its seconds.
            ended = max(begun + timings.total, *(began + seconds for _, began, seconds in stages))
            part = self._within(parent, PART, clock.at(begun), clock.at(ended))
            yield part
            yield from self._stages(part.context, timings, clock)

    def _stages(self, parent: SpanContext, timings: Timings, clock: Clock) -> Iterator[ReadableSpan]:
        for stage, began, seconds in timings.spans:
            start = clock.at(began)
            yield self._within(parent, stage, start, start + round(seconds * _NANOSECONDS))

    def _within(self, parent: SpanContext, name: str, start: int, end: int) -> ReadableSpan:
        own = SpanContext(
            parent.trace_id, self._ids.generate_span_id(), is_remote=False, trace_flags=parent.trace_flags,
            trace_state=parent.trace_state,
        )  # fmt: skip
        return ReadableSpan(
            name, context=own, parent=parent, resource=self._resource, start_time=start, end_time=end,
            instrumentation_scope=self._scope,
        )  # fmt: skip


def _attributes(method: str, finished: Finished) -> dict[str, AttributeValue]:
    """OpenTelemetry's names where it has one. No path, no query, no header: they may hold user ids and keys."""
    observed = finished.observed
    told: dict[str, AttributeValue] = {
        "http.request.method": method,
        "http.route": finished.route,
        "http.response.status_code": finished.status,
        "rec.request_id": observed.request_id,
    }
    if observed.errors:
        told["error.type"] = observed.errors[0]
        told["rec.errors"] = observed.errors
    for name, value in observed.outcome_fields().items():
        if value is not None:
            told[f"rec.{name}"] = value
    return told
