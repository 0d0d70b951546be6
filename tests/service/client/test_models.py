"""The client's classes have the fields of the committed contract, with their types and defaults, and no others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic.json_schema import models_json_schema

from service.client import models
from service.client.models import Answered, Asked, Event, Filters, RecommendRequest

ROOT = Path(__file__).parents[3]
SCHEMAS = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))["components"]["schemas"]
NOT_MIRRORED = {
    "additionalProperties", "description", "examples", "maximum", "maxItems", "maxLength", "minimum", "minItems",
    "minLength", "title",
}  # fmt: skip
"""Words for people, and bounds, which are the service's to keep."""
NO_DEFAULT = ("default", None)
"""FastAPI leaves it out."""
QUERIES = {"SimilarParameters", "ItemsParameters", "WhoseModel"}
"""No bodies: test_calls compares them with the parameters."""


def bare(schema: object) -> object:
    """What says of fields what they are called and of which type they are."""
    if isinstance(schema, list):
        return [bare(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, dict[str, object]] = {
        name: value for name, value in schema.items() if name not in NOT_MIRRORED and (name, value) != NO_DEFAULT
    }
    return {
        name: {field: bare(one) for field, one in value.items()} if name == "properties" else bare(value)
        for name, value in kept.items()
    }


def test_every_body_has_exactly_the_fields_of_the_contract() -> None:
    classes = [
        one for one in vars(models).values()
        if isinstance(one, type) and issubclass(one, Asked | Answered) and one not in (Asked, Answered)
    ]  # fmt: skip
    _, made = models_json_schema([(one, "validation") for one in classes], ref_template="#/components/schemas/{model}")
    mine = {name: bare(schema) for name, schema in made["$defs"].items() if name not in QUERIES}
    assert mine == {name: bare(schema) for name, schema in SCHEMAS.items()}


def test_the_comparison_sees_a_field_a_type_and_a_default() -> None:
    event = SCHEMAS["Event"]
    for change in ({"user_id": {"type": "integer"}}, {"more": {"type": "string"}}, {"timestamp": {"default": 0}}):
        assert bare(event | {"properties": event["properties"] | change}) != bare(event)
    assert bare({"properties": {"title": {"type": "string", "title": "Title"}}}) == {
        "properties": {"title": {"type": "string"}}
    }


def test_a_slip_of_the_pen_is_noticed_before_it_is_sent() -> None:
    with pytest.raises(ValidationError, match="categories"):
        Filters.model_validate({"categories": ["Crime"]})


def test_only_what_was_given_is_sent_and_an_unknown_field_of_an_answer_is_left_out() -> None:
    assert RecommendRequest(user_id="ada", n=10).model_dump(exclude_unset=True) == {"user_id": "ada", "n": 10}
    assert models.EventsResponse.model_validate_json(
        '{"accepted": 1, "duplicates": 0, "unknown_items": [], "queued": 3}'
    ) == models.EventsResponse(accepted=1, duplicates=0, unknown_items=[])
    assert Event(user_id="ada", item_id="book-01").event_id is None
