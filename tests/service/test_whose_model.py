"""Lists, cards and similar items of one user come from one model, and each says which."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.bundle import BundleDraft, ItemCard, ModelBundle, PackedStrings, seal
from service.bundle.files import CARDS
from service.keys import hash_of
from service.models.variants import Variants
from service.settings import Settings
from tests.service.versions import write_version

Serve = Callable[[Settings], httpx.Client]
NUMBERS = (0, 1, 2)


def write_told_apart(tiny: Path, folder: Path, number: int) -> str:
    """A version with vectors of its own and cards that tell which one it is."""
    write_version(tiny, folder, number)
    bundle = ModelBundle.read(folder)
    cards = [ItemCard(title=f"{number}: {bundle.card(k).title}") for k in range(1, len(bundle.catalog) + 1)]
    PackedStrings.pack(card.to_json() for card in cards).write(folder, CARDS)
    draft = bundle.manifest.model_dump(exclude={"model_version", "files"})
    return seal(folder, BundleDraft.model_validate(draft)).model_version


@pytest.fixture(scope="module")
def versions(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    models = tmp_path_factory.mktemp("models")
    return models, [write_told_apart(tiny_bundle, models / f"b{number}", number) for number in NUMBERS]


@pytest.fixture(scope="module")
def divided(versions: tuple[Path, list[str]], settings: Settings) -> Settings:
    """b2, the newest, is active and has no users; b0 and b1 have half of them each."""
    models, (first, second, _) = versions
    return settings.model_copy(
        update={
            "bundle": models,
            "variants": f"none=active:0,old={first}:50,new={second}:50",
            "admin_key_sha256": hash_of("the-admin-key"),
        }
    )


@pytest.fixture(scope="module")
def service(keep_serving: Serve, divided: Settings) -> httpx.Client:
    return keep_serving(divided)


def of(client: httpx.Client, **whose: str) -> dict[str, dict[str, Any]]:
    """The three answers."""
    asked = {"history": ["book-01"], **whose}
    answers = {
        "list": client.post("/recommend", json=asked),
        "cards": client.get("/items", params={"ids": ["book-01", "book-02"], **whose}),
        "similar": client.get("/items/book-01/similar", params={"n": "60", **whose}),
    }
    assert {answer.status_code for answer in answers.values()} == {200}
    return {name: answer.json() for name, answer in answers.items()}


def named(answers: dict[str, dict[str, Any]]) -> tuple[str, str | None]:
    """The model and the variant, which all name alike."""
    ((model_version, variant),) = {(one["model_version"], one["variant"]) for one in answers.values()}
    return model_version, variant


def number_of(answers: dict[str, dict[str, Any]]) -> int:
    """Which model's catalogue the cards are of."""
    (number,) = {int(card["title"].split(":")[0]) for card in answers["cards"]["items"]}
    return number


def test_a_users_cards_and_similar_items_come_from_the_model_of_the_users_list(
    service: httpx.Client, divided: Settings, versions: tuple[Path, list[str]]
) -> None:
    variants, seen = Variants.of_settings(divided.variants), set()
    alone = {version: of(service, model=version)["similar"]["items"] for version in versions[1]}
    for user in (f"user-{k}" for k in range(20)):
        answers, arm = of(service, user_id=user), variants.of(user)
        assert arm is not None
        assert named(answers) == (arm.version, arm.name)
        assert number_of(answers) == {"old": 0, "new": 1}[arm.name]
        assert answers["similar"]["items"] == alone[arm.version]
        seen.add(arm.name)
    assert seen == {"old", "new"}
    assert alone[versions[1][0]] != alone[versions[1][1]]


def test_a_model_may_be_named_and_goes_before_the_user(service: httpx.Client, versions: tuple[Path, list[str]]) -> None:
    for number, version in enumerate(versions[1]):
        answers = of(service, user_id="ada", model=version)
        assert named(answers) == (version, None)
        assert number_of(answers) == number


def test_for_nobody_in_particular_it_is_the_model_that_recommends_to_nobody(
    service: httpx.Client, versions: tuple[Path, list[str]]
) -> None:
    answers = of(service)
    assert named(answers) == (versions[1][0], "old")
    assert number_of(answers) == 0


def test_where_users_are_not_divided_it_is_the_active_one(client: httpx.Client, bundle: ModelBundle) -> None:
    assert named(of(client, user_id="ada")) == named(of(client)) == (bundle.manifest.model_version, None)


@pytest.mark.parametrize("path", ["/items?ids=book-01", "/items/book-01/similar?n=1"])
def test_a_model_that_is_not_open_is_a_404(service: httpx.Client, path: str) -> None:
    refused = service.get(f"{path}&model=tiny-A0-none")
    assert (refused.status_code, refused.json()["error"]) == (404, "unknown_model")


@pytest.mark.parametrize("path", ["/items?ids=book-01", "/items/book-01/similar?n=1"])
@pytest.mark.parametrize(
    ("query", "said"), [("user_id=", "query.user_id"), ("model=", "query.model"), ("variant=old", "query.variant")]
)
def test_what_cannot_be_meant_is_refused_and_named(service: httpx.Client, path: str, query: str, said: str) -> None:
    refused = service.get(f"{path}&{query}")
    assert refused.status_code == 422
    assert refused.json()["message"].startswith(f"{said}: ")


def test_a_variant_that_follows_the_active_model_takes_its_cards_along(
    serve: Serve, divided: Settings, versions: tuple[Path, list[str]], tmp_path: Path
) -> None:
    stated = {"variants": f"all=active:100,old={versions[1][0]}:0", "active_file": tmp_path / "active.json"}
    client = serve(divided.model_copy(update=stated))
    for number in (2, 1, 2):
        path = f"/admin/models/{versions[1][number]}/activate"
        assert client.post(path, headers={"Authorization": "Bearer the-admin-key"}).status_code == 200
        answers = of(client, user_id="ada")
        assert named(answers) == (versions[1][number], "all")
        assert number_of(answers) == number


def test_reading_another_users_model_reads_nothing_of_the_user(service: httpx.Client) -> None:
    """The id divides; no history is looked up, so it takes no stage of the answer."""
    answer = service.get("/items/book-01/similar", params={"user_id": "ada"})
    assert "history" not in answer.headers["Server-Timing"]
    assert "ada" not in json.dumps(answer.json())
