"""Filters over HTTP: none is ignored, none leaves a list short, and a slip of the pen is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from service.bundle import ModelBundle
from service.filters import Filters
from service.settings import Settings
from tests.service.asked_filters import filters, meets

Serve = Callable[[Settings], httpx.Client]


@pytest.fixture
def shop(serve: Serve, sold_out_bundle: Path, redis_url: str) -> httpx.Client:
    """A service of a catalogue in which every third item is sold out."""
    return serve(Settings(bundle=sold_out_bundle, redis_url=redis_url, redis_timeout_ms=2000))


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["item_id"] for item in answer.json()["items"]]


@examples(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    wanted=filters,
    history=st.lists(st.integers(1, 60), max_size=5),
    exclude=st.lists(st.integers(1, 60), max_size=30),
    n=st.integers(1, 70),
)
def test_the_list_is_the_whole_list_without_what_does_not_pass(
    shop: httpx.Client, sold_out_bundle: Path, wanted: Filters, history: list[int], exclude: list[int], n: int
) -> None:
    bundle = ModelBundle.read(sold_out_bundle)
    passes = {item for k, item in enumerate(bundle.catalog, start=1) if meets(bundle.card(k), wanted)}
    body: dict[str, Any] = {"history": [bundle.catalog.item_id(k) for k in history], "n": 70}
    body["exclude"] = [bundle.catalog.item_id(k) for k in exclude]
    everything = shop.post("/recommend", json=body).json()
    sent = wanted.model_dump(exclude_defaults=True)
    found = shop.post("/recommend", json=body | {"n": n, "filters": sent}).json()
    kept = [item for item in everything["items"] if item["item_id"] in passes][:n]
    assert [item["item_id"] for item in found["items"]] == [item["item_id"] for item in kept]
    assert [item["score"] for item in found["items"]] == pytest.approx([item["score"] for item in kept], abs=1e-5)
    assert [item["rank"] for item in found["items"]] == list(range(1, len(kept) + 1))
    assert found["source"] == ("model" if history else "popular")


def test_popular_items_of_a_category_for_somebody_unknown(shop: httpx.Client, bundle: ModelBundle) -> None:
    answer = shop.post("/recommend", json={"user_id": "new", "n": 4, "filters": {"categories_any": ["Music"]}})
    music = [int(k) for k in bundle.popular if "Music" in bundle.card(int(k)).categories][:4]
    assert ids(answer) == [bundle.catalog.item_id(k) for k in music]
    assert answer.json()["source"] == "popular"
    place = bundle.popular.tolist().index(music[0]) + 1
    assert answer.json()["items"][0]["score"] == 1 / place  # its place among all, not among music


def test_what_the_catalogue_does_not_know_finds_nothing_and_is_named(shop: httpx.Client) -> None:
    asked = {"categories_any": ["Krime"], "brands_none": ["Acme", "Long Road"]}
    answer = shop.post("/recommend", json={"history": ["book-01"], "filters": asked})
    assert ids(answer) == []
    assert answer.json()["unknown_categories"] == ["Krime"]
    assert answer.json()["unknown_brands"] == ["Acme"]
    half_right = {"categories_any": ["Krime", "Music"]}
    answer = shop.post("/recommend", json={"history": ["book-01"], "n": 20, "filters": half_right})
    assert len(ids(answer)) == 10
    assert answer.json()["unknown_categories"] == ["Krime"]


def test_conditions_that_exclude_each_other_leave_nothing(shop: httpx.Client) -> None:
    asked = {"categories_any": ["Music"], "brands_any": ["Long Road"]}
    answer = shop.post("/recommend", json={"history": ["book-01"], "filters": asked})
    assert ids(answer) == []
    assert (answer.json()["unknown_categories"], answer.json()["unknown_brands"]) == ([], [])


@pytest.mark.parametrize("nothing", [None, {}, {"categories_none": []}, {"available_only": False}])
def test_no_condition_is_no_filter(shop: httpx.Client, nothing: dict[str, Any] | None) -> None:
    plain = shop.post("/recommend", json={"history": ["book-01"]}).json()
    found = shop.post("/recommend", json={"history": ["book-01"], "filters": nothing})
    assert found.json()["items"] == plain["items"]
    assert "filter;" not in found.headers["Server-Timing"]


def test_cards_say_what_is_sold_out_and_the_stage_is_told(shop: httpx.Client) -> None:
    asked = {"history": ["book-01"], "n": 60, "filters": {"available_only": True}}
    answer = shop.post("/recommend", json=asked)
    assert len(ids(answer)) == 39  # 40 are available, one of them is seen
    assert "filter;" in answer.headers["Server-Timing"]
    cards = shop.get("/items", params={"ids": ids(answer)}).json()["items"]
    assert {card["available"] for card in cards} == {True}
    assert shop.get("/items", params={"ids": ["book-03"]}).json()["items"][0]["available"] is False
