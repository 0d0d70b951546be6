"""Whether and when a call is sent again, as a law."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.client import CallFailed, NoAnswer, Rejected, Retries, calls
from service.client.calls import Call
from service.client.errors import BY_STATUS
from service.client.retries import Again, Outcome, judge
from service.errors import HTTP_ERRORS, INTERNAL, TABLE
from tests.service.client.samples import SAMPLES

waits = st.none() | st.integers(0, 100).map(str) | st.sampled_from(["soon", "-1", "1.5", ""])
refusals = st.builds(
    lambda status, wait: httpx.Response(status, headers={} if wait is None else {"Retry-After": wait}),
    st.sampled_from([*BY_STATUS, 302, 418, 502]),
    waits,
)
outcomes: st.SearchStrategy[Outcome] = refusals | st.just(httpx.ReadTimeout("too late"))
retries = st.builds(Retries, st.integers(1, 4), st.floats(0, 1), st.floats(0, 10))


def judged(call: Call[object], outcome: Outcome, tried: int, stubborn: Retries) -> object:
    """What follows, or the error that it ends with."""
    try:
        return judge(call, outcome, tried, stubborn)
    except CallFailed as failed:
        return failed


@given(st.sampled_from(list(SAMPLES)), outcomes, st.integers(1, 5), retries)
def test_only_what_may_pass_and_may_be_done_twice_is_sent_again(
    name: str, outcome: Outcome, tried: int, stubborn: Retries
) -> None:
    then = judged(SAMPLES[name], outcome, tried, stubborn)
    if isinstance(then, Rejected):
        assert isinstance(outcome, httpx.Response)
        assert then.status == outcome.status_code
        return
    if isinstance(then, NoAnswer):
        assert then.__cause__ is outcome
        return
    assert isinstance(then, Again)
    assert SAMPLES[name].is_idempotent
    assert tried < stubborn.tries
    assert then.seconds <= stubborn.longest_pause_seconds
    if isinstance(outcome, httpx.Response):
        assert outcome.status_code in {429, 503}
        asked = outcome.headers.get("Retry-After", "")
        assert then.seconds >= (int(asked) if asked.isdigit() else 0)


@given(st.sampled_from([429, 503]), st.integers(0, 2))
def test_what_may_pass_is_sent_again(status: int, wait: int) -> None:
    refusal = httpx.Response(status, headers={"Retry-After": str(wait)})
    assert isinstance(judge(calls.livez(), refusal, 1, Retries(longest_pause_seconds=2)), Again)
    with pytest.raises(Rejected):
        judge(calls.livez(), refusal, 3, Retries(tries=3))


def test_every_status_of_the_service_has_an_error() -> None:
    statuses = {row.status for row in (*TABLE.values(), INTERNAL)} | set(HTTP_ERRORS)
    assert statuses == set(BY_STATUS)


def test_retries_that_would_send_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="tries"):
        Retries(tries=0)
