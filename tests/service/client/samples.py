"""One call of each operation."""

from __future__ import annotations

from typing import Any

from service.client import BatchRequest, Event, EventsRequest, RecommendRequest, calls
from service.client.calls import Call

SAMPLES: dict[str, Call[Any]] = {
    "recommend": calls.recommend(RecommendRequest(user_id="ada")),
    "recommend_batch": calls.recommend_batch(BatchRequest(requests=[RecommendRequest()])),
    "events": calls.events(EventsRequest(events=[Event(user_id="ada", item_id="book-01")])),
    "history": calls.history("ID"),
    "erase": calls.erase("ID"),
    "similar": calls.similar("ID"),
    "image": calls.image("ID"),
    "items": calls.items(["book-01"]),
    "models": calls.models(),
    "activate": calls.activate("ID"),
    "rollback": calls.rollback(),
    "livez": calls.livez(),
    "readyz": calls.readyz(),
    "metrics": calls.metrics(),
    "users": calls.users(),
    "facets": calls.facets(),
}
