"""The wire: what requests and responses look like, and nothing else. Unknown fields are errors, types are strict."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from service.filters import Filters
from service.wire import Text, Wire, examples

MAX_N = 500
MAX_HISTORY = 1000
MAX_CONTEXT = 100
MAX_EXCLUDE = 1000
MAX_EVENTS = 1000
MAX_CARDS = 500
MAX_DEADLINE_MS = 60_000


class RecommendRequest(Wire):
    """Whom to recommend for, and under which conditions."""

    model_config = examples(
        {"user_id": "ada", "n": 5, "filters": {"categories_any": ["Crime"]}},
        {"history": ["book-01", "book-17"], "exclude": ["book-44"], "diversity": 0.3, "explain": True},
    )

    user_id: Text | None = None
    """Whose stored history counts; without it and without `history` the answer is what is popular."""
    n: int = Field(default=10, ge=1, le=MAX_N)
    """How many items; fewer come back only when no more are allowed."""
    history: list[Text] | None = Field(default=None, max_length=MAX_HISTORY)
    """Item ids, oldest first, used instead of the stored history (which is then not read)."""
    context_items: list[Text] = Field(default_factory=list, max_length=MAX_CONTEXT)
    """Item ids appended to the history as its newest, and not stored: the present session."""
    exclude: list[Text] = Field(default_factory=list, max_length=MAX_EXCLUDE)
    """Item ids that must not come back."""
    exclude_seen: bool = True
    """Leave out every item of the history and the context. False: they may come back, each with the model's offset on
    what was seen added to its score before the best are chosen."""
    filters: Filters | None = None
    """Conditions that every item must meet."""
    explain: bool = False
    """Tell which items of the history each recommended one is like."""
    diversity: float = Field(default=0.0, ge=0, le=1, allow_inf_nan=False)
    """How much it counts that an item is unlike those before it: from 0, not at all, to 1, nothing else."""
    model: Text | None = None
    """A model version that must answer; it must be open: active, previous, or of a variant."""
    deadline_ms: int | None = Field(default=None, ge=1, le=MAX_DEADLINE_MS)
    """Milliseconds since the request began to arrive, after which its answer is of no use: then it is a 504, and not
    computed if it was not begun."""


class ReasonGiven(Wire):
    """An item of the history that the recommended one is like, in the eyes of the model: no proof of a cause."""

    item_id: str
    similarity: float
    """Cosine of the two item vectors, above 0."""
    share: float
    """Of the similarities to all items of the history, as far as they are above 0."""


class RecommendedItem(Wire):
    """One recommended item."""

    item_id: str
    score: float
    """`source` model: dot product of user and item, or the re-ranker's score; of an item of the history, with the
    model's offset on what was seen. `source` popular: 1 / place in the popularity list. Of a similar item: the cosine
    of the two item vectors, -1 to 1."""
    rank: int
    """1 is best."""
    reason: list[ReasonGiven] = Field(default_factory=list)
    """There with `explain`: up to 3 items of the history that it is most like; empty where it is like none, and in
    popular lists."""


class RecommendResponse(Wire):
    """The recommended items, best first."""

    model_config = examples(
        {
            "request_id": "5f0c2f9d", "user_id": "ada", "model_version": "sasrec-A7-0123456789ab", "variant": "new",
            "source": "model", "degraded": False, "unknown_categories": [], "unknown_brands": [],
            "items": [{"item_id": "book-45", "score": 1.455, "rank": 1}],
        }
    )  # fmt: skip

    request_id: str
    user_id: str | None
    model_version: str
    variant: str | None
    """The variant that the user is in; None where there are none, and where the request named its `model`."""
    source: Literal["model", "popular", "mixed"]
    """`popular`: no item of the history is known to the model, so everybody's favourites are returned. `mixed`: the
    model's list was filled up with them, which no model of today needs."""
    degraded: bool
    """True when the stored history could not be read and was treated as empty."""
    unknown_categories: list[str]
    """Categories of the filters that no item of the model's catalogue has: `*_any` finds nothing by them."""
    unknown_brands: list[str]
    """The same of brands."""
    items: list[RecommendedItem]


class WhoseModel(Wire):
    """Which model answers a question about items. None of the two: as for nobody in particular."""

    user_id: Text | None = None
    """The model of this user's variant answers. Nothing that is stored of the user is read."""
    model: Text | None = None
    """A model version that must answer; it must be open: active, previous, or of a variant."""


class ItemsParameters(WhoseModel):
    """The query of GET /items; ids by repeating the name."""

    ids: list[Text] = Field(min_length=1, max_length=MAX_CARDS)


class SimilarParameters(WhoseModel, Filters):
    """The query of GET /items/{id}/similar; lists by repeating the name."""

    model_config = ConfigDict(strict=False)  # all is text in a query

    n: int = Field(default=10, ge=1, le=MAX_N)
    """How many items; fewer come back only when no more are allowed."""


class SimilarResponse(Wire):
    """The items nearest to one, nearest first, itself not among them."""

    item_id: str
    model_version: str
    variant: str | None
    """As in a recommendation."""
    unknown_categories: list[str]
    """Categories of the filters that no item of the model's catalogue has."""
    unknown_brands: list[str]
    """The same of brands."""
    items: list[RecommendedItem]


class Event(Wire):
    """A user interacted with an item."""

    user_id: Text
    item_id: Text
    timestamp: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Seconds since 1970; orders the events of one user within this request. None is newest."""
    event_id: Text | None = None
    """Makes the event idempotent: one that this user already has is counted as a duplicate and not stored."""


class EventsRequest(Wire):
    """Events to append to the histories of their users."""

    model_config = examples(
        {"events": [{"user_id": "ada", "item_id": "book-01", "timestamp": 1764200000.0, "event_id": "order-7-1"}]}
    )

    events: list[Event] = Field(min_length=1, max_length=MAX_EVENTS)


class EventsResponse(Wire):
    """What became of the events."""

    model_config = examples({"accepted": 3, "duplicates": 1, "unknown_items": ["book-99"]})

    accepted: int
    duplicates: int
    unknown_items: list[str]
    """Item ids that the model does not know, each once; their events were not stored."""


class HistoryItem(Wire):
    """One item of a history."""

    item_id: str


class HistoryResponse(Wire):
    """A stored history, newest last."""

    user_id: str
    items: list[HistoryItem]


class Card(Wire):
    """What is shown of an item."""

    item_id: str
    title: str
    brand: str
    categories: list[str]
    available: bool
    image: str | None
    """Address of its picture in this service, of the model that the card is from; None: there is none."""


class CardsResponse(Wire):
    """Cards of the known among the items asked for, each once, in their order."""

    model_version: str
    """Whose catalogue this is."""
    variant: str | None
    """As in a recommendation."""
    items: list[Card]
    unknown_items: list[str]


class UsersResponse(Wire):
    """Some users that have a history."""

    users: list[str]


class FacetValue(Wire):
    """A value to filter by."""

    value: str
    items: int
    """How many items of the catalogue have it."""


class FacetsResponse(Wire):
    """What the filters of the console offer: the values that most items have, at most 100 of each."""

    model_version: str
    """Whose catalogue this is."""
    categories: list[FacetValue]
    brands: list[FacetValue]


class Liveness(Wire):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Readiness(Wire):
    """The bundle was proven and the model gave its golden answers, else the port would not be open."""

    status: Literal["ready"] = "ready"
    model_version: str
    items: int
    redis: Literal["up", "down"]
    """Down is no reason to be unready: recommendations then come degraded."""


class ErrorBody(Wire):
    """Every answer that is not 2xx."""

    error: str
    """Which error, for programs: a name from the table in docs/serving.md."""
    message: str
    """What is wrong, for people; it names the field."""
    request_id: str
