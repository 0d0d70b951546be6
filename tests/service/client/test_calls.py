"""There is a call for each operation of the committed contract: its method, path, body, parameters and answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.client import Event, EventsRequest, WhoseModel, calls
from service.client.calls import Call
from tests.service.client.samples import SAMPLES
from tests.service.client.test_models import ROOT, bare

PATHS = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))["paths"]
OPERATIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    operation["operationId"]: (path, method, operation)
    for path, methods in PATHS.items()
    for method, operation in methods.items()
}


def name_in(content: dict[str, Any]) -> str:
    reference: str = content["application/json"]["schema"]["$ref"]
    return reference.rsplit("/", 1)[1]


def test_every_operation_is_covered_and_no_other() -> None:
    assert set(SAMPLES) == set(OPERATIONS)
    assert all(callable(getattr(calls, name)) for name in OPERATIONS)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_call_is_what_the_contract_says(name: str) -> None:
    path, method, operation = OPERATIONS[name]
    call = SAMPLES[name]
    in_path = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
    assert (call.method, call.path) == (method.upper(), path.format_map(dict.fromkeys(in_path, "ID")))
    asked = name_in(operation["requestBody"]["content"]) if "requestBody" in operation else None
    assert (type(call.body).__name__ if call.body is not None else None) == asked
    assert answer_of(call) == answer_in(operation)


def answer_of(call: Call[Any]) -> str:
    """The name of the class that an answer is read as."""
    owner = getattr(call.read, "__self__", None)
    return owner.__name__ if isinstance(owner, type) else type(call.read(b"")).__name__


def answer_in(operation: dict[str, Any]) -> str:
    (success,) = (response for status, response in operation["responses"].items() if status.startswith("2"))
    if "content" not in success:
        return "NoneType"
    (media_type,) = success["content"]
    return {"text/plain": "str", "image/webp": "bytes"}.get(media_type) or name_in(success["content"])


@pytest.mark.parametrize("name", SAMPLES)
def test_parameters_are_those_of_the_contract(name: str) -> None:
    stated = [one for one in OPERATIONS[name][2].get("parameters", []) if one["in"] == "query"]
    query = SAMPLES[name].query
    mine = query.model_json_schema() if query is not None else {"properties": {}}
    properties = {one["name"]: one["schema"] for one in stated}
    assert bare({"properties": mine["properties"]}) == bare({"properties": properties})
    assert mine.get("required", []) == [one["name"] for one in stated if one["required"]]


def test_cards_are_asked_for_with_what_was_given_of_whose_they_are() -> None:
    for whose in (None, WhoseModel(user_id="ada"), WhoseModel(model="tiny-A0-0")):
        query = calls.items(["book-01"], whose).query
        assert query is not None
        given = {} if whose is None else whose.model_dump(exclude_unset=True)
        assert query.model_dump(exclude_unset=True) == {"ids": ["book-01"], **given}


def test_events_may_be_sent_again_only_where_each_has_an_id() -> None:
    named = Event(user_id="ada", item_id="book-01", event_id="1")
    nameless = Event(user_id="ada", item_id="book-01")
    assert calls.events(EventsRequest(events=[named])).is_idempotent
    assert not calls.events(EventsRequest(events=[named, nameless])).is_idempotent
    assert {name for name, call in SAMPLES.items() if not call.is_idempotent} == {"events", "activate", "rollback"}
