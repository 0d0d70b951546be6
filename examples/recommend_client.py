"""Ask a running service for recommendations, tell it of a choice, and ask again: `python examples/recommend_client.py`.

The address, the user and a key may be given: `python examples/recommend_client.py http://127.0.0.1:8000 ada KEY`. It
needs httpx and pydantic; `service/client` is a folder that may be copied.
"""

from __future__ import annotations

import sys
from uuid import uuid4

from service.client import (
    CallFailed,
    Client,
    Event,
    EventsRequest,
    EventsResponse,
    Options,
    RecommendRequest,
    RecommendResponse,
    calls,
)


def main(address: str = "http://127.0.0.1:8000", user: str = "ada", key: str | None = None) -> None:
    """Show a user's list before and after the best item was chosen."""
    with Client(address, Options(key)) as client:
        before = client.send(five_for(user))
        show("before", before)
        client.send(chosen(user, before.items[0].item_id))
        show("after ", client.send(five_for(user)))


def five_for(user: str) -> calls.Call[RecommendResponse]:
    """The five best items for a user."""
    return calls.recommend(RecommendRequest(user_id=user, n=5))


def chosen(user: str, item_id: str) -> calls.Call[EventsResponse]:
    """An event to store. Its id makes it safe to send again when the answer was lost, and so the client does."""
    return calls.events(EventsRequest(events=[Event(user_id=user, item_id=item_id, event_id=uuid4().hex)]))


def show(when: str, answer: RecommendResponse) -> None:
    """One line: who answered, and what."""
    sys.stdout.write(f"{when} ({answer.source}): {', '.join(item.item_id for item in answer.items)}\n")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:4])
    except CallFailed as failed:
        sys.exit(f"{type(failed).__name__}: {failed}")
