"""POST /recommend/batch: for each request what it would get alone, or an error of its own."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.keys import hash_of, new_key
from service.settings import Settings

Serve = Callable[[Settings], httpx.Client]
Body = dict[str, Any]


def batch(client: httpx.Client, *requests: object) -> list[Body]:
    answer = client.post("/recommend/batch", json={"requests": requests})
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"responses"}
    responses: list[Body] = answer.json()["responses"]
    assert {one["request_id"] for one in responses} == {answer.headers["X-Request-Id"]}
    return responses


def test_each_gets_in_its_place_what_it_gets_alone(client: httpx.Client) -> None:
    events = [{"user_id": user, "item_id": item} for user, item in (("batch-1", "book-08"), ("batch-2", "📗-41"))]
    assert client.post("/events", json={"events": events}).json()["accepted"] == len(events)
    asked: list[Body] = [
        {"user_id": "batch-1", "n": 3},
        {"user_id": "batch-2", "filters": {"categories_any": ["Music", "Krime"]}},
        {"history": ["book-30", "book-31"], "n": 60, "diversity": 0.5},
        {"user_id": "batch-1", "history": [], "context_items": ["book-02"], "explain": True},
        {"user_id": "batch-nobody"},
        {"user_id": "batch-1", "n": 5, "exclude": ["book-09"]},
        {},
    ]
    for got, body in zip(batch(client, *asked), asked, strict=True):
        alone = client.post("/recommend", json=body).json()
        assert got | {"request_id": ""} == alone | {"request_id": ""}
    assert {one["source"] for one in batch(client, *asked[:4])} == {"model"}


def test_one_that_is_wrong_has_an_error_and_the_others_their_answers(client: httpx.Client) -> None:
    wrong: dict[str, tuple[object, str, str]] = {
        "out of bounds": ({"n": 0}, "invalid_request", "n: "),
        "unknown filter": ({"filters": {"price": 1}}, "invalid_request", "filters.price: "),
        "no object": (7, "invalid_request", ""),
        "nothing": (None, "invalid_request", ""),
        "no such model": ({"model": "of-next-year"}, "unknown_model", "of-next-year"),
    }
    requests = [part for body, _, _ in wrong.values() for part in (body, {"history": ["book-01"]})]
    before = errors_counted(client, "invalid_request")
    responses = batch(client, *requests)
    for got, (_, error, named) in zip(responses[::2], wrong.values(), strict=True):
        assert set(got) == {"error", "message", "request_id"}
        assert got["error"] == error
        assert named in got["message"]
    assert all(one == responses[1] for one in responses[1::2])
    assert len(responses[1]["items"]) == 10
    assert errors_counted(client, "invalid_request") == before + 4


def errors_counted(client: httpx.Client, error: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith(f'rec_errors_total{{error="{error}"}}'))


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "requests"),
        ({"requests": []}, "requests"),
        ({"requests": {}}, "requests"),
        ({"requests": [{}], "n": 5}, "n"),
        ({"requests": [{}] * 33}, "requests: 33 requests in one batch, 32 at most"),
        ({"requests": [{}] * 1001}, "requests"),
    ],
)
def test_what_is_no_batch_is_refused_whole(client: httpx.Client, body: Body, named: str) -> None:
    answer = client.post("/recommend/batch", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"] == "invalid_request"
    assert answer.json()["message"].startswith(named)


def test_it_counts_as_many_requests_and_degrades_without_redis(serve: Serve, tiny_bundle: Path, tmp_path: Path) -> None:
    """A Redis that takes connections and never answers holds a request for as long as it is patient."""
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(tmp_path / "hung.sock"))
        hung.listen()
        client = serve(
            Settings(
                bundle=tiny_bundle,
                redis_url=f"unix://{tmp_path / 'hung.sock'}",
                redis_timeout_ms=1500,
                breaker_failures=1000,
                permits=3,
                batch_requests=8,
            )
        )
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(batch, client, {"user_id": "a"}, {"user_id": "b"}, {"user_id": "a", "history": []})
            wait_for(client, "rec_in_flight 3.0")
            assert client.post("/recommend", json={}).json()["error"] == "overloaded"
            assert [one["degraded"] for one in waiting.result()] == [True, True, False]
            waiting = pool.submit(batch, client, {"user_id": "a"})
            wait_for(client, "rec_in_flight 1.0")
            refused = client.post("/recommend/batch", json={"requests": [{}] * 3})
            assert (refused.status_code, refused.json()["error"]) == (429, "overloaded")
            assert len(batch(client, {}, {})) == 2
            waiting.result()
        assert len(batch(client, *[{}] * 8)) == 8  # more than all permits: let in when nothing else is under way
        wait_for(client, "rec_in_flight 0.0")


def wait_for(client: httpx.Client, line: str) -> None:
    until = time.monotonic() + 10
    while line not in client.get("/metrics").text.splitlines():
        assert time.monotonic() < until, f"no {line}"
        time.sleep(0.01)


def test_the_contract_shows_requests_as_they_are_for_one(client: httpx.Client) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert schemas["BatchRequest"]["properties"]["requests"]["items"] == {
        "$ref": "#/components/schemas/RecommendRequest"
    }
    assert "NoRequest" not in schemas


def test_one_that_brings_more_than_a_bucket_holds_is_let_in_when_the_bucket_is_full(
    serve: Serve, settings: Settings
) -> None:
    key = new_key()
    update = {"api_keys_sha256": f"me={hash_of(key)}", "rate_per_second": 0.01, "rate_burst": 2}
    client = serve(settings.model_copy(update=update))
    client.headers["Authorization"] = f"Bearer {key}"
    assert len(batch(client, *[{}] * 3)) == 3
    refused = client.post("/recommend", json={})
    assert (refused.status_code, refused.json()["error"]) == (429, "rate_limited")
    assert 150 < int(refused.headers["Retry-After"]) <= 200  # one is owed, one is needed, and a moment has passed
