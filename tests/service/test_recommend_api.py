"""POST /recommend through a real server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from service.bundle import ModelBundle

Body = dict[str, Any]
ids = st.one_of(st.integers(1, 60).map(lambda k: f"book-{k:02d}"), st.sampled_from(["книга-23", "📗-41", "nobody"]))
bodies = st.fixed_dictionaries(
    {
        "n": st.integers(1, 70),
        "history": st.lists(ids, max_size=30),
        "context_items": st.lists(ids, max_size=5),
        "exclude": st.lists(ids, max_size=40),
        "exclude_seen": st.booleans(),
    }
)


def recommend(client: httpx.Client, body: Body) -> Body:
    answer = client.post("/recommend", json=body)
    assert answer.status_code == 200, answer.text
    found: Body = answer.json()
    return found


@examples(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=bodies)
def test_lists_keep_their_laws(client: httpx.Client, bundle: ModelBundle, body: Body) -> None:
    found = recommend(client, body)
    items, scores = [i["item_id"] for i in found["items"]], [i["score"] for i in found["items"]]
    seen = {item for item in body["history"] + body["context_items"] if item in bundle.catalog}
    dropped = {item for item in body["exclude"] if item in bundle.catalog} | (seen if body["exclude_seen"] else set())
    assert len(items) == min(body["n"], len(bundle.catalog) - len(dropped))
    assert len(set(items)) == len(items)
    assert not set(items) & dropped
    assert all(item in bundle.catalog for item in items)
    assert scores == sorted(scores, reverse=True)
    assert [i["rank"] for i in found["items"]] == list(range(1, len(items) + 1))
    assert found["source"] == ("model" if seen else "popular")
    assert found["degraded"] is False


def test_a_list_is_the_same_alone_and_among_64_others(client: httpx.Client) -> None:
    asked = [{"history": [f"book-{k:02d}" for k in range(1 + j % 6, 60, 3 + j % 7)], "n": 20} for j in range(64)]
    alone = [recommend(client, body)["items"] for body in asked]
    with ThreadPoolExecutor(32) as pool:
        together = list(pool.map(lambda body: recommend(client, body)["items"], asked))
    assert together == alone


def test_without_a_user_the_answer_is_the_popularity_list(client: httpx.Client, bundle: ModelBundle) -> None:
    found = recommend(client, {"n": 5, "exclude": [bundle.catalog.item_id(int(bundle.popular[1]))]})
    popular = [bundle.catalog.item_id(int(k)) for k in bundle.popular[[0, 2, 3, 4, 5]]]
    assert [item["item_id"] for item in found["items"]] == popular
    assert [item["score"] for item in found["items"]] == [1 / place for place in (1, 3, 4, 5, 6)]
    assert found["source"] == "popular"
    assert found["user_id"] is None


def test_a_given_history_stands_for_the_stored_one(client: httpx.Client) -> None:
    client.post("/events", json={"events": [{"user_id": "given", "item_id": "book-01"}]})
    assert recommend(client, {"user_id": "given", "history": []})["source"] == "popular"
    given_items = recommend(client, {"user_id": "given", "history": ["book-30"]})["items"]
    assert given_items == recommend(client, {"history": ["book-30"]})["items"]


def test_context_counts_as_newest_history_and_is_not_stored(client: httpx.Client) -> None:
    client.post("/events", json={"events": [{"user_id": "context", "item_id": "book-01"}]})
    found = recommend(client, {"user_id": "context", "context_items": ["book-30"]})
    assert found["items"] == recommend(client, {"history": ["book-01", "book-30"]})["items"]
    assert client.get("/users/context/history").json()["items"] == [{"item_id": "book-01"}]


@pytest.mark.parametrize("user_id", ["🦉", "{brace}", "}{", "a/b", "%7B", " ", "\x00", "'\"<b>", "x" * 256])
def test_any_text_is_a_user_id(client: httpx.Client, user_id: str) -> None:
    assert recommend(client, {"user_id": user_id})["user_id"] == user_id


def test_diversity_changes_the_order_and_not_the_scores(client: httpx.Client) -> None:
    body: Body = {"history": ["book-01", "book-02"], "n": 58}
    plain, none, half, whole = (recommend(client, body | more)["items"] for more in (
        {}, {"diversity": 0}, {"diversity": 0.5}, {"diversity": 1},
    ))  # fmt: skip
    assert none == plain
    assert plain[0]["item_id"] == half[0]["item_id"] == whole[0]["item_id"]
    assert len({tuple(item["item_id"] for item in items) for items in (plain, half, whole)}) == 3
    scores = {item["item_id"]: item["score"] for item in plain}
    assert all(scores[item["item_id"]] == item["score"] for items in (half, whole) for item in items)
    assert [item["rank"] for item in whole] == list(range(1, 59))
    assert "diversify;" in client.post("/recommend", json={"diversity": 0.5}).headers["Server-Timing"]


def test_reasons_come_where_they_are_asked_for(client: httpx.Client) -> None:
    body: Body = {"history": ["book-01", "book-02", "book-30"]}
    plain, explained = recommend(client, body)["items"], recommend(client, body | {"explain": True})["items"]
    assert all(set(item) == {"item_id", "score", "rank"} for item in plain)
    assert plain == [{key: item[key] for key in ("item_id", "score", "rank")} for item in explained]
    reasons = [reason for item in explained for reason in item["reason"]]
    assert {reason["item_id"] for reason in reasons} <= set(body["history"])
    assert all(0 < reason["similarity"] <= 1.000001 and 0 < reason["share"] <= 1.000001 for reason in reasons)
    assert all(sum(reason["share"] for reason in item["reason"]) == pytest.approx(1) for item in explained)
    assert [item["reason"] for item in recommend(client, {"n": 2, "explain": True})["items"]] == [[], []]
    assert "explain;" in client.post("/recommend", json=body | {"explain": True}).headers["Server-Timing"]


def test_stages_are_told_in_a_header(client: httpx.Client) -> None:
    timing = client.post("/recommend", json={"user_id": "u", "context_items": ["book-01"]}).headers["Server-Timing"]
    assert [part.split(";")[0] for part in timing.split(", ")] == ["history", "queue", "encode", "retrieve", "rank"]


@pytest.mark.parametrize(("sent", "kept"), [("abc-1", True), ("has space", False), ("x" * 65, False), ("", False)])
def test_a_plain_request_id_is_kept(client: httpx.Client, sent: str, *, kept: bool) -> None:
    answer = client.post("/recommend", json={}, headers={"X-Request-Id": sent})
    assert answer.headers["X-Request-Id"] == answer.json()["request_id"]
    assert (answer.headers["X-Request-Id"] == sent) is kept
