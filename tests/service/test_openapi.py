"""The contract that is committed is the one that is kept, and it says what a caller must know of every operation."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.app import create_app
from service.authentication import ADMIN, METRICS, OPEN
from service.errors import HTTP_ERRORS, INTERNAL, TABLE
from service.keys import hash_of, new_key
from service.openapi import TAGS, as_text
from service.schemas import EventsRequest, EventsResponse, RecommendRequest, RecommendResponse
from service.settings import Settings

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "docs" / "openapi.json"
KEYS = f"shop={hash_of(new_key())}"


def contract(**settings: object) -> dict[str, Any]:
    return create_app(Settings.model_validate(settings)).openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        yield from ((path, operation) for operation in methods.values())


def test_the_committed_document_is_that_of_the_service() -> None:
    assert as_text(contract()) == COMMITTED.read_text("utf-8"), "make openapi writes it anew"


def test_the_command_prints_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "service", "openapi"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
        env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout == COMMITTED.read_text("utf-8")


def test_every_operation_has_a_name_a_summary_a_tag_and_its_errors() -> None:
    document = contract()
    tags = {tag["name"] for tag in TAGS}
    for _, operation in operations(document):
        assert operation["summary"]
        assert operation["description"]
        assert set(operation["tags"]) <= tags
        assert "500" in operation["responses"]
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(names)) == len(names)
    assert {tag for _, operation in operations(document) for tag in operation["tags"]} == tags


def test_every_error_is_named_by_those_that_may_answer_so() -> None:
    rows = [(row.status, row.error) for row in (*TABLE.values(), INTERNAL)]
    waits = {row.status for row in TABLE.values() if row.retry_after}
    for _, operation in operations(contract()):
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert all(f"`{error}`" in response["description"] for code, error in rows if code == int(status))
                assert ("Retry-After" in response.get("headers", {})) == (int(status) in waits)
    assert not set(HTTP_ERRORS) - {400, 404, 405}


@pytest.mark.parametrize(
    ("settings", "ordinary", "open_paths"),
    [
        ({}, [{}, {"key": []}], OPEN | {METRICS}),
        ({"api_keys_sha256": KEYS}, [{"key": []}], OPEN | {METRICS}),
        ({"api_keys_sha256": KEYS, "metrics_need_key": True}, [{"key": []}], OPEN),
    ],
)
def test_it_says_which_key_is_asked_for(
    settings: dict[str, object], ordinary: list[object], open_paths: frozenset[str]
) -> None:
    document = contract(**settings)
    assert document["security"] == ordinary
    assert {scheme["scheme"] for scheme in document["components"]["securitySchemes"].values()} == {"bearer"}
    for path, operation in operations(document):
        of_admin: list[dict[str, list[str]]] | None = [{"admin_key": []}] if path.startswith(ADMIN) else None
        assert operation.get("security") == ([] if path in open_paths else of_admin), path
        assert ("401" in operation["responses"]) == (path not in OPEN), path


def test_examples_are_values_of_their_class_and_those_of_requests_are_answered(client: httpx.Client) -> None:
    schemas = contract()["components"]["schemas"]
    for model in (RecommendRequest, RecommendResponse, EventsRequest, EventsResponse):
        examples = schemas[model.__name__]["examples"]
        assert examples
        for example in examples:
            model.model_validate_json(json.dumps(example))
    for path, model in (("/recommend", RecommendRequest), ("/events", EventsRequest)):
        for example in schemas[model.__name__]["examples"]:
            assert client.post(path, json=example).status_code == 200
