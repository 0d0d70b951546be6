"""Both clients against real services: every operation, and what goes wrong."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from service.client import (
    AsyncClient,
    BatchRequest,
    CallFailed,
    Client,
    Conflict,
    DeadlineExceeded,
    Event,
    EventsRequest,
    InvalidRequest,
    NoAnswer,
    NotAllowed,
    NotFound,
    Options,
    RecommendRequest,
    Rejected,
    Retries,
    SimilarParameters,
    TooManyRequests,
    Unavailable,
    UnknownAnswer,
    calls,
)
from service.client.calls import AnswerT, Call
from service.client.models import ErrorBody, RecommendResponse
from service.keys import hash_of, new_key
from service.settings import Settings

Serve = Callable[[Settings], httpx.Client]
KEY, ADMIN = new_key(), new_key()
ONCE = Options(retries=Retries(tries=1), timeout_seconds=20)
PATIENT = Options(timeout_seconds=20)


class Sender:
    """One of the two clients, whichever, used in the same way."""

    def __init__(self, *, is_async: bool) -> None:
        self._is_async = is_async

    def __call__(self, address: str | httpx.URL, call: Call[AnswerT], options: Options = PATIENT) -> AnswerT:
        if self._is_async:
            return asyncio.run(self._awaited(str(address), call, options))
        with Client(str(address), options) as client:
            return client.send(call)

    async def _awaited(self, address: str, call: Call[AnswerT], options: Options) -> AnswerT:
        async with AsyncClient(address, options) as client:
            return await client.send(call)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def send(request: pytest.FixtureRequest) -> Sender:
    return Sender(is_async=request.param)


def chosen(user: str, item: str = "book-01", event_id: str | None = "1") -> Call[Any]:
    return calls.events(EventsRequest(events=[Event(user_id=user, item_id=item, event_id=event_id)]))


def test_every_operation_through_a_real_service(send: Sender, client: httpx.Client) -> None:
    address, user = client.base_url, f"client-of-{id(send)}"
    assert send(address, chosen(user)).accepted == 1
    assert send(address, chosen(user)).duplicates == 1
    assert send(address, chosen(user, "no-book")).unknown_items == ["no-book"]
    assert [one.item_id for one in send(address, calls.history(user)).items] == ["book-01"]
    answer = send(address, calls.recommend(RecommendRequest(user_id=user, n=3, explain=True)))
    assert (answer.user_id, answer.source, len(answer.items)) == (user, "model", 3)
    assert answer.items[0].reason[0].item_id == "book-01"
    wanted = BatchRequest(requests=[RecommendRequest(user_id=user, n=3), RecommendRequest(model="none")])
    good, bad = send(address, calls.recommend_batch(wanted)).responses
    assert isinstance(good, RecommendResponse)
    assert [one.item_id for one in good.items] == [one.item_id for one in answer.items]
    assert isinstance(bad, ErrorBody)
    assert bad.error == "unknown_model"
    near = send(address, calls.similar("book-01", SimilarParameters(n=4, categories_any=["Crime", "Music"])))
    assert (near.item_id, len(near.items)) == ("book-01", 4)
    assert [one.item_id for one in send(address, calls.items(["book-02", "x"])).items] == ["book-02"]
    assert send(address, calls.models()).active == answer.model_version
    assert send(address, calls.livez()).status == "alive"
    assert send(address, calls.readyz()).redis == "up"
    assert "rec_requests_total" in send(address, calls.metrics())
    assert user in send(address, calls.users()).users or len(send(address, calls.users()).users) == 24
    assert send(address, calls.facets()).model_version == answer.model_version
    assert send(address, calls.erase(user)) is None
    assert send(address, calls.history(user)).items == []


@pytest.mark.parametrize("user", ["..", ".", "a/b", "%2F", "é 😀", "line\nbreak", "?a=b#c", "a+b&c", ";", " "])
def test_any_text_is_a_user_id(client: httpx.Client, user: str) -> None:
    with Client(str(client.base_url), PATIENT) as mine:
        mine.send(chosen(user))
        shown = mine.send(calls.history(user))
        assert (shown.user_id, len(shown.items)) == (user, 1)
        mine.send(calls.erase(user))
        assert mine.send(calls.history(user)).items == []


def test_what_the_service_refuses_is_an_error_of_its_kind(send: Sender, client: httpx.Client) -> None:
    wrong: list[tuple[Call[Any], type[Rejected], str, str]] = [
        (calls.recommend(RecommendRequest(n=501)), InvalidRequest, "invalid_request", "n: "),
        (calls.recommend(RecommendRequest(model="none")), NotFound, "unknown_model", "none"),
        (calls.similar("no-book"), NotFound, "unknown_item", "no-book"),
        (calls.rollback(), NotAllowed, "admin_closed", "REC_ADMIN_KEY_SHA256"),
    ]
    for call, kind, error, told in wrong:
        with pytest.raises(kind) as failed:
            send(client.base_url, call)
        assert failed.value.error == error
        assert told in failed.value.message
        assert failed.value.request_id
        assert failed.value.request_id in str(failed.value)


def test_keys_are_sent(send: Sender, serve: Serve, settings: Settings) -> None:
    keys = {"api_keys_sha256": f"shop={hash_of(KEY)}", "admin_key_sha256": hash_of(ADMIN)}
    address = serve(settings.model_copy(update=keys)).base_url
    with pytest.raises(NotAllowed) as failed:
        send(address, calls.recommend(RecommendRequest()))
    assert failed.value.status == 401
    assert send(address, calls.recommend(RecommendRequest()), Options(KEY, 20)).source == "popular"
    with pytest.raises(Conflict):
        send(address, calls.rollback(), Options(ADMIN, 20))


def test_a_full_service_is_asked_again_when_it_said(send: Sender, serve: Serve, settings: Settings) -> None:
    rate = {"api_keys_sha256": f"shop={hash_of(KEY)}", "rate_per_second": 1.0, "rate_burst": 1}
    running = serve(settings.model_copy(update=rate))
    hasty = Options(KEY, 20, Retries(longest_pause_seconds=0.5))
    send(running.base_url, calls.recommend(RecommendRequest()), hasty)
    with pytest.raises(TooManyRequests) as failed:
        send(running.base_url, calls.recommend(RecommendRequest()), hasty)
    assert failed.value.retry_after == 1
    refused = errors_counted(running, "rate_limited")
    assert refused == 1, "who may not wait so long is not kept waiting"
    started = time.monotonic()
    send(running.base_url, calls.recommend(RecommendRequest()), Options(KEY, 20, Retries(tries=4)))
    if errors_counted(running, "rate_limited") > refused:
        assert time.monotonic() - started >= 1


def test_events_without_ids_are_never_sent_twice(send: Sender, serve: Serve, settings: Settings) -> None:
    nobody = {"redis_url": f"redis://127.0.0.1:{free_port()}", "redis_long_timeout_ms": 100}
    running = serve(settings.model_copy(update=nobody))
    twice = Options(None, 20, Retries(tries=2))
    for event_id, sent in (("1", 2), (None, 1)):
        before = errors_counted(running, "history_unavailable")
        with pytest.raises(Unavailable) as failed:
            send(running.base_url, chosen("ada", event_id=event_id), twice)
        assert failed.value.retry_after == 1
        assert errors_counted(running, "history_unavailable") - before == sent


def errors_counted(running: httpx.Client, error: str) -> int:
    found = re.search(rf'rec_errors_total{{error="{error}"}} (\d+)', running.get("/metrics").text)
    return int(found[1]) if found else 0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def test_nobody_there_and_nobody_answering_are_told_in_time(send: Sender) -> None:
    quick = Options(None, 0.1, Retries(tries=2, first_pause_seconds=0.01))
    with pytest.raises(NoAnswer) as failed:
        send(f"http://127.0.0.1:{free_port()}", calls.livez(), quick)
    assert isinstance(failed.value.__cause__, httpx.ConnectError)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(NoAnswer) as failed:
        send(f"http://127.0.0.1:{silent.getsockname()[1]}", calls.livez(), quick)
    assert isinstance(failed.value.__cause__, httpx.TimeoutException)


def test_a_page_that_is_not_the_contract_is_no_answer(send: Sender, client: httpx.Client) -> None:
    elsewhere = Call("GET", "/livez", RecommendResponse.model_validate_json)
    with pytest.raises(UnknownAnswer, match="/livez"):
        send(client.base_url, elsewhere)
    with pytest.raises(CallFailed):
        send(client.base_url, Call("GET", "/docs", RecommendResponse.model_validate_json))


def test_a_deadline_that_passes_is_its_own_error(serve: Serve, settings: Settings) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    slow = {"redis_url": f"redis://127.0.0.1:{silent.getsockname()[1]}", "redis_timeout_ms": 200}
    with silent, Client(str(serve(settings.model_copy(update=slow)).base_url), ONCE) as mine:
        with pytest.raises(DeadlineExceeded) as failed:
            mine.send(calls.recommend(RecommendRequest(user_id="ada", deadline_ms=50)))
        assert failed.value.status == 504
