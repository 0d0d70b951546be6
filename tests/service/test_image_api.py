"""GET /items/{id}/image, and what cards say of it, through a real server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from service.bundle import ItemImages, ModelBundle
from service.console.pages import HEADERS
from service.image_response import ASK_AGAIN, FOR_GOOD
from service.keys import hash_of, new_key
from service.settings import Settings
from tests.service.versions import reseal, write_version

Serve = Callable[[Settings], httpx.Client]
DATA = Path(__file__).parent / "data"
ODD = ["book 7/8?&{x}", "книга-23", "📗-41"]


@pytest.fixture(scope="module")
def pictured(keep_serving: Serve, settings: Settings, pictured_bundle: Path) -> httpx.Client:
    return keep_serving(settings.model_copy(update={"bundle": pictured_bundle}))


@pytest.fixture(scope="module")
def drawn() -> ItemImages:
    return ItemImages.read(DATA)


def path_of(item_id: str) -> str:
    return f"/items/{quote(item_id, safe='')}/image"


def card_of(client: httpx.Client, item_id: str, **whose: str) -> dict[str, str | None]:
    answer = client.get("/items", params={"ids": item_id, **whose}).raise_for_status().json()
    (card,) = answer["items"]
    return dict(card)


def test_every_picture_is_sent_as_it_lies_in_the_bundle(
    pictured: httpx.Client, bundle: ModelBundle, drawn: ItemImages
) -> None:
    for index, item_id in enumerate(bundle.catalog, start=1):
        answer = pictured.get(path_of(item_id))
        if drawn.has(index):
            assert answer.content == drawn.of(index)
            assert answer.headers["Content-Type"] == "image/webp"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        else:
            assert (answer.status_code, answer.json()["error"]) == (404, "no_image")
            assert repr(item_id) in answer.json()["message"]


@pytest.mark.parametrize("item_id", ["book-01", *ODD])
def test_a_card_says_where_its_picture_is(pictured: httpx.Client, item_id: str, drawn: ItemImages) -> None:
    bundle = pictured.get("/readyz").json()["model_version"]
    address = card_of(pictured, item_id)["image"]
    assert address == f"{path_of(item_id).replace('.', '%2E')}?model={bundle}"
    assert address.isascii()
    assert pictured.get(address).headers["Content-Type"] == "image/webp"


def test_a_card_of_an_item_without_says_so(pictured: httpx.Client, client: httpx.Client) -> None:
    assert card_of(pictured, "book-05")["image"] is None
    assert card_of(client, "book-01")["image"] is None  # a bundle without any
    assert client.get(path_of("book-01")).json()["error"] == "no_image"


@pytest.mark.parametrize("item_id", ["nobody", "book-01/image", "..", "\n"])
def test_an_unknown_item_is_a_404_that_names_it(pictured: httpx.Client, item_id: str) -> None:
    answer = pictured.get(path_of(item_id).replace(".", "%2E"))
    assert (answer.status_code, answer.json()["error"]) == (404, "unknown_item")
    assert repr(item_id) in answer.json()["message"]


def test_a_picture_that_is_there_already_is_not_sent_again(pictured: httpx.Client) -> None:
    first, other = pictured.get(path_of("book-01")), pictured.get(path_of("book-02"))
    tag = first.headers["ETag"]
    assert tag.startswith('"')  # a strong one
    assert tag != other.headers["ETag"]
    for named in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = pictured.get(path_of("book-01"), headers={"If-None-Match": named})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == tag
        assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
    several = [("If-None-Match", '"x"'), ("If-None-Match", tag)]
    assert pictured.get(path_of("book-01"), headers=several).status_code == 304
    for named in (other.headers["ETag"], tag[1:-1], tag[:-1], ""):
        assert pictured.get(path_of("book-01"), headers={"If-None-Match": named}).content == first.content


def test_only_an_address_that_names_the_model_is_kept_unasked(pictured: httpx.Client) -> None:
    assert pictured.get(card_of(pictured, "book-01")["image"] or "").headers["Cache-Control"] == FOR_GOOD
    assert pictured.get(path_of("book-01")).headers["Cache-Control"] == ASK_AGAIN
    assert pictured.get(path_of("book-01"), params={"user_id": "ada"}).headers["Cache-Control"] == ASK_AGAIN


@pytest.mark.parametrize(
    ("query", "status", "error"),
    [
        ("model=none", 404, "unknown_model"),
        ("model=", 422, "invalid_request"),
        ("user_id=", 422, "invalid_request"),
        ("size=9", 422, "invalid_request"),
    ],
)
def test_what_cannot_be_meant_is_refused(pictured: httpx.Client, query: str, status: int, error: str) -> None:
    answer = pictured.get(f"{path_of('book-01')}?{query}")
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_each_model_has_pictures_of_its_own(
    serve: Serve, settings: Settings, tiny_bundle: Path, pictured_bundle: Path, drawn: ItemImages, tmp_path: Path
) -> None:
    """Turned around in the first, none in the second; users are divided between the two."""
    models = tmp_path / "models"
    write_version(tiny_bundle, models / "turned", 0)
    ItemImages.write(models / "turned", [drawn.of(60 - k) or b"" for k in range(60)])
    turned, bare = reseal(models / "turned"), write_version(tiny_bundle, models / "bare", 1)
    arms = f"turned={turned}:50,bare={bare}:50"
    client = serve(settings.model_copy(update={"bundle": models, "variants": arms}))
    seen = set()
    for user in (f"user-{k}" for k in range(20)):
        found, card = client.get(path_of("book-02"), params={"user_id": user}), card_of(client, "book-02", user_id=user)
        assert (found.status_code == 200) == (card["image"] is not None)
        if card["image"] is not None:
            assert card["image"].endswith(f"?model={turned}")
            assert found.content == client.get(card["image"]).content == drawn.of(59)
        seen.add(found.status_code)
    assert seen == {200, 404}


def test_it_asks_for_a_key_as_cards_do(serve: Serve, settings: Settings, pictured_bundle: Path) -> None:
    key = new_key()
    update = {"bundle": pictured_bundle, "api_keys_sha256": f"me={hash_of(key)}"}
    client = serve(settings.model_copy(update=update))
    assert client.get(path_of("book-01")).status_code == 401
    assert client.get(path_of("book-01"), headers={"Authorization": f"Bearer {key}"}).status_code == 200


def test_the_page_takes_pictures_from_itself_alone(pictured: httpx.Client) -> None:
    assert "img-src data: blob:;" in HEADERS["Content-Security-Policy"]
    assert "sandbox" in pictured.get(path_of("book-01")).headers["Content-Security-Policy"]
