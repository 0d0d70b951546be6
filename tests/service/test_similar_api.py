"""GET /items/{id}/similar through a real server."""

from __future__ import annotations

from urllib.parse import quote

import httpx
import numpy as np
import pytest

from service.bundle import ModelBundle


def similar(client: httpx.Client, item_id: str, query: str = "") -> httpx.Response:
    return client.get(f"/items/{quote(item_id, safe='')}/similar{query}")


def test_the_nearest_come_first_by_the_cosine(client: httpx.Client, bundle: ModelBundle) -> None:
    answer = similar(client, "book-01").json()
    vectors = np.frombuffer((bundle.folder / "item_vectors.bin").read_bytes(), np.float32).reshape(60, -1)  # [N, D]
    cosines = vectors @ vectors[0] / np.linalg.norm(vectors, axis=1) / np.linalg.norm(vectors[0])  # [N]
    nearest = np.argsort(-cosines)[1:11]  # the item itself is the very first
    assert set(answer) == {"item_id", "model_version", "variant", "unknown_categories", "unknown_brands", "items"}
    assert answer["item_id"] == "book-01"
    assert answer["model_version"] == bundle.manifest.model_version
    assert [item["item_id"] for item in answer["items"]] == [bundle.catalog.item_id(int(k) + 1) for k in nearest]
    assert [item["score"] for item in answer["items"]] == pytest.approx(cosines[nearest].tolist(), abs=1e-6)
    assert [item["rank"] for item in answer["items"]] == list(range(1, 11))


@pytest.mark.parametrize("item_id", ["book 7/8?&{x}", "книга-23", "📗-41"])
def test_any_id_of_the_catalogue_works_in_the_path(client: httpx.Client, item_id: str) -> None:
    answer = similar(client, item_id, "?n=60")
    assert answer.json()["item_id"] == item_id
    items = [item["item_id"] for item in answer.json()["items"]]
    assert len(set(items)) == len(items) == 59
    assert item_id not in items


def test_filters_are_repeated_query_parameters(client: httpx.Client, bundle: ModelBundle) -> None:
    query = "?n=60&categories_any=Music&categories_any=Krime&categories_any=Crime&brands_none=Acme&available_only=true"
    answer = similar(client, "book-01", query).json()
    wanted = [k for k in range(1, 61) if {"Music", "Crime"} & set(bundle.card(k).categories)]
    assert {item["item_id"] for item in answer["items"]} == {bundle.catalog.item_id(k) for k in wanted}
    assert answer["unknown_categories"] == ["Krime"]
    assert answer["unknown_brands"] == ["Acme"]


@pytest.mark.parametrize("item_id", ["nobody", "book-01/similar", "/", "\n", "x" * 256])
def test_an_unknown_item_is_a_404_that_names_it(client: httpx.Client, item_id: str) -> None:
    answer = similar(client, item_id)
    assert answer.status_code == 404
    assert answer.json()["error"] == "unknown_item"
    assert answer.json()["message"].startswith("item_id: ")
    assert repr(item_id) in answer.json()["message"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("?m=5", "m"),
        ("?category=Music", "category"),
        ("?n=0", "n"),
        ("?n=501", "n"),
        ("?n=ten", "n"),
        ("?available_only=perhaps", "available_only"),
        ("?brands_any=", "brands_any.0"),
        ("?" + "&".join(["brands_none=a"] * 101), "brands_none"),
    ],
)
def test_a_parameter_that_is_none_is_refused_and_named(client: httpx.Client, query: str, named: str) -> None:
    answer = similar(client, "book-01", query)
    assert answer.status_code == 422
    assert answer.json()["message"].startswith(f"query.{named}: ")


@pytest.mark.parametrize("item_id", ["", "x" * 257])
def test_ids_in_the_path_are_bounded(client: httpx.Client, item_id: str) -> None:
    answer = similar(client, item_id)
    assert answer.status_code == 422
    assert "item_id" in answer.json()["message"]
