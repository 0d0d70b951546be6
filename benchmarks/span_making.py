"""What the spans of one request cost to make: afterwards from its times, as the service does, or by the SDK's tracer.

    python -m benchmarks.span_making

Microseconds of processor time, the least of many tries in turn; nothing is sent. Only the ratio is worth quoting.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter, thread_time, time_ns

import typer
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service.observation import Finished, Observed
from service.outcome import Outcome
from service.timings import Stage, Timings
from service.tracing.spans import Spans
from service.tracing.trace import Traces

STAGES: tuple[Stage, ...] = ("history", "queue", "encode", "retrieve", "rank")
OUTCOME = Outcome("model", "found", "sasrec-A7-0123456789ab", "control")
REQUESTS, TRIES = 50, 300

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)


@app.command()
def measure() -> None:
    """Measure and tell."""
    ways = {"afterwards": _afterwards(), "the SDK's tracer": _by_tracer()}
    least = dict.fromkeys(ways, float("inf"))
    for _ in range(TRIES):
        for name, way in ways.items():
            started = thread_time()
            for _ in range(REQUESTS):
                way()
            least[name] = min(least[name], (thread_time() - started) / REQUESTS)
    for name, seconds in least.items():
        typer.echo(f"{name:<18} {seconds * 1e6:8.1f} µs   {seconds / least['afterwards']:6.1f} x")


def _afterwards() -> Callable[[], None]:
    traces, spans, nowhere = Traces(1.0), Spans(), SpanProcessor()
    observed = Observed("0123456789abcdef", Timings(), perf_counter(), status=200, outcomes=[OUTCOME])
    for stage in STAGES:
        observed.timings.add(stage, 0.001, observed.started)

    def one() -> None:
        trace = traces.of({"type": "http", "headers": []})
        for span in spans.of(trace, Finished(observed, "POST", "/recommend", 0.006)):
            nowhere.on_end(span)

    return one


def _by_tracer() -> Callable[[], None]:
    provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(1.0)), shutdown_on_exit=False)
    provider.add_span_processor(SpanProcessor())
    tracer, headers = provider.get_tracer("benchmark"), TraceContextTextMapPropagator()
    told = {f"rec.{name}": value for name, value in OUTCOME.fields().items() if value is not None}

    def one() -> None:
        span = tracer.start_span("POST /recommend", context=headers.extract({}), kind=SpanKind.SERVER)
        span.set_attributes({"http.route": "/recommend", "http.response.status_code": 200, **told})
        context, now = set_span_in_context(span), time_ns()
        for stage in STAGES:
            tracer.start_span(stage, context=context, start_time=now).end(now + 1_000_000)
        span.end()

    return one


if __name__ == "__main__":
    app()
