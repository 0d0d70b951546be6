"""A request's line in the log says all that is known of it, and nothing of whom it was for."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.test_main import serving

ENVIRONMENT = {"REC_ACCESS_LOG": "true", "REC_REDIS_TIMEOUT_MS": "2000", "REC_VARIANTS": "control=active:100"}


@pytest.fixture(scope="module")
def lines(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    log = tmp_path_factory.mktemp("access") / "log"
    with serving(log, str(tiny_bundle), **ENVIRONMENT) as (client, _):
        send(client, "stored", {"user_id": "ada"})
        send(client, "model", {"user_id": "ada", "history": ["book-01"]})
        send(client, "wrong", {"user_id": "ada", "n": 0})
        send(client, "late", {"user_id": "ada", "deadline_ms": 1, "history": ["book-01"] * 1000})
        client.post(
            "/recommend/batch",
            json={"requests": [{"user_id": "ada"}, {"n": 0}, {"history": ["book-01"]}]},
            headers={"X-Request-Id": "batch"},
        )
        client.get("/users/ada/history", headers={"X-Request-Id": "history"})
        for _ in range(200):  # a line is written after its answer has gone
            if log.read_text().count('"event": "request"') >= 6 + 1:  # and that of /readyz
                break
            time.sleep(0.05)
    text = log.read_text()
    assert '"ada"' not in text
    assert "/users/ada" not in text
    parsed = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return {line["request_id"]: line for line in parsed if line["event"] == "request"}


def send(client: httpx.Client, request_id: str, body: dict[str, object]) -> None:
    client.post("/recommend", json=body, headers={"X-Request-Id": request_id})


def test_a_list_is_told_with_its_source_variant_version_and_stages(lines: dict[str, dict[str, Any]]) -> None:
    line = lines["stored"]
    told = {key: line[key] for key in ("method", "route", "status", "source", "degraded", "history", "variant")}
    assert told == {
        "method": "POST",
        "route": "/recommend",
        "status": 200,
        "source": "popular",
        "degraded": False,
        "history": "empty",
        "variant": "control",
    }
    assert line["model_version"].startswith("tiny-A0-")
    assert line["history_ms"] > 0
    assert line["ms"] >= sum(value for key, value in line.items() if key.endswith("_ms"))
    assert lines["model"]["source"] == "model"
    assert lines["model"]["history"] == "not_read"
    assert {"queue_ms", "encode_ms", "retrieve_ms", "rank_ms"} <= lines["model"].keys()


def test_an_error_is_told_by_its_name(lines: dict[str, dict[str, Any]]) -> None:
    assert (lines["wrong"]["status"], lines["wrong"]["errors"]) == (422, ["invalid_request"])
    assert "source" not in lines["wrong"]


def test_a_batch_is_one_line(lines: dict[str, dict[str, Any]]) -> None:
    line = lines["batch"]
    assert (line["status"], line["lists"], line["degraded"], line["errors"]) == (200, 2, False, ["invalid_request"])


def test_the_pattern_of_a_path_is_told_and_not_the_path(lines: dict[str, dict[str, Any]]) -> None:
    assert lines["history"]["route"] == "/users/{user_id}/history"
