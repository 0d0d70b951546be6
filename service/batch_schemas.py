"""The wire of POST /recommend/batch."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, InstanceOf, ValidationError
from pydantic.json_schema import SkipJsonSchema

from service.schemas import ErrorBody, RecommendRequest, RecommendResponse
from service.wire import Wire

MAX_BATCH = 1000


class NoRequest:
    """What stands in the place of a request of a batch that is none: it has an error of its own, the others have their
    answers. No value on the wire, so that the contract does not show it."""

    def __init__(self, error: ValidationError) -> None:
        self.complaints = error.errors(include_url=False, include_input=False)


def _request_or_complaints(value: object) -> RecommendRequest | NoRequest:
    try:
        return RecommendRequest.model_validate(value)
    except ValidationError as error:
        return NoRequest(error)


BatchEntry = Annotated[
    RecommendRequest | SkipJsonSchema[InstanceOf[NoRequest]], BeforeValidator(_request_or_complaints)
]


class BatchRequest(Wire):
    """Several recommendations at once."""

    requests: list[BatchEntry] = Field(min_length=1, max_length=MAX_BATCH)
    """As for POST /recommend; at most as many as the service is set to take."""


class BatchResponse(Wire):
    """For each request, in their order, its answer or its error."""

    responses: list[RecommendResponse | ErrorBody]
