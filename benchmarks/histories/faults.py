"""What callers feel of a Redis that fails: before the breaker opens, afterwards, and until all is well again."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

import httpx

from benchmarks.histories.proxy import Fault, FaultyProxy

BEFORE = 3
"""Requests that the default breaker lets feel it."""
AFTER = 40
PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Felt:
    """Milliseconds are those that a recommendation waits for its history (`Server-Timing`)."""

    fault: Fault
    degraded: int
    """Of the BEFORE + AFTER answers. A reply that is late by less than the event loop is still used."""
    before_ms: float
    """The slowest of the first BEFORE."""
    after_ms: float
    """The median of the next AFTER."""
    after_max_ms: float
    recovery_seconds: float
    """From the end of the fault to the first answer that is not degraded."""


def measure(client: httpx.Client, proxy: FaultyProxy, fault: Fault, user: str) -> Felt:
    """Give the Redis of a service a fault, and take it away.

    Raises:
        AssertionError: an answer is no 200, or is degraded long after the fault.
    """
    _wait_until_well(client, user)
    proxy.become(fault)
    answers = [_ask(client, user) for _ in range(BEFORE + AFTER)]
    proxy.become(None)
    healed = time.perf_counter()
    _wait_until_well(client, user)
    recovery = time.perf_counter() - healed
    felt, degraded = [waited for waited, _ in answers], sum(degraded for _, degraded in answers)
    before, after = max(felt[:BEFORE]), felt[BEFORE:]
    return Felt(fault, degraded, round(before, 2), round(median(after), 3), round(max(after), 2), round(recovery, 2))


def _wait_until_well(client: httpx.Client, user: str) -> None:
    started = time.perf_counter()
    while _ask(client, user)[1]:
        assert time.perf_counter() - started < PATIENCE_SECONDS, "degraded without a fault"
        time.sleep(0.01)


def _ask(client: httpx.Client, user: str) -> tuple[float, bool]:
    """(ms waited for the history, degraded)"""
    answer = client.post("/recommend", json={"user_id": user})
    assert answer.status_code == httpx.codes.OK, answer.text
    stages = dict(stage.split(";dur=") for stage in answer.headers["Server-Timing"].split(", "))
    return float(stages["history"]), answer.json()["degraded"]
