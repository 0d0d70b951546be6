"""200 events here; `python -m benchmarks.histories read-your-writes` sends 1,000."""

from __future__ import annotations

from pathlib import Path

from benchmarks.histories.read_your_writes import Seen, count
from benchmarks.histories.workers import PATIENT, workers
from service.bundle import ModelBundle


def test_a_recommendation_of_another_worker_sees_the_event(
    tiny_bundle: Path, bundle: ModelBundle, redis_url: str
) -> None:
    items = [bundle.catalog.item_id(index) for index in range(1, 41)]
    with workers(tiny_bundle, redis_url, 2, **PATIENT) as addresses:
        assert count(addresses, items, 200) == Seen(200, 200, 0)
