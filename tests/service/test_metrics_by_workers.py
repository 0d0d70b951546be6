"""What /metrics tells is what happened, whichever worker did it and whichever is asked."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.service.test_main import serving

LISTS = 60
ENVIRONMENT = {"REC_REDIS_TIMEOUT_MS": "2000"}


@pytest.fixture(scope="module")
def client(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with serving(tmp_path_factory.mktemp("workers") / "log", str(tiny_bundle), "--workers", "2", **ENVIRONMENT) as (
        client,
        _,
    ):
        while len(workers(client)) < 2:
            time.sleep(0.05)
        yield client


def workers(client: httpx.Client) -> set[int]:
    return {one["pid"] for one in client.get("/models").json()["workers"]}


def told(client: httpx.Client, name: str, **labels: str) -> float:
    """The sum of the samples of a name that have these labels; by a new connection, so by any worker."""
    with httpx.Client(base_url=client.base_url, timeout=10) as fresh:
        text = fresh.get("/metrics").text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return sum(one.value for one in samples if one.name == name and labels.items() <= one.labels.items())


def ask(client: httpx.Client, **body: object) -> httpx.Response:
    with httpx.Client(base_url=client.base_url, timeout=10) as fresh:
        return fresh.post("/recommend", json=body)


def test_sums_over_the_workers_equal_what_was_sent(client: httpx.Client) -> None:
    for user in ("ada", "ben"):
        client.post("/events", json={"events": [{"user_id": user, "item_id": "book-01"}]})
    shown, top, first_seen = set[str](), 0.0, set[str]()
    for number in range(LISTS):
        who: list[dict[str, object]] = [{"user_id": "ada"}, {"user_id": "nobody"}, {"history": [f"book-{number % 9}"]}]
        answer = ask(client, **who[number % 3], n=1 + number % 4).json()
        items = [one["item_id"] for one in answer["items"]]
        shown.update(items)
        first_seen.add(answer["source"])
        top += answer["items"][0]["score"] if answer["source"] == "model" else 0
    for _ in range(7):
        assert ask(client, n=0).status_code == 422
    third = LISTS // 3
    for _ in range(4):  # whoever answers
        assert told(client, "rec_requests_total", route="/recommend", status="200") == LISTS
        assert told(client, "rec_requests_total", route="/recommend", status="422") == 7
        assert told(client, "rec_errors_total", error="invalid_request") == 7
        assert told(client, "rec_request_seconds_count", route="/recommend") == LISTS + 7
        assert told(client, "rec_recommendations_total", degraded="false") == LISTS
        assert told(client, "rec_stage_seconds_count", stage="history") == 2 * third
        reads = [
            told(client, "rec_history_reads_total", outcome=one) for one in ("found", "empty", "failed", "not_read")
        ]
        assert reads == [third, third, 0, third]
        assert told(client, "rec_recommended_items") == len(shown)
        assert told(client, "rec_top_score_count") == told(client, "rec_recommendations_total", source="model")
        assert told(client, "rec_top_score_sum") == pytest.approx(top, rel=1e-4)
        assert told(client, "rec_in_flight") == 0
    assert first_seen == {"model", "popular"}


def test_a_worker_that_is_just_starting_disturbs_nobody(client: httpx.Client) -> None:
    """Its files are there a moment before anything is in them."""
    folder = Path(environment_of(min(workers(client)))["PROMETHEUS_MULTIPROC_DIR"])
    new = [folder / f"{kind}_999999999.db" for kind in ("counter", "gauge_livemax", "gauge_livesum", "histogram")]
    for file in new:
        file.touch()
    assert told(client, "rec_permits") > 0
    assert len(workers(client)) == 2
    for file in new:
        file.unlink(missing_ok=True)


def environment_of(pid: int) -> dict[str, str]:
    stated = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return {name: value for name, _, value in (one.decode().partition("=") for one in stated)}


def test_a_worker_that_was_killed_leaves_what_it_counted_and_takes_its_gauges_along(client: httpx.Client) -> None:
    for _ in range(20):
        ask(client, user_id="ada")
    before = counted(client)
    victim = min(workers(client))
    os.kill(victim, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while not (alive := workers_by_any(client)) or victim in alive:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert told(client, "rec_model_active", pid=str(victim)) == 0
    assert told(client, "rec_in_flight") == 0
    assert counted(client) == before
    assert min(before) >= 10


def counted(client: httpx.Client) -> list[float]:
    names = ("rec_recommendations_total", "rec_recommended_items", "rec_stage_seconds_count", "rec_top_score_count")
    return [told(client, name) for name in names]


def workers_by_any(client: httpx.Client) -> set[int]:
    try:
        with httpx.Client(base_url=client.base_url, timeout=10) as fresh:
            return workers(fresh)
    except httpx.TransportError:  # a connection that the dead one had taken
        return set()
