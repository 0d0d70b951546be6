"""Which trace a request belongs to: that of its caller's `traceparent`, else a new one."""

from __future__ import annotations

from dataclasses import dataclass

from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import SpanContext, TraceFlags, format_trace_id, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import Scope

LONGEST = 512
"""Characters of a header that is read. Longer ones the library would complain of in the log, once for each."""


@dataclass(frozen=True)
class Trace:
    """One request's place in a trace."""

    span: SpanContext
    """Of the request's own span."""
    parent: SpanContext | None
    """The caller's span; None: the trace begins here."""

    @property
    def id(self) -> str:
        """As collectors show it: 32 hexadecimal digits."""
        return format_trace_id(self.span.trace_id)

    @property
    def is_sampled(self) -> bool:
        """Whether its spans are sent."""
        return self.span.trace_flags.sampled


class Traces:
    """Finds each request's place."""

    def __init__(self, sample: float) -> None:
        """`sample`, 0 to 1: how many of the traces that begin here are kept."""
        self._ids = RandomIdGenerator()
        self._kept = TraceIdRatioBased(sample)
        self._headers = TraceContextTextMapPropagator()

    def of(self, scope: Scope) -> Trace:
        """The caller's trace, as W3C Trace Context writes it, and whether it is kept is then the caller's word; without
        one, or with one that cannot be read, a new trace."""
        parent = self._parent(scope)
        trace_id = self._ids.generate_trace_id() if parent is None else parent.trace_id
        keeps = self._keeps(trace_id) if parent is None else parent.trace_flags.sampled
        flags = TraceFlags(TraceFlags.SAMPLED if keeps else TraceFlags.DEFAULT)
        state = None if parent is None else parent.trace_state
        return Trace(
            SpanContext(trace_id, self._ids.generate_span_id(), is_remote=False, trace_flags=flags, trace_state=state),
            parent,
        )

    def _keeps(self, trace_id: int) -> bool:
        """By the id, as everybody else in the trace decides."""
        return trace_id & TraceIdRatioBased.TRACE_ID_LIMIT < self._kept.bound

    def _parent(self, scope: Scope) -> SpanContext | None:
        found: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            if name in (b"traceparent", b"tracestate") and len(value) <= LONGEST:
                found.setdefault(name.decode(), []).append(value.decode("latin-1"))
        if len(found.get("traceparent", ())) != 1:
            return None  # of several, nobody knows which is meant
        parent = get_current_span(self._headers.extract(found)).get_span_context()
        return parent if parent.is_valid else None
