"""Events, histories and their erasure through real servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from service.settings import Settings

Serve = Callable[[Settings], httpx.Client]


def send(client: httpx.Client, *events: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("/events", json={"events": events})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def history(client: httpx.Client, user: str) -> list[str]:
    answer = client.get(f"/users/{_quoted(user)}/history")
    assert answer.status_code == 200, answer.text
    return [item["item_id"] for item in answer.json()["items"]]


def _quoted(user: str) -> str:
    return quote(user, safe="").replace(".", "%2E")  # clients resolve a bare dot in a path


def test_a_repeated_event_id_is_taken_once(client: httpx.Client) -> None:
    user = uuid4().hex
    event = {"user_id": user, "item_id": "book-01", "event_id": "e1"}
    assert send(client, event, event)["duplicates"] == 1
    assert send(client, event) == {"accepted": 0, "duplicates": 1, "unknown_items": []}
    other_user = event | {"user_id": f"{user}-2"}
    assert send(client, other_user)["accepted"] == 1
    assert history(client, user) == ["book-01"]


def test_an_event_without_id_is_always_new(client: httpx.Client) -> None:
    user = uuid4().hex
    event = {"user_id": user, "item_id": "book-01"}
    assert send(client, event, event)["accepted"] == 2
    assert history(client, user) == ["book-01", "book-01"]


def test_unknown_items_are_told_and_not_stored(client: httpx.Client) -> None:
    user = uuid4().hex
    events = [{"user_id": user, "item_id": item} for item in ("nobody", "book-02", "nobody", "🤷")]
    assert send(client, *events) == {"accepted": 1, "duplicates": 0, "unknown_items": ["nobody", "🤷"]}
    assert history(client, user) == ["book-02"]


def test_times_order_the_events_of_one_request(client: httpx.Client) -> None:
    user = uuid4().hex
    times = {"book-01": 30.5, "book-02": 10, "book-03": 20}
    events: list[dict[str, Any]] = [{"user_id": user, "item_id": i, "timestamp": t} for i, t in times.items()]
    send(client, {"user_id": user, "item_id": "book-04"}, *events)
    assert history(client, user) == ["book-02", "book-03", "book-01", "book-04"]


def test_only_the_newest_are_kept(serve: Serve, settings: Settings) -> None:
    short = serve(settings.model_copy(update={"history_kept": 3}))
    user = uuid4().hex
    for k in range(1, 10, 2):
        send(short, {"user_id": user, "item_id": f"book-{k:02d}"}, {"user_id": user, "item_id": f"book-{k + 1:02d}"})
    assert history(short, user) == ["book-08", "book-09", "book-10"]


@pytest.mark.parametrize("user", ["🦉{}", "{a}:h", "a/b", "}:e", "%", "a?b#c", "two\nlines", "/history", "."])
def test_histories_of_odd_user_ids_stay_apart_and_can_be_erased(client: httpx.Client, user: str) -> None:
    neighbour = f"{user}x"
    send(client, {"user_id": user, "item_id": "book-01"}, {"user_id": neighbour, "item_id": "book-02"})
    assert history(client, user) == ["book-01"]
    assert client.delete(f"/users/{_quoted(user)}/history").status_code == 204
    assert history(client, user) == []
    assert history(client, neighbour) == ["book-02"]
    client.delete(f"/users/{_quoted(neighbour)}/history")


def test_erasing_forgets_event_ids_too(client: httpx.Client) -> None:
    user = uuid4().hex
    event = {"user_id": user, "item_id": "book-01", "event_id": "e"}
    send(client, event)
    for _ in range(2):  # idempotent
        assert client.delete(f"/users/{user}/history").status_code == 204
    assert send(client, event)["accepted"] == 1


def test_another_worker_sees_an_event_at_once(serve: Serve, settings: Settings) -> None:
    one, other = serve(settings), serve(settings)
    user = uuid4().hex
    for k in range(1, 41):
        writer, reader = (one, other) if k % 2 else (other, one)
        send(writer, {"user_id": user, "item_id": f"book-{k:02d}" if k not in {7, 23} else "book-01"})
        listed = reader.post("/recommend", json={"user_id": user, "n": 60}).json()["items"]
        assert f"book-{k:02d}" not in {item["item_id"] for item in listed} or k in {7, 23}


def test_cards_come_in_the_order_asked_and_unknown_ids_are_told(client: httpx.Client) -> None:
    body = client.get("/items", params={"ids": ["книга-23", "x", "book-01", "книга-23"]}).json()
    assert [card["item_id"] for card in body["items"]] == ["книга-23", "book-01"]
    assert body["items"][1] == {
        "item_id": "book-01", "title": "The Quiet Airlock", "brand": "Orbit House",
        "categories": ["Books", "Science fiction"], "available": True, "image": None,
    }  # fmt: skip
    assert body["unknown_items"] == ["x"]


def test_the_sample_holds_users_with_a_history(client: httpx.Client) -> None:
    user = uuid4().hex
    send(client, {"user_id": user, "item_id": "book-01", "event_id": "e"})
    users = client.get("/console/users").json()["users"]
    assert users == sorted(set(users))
    assert all(history(client, one) for one in users)
