"""Bad input gets a 4xx with the three fields, never a 500."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

JSON = {"Content-Type": "application/json"}
BODIES: dict[str, tuple[bytes, int, str]] = {
    "unknown field": (b'{"filter": {}}', 422, "filter"),
    "unknown filter": (b'{"filters": {"price_below": 9}}', 422, "filters.price_below"),
    "diversity below": (b'{"diversity": -0.1}', 422, "diversity"),
    "diversity beyond": (b'{"diversity": 1.1}', 422, "diversity"),
    "diversity not finite": (b'{"diversity": NaN}', 422, "diversity"),
    "diversity a text": (b'{"diversity": "0.5"}', 422, "diversity"),
    "diversity a bool": (b'{"diversity": true}', 422, "diversity"),
    "filters a list": (b'{"filters": ["Crime"]}', 422, "filters"),
    "filter a text": (b'{"filters": {"brands_any": "Acme"}}', 422, "filters.brands_any"),
    "filter by nothing": (b'{"filters": {"categories_any": []}}', 422, "filters.categories_any"),
    "filter by an empty text": (b'{"filters": {"categories_none": [""]}}', 422, "filters.categories_none.0"),
    "filter by too many": (json.dumps({"filters": {"brands_none": ["a"] * 101}}).encode(), 422, "filters.brands_none"),
    "available a text": (b'{"filters": {"available_only": "yes"}}', 422, "filters.available_only"),
    "n of zero": (b'{"n": 0}', 422, "n"),
    "n beyond": (b'{"n": 501}', 422, "n"),
    "n a bool": (b'{"n": true}', 422, "n"),
    "n a text": (b'{"n": "10"}', 422, "n"),
    "n not finite": (b'{"n": NaN}', 422, "n"),
    "n huge": (b'{"n": 1' + b"0" * 400 + b"}", 422, "n"),
    "n endless": (b'{"n": 1' + b"0" * 9000 + b"}", 400, ""),
    "user a number": (b'{"user_id": 7}', 422, "user_id"),
    "user empty": (b'{"user_id": ""}', 422, "user_id"),
    "user long": (b'{"user_id": "' + b"x" * 257 + b'"}', 422, "user_id"),
    "user no text": (b'{"user_id": "\\ud800"}', 422, "user_id"),
    "field no text": (b'{"\\ud800": 1}', 422, ""),
    "item no text": (b'{"exclude": ["a", "\\udfff"]}', 422, "exclude.1"),
    "item a number": (b'{"history": [1]}', 422, "history.0"),
    "long history": (json.dumps({"history": ["a"] * 100_000}).encode(), 422, "history"),
    "long exclude": (json.dumps({"exclude": ["a"] * 1001}).encode(), 422, "exclude"),
    "long context": (json.dumps({"context_items": ["a"] * 101}).encode(), 422, "context_items"),
    "deep": (b"[" * 100_000, 400, ""),
    "deep and closed": (b'{"history":' + b"[" * 5000 + b"]" * 5000 + b"}", 400, ""),
    "no json": (b"recommend!", 422, ""),
    "cut short": (b'{"n": 1', 422, ""),
    "empty": (b"", 422, ""),
    "a list": (b"[]", 422, "body"),
    "not utf-8": (b'{"user_id": "\xff"}', 400, ""),
    "10 MB": (b'{"user_id": "' + b"x" * 10_000_000 + b'"}', 413, ""),
}


def check(answer: httpx.Response, status: int, named: str) -> None:
    body: dict[str, Any] = answer.json()
    assert set(body) == {"error", "message", "request_id"}
    assert answer.status_code == status, body
    assert named in body["message"]
    assert body["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize("case", BODIES)
def test_recommend_refuses(client: httpx.Client, case: str) -> None:
    content, status, named = BODIES[case]
    if case == "deep and closed":  # the parser's depth is Python's affair: either refusal will do
        answer = client.post("/recommend", content=content, headers=JSON)
        check(answer, answer.status_code, named)
        assert answer.status_code in {400, 422}
        return
    check(client.post("/recommend", content=content, headers=JSON), status, named)


@pytest.mark.parametrize(
    ("event", "named"),
    [
        ({"user_id": "u"}, "events.0.item_id"),
        ({"user_id": "u", "item_id": "a", "timestamp": -1}, "timestamp"),
        ({"user_id": "u", "item_id": "a", "timestamp": "now"}, "timestamp"),
        ({"user_id": "u", "item_id": "a", "timestamp": True}, "timestamp"),
        ({"user_id": "u", "item_id": "a", "timestamp": float("nan")}, "timestamp"),
        ({"user_id": "u", "item_id": "a", "timestamp": float("inf")}, "timestamp"),
        ({"user_id": "u", "item_id": "a", "event_id": ""}, "event_id"),
        ({"user_id": "u", "item_id": "a", "rating": 5}, "rating"),
    ],
)
def test_events_refuse(client: httpx.Client, event: dict[str, Any], named: str) -> None:
    content = json.dumps({"events": [event]})
    check(client.post("/events", content=content, headers=JSON), 422, named)


def test_no_events_and_too_many_are_refused(client: httpx.Client) -> None:
    event = {"user_id": "u", "item_id": "a"}
    for events in ([], [event] * 1001):
        check(client.post("/events", json={"events": events}), 422, "events")


def test_another_content_type_is_refused(client: httpx.Client) -> None:
    check(client.post("/recommend", content=b'{"n": 1}', headers={"Content-Type": "text/plain"}), 422, "body")


def test_a_long_chunked_body_is_refused_while_it_comes(client: httpx.Client) -> None:
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b"x" * 65_536

    with suppress(httpx.WriteError):  # the server hung up on the rest, which is as good
        check(client.post("/recommend", content=chunks(), headers=JSON), 413, "longer than")
    assert sent < 1000


def test_a_stated_length_beyond_the_limit_is_refused_unread(client: httpx.Client) -> None:
    with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=5) as connection:
        head = b"POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        connection.sendall(head + b"Content-Length: 10000000\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 413")


def test_unknown_routes_and_methods_have_the_same_body(client: httpx.Client) -> None:
    check(client.get("/nowhere"), 404, "")
    refused = client.get("/recommend")
    check(refused, 405, "")
    assert refused.headers["Allow"] == "POST"


def test_ids_in_paths_and_queries_are_bounded(client: httpx.Client) -> None:
    check(client.get(f"/users/{'x' * 257}/history"), 422, "user_id")
    check(client.get("/items"), 422, "ids")
    check(client.get("/items", params={"ids": ["a"] * 501}), 422, "ids")
