"""Ask a running service for recommendations, tell it of a choice, and ask again: `python examples/recommend_client.py`.

Needs httpx. The address and the user may be given: `python examples/recommend_client.py http://127.0.0.1:8000 ada`.
"""

from __future__ import annotations

import sys
from uuid import uuid4

import httpx


def main(address: str = "http://127.0.0.1:8000", user: str = "ada") -> None:
    """Show a user's list before and after the best item was chosen."""
    with httpx.Client(base_url=address, timeout=2) as client:
        before = recommend(client, user)
        show("before", before)
        choose(client, user, before["items"][0]["item_id"])
        show("after ", recommend(client, user))


def recommend(client: httpx.Client, user: str) -> dict[str, list[dict[str, str]]]:
    """The five best items for a user."""
    answer = client.post("/recommend", json={"user_id": user, "n": 5})
    answer.raise_for_status()
    found: dict[str, list[dict[str, str]]] = answer.json()
    return found


def choose(client: httpx.Client, user: str, item_id: str) -> None:
    """Store an event. The event id makes it safe to send again when the answer was lost."""
    event = {"user_id": user, "item_id": item_id, "event_id": uuid4().hex}
    client.post("/events", json={"events": [event]}).raise_for_status()


def show(when: str, answer: dict[str, list[dict[str, str]]]) -> None:
    """One line: who answered, and what."""
    sys.stdout.write(f"{when} ({answer['source']}): {', '.join(item['item_id'] for item in answer['items'])}\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
