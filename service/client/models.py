"""What goes over the wire, with the names and types of docs/openapi.json; what each field means stands there.

No bounds: the service knows them, and says which field is beyond them. What is sent may hold no other field, so that a
slip of the pen is noticed here; in answers unknown fields are left out, so that a newer service can be asked.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Asked(BaseModel):
    """What is sent: only the fields that were given."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Answered(BaseModel):
    """What comes back."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Filters(Asked):
    """Conditions that every item must meet."""

    categories_any: list[str] | None = None
    categories_none: list[str] = Field(default_factory=list)
    brands_any: list[str] | None = None
    brands_none: list[str] = Field(default_factory=list)
    available_only: bool = False


class RecommendRequest(Asked):
    """Whom to recommend for, and under which conditions."""

    user_id: str | None = None
    n: int = 10
    history: list[str] | None = None
    context_items: list[str] = Field(default_factory=list)
    exclude: list[str] = Field(default_factory=list)
    exclude_seen: bool = True
    filters: Filters | None = None
    explain: bool = False
    diversity: float = 0.0
    model: str | None = None
    deadline_ms: int | None = None


class BatchRequest(Asked):
    """Several recommendations at once."""

    requests: list[RecommendRequest]


class WhoseModel(Asked):
    """Which model answers a question about items."""

    user_id: str | None = None
    model: str | None = None


class SimilarParameters(WhoseModel, Filters):
    """How many items like one, and which."""

    n: int = 10


class ItemsParameters(WhoseModel):
    """Whose cards."""

    ids: list[str]


class Event(Asked):
    """A user interacted with an item."""

    user_id: str
    item_id: str
    timestamp: float | None = None
    event_id: str | None = None


class EventsRequest(Asked):
    """Events to append to histories. They are sent again after a failure only if every one has an `event_id`."""

    events: list[Event]


class ReasonGiven(Answered):
    """An item of the history that the recommended one is like."""

    item_id: str
    similarity: float
    share: float


class RecommendedItem(Answered):
    """One recommended item."""

    item_id: str
    score: float
    rank: int
    reason: list[ReasonGiven] = Field(default_factory=list)


class RecommendResponse(Answered):
    """The recommended items, best first."""

    request_id: str
    user_id: str | None
    model_version: str
    variant: str | None
    source: Literal["model", "popular", "mixed"]
    degraded: bool
    unknown_categories: list[str]
    unknown_brands: list[str]
    items: list[RecommendedItem]


class ErrorBody(Answered):
    """What is said of a request that failed."""

    error: str
    message: str
    request_id: str


class BatchResponse(Answered):
    """For each request, in their order, its answer or its error."""

    responses: list[RecommendResponse | ErrorBody]


class SimilarResponse(Answered):
    """The items nearest to one, nearest first."""

    item_id: str
    model_version: str
    variant: str | None
    unknown_categories: list[str]
    unknown_brands: list[str]
    items: list[RecommendedItem]


class EventsResponse(Answered):
    """What became of the events."""

    accepted: int
    duplicates: int
    unknown_items: list[str]


class HistoryItem(Answered):
    """One item of a history."""

    item_id: str


class HistoryResponse(Answered):
    """A stored history, newest last."""

    user_id: str
    items: list[HistoryItem]


class Card(Answered):
    """What is shown of an item."""

    item_id: str
    title: str
    brand: str
    categories: list[str]
    available: bool
    image: str | None


class CardsResponse(Answered):
    """Cards of the known among the items asked for."""

    model_version: str
    variant: str | None
    items: list[Card]
    unknown_items: list[str]


class UsersResponse(Answered):
    """Some users that have a history."""

    users: list[str]


class FacetValue(Answered):
    """A value to filter by."""

    value: str
    items: int


class FacetsResponse(Answered):
    """The values that most items have."""

    model_version: str
    categories: list[FacetValue]
    brands: list[FacetValue]


class ModelInfo(Answered):
    """A folder that is, or should be, a bundle."""

    folder: str
    model_version: str | None
    created_at: str | None
    items: int | None
    state: Literal["active", "previous", "on_disk", "refused"]
    open: bool
    reason: str | None


class WorkerInfo(Answered):
    """A process that answers requests."""

    pid: int
    model_version: str


class VariantInfo(Answered):
    """A model to which a share of the users is given."""

    name: str
    model_version: str
    percent: float


class ModelsResponse(Answered):
    """The models on disk, the newest export first."""

    active: str
    previous: str | None
    models: list[ModelInfo]
    variants: list[VariantInfo]
    workers: list[WorkerInfo]
    answered_by: int


class ActiveResponse(Answered):
    """What answers from now on."""

    active: str
    previous: str | None


class Liveness(Answered):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Readiness(Answered):
    """The model gave its golden answers."""

    status: Literal["ready"] = "ready"
    model_version: str
    items: int
    redis: Literal["up", "down"]
