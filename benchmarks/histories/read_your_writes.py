"""An event goes to one worker, the recommendation comes from another, at once."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx


@dataclass(frozen=True)
class Seen:
    """Events, and those that the very next recommendation knew of."""

    events: int
    seen: int
    degraded: int
    """Recommendations that say that they could not read the history in time."""


def count(addresses: list[str], item_ids: list[str], events: int) -> Seen:
    """Send `events` events, each of a user of its own, to one of two workers and ask the other. The event was seen when
    the list is the one for a history of just that item; workers change roles at every event."""
    with (
        httpx.Client(base_url=addresses[0], timeout=20) as one,
        httpx.Client(base_url=addresses[1], timeout=20) as other,
    ):
        expected = {item: _listed(one, {"history": [item]}) for item in item_ids}
        unseen = _listed(one, {})
        assert all(items != unseen for items in expected.values()), "the lists do not tell who was seen"
        seen = degraded = 0
        for number in range(events):
            writer, reader = (one, other) if number % 2 else (other, one)
            item, user = random.choice(item_ids), uuid4().hex
            sent = writer.post("/events", json={"events": [{"user_id": user, "item_id": item}]})
            sent.raise_for_status()
            answer = reader.post("/recommend", json={"user_id": user}).raise_for_status().json()
            seen += _items(answer) == expected[item]
            degraded += answer["degraded"]
        return Seen(events, seen, degraded)


def _listed(client: httpx.Client, body: dict[str, Any]) -> list[str]:
    return _items(client.post("/recommend", json=body).raise_for_status().json())


def _items(answer: dict[str, Any]) -> list[str]:
    return [item["item_id"] for item in answer["items"]]
