"""What the console offers to filter by is what the catalogue has."""

from __future__ import annotations

import httpx

from service.bundle import ModelBundle
from service.models.opening import Model


def test_facets_of_the_active_model_and_each_finds_so_many(client: httpx.Client, bundle: ModelBundle) -> None:
    facets = client.get("/console/facets").raise_for_status().json()
    assert facets["model_version"] == bundle.manifest.model_version
    assert facets["categories"][0] == {"value": "Books", "items": 60}
    assert len(facets["categories"]) == 7
    for brand in facets["brands"]:
        body = {"n": 100, "filters": {"brands_any": [brand["value"]]}}
        answer = client.post("/recommend", json=body).raise_for_status().json()
        assert len(answer["items"]) == brand["items"]
        assert answer["unknown_brands"] == []


def test_they_were_counted_when_the_model_was_opened(model: Model) -> None:
    """Not when the first person looks, which would hold up everybody who asks for something else."""
    assert "facets" in vars(model.recommender)
