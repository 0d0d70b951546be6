"""A real server of one permit, that somebody holds: what is said to the others, and to those who speak oddly."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from service.settings import Settings
from tests.service.conftest import Serve

BODY = b'{"user_id": "ada"}'
HEAD = b"POST /recommend HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % len(BODY)
SECONDS = 1.5


@pytest.fixture(scope="module")
def of_one_permit(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Its Redis takes connections and never answers."""
    path = str(tmp_path_factory.mktemp("redis") / "hung.sock")
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(path)
        hung.listen()
        yield Settings(
            bundle=tiny_bundle,
            redis_url=f"unix://{path}",
            redis_timeout_ms=int(SECONDS * 1000),
            breaker_failures=1000,
            permits=1,
        )


@pytest.fixture(scope="module")
def full(keep_serving: Serve, of_one_permit: Settings) -> httpx.Client:
    return keep_serving(of_one_permit)


@contextmanager
def held(client: httpx.Client) -> Iterator[None]:
    """Inside the `with` nobody gets the permit."""
    with ThreadPoolExecutor(1) as pool:
        holder = pool.submit(client.post, "/recommend", json={"user_id": "holder"})
        while in_flight(client) < 1:
            time.sleep(0.005)
        yield
        assert in_flight(client) == 1, "it took too long: somebody may have been let in"
        assert holder.result().status_code == 200


def in_flight(client: httpx.Client) -> float:
    return told(client, "rec_in_flight ")


def told(client: httpx.Client, start: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(start))


@contextmanager
def connected(client: httpx.Client) -> Iterator[socket.socket]:
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10) as plain:
        yield plain


def read_answer(plain: socket.socket) -> tuple[int, dict[str, str], bytes]:
    received = b""
    while b"\r\n\r\n" not in received:
        received += _more(plain)
    head, body = received.split(b"\r\n\r\n", 1)
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    while len(body) < int(headers["content-length"]):
        body += _more(plain)
    return int(status.split()[1]), headers, body


def _more(plain: socket.socket) -> bytes:
    if not (data := plain.recv(65_536)):
        raise EOFError("the server hung up")
    return data


def test_a_head_is_enough_to_be_refused_and_the_connection_stays_good(full: httpx.Client) -> None:
    with connected(full) as plain:
        with held(full):
            plain.sendall(HEAD + b"X-Request-Id: mine-1\r\n\r\n")
            status, headers, body = read_answer(plain)
            assert (status, headers["retry-after"], headers["x-request-id"]) == (429, "1", "mine-1")
            assert json.loads(body).keys() == {"error", "message", "request_id"}
            assert (json.loads(body)["error"], json.loads(body)["request_id"]) == ("overloaded", "mine-1")
            assert "connection" not in headers
            assert "server-timing" not in headers
            plain.sendall(BODY[:5])
            plain.sendall(BODY[5:] + HEAD + b"\r\n" + BODY)  # the rest of it, and the next
            status, headers, _ = read_answer(plain)
            assert status == 429
            assert re.fullmatch(r"[0-9a-f]{32}", headers["x-request-id"])
        plain.sendall(b"GET /livez HTTP/1.1\r\nHost: here\r\n\r\n")
        assert read_answer(plain)[0] == 200


def test_the_idle_timer_of_a_refusal_does_not_run_on_under_the_next_request(
    serve: Serve, of_one_permit: Settings
) -> None:
    """The end of what was refused and the next request come in one piece; that one takes longer than the timer."""
    server = serve(of_one_permit.model_copy(update={"keep_alive_seconds": 1}))
    with ThreadPoolExecutor(1) as pool, connected(server) as plain:
        holder = pool.submit(server.post, "/recommend", json={"user_id": "holder"})
        while in_flight(server) < 1:
            time.sleep(0.005)
        plain.sendall(HEAD.replace(b": %d" % len(BODY), b": 1000") + b"\r\n")
        assert read_answer(plain)[0] == 429
        sent = 0
        while not holder.done():
            sent += plain.send(b"-")  # still there
            time.sleep(0.05)
        plain.sendall(b"-" * (1000 - sent) + HEAD + b"\r\n" + BODY)
        assert read_answer(plain)[0] == 200


def test_two_requests_in_one_piece_get_two_refusals(full: httpx.Client) -> None:
    with connected(full) as plain, held(full):
        plain.sendall((HEAD + b"\r\n" + BODY) * 2)
        received = b""
        while received.count(b'"error":"overloaded"') < 2:
            received += _more(plain)
        assert received.count(b"HTTP/1.1 429") == 2


def test_who_has_a_request_under_way_gets_the_answers_in_their_order(full: httpx.Client) -> None:
    """A refusal must not overtake the list that was asked for before it."""
    with connected(full) as plain:
        plain.sendall(HEAD + b"X-Request-Id: first\r\n\r\n" + BODY)
        while in_flight(full) < 1:
            time.sleep(0.005)
        plain.sendall(HEAD + b"X-Request-Id: second\r\n\r\n" + BODY)
        first, second = read_answer(plain), None
        assert (first[0], first[1]["x-request-id"]) == (200, "first")
        second = read_answer(plain)
        assert second[1]["x-request-id"] == "second"


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        (HEAD, True),
        (HEAD + b"Connection: close\r\n", False),
        (HEAD.replace(b"1.1", b"1.0"), False),
        (HEAD + b"Expect: 100-continue\r\n", True),
        (HEAD + b"Connection: Upgrade\r\nUpgrade: something\r\n", True),
        (b"DELETE /users/ada/history HTTP/1.1\r\nHost: here\r\n", True),
        (b"GET /%69tems?ids=a HTTP/1.1\r\nHost: here\r\n", True),
        (b"PUT /recommend HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n", True),
    ],
)
def test_whatever_way_it_takes_a_refusal_is_the_same(full: httpx.Client, head: bytes, *, kept: bool) -> None:
    with held(full), connected(full) as plain:
        plain.sendall(head + b"\r\n")
        status, headers, body = read_answer(plain)
    assert status == 429
    assert headers.keys() - {"connection"} == {
        "content-length", "content-type", "date", "retry-after", "x-request-id",
    }  # fmt: skip
    assert json.loads(body)["error"] == "overloaded"
    assert json.loads(body)["request_id"] == headers["x-request-id"]
    assert headers.get("connection") == (None if kept else "close")


def test_every_refusal_is_counted(full: httpx.Client) -> None:
    names = 'rec_requests_total{route="unmatched",status="429"}', 'rec_errors_total{error="overloaded"}'
    before = [told(full, name) for name in names]
    with held(full):
        for _ in range(20):
            assert full.post("/recommend", json={}).status_code == 429
        assert [told(full, name) for name in names] == [count + 20 for count in before]
        assert full.get("/livez").status_code == 200
