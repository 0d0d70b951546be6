"""Keys and rates over HTTP."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from pydantic import ValidationError

from service.authentication import ADMIN, METRICS, OPEN
from service.keys import hash_of, new_key
from service.settings import Settings

Serve = Callable[[Settings], httpx.Client]
SHOP, APP = new_key(), new_key()
HASHES = f"shop={hash_of(SHOP)},app={hash_of(APP)}"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def locked(serve: Serve, settings: Settings) -> httpx.Client:
    return serve(settings.model_copy(update={"api_keys_sha256": HASHES}))


def test_every_operation_but_probes_and_pages_needs_a_key(locked: httpx.Client) -> None:
    paths = locked.get("/openapi.json").json()["paths"]
    for path, operations in paths.items():
        if path in OPEN | {METRICS} or path.startswith(ADMIN):
            continue
        for method in operations:
            refused = locked.request(method, path)
            assert refused.status_code == 401, (method, path)
            assert refused.json()["error"] == "unauthorized"
            assert refused.headers["WWW-Authenticate"] == "Bearer"
            assert locked.request(method, path, headers=bearer(SHOP)).status_code != 401
    assert "/recommend" in paths


def test_what_is_open_stays_open(locked: httpx.Client) -> None:
    for path in sorted(OPEN | {METRICS}):
        assert locked.get(path).status_code == 200, path


def test_a_wrong_key_and_an_unknown_path_are_refused_before_the_body_is_read(locked: httpx.Client) -> None:
    for path in ("/recommend", "/nowhere", "/livez/", "/console/users"):
        refused = locked.post(path, headers=bearer(new_key()), content=b"x" * 2_000_000)
        assert refused.status_code == 401, path


def test_requests_are_counted_by_the_name_of_the_key(locked: httpx.Client) -> None:
    for key in (SHOP, SHOP, APP):
        assert locked.post("/recommend", json={}, headers=bearer(key)).status_code == 200
    counted = locked.get("/metrics").text
    assert 'rec_key_requests_total{key="shop"} 2.0' in counted
    assert 'rec_key_requests_total{key="app"} 1.0' in counted
    assert SHOP not in counted


def test_metrics_may_need_a_key_too(serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"api_keys_sha256": HASHES, "metrics_need_key": True}))
    assert client.get("/metrics").status_code == 401
    refused = client.get("/metrics", headers=bearer(APP)).text
    assert 'rec_errors_total{error="unauthorized"} 1.0' in refused


def test_a_key_that_asks_too_often_is_told_when_to_come_back_and_others_are_served(
    serve: Serve, settings: Settings
) -> None:
    rate = {"api_keys_sha256": HASHES, "rate_per_second": 0.01, "rate_burst": 3}
    client = serve(settings.model_copy(update=rate))
    answers = [client.post("/recommend", json={}, headers=bearer(SHOP)) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[-1].json()["error"] == "rate_limited"
    assert 90 <= int(answers[-1].headers["Retry-After"]) <= 100
    assert client.post("/recommend", json={}, headers=bearer(APP)).status_code == 200
    assert client.get("/livez").status_code == 200


def test_a_batch_counts_as_the_requests_that_it_brings(serve: Serve, settings: Settings) -> None:
    rate = {"api_keys_sha256": HASHES, "rate_per_second": 0.01, "rate_burst": 3}
    client = serve(settings.model_copy(update=rate))
    answered = client.post("/recommend/batch", json={"requests": [{}, {}, {}]}, headers=bearer(SHOP))
    assert len(answered.json()["responses"]) == 3
    refused = client.post("/recommend", json={}, headers=bearer(SHOP))
    assert (refused.status_code, refused.json()["error"]) == (429, "rate_limited")


@pytest.mark.parametrize(
    "wrong",
    [
        {"api_keys_sha256": SHOP},
        {"api_keys_sha256": f"shop={SHOP}"},
        {"api_keys_sha256": f"{HASHES},shop={hash_of('x')}"},
        {"rate_per_second": 10.0},
        {"metrics_need_key": True},
        {"rate_per_second": 0, "api_keys_sha256": HASHES},
    ],
)
def test_settings_that_would_guard_nothing_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(wrong)
