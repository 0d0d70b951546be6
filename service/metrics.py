"""Every Prometheus metric: its name, its labels, its buckets."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from service.coverage import Coverage
from service.errors import ERROR_NAMES
from service.outcome import HISTORY_READS, Outcome
from service.timings import Stage, Timings
from service.worker_metrics import MULTIPROCESS, EveryWorker, forget_dead_workers, lives

REQUEST_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
STAGE_BUCKETS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)

UNMATCHED = "unmatched"
"""The route of what is refused before the path is looked at, and of paths that do not exist."""
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32)
SCORE_BUCKETS = (-20, -10, -5, -2, -1, 0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 50, 100)
"""Students score by dot products of any size, so these reach far and are narrow where most of them score."""


class Metrics:
    """The metrics of one app. A registry of its own, so that two apps in one process (tests) do not collide."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._stages: dict[Stage, Histogram] = {}  # looking labels up costs more than counting
        self._lists: dict[Outcome, tuple[Counter, Counter, Histogram]] = {}
        r = self.registry
        self.requests = Counter("rec_requests", "Requests answered", ["route", "status"], registry=r)
        self.errors = Counter("rec_errors", "Requests that ended in an error, by its name", ["error"], registry=r)
        self.key_requests = Counter("rec_key_requests", "Requests by the name of their key", ["key"], registry=r)
        self.request_seconds = Histogram(
            "rec_request_seconds", "Time to answer", ["route"], buckets=REQUEST_BUCKETS, registry=r
        )
        self.stage_seconds = Histogram(
            "rec_stage_seconds", "Time per stage of a request", ["stage"], buckets=STAGE_BUCKETS, registry=r
        )
        self.recommendations = Counter(
            "rec_recommendations", "Lists given", ["source", "degraded", "variant"], registry=r
        )
        self.history_reads = Counter(
            "rec_history_reads", "Lists by what came of the look at the history cache", ["outcome"], registry=r
        )
        self.top_score = Histogram(
            "rec_top_score", "Score of the first item of a list that the model made", ["model_version"],
            buckets=SCORE_BUCKETS, registry=r,
        )  # fmt: skip
        self.recommended_items = Gauge(
            "rec_recommended_items", "Different items recommended within the last hour", ["model_version"],
            multiprocess_mode="livemostrecent", registry=r,
        )  # fmt: skip
        shared = os.environ.get(MULTIPROCESS)
        self.coverage = Coverage(None if shared is None else Path(shared))
        self.events = Counter("rec_events", "Events taken in", ["outcome"], registry=r)
        self.redis_failures = Counter("rec_redis_failures", "Calls to Redis without an answer", registry=r)
        self.breaker_open = Gauge(
            "rec_redis_breaker_open",
            "Servers of Redis that are left alone now",
            multiprocess_mode="livemax",
            registry=r,
        )
        self.in_flight = Gauge("rec_in_flight", "Requests holding a permit", multiprocess_mode="livesum", registry=r)
        self.permits = Gauge("rec_permits", "Requests that may hold one now", multiprocess_mode="livesum", registry=r)
        self._of_the_model(r)
        self._begin_at_zero()

    def _of_the_model(self, r: CollectorRegistry) -> None:
        """What waits for it, what it computes, and which one it is."""
        self.queue = Gauge(
            "rec_model_queue", "Recommendations waiting for the model", multiprocess_mode="livesum", registry=r
        )
        self.batch_size = Histogram(
            "rec_model_batch_size", "Recommendations that shared a run", buckets=BATCH_BUCKETS, registry=r
        )
        self.dropped = Counter("rec_dropped", "Recommendations that were never computed", ["reason"], registry=r)
        self.model = Gauge(
            "rec_model_items", "Items of the served model", ["model_version"], multiprocess_mode="livemax", registry=r
        )
        self.active = Gauge(
            "rec_model_active", "1 for the version that a worker answers with, 0 for those that it did",
            ["model_version"], multiprocess_mode="liveall", registry=r,
        )  # fmt: skip
        self.reloads = Counter("rec_reloads", "Bundles that were to become active", ["outcome"], registry=r)

    def _begin_at_zero(self) -> None:
        """Prometheus sees no increase in a series that appears with its first count: no alert would tell of the first
        bundle that is refused. So what can be named beforehand is there from the start."""
        expected: tuple[tuple[Counter, Iterable[str]], ...] = (
            (self.errors, ERROR_NAMES),
            (self.history_reads, HISTORY_READS),
            (self.events, ("accepted", "duplicate", "unknown_item")),
            (self.dropped, ("deadline_exceeded", "client_gone")),
            (self.reloads, ("activated", "refused")),
        )
        for counter, values in expected:
            for value in values:
                counter.labels(value)

    def answers_with(self, version: str, items: int, instead_of: str | None = None) -> None:
        """Note which model this worker answers with from now on."""
        for gauge, value in ((self.model, items), (self.active, 1)):
            if instead_of is not None:
                gauge.labels(instead_of).set(0)
            gauge.labels(version).set(value)

    def active_by_worker(self) -> dict[int, str]:
        """The version that each living worker answers with, by process id."""
        found: dict[int, str] = {}
        for family in self._gathered().collect():
            for sample in family.samples:
                if sample.name == "rec_model_active" and sample.value == 1:
                    found[int(sample.labels.get("pid", os.getpid()))] = sample.labels["model_version"]
        return {pid: version for pid, version in sorted(found.items()) if lives(pid)}

    def observe_request(self, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        known = self._requests.get((route, status))
        if known is None:
            known = self.requests.labels(route, status), self.request_seconds.labels(route)
            self._requests[route, status] = known
        count, duration = known
        count.inc()
        duration.observe(seconds)

    def observe_stages(self, timings: Timings) -> None:
        """Count the stages of one request."""
        for stage, seconds in timings.seconds.items():
            known = self._stages.get(stage)
            if known is None:
                known = self._stages[stage] = self.stage_seconds.labels(stage)
            known.observe(seconds)

    def observe_list(self, outcome: Outcome, scores: Sequence[float]) -> None:
        """Count one list; `scores`: those of its items, in their order."""
        known = self._lists.get(outcome)
        if known is None:
            degraded = str(outcome.degraded).lower()
            known = self._lists[outcome] = (
                self.recommendations.labels(outcome.source, degraded, outcome.variant or ""),
                self.history_reads.labels(outcome.history),
                self.top_score.labels(outcome.model_version),
            )
        lists, reads, top_score = known
        lists.inc()
        reads.inc()
        if outcome.source == "model" and scores:
            top_score.observe(scores[0])

    def exposition(self) -> bytes:
        """The text that Prometheus scrapes; of all workers together where there are several."""
        for version, items in self.coverage.distinct().items():
            self.recommended_items.labels(version).set(items)
        return generate_latest(self._gathered())

    def _gathered(self) -> CollectorRegistry:
        if MULTIPROCESS not in os.environ:
            return self.registry
        forget_dead_workers()
        everyone = CollectorRegistry()
        everyone.register(EveryWorker())
        return everyone
