"""Which trace a request is in, by W3C Trace Context."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.tracing.trace import Trace, Traces

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def trace_of(*headers: tuple[str, str], sample: float = 1.0) -> Trace:
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return Traces(sample).of({"type": "http", "headers": encoded})


@pytest.mark.parametrize("flags", ["00", "01", "03"])
def test_a_caller_is_followed(flags: str) -> None:
    trace = trace_of(("traceparent", f"00-{TRACE}-{CALLER}-{flags}"), sample=0.0)
    assert trace.id == TRACE
    assert trace.parent is not None
    assert f"{trace.parent.span_id:016x}" == CALLER
    assert trace.span.span_id != trace.parent.span_id
    assert trace.is_sampled == (flags != "00")


def test_a_later_version_is_read_as_far_as_this_one_goes() -> None:
    assert trace_of(("traceparent", f"cc-{TRACE}-{CALLER}-01-what-the-future-will-be-like")).id == TRACE


@pytest.mark.parametrize(
    "wrong",
    [
        "", "garbage", f"ff-{TRACE}-{CALLER}-01", f"00-{TRACE}-{CALLER}", f"00-{TRACE.upper()}-{CALLER}-01",
        f"00-{'0' * 32}-{CALLER}-01", f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE}-{CALLER}-01-more",
        f"cc-{TRACE}-{CALLER}-01-{'x' * 1000}",
    ],
)  # fmt: skip
def test_what_cannot_be_read_begins_a_new_trace(wrong: str) -> None:
    trace = trace_of(("traceparent", wrong), ("tracestate", "a=b"))
    assert trace.id != TRACE
    assert trace.parent is None
    assert trace.is_sampled
    assert not trace.span.trace_state


def test_of_two_callers_neither_is_believed() -> None:
    one = ("traceparent", f"00-{TRACE}-{CALLER}-01")
    assert trace_of(one, one).parent is None


@given(
    st.lists(st.tuples(st.sampled_from(["traceparent", "tracestate", "x"]), st.text(st.characters(max_codepoint=255))))
)
def test_no_header_is_too_odd(headers: list[tuple[str, str]]) -> None:
    trace = trace_of(*headers)
    assert len(trace.id) == 32
    assert trace.span.is_valid


def test_so_many_are_kept_as_were_asked_for() -> None:
    for sample in (0.0, 0.25, 1.0):
        traces = Traces(sample)
        kept = sum(traces.of({"type": "http", "headers": []}).is_sampled for _ in range(2000))
        assert abs(kept / 2000 - sample) < 0.05  # five standard deviations
