"""Nobody waits for a scrape, however much there is to tell."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from service.app import create_app
from service.outcome import Outcome
from service.settings import Settings
from tests.service.conftest import Running

VERSIONS = 3000
"""Each a histogram: as much as some dozen workers, and those that died before them, leave to be read."""


@pytest.fixture(scope="module")
def talkative(settings: Settings) -> Iterator[httpx.Client]:
    app = create_app(settings)
    for number in range(VERSIONS):
        app.state.metrics.observe_list(Outcome("model", "found", f"v{number}", None), [1.0])
    with Running(settings, app) as client:
        yield client


def test_lists_are_given_while_the_metrics_are_put_together(talkative: httpx.Client) -> None:
    """What is asked meanwhile is answered many times over before the scrape is."""
    ask = httpx.Client(base_url=talkative.base_url, timeout=60)
    with ask, ThreadPoolExecutor(1) as pool:
        assert ask.post("/recommend", json={"history": ["book-01"]}).status_code == 200
        started, answered = time.monotonic(), list[float]()
        scrape = pool.submit(talkative.get, "/metrics", timeout=120)
        while not scrape.done():
            asked = time.monotonic()
            assert ask.post("/recommend", json={"history": ["book-01"]}).status_code == 200
            answered.append(time.monotonic() - asked)
        took = time.monotonic() - started
    assert len(scrape.result().text.splitlines()) > 20 * VERSIONS
    assert len(answered) >= 20
    assert sorted(answered)[len(answered) // 2] < took / 20


def test_two_scrapes_at_once_tell_the_same(talkative: httpx.Client) -> None:
    assert talkative.post("/recommend", json={"history": ["book-01"]}).status_code == 200
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: httpx.get(f"{talkative.base_url}/metrics", timeout=120).text, range(2))
    assert versions(first) == versions(second) == VERSIONS + 1  # and the one that served


def versions(text: str) -> int:
    return sum(line.startswith("rec_top_score_count{") for line in text.splitlines())
