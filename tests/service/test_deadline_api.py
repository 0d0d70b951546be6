"""A deadline over HTTP: kept, bounded, and no work is done for what is late."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from service.settings import Settings

Serve = Callable[[Settings], httpx.Client]


def test_what_redis_has_made_late_is_never_computed(serve: Serve, settings: Settings, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(tmp_path / "hung.sock"))
        hung.listen(8)
        slow = {"redis_url": f"unix://{tmp_path / 'hung.sock'}", "redis_timeout_ms": 200}
        client = serve(settings.model_copy(update=slow))
        late = client.post("/recommend", json={"user_id": "u", "context_items": ["book-01"], "deadline_ms": 20})
        assert (late.status_code, late.json()["error"]) == (504, "deadline_exceeded")
        assert "encode" not in late.headers["Server-Timing"]
        assert 'rec_dropped_total{reason="deadline_exceeded"} 1.0' in client.get("/metrics").text
        assert client.post("/recommend", json={"user_id": "u", "deadline_ms": 60_000}).json()["degraded"] is True


def test_a_deadline_that_is_kept_changes_nothing(client: httpx.Client) -> None:
    body: dict[str, object] = {"history": ["book-01"]}
    hurried, patient = (
        client.post("/recommend", json={**body, "deadline_ms": 60_000}),
        client.post("/recommend", json=body),
    )
    assert hurried.json()["items"] == patient.json()["items"]


@pytest.mark.parametrize("wrong", [0, -1, 60_001, 1.5, "10", True])
def test_what_is_no_deadline_is_refused_by_name(client: httpx.Client, wrong: object) -> None:
    refused = client.post("/recommend", json={"deadline_ms": wrong})
    assert refused.status_code == 422
    assert refused.json()["message"].startswith("deadline_ms: ")
