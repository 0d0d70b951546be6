"""The bucket keeps its rate whatever is asked, and what it says of waiting is true."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from service.errors import RateLimited, answer
from service.rate_limit import Bucket

steps = st.lists(st.tuples(st.floats(0, 5), st.integers(1, 12)), max_size=60)


class Time:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@examples(max_examples=100)
@given(rate=st.floats(0.1, 50), burst=st.integers(1, 10), asked=steps)
def test_no_more_come_through_than_burst_and_rate_allow_and_waiting_as_told_helps(
    rate: float, burst: int, asked: list[tuple[float, int]]
) -> None:
    time = Time()
    bucket = Bucket(rate, burst, time)
    began, taken, largest = time.now, 0, 0
    for pause, tokens in asked:
        time.now += pause
        try:
            bucket.take(tokens)
        except RateLimited as refused:
            time.now += refused.retry_after
            bucket.take(tokens)
        taken += tokens
        largest = max(largest, tokens)
        assert taken <= burst + largest + (time.now - began) * rate + 0.001


def test_a_full_bucket_gives_more_than_it_holds_and_is_owed() -> None:
    time = Time()
    bucket = Bucket(2.0, 4, time)
    bucket.take(10)
    with pytest.raises(RateLimited) as refused:
        bucket.take(1)
    assert refused.value.retry_after == 4  # 6 owed and 1 more, at 2 a second
    assert answer(refused.value, "r").headers["Retry-After"] == "4"


def test_taking_nothing_is_always_possible_within_what_was_granted() -> None:
    bucket = Bucket(1.0, 1, Time())
    bucket.take(1)
    bucket.take(0)
    with pytest.raises(RateLimited):
        bucket.take(1)


@examples(max_examples=200)
@given(
    rate=st.floats(0.1, 50),
    burst=st.integers(1, 10),
    pauses=st.lists(st.floats(0, 5), max_size=5),
    size=st.integers(1, 30),
)
def test_a_batch_is_let_in_as_one_request_of_its_size_and_waiting_as_told_helps(
    rate: float, burst: int, pauses: list[float], size: int
) -> None:
    """It takes one token when it comes and the others when its body was read; to the bucket that is all the same."""
    time = Time()
    bucket = Bucket(rate, burst, time)

    def come() -> None:
        bucket.take(1)
        bucket.take(size - 1, taken=1)

    come()  # from a full bucket, however many they are
    for pause in pauses:
        time.now += pause
        for _ in range(2):  # before its body was read nobody knows how many it brings: that may be a second no
            try:
                come()
            except RateLimited as refused:
                time.now += refused.retry_after
            else:
                break
        else:
            come()
