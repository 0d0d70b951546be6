"""Each operation of docs/openapi.json as a value, not sent yet; `Client` and `AsyncClient` send the same ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from .models import (
    ActiveResponse,
    BatchRequest,
    BatchResponse,
    CardsResponse,
    EventsRequest,
    EventsResponse,
    FacetsResponse,
    HistoryResponse,
    ItemsParameters,
    Liveness,
    ModelsResponse,
    Readiness,
    RecommendRequest,
    RecommendResponse,
    SimilarParameters,
    SimilarResponse,
    UsersResponse,
    WhoseModel,
)

AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True)
class Call(Generic[AnswerT]):
    """A request and how its answer is read."""

    method: str
    path: str
    read: Callable[[bytes], AnswerT]
    """Raises pydantic's ValidationError, or UnicodeDecodeError."""
    body: BaseModel | None = None
    query: BaseModel | None = None
    is_idempotent: bool = True
    """Whether doing it twice is as good as once, so that it may be sent again when its answer was lost."""


def recommend(request: RecommendRequest) -> Call[RecommendResponse]:
    """The best items for a user."""
    return Call("POST", "/recommend", RecommendResponse.model_validate_json, request)


def recommend_batch(request: BatchRequest) -> Call[BatchResponse]:
    """Several recommendations, for each its list or its error."""
    return Call("POST", "/recommend/batch", BatchResponse.model_validate_json, request)


def events(request: EventsRequest) -> Call[EventsResponse]:
    """Append interactions; idempotent where each has an `event_id`."""
    named = all(event.event_id is not None for event in request.events)
    return Call("POST", "/events", EventsResponse.model_validate_json, request, is_idempotent=named)


def history(user_id: str) -> Call[HistoryResponse]:
    """What is stored of a user."""
    return Call("GET", f"/users/{_in_path(user_id)}/history", HistoryResponse.model_validate_json)


def erase(user_id: str) -> Call[None]:
    """Forget a user."""
    return Call("DELETE", f"/users/{_in_path(user_id)}/history", _nothing)


def similar(item_id: str, parameters: SimilarParameters | None = None) -> Call[SimilarResponse]:
    """The items nearest to one."""
    read = SimilarResponse.model_validate_json
    return Call("GET", f"/items/{_in_path(item_id)}/similar", read, query=parameters or SimilarParameters())


def image(item_id: str, whose: WhoseModel | None = None) -> Call[bytes]:
    """The picture of an item, a WebP file, of the model that answers this user, or of one by its name."""
    return Call("GET", f"/items/{_in_path(item_id)}/image", bytes, query=whose or WhoseModel())


def items(ids: Sequence[str], whose: WhoseModel | None = None) -> Call[CardsResponse]:
    """The cards of items, of the model that answers this user, or of one by its name."""
    named = {} if whose is None else whose.model_dump(exclude_unset=True)
    query = ItemsParameters.model_validate({"ids": list(ids), **named})
    return Call("GET", "/items", CardsResponse.model_validate_json, query=query)


def models() -> Call[ModelsResponse]:
    """The models on disk, and which is active."""
    return Call("GET", "/models", ModelsResponse.model_validate_json)


def activate(version: str) -> Call[ActiveResponse]:
    """Answer with another model; with the admin key. Not sent again: look first what became of it."""
    path = f"/admin/models/{_in_path(version)}/activate"
    return Call("POST", path, ActiveResponse.model_validate_json, is_idempotent=False)


def rollback() -> Call[ActiveResponse]:
    """Answer with the model before; with the admin key. Twice is forth again, so it is not sent again."""
    return Call("POST", "/admin/rollback", ActiveResponse.model_validate_json, is_idempotent=False)


def livez() -> Call[Liveness]:
    """Whether the process answers."""
    return Call("GET", "/livez", Liveness.model_validate_json)


def readyz() -> Call[Readiness]:
    """Whether it may be sent requests."""
    return Call("GET", "/readyz", Readiness.model_validate_json)


def metrics() -> Call[str]:
    """Prometheus' text."""
    return Call("GET", "/metrics", bytes.decode)


def users() -> Call[UsersResponse]:
    """Some users that have a history, where the console is served."""
    return Call("GET", "/console/users", UsersResponse.model_validate_json)


def facets() -> Call[FacetsResponse]:
    """What there is to filter by, where the console is served."""
    return Call("GET", "/console/facets", FacetsResponse.model_validate_json)


def _in_path(part: str) -> str:
    """Any text as one segment of a path. Dots too, or `..` would be taken for the folder above."""
    return quote(part, safe="").replace(".", "%2E")


def _nothing(_: bytes) -> None:
    return None
